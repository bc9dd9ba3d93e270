"""Which requests share a key, which must not, and what nobody can make it do."""

from __future__ import annotations

import asyncio
import contextvars
import re
import threading
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.cache.admit import AdmissionRule
from lc_costkit.cache.declared import Block, DeclaredQuestion, current_question, question
from lc_costkit.cache.key import CacheKey, CacheRequest, Turn, check_temperature_limit, make_key
from lc_costkit.cache.text import normalise
from lc_costkit.errors import ConfigurationError
from lc_costkit.scripts import script_of

DOCUMENTS = "Answer from the context.\n\nRefunds take five days.\n\nParcels take two days."
ASKED = "How long do refunds take?"


def request(*texts: str, roles: tuple[str, ...] = (), **fields: object) -> CacheRequest:
    """Turns with alternating roles that end in a human one, unless roles are given."""
    order = roles or tuple("human" if (len(texts) - place) % 2 else "ai" for place in range(len(texts)))
    turns = tuple(Turn(role=role, text=text) for role, text in zip(order, texts, strict=True))
    return CacheRequest(turns=turns, settings="gpt", **fields)  # type: ignore[arg-type]


def key(asked: CacheRequest | str, **options: object) -> CacheKey:
    made = request(asked) if isinstance(asked, str) else asked
    return make_key(made, **{"namespace": "default", **options})  # type: ignore[arg-type]


class TestScope:
    def test_the_same_request_has_the_same_key(self) -> None:
        assert key(request("You help.", ASKED, roles=("system", "human"))) == key(
            request("You help.", ASKED, roles=("system", "human"))
        )

    @pytest.mark.parametrize(
        "other",
        [
            request("You help.", ASKED, roles=("system", "human")),
            request("Hi", "Hello", ASKED),
            replace(request(ASKED), settings="claude"),
            replace(request(ASKED), plain_text=True),
            CacheRequest(turns=(Turn(role="human", text=ASKED, name="bob"),), settings="gpt"),
            CacheRequest(turns=(Turn(role="human", text=ASKED, other='{"x":1}'),), settings="gpt"),
            request(ASKED, "So", roles=("human", "ai")),
        ],
    )
    def test_anything_else_in_the_request_is_another_scope(self, other: CacheRequest) -> None:
        assert key(other).scope != key(ASKED).scope

    def test_namespace_and_script_are_scopes(self) -> None:
        assert key(ASKED, namespace="a").scope != key(ASKED, namespace="b").scope
        assert key("환불은 언제 되나요").scope != key(ASKED).scope

    def test_the_question_is_no_part_of_the_scope(self) -> None:
        assert key("Where do I pay?").scope == key(ASKED).scope

    def test_text_cannot_move_from_one_turn_to_the_next(self) -> None:
        assert key(request("ab", "c", ASKED)).scope != key(request("a", "bc", ASKED)).scope

    def test_tool_calls_of_earlier_turns_count(self) -> None:
        def asked(call: str) -> CacheRequest:
            turns = (
                Turn(role="human", text="Find it"),
                Turn(role="ai", text="", tool_calls=(call,)),
                Turn(role="tool", text="found", name="search"),
                Turn(role="ai", text="Here"),
                Turn(role="human", text=ASKED),
            )
            return CacheRequest(turns=turns, settings="gpt")

        assert key(asked('search({"q":1})')).scope != key(asked('search({"q":2})')).scope

    def test_context_says_what_earlier_turns_mean(self) -> None:
        one = request("Be kind", "Hi", "Hello", ASKED, roles=("system", "human", "ai", "human"))
        two = request("Be kind", "Hey", "Yes?", ASKED, roles=("system", "human", "ai", "human"))
        rude = request("Be rude", "Hi", "Hello", ASKED, roles=("system", "human", "ai", "human"))
        assert key(one).scope != key(two).scope
        assert key(one, context="last").scope == key(two, context="last").scope
        assert key(one, context="last").scope != key(rude, context="last").scope
        same_topic = {"context": lambda _: "billing"}
        assert key(one, **same_topic).scope == key(two, **same_topic).scope
        assert key(one, context=lambda _: "sales").scope != key(one, **same_topic).scope

    def test_a_context_callable_that_fails_keeps_all_turns(self) -> None:
        one, two = request("Hi", "Hello", ASKED), request("Hey", "Yes?", ASKED)
        broken = {"context": lambda _: 1 / 0}
        assert key(one, **broken).scope != key(two, **broken).scope


