"""Do routers and cascades hold to what they have in common: tools, structures, reading answers?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import LLM
from llama_index.core.tools import FunctionTool
from llama_index_instrumentation.dispatcher import instrument_tags
from pydantic import BaseModel

from lc_costkit.cache import Cache
from lc_costkit.ledger import Ledger
from lc_costkit.llama_index import cached_llm, cascade_llm, instrument, routed_llm
from lc_costkit.llama_index.cascade import CascadeLLM
from lc_costkit.llama_index.routed import RoutedLLM
from lc_costkit.routing.answer import PASSED, failed
from lc_costkit.testing import FakeAnswer, FakeProvider, FakeRequest, FakeToolCall, Fault
from tests.support.llama_anthropic import AnthropicFunctionLLM
from tests.support.llama_openai import OpenAIFunctionLLM

CHEAP, STRONG = "gpt-4o-mini", "claude-sonnet-4-6"
HELLO = [ChatMessage("What is the capital?")]
BOTH = pytest.mark.parametrize("make", [routed_llm, cascade_llm])

Make = Callable[..., Any]


def weather(city: str) -> str:
    """Say what the weather is in a city."""
    return f"Sunny in {city}."


WEATHER = FunctionTool.from_defaults(weather)


class City(BaseModel):
    """A city."""

    name: str


def answer(request: FakeRequest) -> Any:
    if request.tools:
        (tool,) = request.tools
        return FakeAnswer(tool_calls=(FakeToolCall(name=tool.name, arguments={"city": "Berlin", "name": "Berlin"}),))
    return "cheap says so" if request.model == CHEAP else "strong says so"


def always(name: str) -> Any:
    return lambda request: name


async def drained(stream: Any) -> list[Any]:
    return [chunk async for chunk in await stream]


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=answer) as running:
        yield running


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger() as made, instrument(made):
        yield made


@pytest.fixture
def targets(provider: FakeProvider) -> dict[str, LLM]:
    return {
        "cheap": OpenAIFunctionLLM(model=CHEAP, base_url=provider.openai_base_url),
        "strong": AnthropicFunctionLLM(model=STRONG, base_url=provider.anthropic_base_url),
    }


class Unprepared(AnthropicFunctionLLM):
    """Takes no tools of this kind."""

    def _prepare_chat_with_tools(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        raise ValueError("no such tools")


class Unread(OpenAIFunctionLLM):
    """Stumbles over its own answers."""

    def get_tool_calls_from_response(self, *args: Any, **kwargs: Any) -> Any:
        raise KeyError("name")


@BOTH
def test_a_target_that_is_not_asked_need_not_take_the_tools(
    make: Make, targets: dict[str, LLM], provider: FakeProvider
) -> None:
    strong = Unprepared(model=STRONG, base_url=provider.anthropic_base_url)
    llm = make({"cheap": targets["cheap"], "strong": strong}, policy=always("cheap"))
    response = llm.chat_with_tools([WEATHER], user_msg="How is it?")
    assert llm.get_tool_calls_from_response(response)[0].tool_name == "weather"
    assert [call.model for call in provider.log] == [CHEAP]


@BOTH
def test_where_the_observed_target_fails_who_answered_reads_its_tools(
    make: Make, targets: dict[str, LLM], provider: FakeProvider
) -> None:
    llm = make(targets, mode="observe", on_error="next")
    for _ in range(2):
        provider.fail_next(Fault.server_error(), match=lambda request: request.model == STRONG)
        response = llm.chat_with_tools([WEATHER], user_msg="How is it?")
        (call,) = llm.get_tool_calls_from_response(response)
        assert call.tool_kwargs["city"] == "Berlin"
    assert [call.model for call in provider.log] == [STRONG, CHEAP] * 2


def test_an_answer_that_cannot_be_read_is_a_bad_draft_and_a_good_last_answer() -> None:
    def text(request: FakeRequest) -> str:
        return f"{request.model} says so"

    with FakeProvider(answer=text) as plain:
        unread = Unread(model="gpt-4o", base_url=plain.openai_base_url)
        read = OpenAIFunctionLLM(model=CHEAP, base_url=plain.openai_base_url)
        last: Any = cascade_llm({"cheap": read, "strong": unread}, [lambda request, answer: failed("no")])
        assert last.chat_with_tools([WEATHER], user_msg="Hi").message.content == "gpt-4o says so"
        first: Any = cascade_llm({"cheap": unread, "strong": read})
        assert first.chat_with_tools([WEATHER], user_msg="Hi").message.content == f"{CHEAP} says so"
        assert last.faults.counts == {"reading an answer of 'strong': KeyError": 1}
        assert first.faults.counts == {"reading an answer of 'cheap': KeyError": 1}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # LlamaIndex's structured streams
@pytest.mark.parametrize("on_error", ["raise", "next"])
@BOTH
async def test_streams_of_structured_targets_are_metered_as_the_targets(
    make: Make, targets: dict[str, LLM], provider: FakeProvider, ledger: Ledger, on_error: str
) -> None:
    structured = {name: target.as_structured_llm(City) for name, target in targets.items()}
    llm = make(structured, policy=always("strong"), on_error=on_error)
    assert list(llm.stream_chat(HELLO))
    assert await drained(llm.astream_chat(HELLO))
    records = list(ledger.records())
    assert [record.route for record in records] == ["strong"] * 2
    assert sum(record.cost.usd or 0 for record in records) == provider.billed_usd > 0


def test_a_cache_keeps_apart_what_is_decided_in_other_ways(targets: dict[str, LLM]) -> None:
    cache = Cache()
    different = [
        cascade_llm(targets, [lambda request, answer: PASSED]),
        cascade_llm(targets, [lambda request, answer: failed("no")]),
        routed_llm(targets, always("cheap")),
        routed_llm(targets, always("strong")),
        routed_llm(targets, always("cheap"), mode="observe"),
    ]
    said = [cached_llm(llm, cache).chat(HELLO).message.content for llm in different]
    assert said == ["cheap says so", "strong says so"] * 2 + ["strong says so"]


@BOTH
def test_a_cache_keeps_apart_what_the_caller_asks_of_a_target(
    make: Make, targets: dict[str, LLM], provider: FakeProvider
) -> None:
    cached = cached_llm(make(targets, policy=always("cheap")), Cache())
    said = []
    for name in (["strong"], "strong", "cheap", "strong", None):
        with instrument_tags({"route": name}):
            said.append(cached.chat(HELLO).message.content)
    assert said == ["cheap says so", "strong says so", "cheap says so", "strong says so", "cheap says so"]
    assert [call.model for call in provider.log] == [CHEAP, STRONG, CHEAP]


@pytest.mark.parametrize("kind", [RoutedLLM, CascadeLLM])
def test_one_that_is_made_by_its_class_says_what_makes_it(kind: Any, targets: dict[str, LLM]) -> None:
    with pytest.raises(AttributeError, match="make it with routed_llm or cascade_llm"):
        kind(targets=targets, strong="strong").chat(HELLO)
