"""Can a user who holds only what LangChain handed out reject it?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models.fake import FakeListLLM
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, Generation, LLMResult
from langchain_core.tools import tool

from lc_costkit import SemanticCache
from lc_costkit.errors import ConfigurationError
from lc_costkit.testing import FakeAnswer, FakeProvider, FakeToolCall
from tests.conftest import chat_openai

ASKED = "How do I reset my password?"
REWORDED = "How can I reset my password?"
OTHER = "How do I reset my pin?"


class Results(BaseCallbackHandler):
    """Keeps what reaches ``on_llm_end``."""

    def __init__(self) -> None:
        self.results: list[LLMResult] = []

    def on_llm_end(self, response: LLMResult, **_: Any) -> None:
        self.results.append(response)


@pytest.fixture
def numbered() -> Iterator[FakeProvider]:
    """A provider that never says the same twice."""
    numbers = iter(range(1_000))
    with FakeProvider(answer=lambda request: f"answer {next(numbers)}") as running:
        yield running


def open_cache(path: str | Path = ":memory:") -> SemanticCache:
    return SemanticCache(path, similarity_threshold=0.4, gates=())


FORMS: dict[str, Callable[[AIMessage, LLMResult], Any]] = {
    "message": lambda message, result: message,
    "text": lambda message, result: message.content,
    "generation": lambda message, result: result.generations[0][0],
    "result": lambda message, result: result,
}


@pytest.mark.parametrize("form", FORMS)
def test_a_served_answer_is_rejected_by_whatever_form_it_has(form: str, numbered: FakeProvider) -> None:
    with open_cache() as cache:
        model, seen = chat_openai(numbered, cache=cache), Results()
        first = model.invoke(ASKED)
        served = model.invoke(OTHER, config={"callbacks": [seen]})
        assert served.content == first.content
        assert cache.reject(FORMS[form](served, seen.results[-1])) == 1
        again = model.invoke(ASKED)
        assert again.content != first.content
        assert model.invoke(OTHER).content not in (first.content, again.content), "never again for this question"
        assert model.invoke(REWORDED).content == again.content
        assert numbered.calls == 3
        assert [(p.cached, p.new, p.source) for p in cache.near_hits(labelled=True)] == []
        assert [p.new for p in cache.engine._pairs.labelled(sources=["rejected"])] == [OTHER]


def test_a_message_of_another_process_is_found_by_what_it_says(tmp_path: Path, numbered: FakeProvider) -> None:
    with open_cache(tmp_path / "c.db") as cache:
        model = chat_openai(numbered, cache=cache)
        model.invoke(ASKED)
        served = model.invoke(OTHER)
    with open_cache(tmp_path / "c.db") as cache:
        assert cache.reject(served) == 1
        assert [p.new for p in cache.engine._pairs.labelled(sources=["rejected"])] == [OTHER]


def test_of_equal_answers_the_one_this_process_served_last_is_meant(tmp_path: Path) -> None:
    with FakeProvider(answer=lambda request: "Yes.") as provider, open_cache(tmp_path / "c.db") as cache:
        model = chat_openai(provider, cache=cache)
        model.invoke(ASKED)
        model.invoke("Is the bank open on Mondays?")
        message = model.invoke(ASKED)
        assert cache.reject(message) == 1
        assert cache.stats().entries == 1
        assert provider.calls == 2
        model.invoke("Is the bank open on Mondays?")
        assert provider.calls == 2
        model.invoke(ASKED)
    with open_cache(tmp_path / "c.db") as cache:
        assert cache.stats().entries == 2
        assert cache.reject(AIMessage("Yes.")) == 2, "nobody can tell which of them was meant"


def test_a_live_answer_that_was_stored_can_be_rejected_too(numbered: FakeProvider) -> None:
    with open_cache() as cache:
        model = chat_openai(numbered, cache=cache)
        first = model.invoke(ASKED)
        assert cache.reject(first) == 1
        assert model.invoke(ASKED).content != first.content


def test_what_the_cache_never_served_is_refused() -> None:
    with open_cache() as cache:
        nowhere: list[Any] = [
            AIMessage("Never said."),
            ChatGeneration(message=AIMessage("Never said.")),
            Generation(text="Never said."),
            LLMResult(generations=[[ChatGeneration(message=AIMessage("Never said."))]]),
            "Never said.",
            HumanMessage("Never said."),
        ]
        for answer in nowhere:
            with pytest.raises(ConfigurationError, match="never served"):
                cache.reject(answer)
        with pytest.raises(ConfigurationError, match="no answer"):
            cache.reject(LLMResult(generations=[]))
        with pytest.raises(ConfigurationError, match="neither text nor tool calls"):
            cache.reject(AIMessage(""))
        with pytest.raises(ConfigurationError, match="takes an entry's id"):
            cache.reject(3.5)  # type: ignore[arg-type]


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def test_an_answer_that_calls_a_tool_and_one_in_blocks(tmp_path: Path) -> None:
    answers = iter([FakeAnswer(tool_calls=[FakeToolCall(name="add", arguments={"a": 1, "b": 2})])])
    with FakeProvider(answer=lambda request: next(answers)) as provider, open_cache(tmp_path / "c.db") as cache:
        model = chat_openai(provider, cache=cache).bind_tools([add])
        model.invoke("What is 1 plus 2?")
        served = model.invoke("What is 1 plus 2?")
        assert isinstance(served, AIMessage)
        assert served.tool_calls
        with open_cache(tmp_path / "c.db") as elsewhere:
            assert elsewhere.reject(served) == 1
        blocks = AIMessage([{"type": "text", "text": "Long ago."}, {"type": "text", "text": 'Far away, "there" 멀리.'}])
        cache.update("prompt", "model", [ChatGeneration(message=blocks)])
        assert cache.reject(blocks) == 1


def test_a_completion_model_and_a_chain_that_ends_in_text(numbered: FakeProvider) -> None:
    with open_cache() as cache:
        llm = FakeListLLM(responses=["one", "two"], cache=cache)
        assert (llm.invoke("Say it"), llm.invoke("Say it")) == ("one", "one")
        assert cache.reject("one") == 1
        assert llm.invoke("Say it") == "two"
        chain = chat_openai(numbered, cache=cache) | StrOutputParser()
        text = chain.invoke(ASKED)
        assert chain.invoke(REWORDED) == text
        assert cache.reject(text, question=REWORDED) == 1
        assert chain.invoke(REWORDED) != text


def test_several_answers_of_one_result(numbered: FakeProvider) -> None:
    with open_cache() as cache:
        model = chat_openai(numbered, cache=cache)
        for text in (ASKED, "Is the bank open on Mondays?"):
            model.invoke(text)
        again = model.generate([[HumanMessage(ASKED)], [HumanMessage("Is the bank open on Mondays?")]])
        assert cache.reject(again) == 2
        assert cache.stats().entries == 0


def test_what_is_kept_of_served_answers_is_bounded() -> None:
    from lc_costkit.langchain import served

    with open_cache() as made:
        made.update("prompt", "model", [Generation(text="answer")])
        hit = made.engine.lookup(made._read("prompt", "model"), decode=lambda payload: [])  # type: ignore[arg-type]
        memory = served.Served()
        for number in range(served._MOST_SERVED + 5):
            memory.note([Generation(text=str(number))], hit)  # type: ignore[arg-type]
        assert memory.find(served._digest("3")) is None
        assert memory.find(served._digest("7")) is not None


def test_labels_and_near_hits_are_the_cores(numbered: FakeProvider) -> None:
    with open_cache() as cache:
        model = chat_openai(numbered, cache=cache)
        model.invoke(ASKED)
        model.invoke(OTHER)
        [pair] = cache.near_hits()
        cache.label_pair(pair.id, same=False)
        cache.label(ASKED, REWORDED, same=True)
        assert [(p.new, p.same) for p in cache.near_hits(labelled=True)] == [(OTHER, False)]
        cache.clear(keep_labels=True)
        assert len(cache.engine._pairs.labelled()) == 2
        cache.clear()
        assert cache.engine._pairs.labelled() == []


def test_a_text_that_was_rejected_once_is_found_in_the_other_entries_too() -> None:
    with FakeProvider(answer=lambda request: "Yes.") as provider, open_cache() as cache:
        model = chat_openai(provider, cache=cache)
        model.invoke(ASKED)
        model.invoke("Is the bank open on Mondays?")
        model.invoke(ASKED)
        assert cache.reject("Yes.") == 1, "the one that was served last"
        assert cache.reject("Yes.") == 1, "the one that is left"
        assert cache.reject("Yes.") == 0