class TestRefusal:
    @pytest.mark.parametrize(
        ("asked", "word"),
        [
            (request(ASKED, "42", roles=("human", "tool")), "tool result"),
            (CacheRequest(turns=(Turn(role="human", text=ASKED, has_media=True),), settings=""), "image"),
            (CacheRequest(turns=(), settings=""), "no messages"),
            (replace(request(ASKED), temperature=1.5), "temperature"),
            (replace(request(ASKED), temperature=float("nan")), "temperature"),
            (request("What's the weather today?"), "present moment"),
        ],
    )
    def test_with_its_reason(self, asked: CacheRequest, word: str) -> None:
        refused = key(asked).refused
        assert refused is not None and word in refused

    @pytest.mark.parametrize("temperature", [None, 0.0, 0.7, 1.0])
    def test_ordinary_temperatures_pass(self, temperature: float | None) -> None:
        assert key(replace(request(ASKED), temperature=temperature)).refused is None

    def test_the_limit_is_the_users(self) -> None:
        assert key(replace(request(ASKED), temperature=0.5), max_temperature=0.2).refused is not None

    @pytest.mark.parametrize("bad", [-0.1, float("nan"), "1", True, None])
    def test_a_limit_must_be_a_number(self, bad: object) -> None:
        with pytest.raises(ConfigurationError, match="max_temperature"):
            check_temperature_limit(bad)  # type: ignore[arg-type]

    def test_own_rules(self) -> None:
        rule = AdmissionRule.from_pattern("r", pattern="refund", verdict="refuse", reason="changes daily")
        assert key(ASKED, admission=(rule,)).refused == "changes daily"


class TestExactOnly:
    @pytest.mark.parametrize(
        "text",
        ["word " * 61, "Line one\nline two", "가" * 2001, "", "   ", "Cancel my order"],
    )
    def test_texts_matched_to_the_letter_only(self, text: str) -> None:
        made = key(text)
        assert made.exact_only and made.exact_only_reason and made.refused is None

    def test_one_sentence_is_matched_by_meaning(self) -> None:
        assert not key(ASKED).exact_only and key(ASKED).exact_only_reason is None

    def test_only_instructions(self) -> None:
        made = key(request("Tell a joke", roles=("system",)))
        assert made.exact_only and made.question == "Tell a joke"


