"""What do the tests of agents share: a tool, a model that uses it, ways to run an agent?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.tools import BaseTool, tool
from pydantic import BaseModel

from lc_costkit import CostCallbackHandler, Ledger
from lc_costkit.langchain.route_request import told_target
from lc_costkit.testing import FakeAnswer, FakeProvider, FakeRequest, FakeToolCall
from tests.conftest import chat_anthropic, chat_openai
from tests.whole.support import HARD, assert_agrees, calls

EASY = "Is Paris a sunny city?"
CHEAP, STRONG = "gpt-4o-mini", "claude-sonnet-4-6"
SUNNY = "It is sunny in Paris."

__all__ = ["CHEAP", "EASY", "HARD", "STRONG", "SUNNY", "assert_agrees", "calls"]


@tool
def get_weather(city: str) -> str:
    """Say what the weather is in a city."""
    return f"Sunny in {city}."


def weather_answer(request: FakeRequest) -> str | FakeAnswer:
    """Ask the tool once, then answer."""
    if request.after_tool_result or not request.tools:
        return SUNNY
    return FakeAnswer(tool_calls=(FakeToolCall(name="get_weather", arguments={"city": "Paris"}),))


def long_answer(request: FakeRequest) -> str | FakeAnswer:
    """Ask the tool three times, then answer."""
    results = 0
    for message in reversed(request.messages):
        if message.role == "user":
            break
        results += message.role == "tool"
    return (
        SUNNY
        if results >= 3
        else FakeAnswer(tool_calls=(FakeToolCall(name="get_weather", arguments={"city": "Paris"}),))
    )


def two(provider: FakeProvider, **options: Any) -> dict[str, Any]:
    """A cheap and a strong target of two providers."""
    return {
        "cheap": chat_openai(provider, CHEAP, **options),
        "strong": chat_anthropic(provider, STRONG, **options),
    }


def asked(text: str = EASY) -> Any:
    """An agent's input."""
    return {"messages": [("human", text)]}


def metered(ledger: Ledger, thread: str | None = None, **metadata: Any) -> Any:
    """A config with a meter, and a thread."""
    config: dict[str, Any] = {"callbacks": [CostCallbackHandler(ledger)], "metadata": metadata}
    return config if thread is None else {**config, "configurable": {"thread_id": thread}}


def targets_of(messages: list[AnyMessage]) -> list[str | None]:
    """The target that each answer names."""
    return [told_target(message) for message in messages if isinstance(message, AIMessage)]


def called(provider: FakeProvider) -> list[str]:
    """Which provider was called, in order."""
    assert provider.wait_idle()
    return [call.provider for call in provider.log]


def tool_names(body: Any) -> list[str]:
    """Names of the tools in a request, each in its own provider's format."""
    return [one["function"]["name"] if "function" in one else one["name"] for one in body.get("tools", ())]


def routed(provider: FakeProvider, *middleware: AgentMiddleware[Any, Any, Any], **options: Any) -> Any:
    """An agent on a third model, which only answers where nothing is routed."""
    own = chat_openai(provider, "gpt-4.1")
    return create_agent(own, middleware=middleware, **{"tools": TOOLS, "system_prompt": "You help.", **options})


class Weather(BaseModel):
    """A weather report."""

    city: str
    sunny: bool


async def invoke(agent: Any, text: str, config: Any) -> list[Any]:
    return list(agent.invoke(asked(text), config)["messages"])


async def ainvoke(agent: Any, text: str, config: Any) -> list[Any]:
    return list((await agent.ainvoke(asked(text), config))["messages"])


async def batch(agent: Any, text: str, config: Any) -> list[Any]:
    return list(agent.batch([asked(text)], config)[0]["messages"])


async def abatch(agent: Any, text: str, config: Any) -> list[Any]:
    return list((await agent.abatch([asked(text)], config))[0]["messages"])


async def stream_values(agent: Any, text: str, config: Any) -> list[Any]:
    return list(list(agent.stream(asked(text), config, stream_mode="values"))[-1]["messages"])


async def astream_values(agent: Any, text: str, config: Any) -> list[Any]:
    return list([one async for one in agent.astream(asked(text), config, stream_mode="values")][-1]["messages"])


async def stream_updates(agent: Any, text: str, config: Any) -> list[Any]:
    updates = list(agent.stream(asked(text), config, stream_mode="updates"))
    return [message for update in updates for node in update.values() for message in node["messages"]]


async def astream_updates(agent: Any, text: str, config: Any) -> list[Any]:
    updates = [update async for update in agent.astream(asked(text), config, stream_mode="updates")]
    return [message for update in updates for node in update.values() for message in node["messages"]]


WAYS: list[Callable[..., Any]] = [
    invoke,
    ainvoke,
    batch,
    abatch,
    stream_values,
    astream_values,
    stream_updates,
    astream_updates,
]
SOME_WAYS = [invoke, abatch, stream_values, astream_updates]
"""Enough of them where the way is not the point."""

TOOLS: list[BaseTool] = [get_weather]
