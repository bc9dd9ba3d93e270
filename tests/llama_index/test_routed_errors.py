"""What becomes of a request whose target fails?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import anthropic
import openai
import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole
from llama_index.core.llms import LLM, MockLLM
from llama_index.core.tools import FunctionTool

from lc_costkit.budget.budget import Budget
from lc_costkit.errors import BudgetExceeded, BudgetUnavailable, ConfigurationError
from lc_costkit.ledger import Ledger
from lc_costkit.llama_index import budgeted_llm, instrument, routed_llm
from lc_costkit.marks import MARK, ROUTE_KEY
from lc_costkit.switch import DISABLE_VARIABLE
from lc_costkit.testing import FakeProvider, FakeRequest, Fault
from tests.support.llama_anthropic import AnthropicFunctionLLM
from tests.support.llama_openai import OpenAIFunctionLLM

HELLO = [ChatMessage("hi")]
CLAUDE = "claude-sonnet-4-6"

Make = Callable[..., OpenAIFunctionLLM]


def weather(city: str) -> str:
    """Say what the weather is in a city."""
    return f"Sunny in {city}."


WEATHER = FunctionTool.from_defaults(weather)


def cheap_one(request: FakeRequest) -> bool:
    return request.model == "gpt-4o-mini"


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger() as made, instrument(made):
        yield made


@pytest.fixture
def targets(provider: FakeProvider, make_llama_llm: Make) -> dict[str, LLM]:
    return {
        "cheap": make_llama_llm("gpt-4o-mini"),
        "strong": AnthropicFunctionLLM(model=CLAUDE, base_url=provider.anthropic_base_url),
    }


def always(name: str) -> Any:
    return lambda request: name


async def drained(stream: Any) -> Any:
    return [chunk async for chunk in await stream][-1]


WAYS: list[Callable[[Any], Any]] = [
    lambda llm: llm.chat(HELLO),
    lambda llm: llm.complete("hi"),
    lambda llm: list(llm.stream_chat(HELLO))[-1],
    lambda llm: list(llm.stream_complete("hi"))[-1],
    lambda llm: llm.chat_with_tools([WEATHER], user_msg="use weather"),
    lambda llm: llm.achat(HELLO),
    lambda llm: llm.acomplete("hi"),
    lambda llm: drained(llm.astream_chat(HELLO)),
    lambda llm: drained(llm.astream_complete("hi")),
    lambda llm: llm.achat_with_tools([WEATHER], user_msg="use weather"),
]


@pytest.mark.parametrize("way", WAYS)
async def test_the_next_target_answers_where_one_fails(
    targets: dict[str, LLM], provider: FakeProvider, ledger: Ledger, way: Callable[[Any], Any]
) -> None:
    provider.fail_next(Fault.server_error(), match=cheap_one)
    llm = routed_llm(targets, always("cheap"), on_error="next")
    answer = way(llm)
    answer = await answer if hasattr(answer, "__await__") else answer
    assert [(call.model, call.status) for call in provider.log] == [("gpt-4o-mini", 500), (CLAUDE, 200)]
    route = answer.additional_kwargs[MARK][ROUTE_KEY]
    assert (route["target"], route["reasons"][0]) == ("strong", "cheap failed (InternalServerError)")
    assert llm.faults.counts == {"target 'cheap': InternalServerError": 1}
    records = list(ledger.records())
    assert [record.route for record in records] == ["cheap", "strong"]
    assert [record.error for record in records] == ["InternalServerError", None]
    assert len({record.trace_id for record in records}) == 1
    assert sum(record.cost.usd or 0 for record in records) == provider.billed_usd > 0


def test_each_target_gets_tools_in_its_own_format(targets: dict[str, LLM], provider: FakeProvider) -> None:
    provider.fail_next(Fault.server_error(), match=cheap_one)
    llm: Any = routed_llm(targets, always("cheap"), on_error="next")
    answer = llm.chat_with_tools([WEATHER], user_msg="use weather", tool_required=True)
    (call,) = llm.get_tool_calls_from_response(answer)
    assert call.tool_name == "weather"
    first, second = (call.body or {} for call in provider.log)
    assert "function" in first["tools"][0]
    assert "input_schema" in second["tools"][0]
    assert "parallel_tool_calls" not in second


@pytest.mark.parametrize("way", WAYS)
async def test_without_it_the_error_is_raised(
    targets: dict[str, LLM], provider: FakeProvider, way: Callable[[Any], Any]
) -> None:
    provider.fail_next(Fault.server_error())
    with pytest.raises(openai.InternalServerError):
        answer = way(routed_llm(targets, always("cheap")))
        await answer
    assert provider.calls == 1


def test_where_all_fail_the_last_error_is_raised(targets: dict[str, LLM], provider: FakeProvider) -> None:
    provider.fail_next(Fault.server_error(), times=2)
    with pytest.raises(anthropic.APIStatusError):
        routed_llm(targets, always("cheap"), on_error="next").chat(HELLO)
    assert [call.model for call in provider.log] == ["gpt-4o-mini", CLAUDE]


def test_past_the_strongest_a_cheaper_one_answers(targets: dict[str, LLM], provider: FakeProvider) -> None:
    provider.fail_next(Fault.server_error())
    routed_llm(targets, always("strong"), on_error="next").chat(HELLO)
    assert [call.model for call in provider.log] == [CLAUDE, "gpt-4o-mini"]


async def test_a_stream_that_has_begun_is_not_begun_again(targets: dict[str, LLM], provider: FakeProvider) -> None:
    llm = routed_llm(targets, always("cheap"), on_error="next")
    provider.fail_next(Fault.cut_stream(after_chunks=3), times=2, match=cheap_one)
    got: list[Any] = []
    with pytest.raises(openai.APIConnectionError):
        got.extend(llm.stream_chat(HELLO))
    assert got
    stream: Any = await llm.astream_chat(HELLO)
    with pytest.raises(openai.APIConnectionError):
        _ = [chunk async for chunk in stream]
    assert [call.model for call in provider.log] == ["gpt-4o-mini"] * 2
    assert not llm.faults.counts


async def test_a_stream_that_breaks_before_its_first_word_is_begun_elsewhere(
    targets: dict[str, LLM], provider: FakeProvider
) -> None:
    llm = routed_llm(targets, always("cheap"), on_error="next")
    provider.fail_next(Fault.cut_stream(after_chunks=1), times=3, match=cheap_one)
    assert "".join(piece.delta or "" for piece in llm.stream_chat(HELLO))
    stream: Any = await llm.astream_chat(HELLO)
    assert "".join([piece.delta or "" async for piece in stream])
    assert "".join(piece.delta or "" for piece in llm.stream_complete("hello"))
    assert [call.model for call in provider.log] == ["gpt-4o-mini", CLAUDE] * 3


def test_a_stream_that_is_not_read_is_closed() -> None:
    with FakeProvider(answer=lambda request: "word " * 200, chunk_seconds=0.01) as slow:
        stream: Any = routed_llm({"only": OpenAIFunctionLLM(base_url=slow.openai_base_url)}, on_error="next")
        stream.stream_chat(HELLO).close()
        assert slow.wait_idle()
        assert [call.chunks_sent < 100 for call in slow.log] == [True]


class EndlessLLM(MockLLM):
    """Streams until it is closed, and notes that it was."""

    closed: bool = False

    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        async def pieces() -> Any:
            try:
                while True:
                    yield ChatResponse(message=ChatMessage("piece", role=MessageRole.ASSISTANT))
            finally:
                self.closed = True

        return pieces()


async def test_an_asynchronous_stream_that_is_not_read_is_closed() -> None:
    target = EndlessLLM(max_tokens=None)
    stream: Any = await routed_llm({"only": target}, on_error="next").astream_chat(HELLO)
    assert not target.closed
    await stream.aclose()
    assert target.closed


def test_a_budgets_refusal_is_raised(targets: dict[str, LLM], provider: FakeProvider, ledger: Ledger) -> None:
    llm = budgeted_llm(routed_llm(targets, always("cheap"), on_error="next"), Budget(calls=1), ledger)
    llm.chat(HELLO)
    for way in WAYS[:5]:
        with pytest.raises(BudgetExceeded):
            way(llm)
    assert provider.calls == 1


def test_a_budget_that_cannot_be_asked_is_raised(targets: dict[str, LLM], provider: FakeProvider) -> None:
    class Locked(OpenAIFunctionLLM):
        def _chat(self, *args: Any, **kwargs: Any) -> Any:
            raise BudgetUnavailable("locked")

    llm = routed_llm({**targets, "cheap": Locked(base_url=provider.openai_base_url)}, always("cheap"), on_error="next")
    with pytest.raises(BudgetUnavailable):
        llm.chat(HELLO)
    assert provider.calls == 0


def test_switched_off_the_strong_targets_error_is_raised(
    targets: dict[str, LLM], provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DISABLE_VARIABLE, "1")
    provider.fail_next(Fault.server_error(), times=2)
    llm: Any = routed_llm(targets, always("cheap"), on_error="next")
    with pytest.raises(anthropic.APIStatusError):
        llm.chat(HELLO)
    with pytest.raises(anthropic.APIStatusError):
        llm.chat_with_tools([WEATHER], user_msg="hi")
    llm.chat_with_tools([WEATHER], user_msg="use weather")
    assert "input_schema" in (provider.log[-1].body or {})["tools"][0]


def test_another_word_than_raise_and_next_is_refused(targets: dict[str, LLM]) -> None:
    wrong: Any = "retry"
    with pytest.raises(ConfigurationError, match="on_error must be 'raise' or 'next', not 'retry'"):
        routed_llm(targets, on_error=wrong)
