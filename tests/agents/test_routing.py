"""Does an agent answer each run, or step, with the target that is enough, and does the ledger say so?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from lc_costkit import Ledger
from lc_costkit.agents import RoutingMiddleware
from lc_costkit.errors import ConfigurationError
from lc_costkit.langchain.classifier import LLMClassifier
from lc_costkit.marks import MARK, ROUTE_KEY
from lc_costkit.routing import RouteDecision, RouteRequest
from lc_costkit.routing.sticky import sticky
from lc_costkit.switch import DISABLE_VARIABLE
from lc_costkit.testing import FakeAnswer, FakeProvider, FakeRequest, FakeToolCall, Fault
from tests.agents.support import (
    CHEAP,
    EASY,
    HARD,
    SOME_WAYS,
    STRONG,
    SUNNY,
    TOOLS,
    WAYS,
    Weather,
    asked,
    assert_agrees,
    called,
    calls,
    get_weather,
    long_answer,
    metered,
    routed,
    targets_of,
    tool_names,
    two,
    weather_answer,
)
from tests.conftest import chat_anthropic, chat_openai
from tests.whole.support import saved, sent


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l.db") as opened:
        yield opened


def two_of_one(provider: FakeProvider) -> dict[str, Any]:
    """Two targets whose prices are near enough for a prompt cache to decide."""
    return {"cheap": chat_openai(provider, "gpt-4.1"), "strong": chat_openai(provider, "gpt-4o")}


def by_step(request: RouteRequest) -> str:
    """The first call of a run goes to the strong target, what follows a tool to the cheap one."""
    return "cheap" if request.turns[-1].role == "tool" else "strong"


# -- per run and per step -----------------------------------------------------------


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_a_run_keeps_its_target_over_its_tools(way: Any, ledger: Ledger) -> None:
    with FakeProvider(answer=long_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider)))
        for text, target, where in ((EASY, "cheap", "openai"), (HARD, "strong", "anthropic")):
            provider.reset()
            messages = await way(agent, text, metered(ledger, user="u1"))
            assert messages[-1].text == SUNNY
            assert targets_of(messages) == [target] * 4
            assert called(provider) == [where] * 4
            assert all(tool_names(call.body) == ["get_weather"] for call in provider.log)
            assert all(("input_schema" in call.body["tools"][0]) == (where == "anthropic") for call in provider.log)


@pytest.mark.parametrize("way", SOME_WAYS, ids=lambda way: way.__name__)
async def test_the_ledger_is_the_bill_with_a_route_on_every_record(way: Any, ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider)))
        for text in (EASY, HARD):
            await way(agent, text, metered(ledger, user="u1", feature="agent"))
        records = calls(ledger)
        assert [record.route for record in records] == ["cheap", "cheap", "strong", "strong"]
        assert records[0].route_score is not None
        assert records[1].route_reasons == ("the run has begun at cheap",)
        assert {(record.user, record.feature) for record in records} == {("u1", "agent")}
        assert len({record.trace_id for record in records}) == 2
        assert all((saved(record, "route") or 0) > 0 for record in records[:2])
        assert [saved(record, "route") for record in records[2:]] == [None, None]
        assert_agrees(ledger, provider)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_a_step_may_go_elsewhere_and_each_provider_reads_the_others_tools(way: Any, ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider), by_step, per="step"))
        messages = await way(agent, EASY, metered(ledger))
        assert messages[-1].text == SUNNY
        assert targets_of(messages) == ["strong", "cheap"]
        first, second = provider.log
        assert (first.provider, second.provider) == ("anthropic", "openai")
        assert first.body["tools"][0]["input_schema"]["required"] == ["city"]
        assert second.body["tools"][0]["function"]["parameters"]["required"] == ["city"]
        call, result = second.body["messages"][-2:]
        assert call["tool_calls"][0]["function"]["name"] == "get_weather"
        assert (result["role"], result["tool_call_id"]) == ("tool", call["tool_calls"][0]["id"])
        assert [record.route for record in calls(ledger)] == ["strong", "cheap"]
        assert_agrees(ledger, provider)


async def test_the_same_way_back_from_openai_to_anthropic(ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        turned = {"strong": chat_openai(provider, CHEAP), "cheap": chat_anthropic(provider, STRONG)}
        agent = routed(provider, RoutingMiddleware(turned, by_step, per="step", strong="strong"))
        assert (await agent.ainvoke(asked(), metered(ledger)))["messages"][-1].text == SUNNY
        assert called(provider) == ["openai", "anthropic"]
        blocks = provider.log[1].body["messages"][-1]["content"]
        assert blocks[0]["type"] == "tool_result"
        assert_agrees(ledger, provider)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_tokens_are_streamed_as_they_come(asynchronous: bool, ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider)))
        for text in (EASY, HARD):
            if asynchronous:
                heard = agent.astream(asked(text), metered(ledger), stream_mode="messages")
                pieces = [piece async for piece, about in heard if about["langgraph_node"] == "model"]
            else:
                stream = agent.stream(asked(text), metered(ledger), stream_mode="messages")
                pieces = [piece for piece, about in stream if about["langgraph_node"] == "model"]
            assert "".join(str(piece.text) for piece in pieces) == SUNNY
            assert len([piece for piece in pieces if piece.text]) >= 2
            assert len({piece.id for piece in pieces}) == 2
        assert all(record.streamed for record in calls(ledger))
        assert_agrees(ledger, provider)


async def test_many_runs_at_once_keep_to_themselves(ledger: Ledger) -> None:
    with FakeProvider(answer=long_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider)))
        texts = [EASY, HARD] * 8
        answers = agent.batch([asked(text) for text in texts], metered(ledger))
        answers += await agent.abatch([asked(text) for text in texts], metered(ledger))
        assert [targets_of(one["messages"]) for one in answers] == [["cheap"] * 4, ["strong"] * 4] * 16
        assert_agrees(ledger, provider)


# -- conversations, threads, interrupts ---------------------------------------------


def test_every_turn_of_a_conversation_is_decided_anew(ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider)), checkpointer=InMemorySaver())
        for text in (EASY, HARD, "Is Rome a sunny city?"):
            messages = agent.invoke(asked(text), metered(ledger, thread="1"))["messages"]
        assert targets_of(messages) == ["cheap"] * 2 + ["strong"] * 2 + ["cheap"] * 2
        assert_agrees(ledger, provider)


def test_a_policy_sees_where_the_conversation_stood() -> None:
    seen: list[str | None] = []

    def stays(request: RouteRequest) -> str:
        seen.append(request.conversation.target if request.conversation else None)
        return request.conversation.target if request.conversation else "cheap"

    with FakeProvider(answer=weather_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider), stays), checkpointer=InMemorySaver())
        config: Any = {"configurable": {"thread_id": "1"}}
        agent.invoke(asked(EASY), config)
        agent.invoke(asked(HARD), {**config, "metadata": {"route": "strong"}})
        messages = agent.invoke(asked(EASY), config)["messages"]
    assert seen == [None, "strong"]
    assert targets_of(messages) == ["cheap"] * 2 + ["strong"] * 4


@pytest.mark.parametrize("per", ["run", "step"])
def test_a_conversation_stays_where_its_prompt_cache_is_worth_more(per: Any, ledger: Ledger) -> None:
    wanted = iter(("strong", "cheap", "cheap"))

    def turns(request: RouteRequest) -> str:
        return next(wanted)

    system = "You help with the weather. " * 400
    with FakeProvider(answer=weather_answer) as provider:
        policy = sticky(turns, keep_runs=True)
        agent = routed(
            provider,
            RoutingMiddleware(two_of_one(provider), policy, per=per),
            system_prompt=system,
            checkpointer=InMemorySaver(),
        )
        for text in (EASY, "And in Rome?"):
            messages = agent.invoke(asked(text), metered(ledger, thread="1"))["messages"]
        assert targets_of(messages) == ["strong"] * 4
        assert "stays at strong" in calls(ledger)[2].route_reasons[0]
        messages = agent.invoke(asked(EASY), metered(ledger, thread="2"))["messages"]
        assert targets_of(messages) == ["cheap"] * 2, "another conversation has nothing to lose"
        assert_agrees(ledger, provider)


@pytest.mark.parametrize("text", [EASY, HARD])
async def test_an_interrupted_run_goes_on_where_it_began_in_another_process(text: str, ledger: Ledger) -> None:
    saver = InMemorySaver()

    def resumed(provider: FakeProvider) -> Any:
        """All objects anew, as after a restart; only what was saved is the same."""
        approval = cast(Any, HumanInTheLoopMiddleware(interrupt_on={"get_weather": True}))

        def now_the_other(request: RouteRequest) -> str:
            return "strong" if "sunny" in request.question else "cheap"

        policy = None if not provider.calls else now_the_other
        return routed(provider, RoutingMiddleware(two(provider), policy), approval, checkpointer=saver)

    with FakeProvider(answer=weather_answer) as provider:
        config = metered(ledger, thread="1")
        waiting = await resumed(provider).ainvoke(asked(text), config)
        assert waiting["__interrupt__"]
        decisions = {"decisions": [{"type": "approve"}]}
        messages = (await resumed(provider).ainvoke(Command(resume=decisions), config))["messages"]
        assert messages[-1].text == SUNNY
        assert len(set(targets_of(messages))) == 1
        assert len(set(called(provider))) == 1
        assert_agrees(ledger, provider)


def test_the_agents_state_keeps_what_it_was_given() -> None:
    with FakeProvider(answer=weather_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider)))
        given = [HumanMessage([{"type": "text", "text": HARD, "cache_control": {"type": "ephemeral"}}])]
        cheap: Any = {"metadata": {"route": "cheap"}}
        first = agent.invoke({"messages": given}, cheap)["messages"][0]
        assert first.content == given[0].content
        assert first.content[0]["cache_control"] == {"type": "ephemeral"}
        assert "cache_control" not in str(sent(provider))


# -- structured answers --------------------------------------------------------------


@pytest.mark.parametrize(("text", "key"), [(EASY, "response_format"), (HARD, "output_config")])
@pytest.mark.parametrize("tools", [TOOLS, []], ids=["tools", "no tools"])
async def test_a_schema_is_asked_for_in_each_providers_own_way(text: str, key: str, tools: Any, ledger: Ledger) -> None:
    def answer(request: FakeRequest) -> str | FakeAnswer:
        return weather_answer(request) if request.tools and not request.after_tool_result else '{"city":"P","sunny":1}'

    with FakeProvider(answer=answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider)), response_format=Weather, tools=tools)
        state = await agent.ainvoke(asked(text), metered(ledger))
        assert isinstance(state["structured_response"], Weather)
        assert all(key in call.body for call in provider.log)
        assert len(set(targets_of(state["messages"]))) == 1
        assert_agrees(ledger, provider)


@pytest.mark.parametrize(("text", "target"), [(EASY, "cheap"), (HARD, "strong")])
def test_a_structured_answer_that_is_asked_for_again_stays_with_its_target(
    text: str, target: str, ledger: Ledger
) -> None:
    def answer(request: FakeRequest) -> FakeAnswer:
        again = any(message.role == "tool" for message in request.messages)
        arguments: dict[str, Any] = {"city": "Paris", "sunny": True} if again else {"city": "Paris"}
        return FakeAnswer(tool_calls=(FakeToolCall(name="Weather", arguments=arguments),))

    with FakeProvider(answer=answer) as provider:
        middleware = RoutingMiddleware(two(provider))
        agent = routed(provider, middleware, tools=[], response_format=ToolStrategy(Weather))
        state = agent.invoke(asked(text), metered(ledger))
        assert state["structured_response"] == Weather(city="Paris", sunny=True)
        assert targets_of(state["messages"]) == [target] * 2
        assert any(isinstance(message, ToolMessage) for message in state["messages"])
        assert_agrees(ledger, provider)


# -- who has the last word ------------------------------------------------------------


async def test_the_caller_names_the_target(ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider)), checkpointer=InMemorySaver())
        config = metered(ledger, thread="1", route="strong")
        assert targets_of((await agent.ainvoke(asked(EASY), config))["messages"]) == ["strong"] * 2
        config = metered(ledger, thread="2", route="cheap")
        assert targets_of(agent.invoke(asked(HARD), config)["messages"]) == ["cheap"] * 2
        assert calls(ledger)[0].route_reasons == ("the caller's metadata says so",)
        assert_agrees(ledger, provider)


def test_a_target_there_is_not_leaves_the_policy_to_decide() -> None:
    with FakeProvider(answer=weather_answer) as provider:
        middleware = RoutingMiddleware(two(provider))
        messages = routed(provider, middleware).invoke(asked(), {"metadata": {"route": "best"}})["messages"]
        assert targets_of(messages) == ["cheap"] * 2
        assert middleware.faults.total == 2


@pytest.mark.parametrize("per", ["run", "step"])
async def test_a_policy_that_fails_means_the_strong_target(per: Any) -> None:
    def broken(request: RouteRequest) -> str:
        raise ZeroDivisionError

    with FakeProvider(answer=weather_answer) as provider:
        middleware = RoutingMiddleware(two(provider), broken, per=per)
        assert targets_of((await routed(provider, middleware).ainvoke(asked()))["messages"]) == ["strong"] * 2
        assert middleware.faults.counts == {"the routing policy: ZeroDivisionError": 1 if per == "run" else 2}


async def test_a_policy_that_waits_is_awaited() -> None:
    async def slow(request: RouteRequest) -> RouteDecision:
        return RouteDecision(target="strong", reasons=("slowly",))

    with FakeProvider(answer=weather_answer) as provider:
        middleware = RoutingMiddleware(two(provider), slow)
        messages = (await routed(provider, middleware).ainvoke(asked()))["messages"]
        assert messages[1].response_metadata[MARK][ROUTE_KEY]["reasons"] == ["slowly"]
        assert middleware.faults.total == 0


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_what_a_policy_asks_a_model_is_in_the_trace_but_in_no_stream(asynchronous: bool, ledger: Ledger) -> None:
    def answer(request: FakeRequest) -> str | FakeAnswer:
        return weather_answer(request) if request.tools else "strong"

    with FakeProvider(answer=answer) as provider:
        middleware = RoutingMiddleware(two(provider), LLMClassifier(chat_openai(provider, "gpt-4.1-nano")))
        agent = routed(provider, middleware)
        if asynchronous:
            pieces = [one async for one, _ in agent.astream(asked(), metered(ledger), stream_mode="messages")]
        else:
            pieces = [one for one, _ in agent.stream(asked(), metered(ledger), stream_mode="messages")]
        text = "".join(str(piece.text) for piece in pieces if not isinstance(piece, ToolMessage))
        assert text == SUNNY
        assert [call.model for call in provider.log] == ["gpt-4.1-nano", STRONG, STRONG]
        records = calls(ledger)
        assert len({record.trace_id for record in records}) == 1
        assert (saved(records[0], "route") or 0) < 0
        assert_agrees(ledger, provider)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_nor_is_what_a_function_asks_a_model_in_the_stream(asynchronous: bool, ledger: Ledger) -> None:
    with FakeProvider(answer=lambda request: "strong" if request.model == "gpt-4.1-nano" else SUNNY) as provider:
        nano = chat_openai(provider, "gpt-4.1-nano")
        middleware = RoutingMiddleware(two(provider), lambda request: str(nano.invoke(request.question).text))
        agent = routed(provider, middleware, tools=[])
        if asynchronous:
            pieces = [one async for one, _ in agent.astream(asked(), metered(ledger), stream_mode="messages")]
        else:
            pieces = [one for one, _ in agent.stream(asked(), metered(ledger), stream_mode="messages")]
        assert "".join(str(piece.text) for piece in pieces) == SUNNY
        assert len({record.trace_id for record in calls(ledger)}) == 1
        assert_agrees(ledger, provider)


# -- switched off, or only watching -------------------------------------------------------


async def run_both(agent: Any, ledger: Ledger) -> list[Any]:
    found = []
    for text in (EASY, HARD):
        found += agent.invoke(asked(text), metered(ledger))["messages"]
        found += (await agent.ainvoke(asked(text), metered(ledger)))["messages"]
    return found


async def test_switched_off_it_is_not_there(monkeypatch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    monkeypatch.setenv(DISABLE_VARIABLE, "1")
    bodies = []
    for there in (False, True):
        with FakeProvider(answer=weather_answer) as provider:
            middleware = [RoutingMiddleware(two(provider))] if there else []
            messages = await run_both(routed(provider, *middleware), ledger)
            assert set(targets_of(messages)) == {None}
            assert not [message for message in messages if MARK in message.response_metadata]
            bodies.append(sent(provider))
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("per", ["run", "step"])
async def test_watching_changes_nothing_and_records_what_would_have_been(per: Any, ledger: Ledger) -> None:
    bodies = []
    for watched in (False, True):
        with FakeProvider(answer=long_answer) as provider:
            middleware = RoutingMiddleware(two(provider), mode="observe", per=per, on_error="next")
            messages = await run_both(routed(provider, *[middleware] if watched else []), ledger)
            assert not [message for message in messages if MARK in message.response_metadata]
            bodies.append(sent(provider))
    assert bodies[0] == bodies[1]
    unwatched, records = calls(ledger)[:16], calls(ledger)[16:]
    assert [record.route for record in unwatched] == [None] * 16
    assert {(record.route, record.model.startswith("gpt-4.1")) for record in records} == {("the agent's own", True)}
    assert [record.metadata["route_observed"] for record in records] == (["cheap"] * 8 + ["strong"] * 8)
    for record in records:
        would = saved(record, "route", hypothetical=True)
        assert would is not None
        assert (would > 0) == (record.metadata["route_observed"] == "cheap"), "sonnet is dearer than the agent's own"
    assert ledger.report().total.saved_usd == 0


@pytest.mark.parametrize("other_object", [False, True])
def test_the_agents_own_model_may_be_one_of_the_targets(other_object: bool, ledger: Ledger) -> None:
    with FakeProvider(answer=weather_answer) as provider:
        targets = two(provider)
        own = chat_anthropic(provider, STRONG) if other_object else targets["strong"]
        agent: Any = create_agent(own, tools=TOOLS, middleware=[RoutingMiddleware(targets, mode="observe")])
        agent.invoke(asked(HARD), metered(ledger))
        assert [(record.route, record.saved) for record in calls(ledger)] == [("strong", ())] * 2


def test_a_failure_under_observation_is_the_agents_own() -> None:
    with FakeProvider(answer=weather_answer) as provider:
        agent = routed(provider, RoutingMiddleware(two(provider), mode="observe", on_error="next"))
        provider.fail_next(Fault.server_error())
        with pytest.raises(Exception, match="server had an error"):
            agent.invoke(asked())
        assert provider.calls == 1


# -- explaining, refusing ---------------------------------------------------------------


def test_it_explains_without_calling_a_target(provider: FakeProvider) -> None:
    middleware = RoutingMiddleware(two(provider))
    assert middleware.explain(EASY).target == "cheap"
    explained = middleware.explain([HumanMessage(HARD)], {"metadata": {"feature": "f"}}, tools=[get_weather])
    assert (explained.target, explained.strong) == ("strong", "strong")
    assert "claude-sonnet-4-6" in str(explained)
    assert provider.calls == 0


def test_a_target_may_be_given_by_its_name(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    middleware = RoutingMiddleware([("cheap", f"openai:{CHEAP}"), ("strong", chat_anthropic(provider))])
    assert middleware.targets["cheap"]._llm_type == "openai-chat"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": {}}, "no targets"),
        ({"targets": 3}, "must be a mapping"),
        ({"targets": {"": "model"}}, "non-empty"),
        ({"targets": [("a", "model"), ("a", "model")]}, "two targets have one name"),
        ({"targets": {"a": lambda x: x}}, "target 'a' must be a chat model, not function"),
        ({"targets": {"a": "model"}, "bind": True}, r"Binding: what is bound .* create_agent\(model=...\)"),
        ({"targets": {"a": "nobody:nothing"}, "text": True}, "target 'a': no chat model can be made of 'nobody:"),
        ({"per": "conversation"}, "per must be 'run' or 'step', not 'conversation'"),
        ({"mode": "watch"}, "mode must be"),
        ({"on_error": "retry"}, "on_error must be"),
        ({"strong": "best"}, "strong='best' is not a target"),
        ({"policy": 3}, "3 cannot be"),
        ({"policy": 3, "per": "step"}, "3 cannot be"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_made(change: Any, message: str, provider: FakeProvider) -> None:
    options = {"targets": two(provider), **change}
    bind, text = options.pop("bind", False), options.pop("text", False)
    if isinstance(options["targets"], dict) and not text:
        real = chat_openai(provider)
        made: Any = real.bind(temperature=0) if bind else real
        options["targets"] = {k: made if v == "model" else v for k, v in options["targets"].items()}
    with pytest.raises(ConfigurationError, match=message):
        RoutingMiddleware(**options)


def test_without_langchain_the_extra_is_named() -> None:
    program = (
        "import sys; sys.modules['langchain'] = None\n"
        "from lc_costkit.errors import MissingDependency\n"
        "import lc_costkit\n"
        "try:\n"
        "    import lc_costkit.agents\n"
        "except MissingDependency as error:\n"
        "    assert \"pip install 'lc_costkit[agents]'\" in str(error), error\n"
        "    raise SystemExit(0)\n"
        "raise SystemExit('no MissingDependency')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
