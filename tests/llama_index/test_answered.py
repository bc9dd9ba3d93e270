"""Is an answer read alike, whichever integration of LlamaIndex wrote it?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from enum import Enum
from types import SimpleNamespace
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, TextBlock, ToolCallBlock
from llama_index.core.llms import MockLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import FunctionTool
from openai.types.chat import ChatCompletion, ChatCompletionMessageFunctionToolCall

from lc_costkit.llama_index.answered import answer_of, cost_of, fault_of, in_one_piece, shown
from lc_costkit.llama_index.delegating import ChatRequest, CompletionRequest
from lc_costkit.llama_index.stand_ins import PREPARED, WithTools
from lc_costkit.llama_index.streaming import abegun, begun
from lc_costkit.marks import MARK
from lc_costkit.pricing import PriceBook
from lc_costkit.routing import Answer
from lc_costkit.routing.answer import ToolCall
from tests.support.llama_openai import OpenAIFunctionLLM

PLAIN = MockLLM(max_tokens=None)


class Reason(Enum):
    """As Google's client tells it."""

    MAX_TOKENS = 2


def said(text: str = "Hi.", *, raw: object = None, **message: Any) -> ChatResponse:
    return ChatResponse(message=ChatMessage(text, role="assistant", **message), raw=raw)


def completion(**message: Any) -> ChatCompletion:
    choice = {"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": "Hi.", **message}}
    return ChatCompletion.model_validate(
        {"id": "1", "created": 1, "model": "gpt-4o", "object": "chat.completion", "choices": [choice]}
    )


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, None),
        ("a text", None),
        ({"choices": [{"finish_reason": "length"}]}, "length"),
        ({"choices": []}, None),
        (completion(), "length"),
        (completion(refusal="No."), "refusal"),
        ({"stop_reason": "max_tokens"}, "max_tokens"),
        ({"done_reason": "stop"}, "stop"),
        ({"stopReason": "end_turn"}, "end_turn"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "max_output_tokens"),
        ({"incomplete_details": None, "candidates": [{"finish_reason": Reason.MAX_TOKENS}]}, "MAX_TOKENS"),
        (SimpleNamespace(stop_reason="end_turn", model_dump=lambda: {"stop_reason": "end_turn"}), "end_turn"),
    ],
)
def test_why_an_answer_ends(raw: object, reason: str | None) -> None:
    assert answer_of(said(raw=raw), PLAIN, None).finish_reason == reason
    assert answer_of(CompletionResponse(text="Hi.", raw=raw), PLAIN, None).finish_reason == reason


def test_a_refusal_is_the_text_where_there_is_no_other() -> None:
    assert answer_of(said("", raw=completion(content=None, refusal="I cannot.")), PLAIN, None).text == "I cannot."
    assert answer_of(CompletionResponse(text="Hi."), PLAIN, None) == Answer(text="Hi.")


CALL = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}


@pytest.mark.parametrize(
    ("message", "calls"),
    [
        ({"additional_kwargs": {"tool_calls": [CALL]}}, [("weather", {"city": "Rome"})]),
        (
            {"additional_kwargs": {"tool_calls": [ChatCompletionMessageFunctionToolCall.model_validate(CALL)]}},
            [("weather", {"city": "Rome"})],
        ),
        (
            {"additional_kwargs": {"tool_calls": [{"type": "tool_use", "name": "weather", "input": {"city": "Rome"}}]}},
            [("weather", {"city": "Rome"})],
        ),
        (
            {"additional_kwargs": {"tool_calls": [{"function": {"name": "weather", "arguments": '{"city": "Ro'}}]}},
            [("weather", '{"city": "Ro')],
        ),
        ({"additional_kwargs": {"tool_calls": [{"function": {"name": "now", "arguments": None}}]}}, [("now", {})]),
        ({"additional_kwargs": {"tool_calls": None}}, []),
        ({}, []),
    ],
)
def test_the_tools_it_calls(message: dict[str, Any], calls: list[Any]) -> None:
    assert answer_of(said(**message), PLAIN, None).tool_calls == tuple(
        ToolCall(name=name, arguments=arguments) for name, arguments in calls
    )


@pytest.mark.parametrize("given", [{"city": "Rome"}, '{"city": "Rome"}'])
def test_tools_that_are_blocks_are_read_once(given: Any) -> None:
    blocks = [TextBlock(text="So:"), ToolCallBlock(tool_name="weather", tool_kwargs=given)]
    message = ChatMessage(role="assistant", blocks=blocks, additional_kwargs={"tool_calls": [CALL]})
    answer = answer_of(ChatResponse(message=message), PLAIN, None)
    assert (answer.text, answer.tool_calls) == ("So:", (ToolCall(name="weather", arguments={"city": "Rome"}),))


def weather(city: str) -> str:
    """Say what the weather is in a city."""
    return f"Sunny in {city}."


