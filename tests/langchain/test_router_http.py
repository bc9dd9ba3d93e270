"""Does a router work with two real clients at once, over HTTP?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.output_parsers import JsonOutputToolsParser, StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from pydantic import BaseModel

from lc_costkit.langchain.router import ModelRouter
from lc_costkit.marks import ROUTE_KEY
from lc_costkit.testing import FakeProvider, Fault
from tests.conftest import chat_anthropic, chat_openai
from tests.langchain.test_router import HARD, Watcher

EASY = "hi, get_weather in Paris"
PROMPT = ChatPromptTemplate.from_messages([("system", "You help with the weather."), ("human", "{q}")])


@tool
def get_weather(city: str) -> str:
    """Say what the weather is in a city."""
    return f"Sunny in {city}."


class Report(BaseModel):
    """A weather report."""

    city: str
    warm: bool


@pytest.fixture
def models(provider: FakeProvider) -> dict[str, Any]:
    return {"small": chat_openai(provider, "gpt-4o-mini"), "large": chat_anthropic(provider, "claude-sonnet-4-6")}


@pytest.fixture
def router(models: dict[str, Any]) -> ModelRouter:
    return ModelRouter(models)


def bodies(provider: FakeProvider) -> list[Any]:
    return [call.body for call in provider.log]


def test_each_provider_gets_tools_in_its_own_format(provider: FakeProvider, router: ModelRouter) -> None:
    chain = PROMPT | router.bind_tools([get_weather], tool_choice="any") | JsonOutputToolsParser()
    for question in (EASY, f"{HARD} get_weather"):
        (call,) = chain.invoke({"q": question})
        assert call["type"] == "get_weather"
    easy, hard = bodies(provider)
    assert [call.provider for call in provider.log] == ["openai", "anthropic"]
    assert easy["tools"][0]["function"]["name"] == "get_weather"
    assert hard["tools"][0]["name"] == "get_weather"
    assert "input_schema" in hard["tools"][0]
    assert (easy["tool_choice"], hard["tool_choice"]["type"]) == ("required", "any")


@pytest.mark.parametrize("include_raw", [False, True])
def test_each_provider_is_asked_for_structure_in_its_own_way(
    provider: FakeProvider, router: ModelRouter, include_raw: bool
) -> None:
    watcher = Watcher()
    chain = PROMPT | router.with_structured_output(Report, include_raw=include_raw)
    for question in (EASY, HARD):
        answer: Any = chain.invoke({"q": question}, {"callbacks": [watcher]})
        assert isinstance(answer["parsed"] if include_raw else answer, Report)
    easy, hard = bodies(provider)
    assert easy["response_format"]["type"] == "json_schema"
    assert hard["tools"][0]["name"] == "Report"
    marks = [mark for mark in watcher.marks if mark]
    assert [mark.target for mark in marks] == ["small", "large"]
    assert [mark.chosen_model for mark in marks] == ["gpt-4o-mini", "claude-sonnet-4-6"]
    assert {(mark.baseline_model, mark.baseline_provider) for mark in marks} == {("claude-sonnet-4-6", "anthropic")}


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # langchain-openai's own, when it streams a schema
def test_structured_output_streams_and_batches(provider: FakeProvider, router: ModelRouter) -> None:
    structured = router.with_structured_output(Report)
    assert isinstance(list(structured.stream(EASY))[-1], Report)
    answers = structured.batch([EASY, HARD, EASY])
    assert all(isinstance(answer, Report) for answer in answers)
    assert sorted(call.provider for call in provider.log) == ["anthropic", "openai", "openai", "openai"]


def test_bound_settings_reach_whichever_provider_is_called(provider: FakeProvider, router: ModelRouter) -> None:
    prepared = router.bind(stop=["END"]).with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
    prepared = prepared.bind_tools([get_weather]).with_config(tags=["t"])
    for question in (EASY, HARD):
        provider.fail_next(Fault.server_error())
        prepared.invoke(question)
    assert [(call.provider, call.status) for call in provider.log] == [
        ("openai", 500),
        ("openai", 200),
        ("anthropic", 500),
        ("anthropic", 200),
    ]
    sent = bodies(provider)
    assert [body.get("stop") or body.get("stop_sequences") for body in sent] == [["END"]] * 4
    assert all(body["tools"] for body in sent)


@pytest.mark.parametrize("question", [EASY, HARD])
async def test_tokens_come_as_they_are_made(question: str) -> None:
    with FakeProvider(answer=lambda request: "one two three four five six seven", chunk_seconds=0.03) as provider:
        router = ModelRouter({"small": chat_openai(provider), "large": chat_anthropic(provider)})
        chain = PROMPT | router | StrOutputParser()
        for arrivals in (list(_timed(chain.stream({"q": question}))), await _atimed(chain.astream({"q": question}))):
            times = [at for at, text in arrivals if text]
            assert "".join(text for _, text in arrivals) == "one two three four five six seven"
            assert len(times) >= 3
            assert times[-1] - times[0] > 0.03


def _timed(stream: Iterator[str]) -> Iterator[tuple[float, str]]:
    for text in stream:
        yield time.monotonic(), text


async def _atimed(stream: Any) -> list[tuple[float, str]]:
    return [(time.monotonic(), text) async for text in stream]


@pytest.mark.parametrize("question", [EASY, HARD])
def test_a_streams_usage_is_what_it_is_without_the_router(
    provider: FakeProvider, models: dict[str, Any], question: str
) -> None:
    direct = models["small" if question == EASY else "large"]
    routed, plain = _joined(ModelRouter(models).stream(question)), _joined(direct.stream(question))
    assert routed.usage_metadata == plain.usage_metadata
    ours = routed.response_metadata.pop("lc_costkit")
    assert ours["route"]["target"] == ("small" if question == EASY else "large")
    assert set(routed.response_metadata) == set(plain.response_metadata)


def _joined(stream: Iterator[Any]) -> Any:
    whole = next(stream)
    for chunk in stream:
        whole += chunk
    return whole


async def test_batches_keep_order_over_two_providers(provider: FakeProvider, router: ModelRouter) -> None:
    questions = [f"{HARD if n % 3 == 0 else 'hi'} {n}" for n in range(9)]
    for answers in (router.batch(questions), await router.abatch(questions, {"max_concurrency": 2})):
        targets = [answer.response_metadata["lc_costkit"]["route"]["target"] for answer in answers]
        assert targets == ["large" if n % 3 == 0 else "small" for n in range(9)]
    assert provider.calls == 18


def test_what_is_sent_in_the_next_turn_holds_nothing_of_ours(provider: FakeProvider, router: ModelRouter) -> None:
    first = router.invoke("hi")
    router.invoke([HumanMessage("hi"), first, HumanMessage(HARD)])
    assert "lc_costkit" not in str(bodies(provider))


@pytest.mark.parametrize("mode", ["on", "observe"])
def test_provider_calls_are_the_same_as_without_the_router_when_it_is_off_or_observes(
    mode: Literal["on", "observe"], models: dict[str, Any], provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mode == "on":
        monkeypatch.setenv("LC_COSTKIT_DISABLE", "1")
    routed = ModelRouter(models, mode=mode).bind_tools([get_weather])
    answers = [model.invoke(EASY) for model in (models["large"].bind_tools([get_weather]), routed)]
    assert bodies(provider)[0] == bodies(provider)[1]
    assert answers[0].tool_calls[0]["args"] == answers[1].tool_calls[0]["args"]
    assert "lc_costkit" not in answers[1].response_metadata


@pytest.mark.parametrize("question", [EASY, f"{HARD} Use get_weather."])
def test_an_agent_runs_on_a_router(provider: FakeProvider, router: ModelRouter, question: str) -> None:
    watcher = Watcher()
    agent = create_agent(model=router, tools=[get_weather], system_prompt="Prove, analyse and debug.")
    state = agent.invoke({"messages": [HumanMessage(question)]}, {"callbacks": [watcher]})
    kinds = [message.type for message in state["messages"]]
    assert kinds == ["human", "ai", "tool", "ai"]
    assert {call.provider for call in provider.log} == {"openai" if question == EASY else "anthropic"}
    assert all(metadata[ROUTE_KEY]["target"] for metadata, _ in watcher.starts)


def test_an_agent_with_structured_answers_runs_on_a_router(router: ModelRouter) -> None:
    agent: Any = create_agent(model=router, tools=[], response_format=ToolStrategy(Report))
    assert isinstance(agent.invoke({"messages": [HumanMessage("hi")]})["structured_response"], Report)


async def test_an_agent_streams_messages_through_a_router(router: ModelRouter) -> None:
    agent = create_agent(model=router, tools=[])
    stream = agent.astream({"messages": [HumanMessage("hi")]}, stream_mode="messages")
    pieces = [chunk async for chunk, _ in stream]
    assert len(pieces) > 1


def test_attributes_are_the_strong_models(router: ModelRouter, models: dict[str, Any]) -> None:
    assert router._llm_type == "anthropic-chat"
    assert router.profile == models["large"].profile
    assert router.bind_tools([get_weather])._llm_type == "anthropic-chat"


def test_a_cut_stream_fails_as_it_does_without_the_router(
    provider: FakeProvider, router: ModelRouter, make_chat_openai: Callable[..., Any]
) -> None:
    errors = []
    for model in (make_chat_openai(), router):
        provider.fail_next(Fault.cut_stream(after_chunks=2))
        with pytest.raises(Exception) as caught:
            list(model.stream(EASY))
        errors.append(type(caught.value))
    assert errors[0] is errors[1]


def test_a_tool_call_of_one_provider_can_be_continued_by_the_other(provider: FakeProvider, router: ModelRouter) -> None:
    asked = router.bind_tools([get_weather])
    first = asked.invoke(EASY)
    assert isinstance(first, AIMessage)
    done = get_weather.invoke(first.tool_calls[0])
    asked.invoke([HumanMessage(EASY), first, done, HumanMessage(HARD)])
    assert [(call.provider, call.status) for call in provider.log] == [("openai", 200), ("anthropic", 200)]
