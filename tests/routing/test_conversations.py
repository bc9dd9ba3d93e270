"""Is it known where a conversation was, and what its provider still has of it?"""

from __future__ import annotations

import math
import multiprocessing
import os
import pickle
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.routing.choose import TargetChooser
from lc_costkit.routing.conversations import Conversations
from lc_costkit.routing.policy import Conversation, Role, RouteRequest, Turn
from lc_costkit.routing.prompt_caching import caching_of
from lc_costkit.routing.target_model import TargetModel
from lc_costkit.testing.prompt_cache import CACHE_RULES

LONG = "A sentence that is said again and again, and of which there is a lot. " * 100
GPT = {"cheap": TargetModel("gpt-4o-mini", "openai"), "strong": TargetModel("gpt-4o", "openai")}
CLAUDE = {"cheap": TargetModel("claude-sonnet-4-5", "anthropic"), "strong": TargetModel("claude-opus-4-1", "anthropic")}


def about(share: float) -> Any:
    """A share that is estimated from bytes."""
    return pytest.approx(share, abs=0.01)


@dataclass
class Clock:
    """Seconds that a test moves."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(clock: Clock) -> Conversations:
    return Conversations(clock=clock)


def said(*texts: str, **fields: object) -> RouteRequest:
    """A chat in which user and model took turns; long, so that providers cache it."""
    roles: Sequence[Role] = ("human", "assistant")
    turns = tuple(Turn(roles[place % 2], f"{text} {LONG}") for place, text in enumerate(texts))
    known = {"question": texts[-1], "turns": turns, "targets": ("cheap", "strong"), "models": GPT, **fields}
    return RouteRequest(**known)  # type: ignore[arg-type]


def test_a_first_request_has_no_conversation(memory: Conversations) -> None:
    assert memory.read(said("hi")) is None
    memory.note(said("hi"), "cheap")
    assert memory.read(said("hi")) is None


def test_a_conversation_goes_on_from_its_last_request(memory: Conversations, clock: Clock) -> None:
    memory.note(said("one"), "cheap")
    clock.now += 60
    found = memory.read(said("one", "two", "three"))
    assert found == Conversation(
        target="cheap",
        seconds=60.0,
        share=about(1 / 3),
        warm=about(1 / 3),
        warm_at={"cheap": about(1 / 3)},
    )
    memory.note(said("one", "two", "three"), "strong")
    clock.now += 20
    found = memory.read(said("one", "two", "three", "four", "five"))
    assert found is not None
    assert (found.target, found.seconds) == ("strong", 20.0)
    assert found.share == found.warm == found.warm_at["strong"] == about(3 / 5)
    assert found.warm_at["cheap"] == about(1 / 5)


def test_a_cache_lives_five_minutes_from_its_last_use(memory: Conversations, clock: Clock) -> None:
    memory.note(said("one"), "cheap")
    clock.now += 300
    memory.note(said("one", "two", "three"), "cheap")
    clock.now += 300
    following = said("one", "two", "three", "four", "five")
    found = memory.read(following)
    assert found is not None
    assert found.warm_at == {"cheap": about(3 / 5)}
    clock.now += 1
    found = memory.read(following)
    assert found is not None
    assert (found.target, found.seconds, found.warm, found.warm_at) == ("cheap", 301.0, 0.0, {"cheap": 0.0})
    assert found.share == about(3 / 5)


def test_what_one_single_target_would_have_is_the_latest_of_all(memory: Conversations, clock: Clock) -> None:
    """The strong target has nothing left of it, but would have, had it got the calls of the cheap one."""
    memory.note(said("one"), "strong")
    clock.now += 250
    memory.note(said("one", "two", "three"), "cheap")
    clock.now += 250
    found = memory.read(said("one", "two", "three", "four", "five"))
    assert found is not None
    assert found.warm == about(3 / 5)
    assert found.warm_at == {"cheap": about(3 / 5), "strong": 0.0}


def test_an_edited_history_goes_on_from_before_the_edit(memory: Conversations) -> None:
    memory.note(said("one"), "cheap")
    memory.note(said("one", "two", "three"), "strong")
    found = memory.read(said("one", "TWO", "three", "four", "five"))
    assert found is not None
    assert found.target == "cheap"
    assert found.share == about(1 / 5)
    assert memory.read(said("ONE", "two", "three", "four", "five")) is None


def test_a_history_that_was_cut_at_the_front_is_not_known(memory: Conversations) -> None:
    memory.note(said("one", "two", "three"), "cheap")
    assert memory.read(said("three", "four", "five")) is None
    assert memory.look(said("three", "four", "five")).warm == 0.0


def test_a_history_that_was_cut_at_the_end_is_warm_as_far_as_it_goes(memory: Conversations) -> None:
    memory.note(said("one", "two", "three", "four", "five"), "cheap")
    found = memory.look(said("one", "two", "three"))
    assert found.warm == 1.0  # all of it was sent
    memory.note(said("one"), "cheap")
    branch = memory.read(said("one", "two", "another", "six", "seven"))
    assert branch is not None
    assert branch.target == "cheap"
    assert branch.share == branch.warm == about(2 / 5)  # not only as far as a request was


def test_the_same_request_again_goes_on_where_it_was(memory: Conversations) -> None:
    memory.note(said("one", "two", "three"), "strong")
    found = memory.read(said("one", "two", "three"))
    assert found is not None
    assert (found.target, found.share) == ("strong", 1.0)


def test_two_branches_stand_where_each_of_them_was(memory: Conversations) -> None:
    memory.note(said("one"), "cheap")
    memory.note(said("one", "two", "left"), "cheap")
    memory.note(said("one", "two", "right"), "strong")
    left, right = (memory.read(said("one", "two", way, "four", "five")) for way in ("left", "right"))
    assert left is not None and right is not None
    assert (left.target, right.target) == ("cheap", "strong")
    assert right.warm_at["cheap"] == about(2 / 5)


def test_conversations_that_begin_alike_part_with_their_words(memory: Conversations) -> None:
    memory.note(said("hello"), "cheap")
    memory.note(said("hello"), "strong")
    memory.note(said("hello", "hi", "ann asks"), "cheap")
    memory.note(said("hello", "hi", "bob asks"), "strong")
    ann, bob = (memory.read(said("hello", "hi", f"{who} asks", "four", "five")) for who in ("ann", "bob"))
    assert ann is not None and bob is not None
    assert (ann.target, bob.target) == ("cheap", "strong")


def test_examples_before_each_question_are_no_conversation(memory: Conversations) -> None:
    memory.note(said("example", "answer", "a first question"), "strong")
    seen = memory.look(said("example", "answer", "a second question"))
    assert seen.conversation is None
    assert seen.warm == about(2 / 3)


@pytest.mark.parametrize("changed", [{"system": f"It is noon. {LONG}"}, {"tool_text": LONG}, {"structured": True}])
def test_what_stands_before_the_turns_makes_another_prompt(memory: Conversations, changed: dict[str, object]) -> None:
    system = {"system": f"It is one. {LONG}"}
    memory.note(said("one", **system), "cheap")
    seen = memory.look(said("one", "two", "three", **{**system, **changed}))
    assert (seen.conversation, seen.warm) == (None, 0.0)


def test_a_system_prompt_is_warm_for_whoever_begins(memory: Conversations) -> None:
    memory.note(said("ann", system=LONG), "cheap")
    seen = memory.look(said("bob", system=LONG))
    assert seen.conversation is None
    assert seen.warm == about(1 / 2)


def test_a_loop_of_tools_is_one_conversation(memory: Conversations, clock: Clock) -> None:
    turns = [Turn("human", f"Find out. {LONG}")]
    for step in range(30):
        request = RouteRequest(question="Find out.", turns=tuple(turns), targets=("cheap", "strong"), models=GPT)
        found = memory.read(request)
        if step:
            assert found is not None
            assert found.target == "cheap"
            assert found.warm == found.warm_at["cheap"] > 0.3
        memory.note(request, "cheap")
        clock.now += 2
        turns += [Turn("assistant", ""), Turn("tool", f"result {step} {LONG}")]


def test_an_answer_that_tells_its_target_is_believed(memory: Conversations) -> None:
    request = said("one", "two", "three")
    told = tuple(replace(turn, target="strong") if turn.role == "assistant" else turn for turn in request.turns)
    found = memory.read(replace(request, turns=told))
    assert found == Conversation(target="strong", seconds=math.inf, share=0.0, warm=0.0)
    memory.note(said("one"), "cheap")
    found = memory.read(replace(request, turns=told))
    assert found is not None
    assert (found.target, found.share, found.seconds) == ("strong", 0.0, math.inf)
    assert found.warm_at == {"cheap": about(1 / 3)}


def test_an_older_answer_that_tells_does_not_outdo_the_memory(memory: Conversations) -> None:
    request = said("one", "two", "three", "four", "five")
    told = (request.turns[0], replace(request.turns[1], target="cheap"), *request.turns[2:])
    memory.note(said("one", "two", "three"), "strong")
    found = memory.read(replace(request, turns=told))
    assert found is not None
    assert found.target == "strong"
    unknown = tuple(replace(turn, target="of another router") for turn in request.turns)
    found = memory.read(replace(request, turns=unknown))
    assert found is not None
    assert found.target == "strong"


def test_a_short_prefix_is_not_cached(memory: Conversations) -> None:
    turns = (Turn("human", "one"), Turn("assistant", "two"), Turn("human", "three"))
    request = RouteRequest(question="three", turns=turns, targets=("cheap", "strong"), models=GPT)
    memory.note(replace(request, turns=turns[:1]), "cheap")
    found = memory.read(request)
    assert found is not None
    assert found.share > 0
    assert found.warm_at == {"cheap": 0.0}


def test_claude_caches_what_is_marked_for_as_long_as_the_mark_says(memory: Conversations, clock: Clock) -> None:
    memory.note(said("one", models=CLAUDE), "cheap")
    clock.now += 200
    plain, marked = (said("one", "two", "three", models=CLAUDE, cache_marked=yes) for yes in (False, True))

    def warm(request: RouteRequest) -> float:
        found = memory.read(request)
        assert found is not None
        return found.warm_at["cheap"]

    assert (warm(plain), warm(marked)) == (0.0, about(1 / 3))
    clock.now += 200
    assert (warm(marked), warm(replace(marked, cache_seconds=3_600.0))) == (0.0, about(1 / 3))


def test_claude_caches_no_further_than_the_last_mark(memory: Conversations) -> None:
    texts = ("one", "two", "three", "four", "five")
    memory.note(said(*texts[:3], system=LONG, models=CLAUDE, cache_marked=True), "cheap")

    def warm(turns: int | None, models: dict[str, TargetModel] = CLAUDE) -> tuple[float, float]:
        found = memory.read(said(*texts, system=LONG, models=models, cache_marked=True, cache_turns=turns))
        assert found is not None
        return found.warm_at["cheap"], found.warm

    whole, system = pytest.approx((4 / 6, 4 / 6), abs=0.01), pytest.approx((1 / 6, 1 / 6), abs=0.01)
    assert warm(None) == whole
    assert warm(5) == whole
    assert warm(0) == system
    assert warm(0, GPT) == whole  # caches unasked


def test_the_table_of_caches_agrees_with_the_fake_provider() -> None:
    """Two tables, from the same pages: neither may be changed alone."""
    for model, rule in CACHE_RULES.items():
        ours = caching_of(model)
        assert ours.minimum_tokens == rule.minimum_tokens, model
        assert ours.seconds == min(rule.lifetimes.values()), model
        assert ours.bills_writes == rule.bills_writes, model
        assert ours.marked == model.startswith("claude"), model


def test_after_a_failure_it_is_remembered_who_answered() -> None:
    chooser = TargetChooser(["cheap", "strong"], policy=lambda request: "cheap")
    choice = chooser.choose(said("one"))
    after = chooser.instead(choice, ["cheap"], TimeoutError())
    assert after is not None
    found = chooser.conversations.read(said("one", "two", "three"))
    assert found is not None
    assert found.target == "strong"
    assert found.warm_at == {"strong": about(1 / 3)}  # the failed call left nothing


def test_a_failure_leaves_what_was_cached_before(memory: Conversations) -> None:
    memory.note(said("one"), "cheap")
    seen = memory.look(said("one", "two", "three"))
    memory.note(seen, "cheap")
    memory.instead(seen, "strong")
    found = memory.read(said("one", "two", "three", "four", "five"))
    assert found is not None
    assert found.target == "strong"
    assert found.warm_at == {"cheap": about(1 / 5), "strong": about(3 / 5)}


def test_after_two_failures_it_is_remembered_who_answered() -> None:
    chooser = TargetChooser(["cheap", "middle", "strong"], policy=lambda request: "cheap")
    request = said("one", targets=(), models={})
    first = chooser.choose(request)
    second = chooser.instead(first, ["cheap"], TimeoutError())
    assert second is not None
    third = chooser.instead(second, ["cheap", "middle"], TimeoutError())
    assert third is not None
    found = chooser.conversations.read(said("one", "two", "three", models={}))
    assert found is not None
    assert found.target == third.target == "strong"
    assert set(found.warm_at) == {"strong"}


def test_where_the_caller_names_the_target_it_is_remembered() -> None:
    chooser = TargetChooser(["cheap", "strong"], policy=lambda request: "cheap")
    chooser.choose(said("one", metadata={"route": "strong"}))
    found = chooser.conversations.read(said("one", "two", "three"))
    assert found is not None
    assert found.target == "strong"


def test_what_is_only_explained_is_not_remembered() -> None:
    chooser = TargetChooser(["cheap", "strong"], policy=lambda request: "cheap")
    chooser.choose(said("one"), remember=False)
    assert len(chooser.conversations) == 0
    chooser.choose(lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    assert len(chooser.conversations) == 0


def test_in_observe_mode_the_conversation_is_where_the_policy_wanted_it() -> None:
    chooser = TargetChooser(["cheap", "strong"], policy=lambda request: "cheap", mode="observe")
    assert chooser.choose(said("one")).target == "strong"
    found = chooser.conversations.read(said("one", "two", "three"))
    assert found is not None
    assert found.target == "cheap"


def test_a_request_without_a_conversation_still_tells_what_would_be_warm() -> None:
    chooser = TargetChooser(["cheap", "strong"], policy=lambda request: "cheap")
    assert chooser.choose(said("ann", system=LONG)).warm == 0.0
    assert chooser.choose(said("bob", system=LONG)).warm == about(1 / 2)


def test_what_was_not_saved_goes_on_with_the_conversation(memory: Conversations) -> None:
    memory.note(said("one"), "strong", waited_usd=Decimal("0.5"))
    found = memory.read(said("one", "two", "three"))
    assert found is not None
    assert found.waited_usd == Decimal("0.5")


def test_the_oldest_are_forgotten(clock: Clock) -> None:
    memory = Conversations(remembered=10, clock=clock)
    for number in range(50):
        memory.note(said(f"conversation {number}"), "cheap")
        assert len(memory) <= 10
    assert memory.read(said("conversation 49", "two", "three")) is not None
    assert memory.read(said("conversation 0", "two", "three")) is None
    memory.note(said(*map(str, range(31))), "cheap")
    assert len(memory) == 10


def test_a_conversation_that_goes_on_is_kept(clock: Clock) -> None:
    memory = Conversations(remembered=20, clock=clock)
    texts = ["mine"]
    for number in range(50):
        memory.note(said(f"conversation {number}"), "cheap")
        memory.note(said("mine"), "strong")
    assert memory.read(said(*texts, "two", "three")) is not None


def test_no_text_is_kept(memory: Conversations) -> None:
    memory.note(said("my PIN is 4711", system="secret"), "cheap")
    kept = repr(list(memory._beginnings.items()))
    assert "4711" not in kept and "secret" not in kept


def test_a_copy_begins_with_nothing_remembered() -> None:
    memory = Conversations(remembered=7)
    memory.note(said("one"), "cheap")
    copied = pickle.loads(pickle.dumps(memory))  # noqa: S301
    assert (copied.remembered, len(copied)) == (7, 0)
    copied.note(said("one"), "cheap")
    assert copied.read(said("one", "two", "three")) is not None


def test_many_threads_share_it() -> None:
    memory = Conversations(remembered=60)
    wrong: list[object] = []

    def talk(name: str) -> None:
        texts = [name]
        try:
            for step in range(30):
                seen = memory.look(said(*texts))
                memory.note(seen, name)
                if step % 5 == 4:
                    memory.instead(seen, name)
                texts += ["answer", f"question {step}"]
                found = memory.read(said(*texts))
                if found is not None and found.target != name:
                    wrong.append(found)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=talk, args=(f"target {n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(memory) <= 60


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_goes_on_with_a_copy_even_if_the_lock_was_held() -> None:
    memory = Conversations()
    memory.note(said("one"), "cheap")
    receiver, sender = multiprocessing.Pipe(duplex=False)

    def child() -> None:
        found = memory.read(said("one", "two", "three"))
        memory.note(said("one", "two", "three"), "strong")
        sender.send(None if found is None else found.target)

    process = multiprocessing.get_context("fork").Process(target=child)
    with memory._lock:  # as another thread might
        process.start()
    assert receiver.poll(20), "the child waits for a lock that nobody will release"
    assert receiver.recv() == "cheap"
    process.join(20)
    found = memory.read(said("one", "two", "three", "four", "five"))
    assert found is not None
    assert found.target == "cheap"  # what the child did is its own


TEXTS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=6)


@given(st.lists(st.tuples(TEXTS, st.sampled_from(["cheap", "strong"])), max_size=8), TEXTS)
def test_it_knows_what_a_list_of_all_requests_would_know(sent: list[tuple[list[str], str]], asked: list[str]) -> None:
    memory = Conversations(clock=lambda: 0.0)
    for texts, target in sent:
        memory.note(said(*texts), target)
    found = memory.look(said(*asked))

    def shared(texts: list[str]) -> int:
        count = next((n for n, (a, b) in enumerate(zip(texts, asked, strict=False)) if a != b), len(texts))
        return min(count, len(asked))

    begun = [(len(texts), n) for n, (texts, _) in enumerate(sent) if texts == asked[: len(texts)]]
    assert found.warm == about(max((shared(texts) for texts, _ in sent), default=0) / len(asked))
    if len(asked) == 1 or not begun:
        assert found.conversation is None
    else:
        assert found.conversation is not None
        assert found.conversation.target == sent[max(begun)[1]][1]
        for target in ("cheap", "strong"):
            own = max((shared(texts) for texts, name in sent if name == target), default=0)
            assert found.conversation.warm_at.get(target, 0.0) == about(own / len(asked))


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("anthropic/claude-haiku-4.5", "claude-haiku-4-5"),
        ("us.anthropic.claude-sonnet-4-6-20260101-v1:0", "claude-sonnet-4-6"),
        ("openai/gpt-5.6-sol", "gpt-5.6-sol"),
        ("models/gemini-2.5-flash", "gemini-2.5-flash"),
    ],
)
def test_a_model_caches_alike_whoever_sells_it(name: str, same: str) -> None:
    assert caching_of(name) == caching_of(same) != caching_of(None)


def test_conversations_that_called_tools_with_other_arguments_are_two() -> None:
    memory = Conversations()

    def run(order: int) -> RouteRequest:
        call = Turn("assistant", "", calls=f'[{{"name": "look_up", "args": {{"order": {order}}}}}]')
        return RouteRequest(question="Where is it?", turns=(Turn("human", "Where is it?"), call, Turn("tool", "Sent.")))

    memory.note(run(1), "strong")
    assert memory.read(run(1)) is not None
    assert memory.read(run(2)) is None
