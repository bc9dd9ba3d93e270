"""Does each model get the cache settings it understands, and no others, with nothing changed that is the agent's?"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain.agents.middleware.types import ModelRequest
from langchain_anthropic.middleware import AnthropicPromptCachingMiddleware
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import BaseTool

from lc_costkit.agents import RoutingMiddleware
from lc_costkit.agents.cache_settings import understood
from lc_costkit.testing import FakeProvider
from tests.agents.support import EASY, HARD, asked, called, get_weather, routed, targets_of, two, weather_answer
from tests.conftest import chat_openai

MARK = {"cache_control": {"type": "ephemeral"}}


class Kind(FakeListChatModel):
    """A model of any provider."""

    kind: str
    responses: list[str] = ["hello"]  # noqa: RUF012

    @property
    def _llm_type(self) -> str:
        return self.kind


ANTHROPIC, BEDROCK, OPENAI, AZURE, FIREWORKS, GEMINI = (
    Kind(kind=kind)
    for kind in (
        "anthropic-chat",
        "anthropic-bedrock-chat",
        "openai-chat",
        "azure-openai-chat",
        "fireworks-chat",
        "chat-google-generative-ai",
    )
)
ALL = (ANTHROPIC, BEDROCK, OPENAI, AZURE, FIREWORKS, GEMINI)


def request(model: Any = ANTHROPIC, **settings: Any) -> ModelRequest[Any]:
    """A request in which everything that can be marked is."""
    tool = get_weather.model_copy(update={"extras": {**MARK, "defer_loading": True}})
    bare = get_weather.model_copy(update={"extras": dict(MARK)})
    plain = {"name": "search", "input_schema": {}, **MARK}
    nested = {"type": "function", "function": {"name": "find"}, "extras": dict(MARK)}
    return ModelRequest(
        model=model,
        system_message=SystemMessage([{"type": "text", "text": "You help.", **MARK}]),
        messages=[
            HumanMessage("Hello"),
            AIMessage([{"type": "text", "text": "Hi", "extras": {**MARK, "x": 1}}, "there"]),
            HumanMessage([{"type": "text", "text": "Well?", **MARK}]),
            ToolMessage([{"type": "text", "text": "Sunny", "metadata": dict(MARK)}], tool_call_id="1"),
        ],
        tools=[tool, bare, plain, nested],
        model_settings={
            "temperature": 0.0,
            "prompt_cache_key": "k",
            "prompt_cache_retention": "24h",
            "extra_headers": {"X-Session-Affinity": "s", "x-mine": "1"},
            **MARK,
            **settings,
        },
    )


def state_of(one: ModelRequest[Any]) -> str:
    return repr((one.system_message, one.messages, one.tools, one.model_settings))


def marked(one: ModelRequest[Any]) -> bool:
    return "cache_control" in state_of(one)


@pytest.mark.parametrize(
    ("model", "marks", "keys", "affinity"),
    [
        (ANTHROPIC, True, False, False),
        (BEDROCK, True, False, False),
        (OPENAI, False, True, False),
        (AZURE, False, True, False),
        (FIREWORKS, False, True, True),
        (GEMINI, False, False, False),
    ],
)
@pytest.mark.parametrize("made_for", [ANTHROPIC, OPENAI])
def test_each_kind_of_model_keeps_its_own(made_for: Any, model: Any, marks: bool, keys: bool, affinity: bool) -> None:
    given = request(made_for)
    before = copy.deepcopy(state_of(given))
    handed = understood(given, model, among=ALL)
    settings = handed.model_settings
    assert marked(handed) == marks == ("cache_control" in settings)
    assert ("prompt_cache_key" in settings) == keys == ("prompt_cache_retention" in settings)
    assert ("X-Session-Affinity" in settings["extra_headers"]) == affinity
    assert (settings["temperature"], settings["extra_headers"]["x-mine"]) == (0.0, "1")
    assert state_of(given) == before


def test_what_is_not_about_caching_stays() -> None:
    handed = understood(request(), OPENAI, among=ALL)
    assert handed.system_message is not None
    assert handed.system_message.content == [{"type": "text", "text": "You help."}]
    assert [message.content for message in handed.messages] == [
        "Hello",
        [{"type": "text", "text": "Hi", "extras": {"x": 1}}, "there"],
        [{"type": "text", "text": "Well?"}],
        [{"type": "text", "text": "Sunny"}],
    ]
    assert [one.extras for one in handed.tools if isinstance(one, BaseTool)] == [{"defer_loading": True}, None]
    assert [one for one in handed.tools if isinstance(one, dict)] == [
        {"name": "search", "input_schema": {}},
        {"type": "function", "function": {"name": "find"}},
    ]


def test_the_header_goes_with_its_last_value() -> None:
    given = request(extra_headers={"x-session-affinity": "s"})
    assert "extra_headers" not in understood(given, OPENAI, among=ALL).model_settings
    assert understood(request(extra_headers="?"), OPENAI, among=ALL).model_settings["extra_headers"] == "?"


def test_where_nothing_is_marked_nothing_is_copied() -> None:
    given: ModelRequest[Any] = ModelRequest(
        model=ANTHROPIC, messages=[HumanMessage([{"type": "text", "text": "Hi"}])], tools=[get_weather, {"name": "s"}]
    )
    assert understood(given, OPENAI, among=ALL) is given
    with_system = given.override(system_message=SystemMessage("You help."), model_settings={"temperature": 0.0})
    assert understood(with_system, OPENAI, among=ALL) is with_system


def test_among_models_of_one_kind_all_settings_are_theirs() -> None:
    given = request(OPENAI)
    assert understood(given, Kind(kind="openai-chat"), among=[OPENAI, OPENAI]) is given


# -- with the middleware that sets them ---------------------------------------------------


def bodies_by_target(provider: FakeProvider) -> dict[str, str]:
    return {call.provider: str(call.body) for call in provider.log}


@pytest.mark.filterwarnings("ignore:AnthropicPromptCachingMiddleware caching middleware only supports")
@pytest.mark.parametrize("caching_outside", [False, True])
async def test_anthropics_caching_middleware_on_either_side(caching_outside: bool) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        targets = two(provider)
        routing, caching = RoutingMiddleware(targets), AnthropicPromptCachingMiddleware()
        agent: Any = create_agent(
            targets["strong"],  # outside, the middleware marks what the agent's own model would be asked
            tools=[get_weather],
            middleware=[caching, routing] if caching_outside else [routing, caching],
            system_prompt="You help.",
        )
        for text, target in ((EASY, "cheap"), (HARD, "strong")):
            messages = (await agent.ainvoke(asked(text)))["messages"]
            assert targets_of(messages) == [target] * 2
            assert "cache_control" not in repr(messages)
        bodies = bodies_by_target(provider)
        assert "cache_control" not in bodies["openai"]
        assert "cache_control" in bodies["anthropic"]
        assert all(call.status == 200 for call in provider.log)
        assert called(provider) == ["openai"] * 2 + ["anthropic"] * 2


def test_a_key_of_openais_does_not_reach_anthropic() -> None:
    class SetsKey(AgentMiddleware[Any, Any, Any]):
        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            return handler(request.override(model_settings={"prompt_cache_key": "k"}))

    with FakeProvider(answer=weather_answer) as provider:
        agent = routed(provider, SetsKey(), RoutingMiddleware(two(provider)))
        agent.invoke(asked(EASY))
        agent.invoke(asked(HARD))
        keys = [call.body.get("prompt_cache_key") for call in provider.log]
        assert keys == ["k", "k", None, None]


def test_a_server_that_speaks_openais_format_keeps_anthropics_marks() -> None:
    with FakeProvider(answer=weather_answer) as provider:
        targets = {"cheap": chat_openai(provider, "gpt-4o-mini"), "strong": chat_openai(provider, "gpt-4o")}
        agent = routed(provider, RoutingMiddleware(targets), tools=[])
        agent.invoke({"messages": [HumanMessage([{"type": "text", "text": EASY, **MARK}])]})
        assert "cache_control" in str(provider.log[0].body)