class TestDeclared:
    def prompt(self, asked: str, documents: str = DOCUMENTS) -> CacheRequest:
        return request(f"{documents}\n\nQuestion: {asked}\nAnswer:")

    def test_undeclared_is_exact_only(self) -> None:
        assert key(self.prompt(ASKED)).exact_only

    def test_the_question_is_matched_by_meaning_in_the_scope_of_its_documents(self) -> None:
        one = key(self.prompt(ASKED), declared=DeclaredQuestion(ASKED))
        other = key(self.prompt("Refund how long?"), declared=DeclaredQuestion("Refund how long?"))
        elsewhere = key(self.prompt(ASKED, "Another text"), declared=DeclaredQuestion(ASKED))
        assert one.question == ASKED and not one.exact_only
        assert one.scope == other.scope != elsewhere.scope

    def test_a_version_stands_for_the_documents(self) -> None:
        declared = DeclaredQuestion(ASKED, "kb-1")
        one = key(self.prompt(ASKED), declared=declared)
        other = key(self.prompt(ASKED, "Answer from the context.\n\nOther documents"), declared=declared)
        assert one.scope == other.scope
        assert key(self.prompt(ASKED), declared=DeclaredQuestion(ASKED, "kb-2")).scope != one.scope

    def test_two_templates_under_one_version_stay_apart(self) -> None:
        declared = DeclaredQuestion(ASKED, "kb-1")
        rewrite = request(f"Rewrite the question for a search engine: {ASKED}")
        assert key(rewrite, declared=declared).scope != key(self.prompt(ASKED), declared=declared).scope

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("Rewrite it for a search engine.\n\n{}", "Answer from the articles.\n\nSome article.\n\n{}"),
            ("Is it polite?\n\nQuestion: {}", "Answer from the articles.\n\nSome article.\n\nQuestion: {}"),
            (
                "Articles:\nSome article.\n\n{}\n\nAnswer in German.",
                "Articles:\nSome article.\n\n{}\n\nAnswer in Thai.",
            ),
            ("{}\nAnswer with yes or no.", "{}"),
        ],
    )
    def test_templates_without_labels_stay_apart_under_one_version(self, one: str, other: str) -> None:
        declared = DeclaredQuestion(ASKED, "kb-1")
        first = key(request(one.format(ASKED)), declared=declared)
        second = key(request(other.format(ASKED)), declared=declared)
        assert first.question == second.question == ASKED
        assert first.scope != second.scope

    def test_documents_may_repeat_the_question(self) -> None:
        asked = key(self.prompt(ASKED, f"FAQ\n{ASKED} Five days."), declared=DeclaredQuestion(ASKED))
        reworded = key(
            self.prompt("Refunds: when?", f"FAQ\n{ASKED} Five days."), declared=DeclaredQuestion("Refunds: when?")
        )
        assert asked.scope == reworded.scope

    def test_spaces_may_differ_but_case_and_words_may_not(self) -> None:
        wrapped = request("Context: a\n\nHow long do\n  refunds take?")
        assert key(wrapped, declared=DeclaredQuestion(ASKED)).question == ASKED
        for other in (ASKED.lower(), "How long do refund"):
            assert key(wrapped, declared=DeclaredQuestion(other)).exact_only

    def test_another_call_inside_the_block_is_exact_only_and_ignores_the_version(self) -> None:
        declared = DeclaredQuestion(ASKED, "kb-1")
        grade, again = request("Is this polite?"), request("Is that polite?")
        made = key(grade, declared=declared)
        assert made.exact_only and "does not occur" in str(made.exact_only_reason)
        assert made.exact != key(again, declared=declared).exact

    def test_a_scope_stands_for_the_first_text_of_a_block_only(self) -> None:
        declared = DeclaredQuestion(ASKED, "kb-1")
        block = Block(declared)
        first, other = self.prompt(ASKED), self.prompt(ASKED, "Answer from the context.\n\nOther documents")
        assert key(other, declared=block, remember=False) == key(other, declared=declared), "a look leaves no trace"
        assert block.unused
        made = key(first, declared=block)
        assert made == key(first, declared=declared) == key(first, declared=block)
        assert made.declared_scope == "scope 'kb-1' stands for the text around the question"
        later = key(other, declared=block)
        assert later.scope == key(other, declared=DeclaredQuestion(ASKED)).scope != made.scope
        assert not later.exact_only
        assert "does not stand" in str(later.declared_scope)
        assert key(first, declared=block) == made

    def test_a_refused_or_wholly_kept_text_is_no_first_text(self) -> None:
        block = Block(DeclaredQuestion(ASKED, "kb-1"))
        key(replace(self.prompt(ASKED), temperature=1.9), declared=block)
        key(f"Rewrite it.\n\nQuestion: {ASKED}", declared=block)
        key(ASKED, declared=block)
        assert block.unused

    def test_a_scope_that_covers_the_prompt_stands_for_one_system_text(self) -> None:
        block = Block(DeclaredQuestion(ASKED, "kb-1", "prompt"))
        one, other = (
            request(f"You help.\n{documents}", ASKED, roles=("system", "human")) for documents in ("One", "Two")
        )
        first = key(one, declared=block)
        assert key(other, declared=block).scope != first.scope
        assert key(one, declared=block) == first

    def test_threads_agree_on_one_first_text(self) -> None:
        block = Block(DeclaredQuestion(ASKED, "kb-1"))
        made: list[CacheKey] = []
        threads = [
            threading.Thread(
                target=lambda n=number: made.append(
                    key(self.prompt(ASKED, f"Answer.\n\nDocument {n} alone"), declared=block)
                )
            )
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({one.scope for one in made}) == 8
        assert sum("does not stand" in str(one.declared_scope) for one in made) == 7

    def test_a_part_of_a_word_is_no_occurrence(self) -> None:
        assert key("This item is it", declared=DeclaredQuestion("is it")).question == "is it"
        assert key("This item", declared=DeclaredQuestion("is it")).exact_only

    def test_finder(self) -> None:
        def last_line(asked: CacheRequest) -> str:
            return asked.turns[-1].text.splitlines()[-1]

        made = key(request(f"{DOCUMENTS}\n{ASKED}"), question=last_line)
        assert made.question == ASKED and not made.exact_only
        assert key(ASKED, question=lambda _: None).question == ASKED

    @pytest.mark.parametrize("finder", [lambda _: 1 / 0, lambda _: 5, lambda _: "  "])
    def test_a_finder_that_fails_makes_it_exact_only(self, finder: object) -> None:
        made = key(ASKED, question=finder)
        assert made.exact_only and "question=" in str(made.exact_only_reason)

    @given(st.text(max_size=40), st.text(max_size=20), st.text(max_size=40), st.text(max_size=40))
    def test_two_prompts_never_share_an_exact_key(self, before: str, asked: str, after: str, other: str) -> None:
        first = before + asked + after
        if not asked.strip() or first == other:
            return
        declared = DeclaredQuestion(asked)
        one, two = key(first, declared=declared), key(other, declared=declared)
        if normalise(first) != normalise(other) and one.question == two.question:
            assert one.exact != two.exact


class TestBlock:
    def test_nests_and_ends(self) -> None:
        with question("outer"):
            with question("inner", scope="v2"):
                assert current_question() == DeclaredQuestion("inner", "v2")
            assert current_question() == DeclaredQuestion("outer")
        assert current_question() is None

    def test_ends_after_an_error(self) -> None:
        with pytest.raises(RuntimeError), question("q"):
            raise RuntimeError
        assert current_question() is None

    async def test_tasks_keep_their_own(self) -> None:
        async def ask(text: str) -> str:
            with question(text):
                await asyncio.sleep(0)
                found = current_question()
                assert found is not None
                return found.text

        assert list(await asyncio.gather(ask("a"), ask("b"), ask("c"))) == ["a", "b", "c"]

    def test_reaches_threads_that_copy_the_context(self) -> None:
        seen: list[DeclaredQuestion | None] = []
        with question("q"):
            copied = contextvars.copy_context()
            threads = [
                threading.Thread(target=copied.run, args=(lambda: seen.append(current_question()),)),
                threading.Thread(target=lambda: seen.append(current_question())),
            ]
            for thread in threads:
                thread.start()
                thread.join()
        assert seen == [DeclaredQuestion("q"), None]

    @pytest.mark.parametrize(("text", "scope"), [("", None), (" \n", None), (None, None), ("q", ""), ("q", 3)])
    def test_bad_input(self, text: object, scope: object) -> None:
        with pytest.raises(ConfigurationError, match="question"), question(text, scope=scope):  # type: ignore[arg-type]
            pass


class TestNormalise:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("How do I pay?", "how do I pay"),
            ("  How   do I pay ", "How do I pay"),
            ("What’s a refund?", "what's a refund"),
            ("Tell me about refunds.", "tell me about refunds"),
            ("cafe\u0301 hours", "caf\u00e9 hours"),
            ("환불은 언제 되나요?", "환불은 언제 되나요"),
        ],
    )
    def test_spellings_of_one_question(self, one: str, other: str) -> None:
        assert normalise(one) == normalise(other)

    @pytest.mark.parametrize(
        "different",
        [
            ("What is C?", "What is C++?", "What is C#?", "What is c?"),
            ("Is it 1.5?", "Is it 15?", "Is it 1,5?", "Is it 1 5?"),
            ("Is -5 odd", "Is 5 odd"),
            ("What is 5!", "What is 5?"),
            ("What is x²?", "What is x2?"),
            ("Do you ship to US?", "Do you ship to us?"),
            ("Who is IT?", "Who is it?"),
            ("WHO guidelines", "Who guidelines"),
            ("Say 'a  b'", "Say 'a b'"),
            ("if x:\n  y\nz", "if x:\n  y\n  z", "if x: y z"),
            ("Translate: Stop.", "Translate: Stop"),
            ("배송 됐어?", "배송 됐어"),
            ("You are closed.", "You are closed?"),
            ("resume", "résumé"),
        ],
    )
    def test_different_questions_stay_different(self, different: tuple[str, ...]) -> None:
        assert len({normalise(text) for text in different}) == len(different)

    @given(st.text())
    def test_is_stable(self, text: str) -> None:
        assert normalise(normalise(text)) == normalise(text)

    @given(st.text(alphabet="What is5.-+#!? '\n\"x", max_size=30), st.text(alphabet="0123456789.-+,", max_size=8))
    def test_keeps_every_number_and_symbol(self, text: str, number: str) -> None:
        made = normalise(f"Is {text} {number} enough")
        for sign in '0123456789-+#!"':
            assert made.count(sign) == f"Is {text} {number} enough".count(sign)

    def test_a_completion_prompt_stands_as_it_is(self) -> None:
        assert key(replace(request("The cat sat. "), plain_text=True)).normalised == "The cat sat. "


