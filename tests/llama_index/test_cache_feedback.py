"""Can a user who holds only what LlamaIndex handed out reject it?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse

from lc_costkit.cache import Cache
from lc_costkit.errors import ConfigurationError
from lc_costkit.llama_index.llm import cached_llm
from lc_costkit.testing import FakeProvider

if TYPE_CHECKING:
    from tests.support.llama_openai import OpenAIFunctionLLM

MakeLLM = Callable[..., "OpenAIFunctionLLM"]

ASKED = "How do I reset my password?"
OTHER = "How do I reset my pin?"


@pytest.fixture
def numbered() -> Iterator[FakeProvider]:
    """A provider that never says the same twice."""
    numbers = iter(range(1_000))
    with FakeProvider(answer=lambda request: f"answer {next(numbers)}") as running:
        yield running


@pytest.fixture
def cache() -> Iterator[Cache]:
    with Cache(similarity_threshold=0.4, gates=()) as made:
        yield made


def user(text: str) -> list[ChatMessage]:
    return [ChatMessage(text)]


FORMS: dict[str, Callable[[ChatResponse], Any]] = {
    "response": lambda served: served,
    "message": lambda served: served.message,
    "text": lambda served: served.message.content,
}


@pytest.mark.parametrize("form", FORMS)
def test_a_served_answer_is_rejected(form: str, numbered: FakeProvider, make_llama_llm: MakeLLM, cache: Cache) -> None:
    llm = cached_llm(make_llama_llm(base_url=numbered.openai_base_url), cache)
    first = llm.chat(user(ASKED)).message.content
    served = llm.chat(user(OTHER))
    assert served.message.content == first
    assert llm.reject(FORMS[form](served)) == 1
    again = llm.chat(user(ASKED)).message.content
    assert again != first
    assert llm.chat(user(OTHER)).message.content not in (first, again)
    assert numbered.calls == 3


def test_completions_streams_and_ids(numbered: FakeProvider, make_llama_llm: MakeLLM, cache: Cache) -> None:
    llm = cached_llm(make_llama_llm(base_url=numbered.openai_base_url), cache)
    llm.complete("Say hello to Ann")
    assert llm.reject(llm.complete("Say hello to Ann")) == 1
    live = llm.complete("Say hello to Ann")
    assert llm.reject(live, question="Say hello to Bob") == 1, "a live answer that was stored"
    list(llm.stream_chat(user(ASKED)))
    [chunk] = llm.stream_chat(user(OTHER))
    assert llm.reject(chunk) == 1
    llm.chat(user(ASKED))
    [entry] = [pair.entry_id for pair in cache.near_hits(1)]
    assert entry is not None
    assert llm.reject(entry) == 0, "the entry of that hit went"


def test_what_the_cache_never_served_is_refused(make_llama_llm: MakeLLM, cache: Cache) -> None:
    llm = cached_llm(make_llama_llm(), cache)
    for answer in (ChatResponse(message=ChatMessage("No.")), CompletionResponse(text="No."), ChatMessage("No."), "No."):
        with pytest.raises(ConfigurationError, match="never served"):
            llm.reject(answer)
    with pytest.raises(ConfigurationError, match="no text"):
        llm.reject("")
    with pytest.raises(ConfigurationError, match="takes an entry's id"):
        llm.reject(None)  # type: ignore[arg-type]