def tools(**settings: Any) -> WithTools:
    return WithTools(tools=[FunctionTool.from_defaults(weather)], user_msg="Hi", chat_history=(), settings=settings)


class OwnWay(OpenAIFunctionLLM):
    """Writes its tool calls where only it looks."""

    base_url: str = "http://127.0.0.1"

    def get_tool_calls_from_response(self, response: Any, *args: Any, **kwargs: Any) -> list[ToolSelection]:
        if response.message.content == "broken":
            raise ValueError("cannot be read")
        return [ToolSelection(tool_id="1", tool_name="weather", tool_kwargs={"city": "Rome"})]


def test_what_only_the_llm_can_read_it_is_asked_for() -> None:
    (call,) = answer_of(said(), OwnWay(), tools()).tool_calls
    assert (call.name, call.arguments) == ("weather", {"city": "Rome"})
    assert answer_of(said(), OwnWay(), None).tool_calls == ()
    assert fault_of(said(), OwnWay(), tools(tool_required=True)) == ""
    assert fault_of(said("broken"), OwnWay(), tools(tool_required=True)) == "it does not parse (ValueError)"
    assert fault_of(said("broken"), OwnWay(), tools()) == ""
    assert fault_of(said("broken"), PLAIN, tools(tool_required=True)) == ""


# -- drafts that are passed on -------------------------------------------------------------------


def test_a_draft_follows_the_last_message() -> None:
    draft = Answer(text="5", tool_calls=(ToolCall(name="add", arguments={"a": 2}),))
    completed = shown(CompletionRequest(prompt="2 + 2?"), draft, ("too much",))
    assert isinstance(completed, CompletionRequest)
    assert completed.prompt.startswith("2 + 2?\n\nAnother model answered:\n\n<draft-")
    assert "\n5\n" in completed.prompt
    assert '"add"' in completed.prompt
    chat = ChatRequest(messages=[ChatMessage("2 + 2?")], options={"temperature": 0, PREPARED: tools(verbose=True)})
    told: Any = shown(chat, draft, ())
    assert [message.role.value for message in told.messages] == ["user", "user"]
    with_tools: WithTools = told.options[PREPARED]
    assert [message.content for message in with_tools.chat_history] == ["Hi"]
    assert str(with_tools.user_msg).startswith("Another model answered")
    assert with_tools.settings == {"verbose": True}
    assert told.options["temperature"] == 0
    assert shown(chat, None, ()) is chat
    assert len(chat.messages) == 1


def test_one_piece_is_all_of_it() -> None:
    assert in_one_piece(said("Hi.")).delta == "Hi."
    assert in_one_piece(CompletionResponse(text="Hi.")).delta == "Hi."


# -- costs ---------------------------------------------------------------------------------------


def test_what_a_call_cost(make_llama_llm: Callable[..., OpenAIFunctionLLM], provider: Any) -> None:
    llm = make_llama_llm("gpt-4o-mini")
    request = ChatRequest(messages=[ChatMessage("Hi")])
    response = request.send(llm)
    assert cost_of(response, llm, request, PriceBook()) == provider.billed_usd > 0
    assert cost_of(said(), llm, request, PriceBook()) is None
    response.additional_kwargs[MARK] = {"cache": {"verdict": "hit"}}
    assert cost_of(response, llm, request, PriceBook()) == Decimal(0)


# -- streams that may fail -----------------------------------------------------------------------


def pieces(*several: Any, closed: list[bool]) -> Iterator[Any]:
    try:
        for one in several:
            if isinstance(one, Exception):
                raise one
            yield one
    finally:
        closed.append(True)


async def apieces(*several: Any, closed: list[bool]) -> AsyncIterator[Any]:
    try:
        for one in several:
            if isinstance(one, Exception):
                raise one
            yield one
    finally:
        closed.append(True)


@pytest.mark.parametrize("several", [(), (1,), (1, 2, 3)])
async def test_a_stream_that_has_begun_gives_all_of_it(several: tuple[int, ...]) -> None:
    closed: list[bool] = []
    assert tuple(begun(pieces(*several, closed=closed))) == several
    assert tuple([one async for one in await abegun(apieces(*several, closed=closed))]) == several
    assert closed == [True, True]


async def test_a_stream_that_fails_at_once_raises_before_it_is_read() -> None:
    closed: list[bool] = []
    with pytest.raises(KeyError):
        begun(pieces(KeyError("gone"), closed=closed))
    with pytest.raises(KeyError):
        await abegun(apieces(KeyError("gone"), closed=closed))
    late = begun(pieces(1, KeyError("gone"), closed=closed))
    assert next(late) == 1
    with pytest.raises(KeyError):
        next(late)
    assert closed == [True] * 3


async def test_a_stream_that_is_not_read_is_closed_with_what_it_comes_from() -> None:
    closed: list[bool] = []
    begun(pieces(1, 2, closed=closed)).close()
    await (await abegun(apieces(1, 2, closed=closed))).aclose()
    assert closed == [True, True]