class TestOddText:
    @pytest.mark.parametrize("text", ["\ud800", "a\x00b", "\ud83d\ude00 \udfff?", "", "\u202e", "e\u0301" * 30_000])
    def test_is_hashed(self, text: str) -> None:
        assert len(key(text).exact) == 64

    @given(st.text(st.characters(), max_size=200))
    def test_never_raises(self, text: str) -> None:
        made = key(text)
        assert made.script == script_of(text)

    def test_a_hundred_thousand_tokens_are_exact_only(self) -> None:
        long = "token " * 100_000
        assert key(long).exact_only
        assert key(long).exact != key(long + "x").exact


class TestCoversThePrompt:
    """Documents in the system prompt, which most LangChain templates put there."""

    @staticmethod
    def key(documents: str, declared: DeclaredQuestion, *, opening: str = "You help customers.") -> CacheKey:
        system = Turn(role="system", text=f"{opening}\nAnswer from these articles:\n{documents}")
        earlier = (Turn(role="human", text="Hello"), Turn(role="ai", text="Hello!"))
        turns = (system, *earlier, Turn(role="human", text=declared.text))
        return make_key(CacheRequest(turns=turns, settings="{}"), namespace="n", declared=declared)

    def test_the_version_stands_for_documents_in_the_system_prompt(self) -> None:
        asked = DeclaredQuestion("How long do refunds take?", "kb-1", "prompt")
        assert self.key("A. B.", asked).exact == self.key("B. C.", asked).exact

    def test_without_it_the_system_prompt_must_be_equal(self) -> None:
        asked = DeclaredQuestion("How long do refunds take?", "kb-1")
        assert self.key("A. B.", asked).scope != self.key("B. C.", asked).scope

    def test_another_version_or_another_first_line_is_another_scope(self) -> None:
        one, other = (DeclaredQuestion("How long do refunds take?", version, "prompt") for version in ("kb-1", "kb-2"))
        assert self.key("A.", one).scope != self.key("A.", other).scope
        assert self.key("A.", one).scope != self.key("A.", one, opening="You insult customers.").scope

    def test_it_holds_inside_the_block(self) -> None:
        with question("How long do refunds take?", scope="kb-1", covers="prompt") as declared:
            assert current_question() == declared == DeclaredQuestion("How long do refunds take?", "kb-1", "prompt")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"covers": "prompt"}, "needs scope= to stand for the system prompt"),
            ({"scope": "kb", "covers": "all"}, "must be 'message' or 'prompt', got 'all'"),
        ],
    )
    def test_bad_input(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(ConfigurationError, match=re.escape(message)), question("Why?", **options):
            pass
