"""Does each method of a model work on a router over two real clients?"""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.load import dumpd, dumps, loads
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField, RunnableLambda, RunnableParallel, RunnablePassthrough
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from lc_costkit.langchain.cascade import Cascade
from lc_costkit.langchain.router import ModelRouter
from lc_costkit.marks import ROUTE_KEY, RouteMark
from lc_costkit.routing import RouteRequest, Rules
from lc_costkit.testing import FakeProvider, Fault
from tests.conftest import chat_anthropic, chat_openai
from tests.langchain.test_router import HARD, Watcher

EASY = "hi, get_weather in Paris"
DEMANDING = f"{HARD} get_weather"
BOTH = [EASY, DEMANDING]


@tool
def get_weather(city: str) -> str:
    """Say what the weather is in a city."""
    return f"Sunny in {city}."


class Report(BaseModel):
    """A weather report."""

    city: str
    warm: bool


SCHEMA = {
    "title": "report",
    "description": "A weather report.",
    "type": "object",
    "properties": {"city": {"type": "string"}, "warm": {"type": "boolean"}},
    "required": ["city", "warm"],
    "additionalProperties": False,
}


@pytest.fixture
def models(provider: FakeProvider) -> dict[str, Any]:
    return {"small": chat_openai(provider), "large": chat_anthropic(provider, "claude-sonnet-4-6")}


@pytest.fixture
def router(models: dict[str, Any]) -> ModelRouter:
    return ModelRouter(models)


def asked(provider: FakeProvider) -> list[str]:
    return [call.provider for call in provider.log]


def targets(answers: list[Any]) -> list[str]:
    return [answer.response_metadata["lc_costkit"]["route"]["target"] for answer in answers]


# -- tools and schemas ---------------------------------------------------------------------------


@pytest.mark.parametrize("include_raw", [False, True])
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("schema", [Report, SCHEMA])
def test_structured_output_of_every_kind(
    provider: FakeProvider, router: ModelRouter, schema: Any, method: str, include_raw: bool
) -> None:
    structured = router.with_structured_output(schema, method=method, include_raw=include_raw)
    for question in BOTH:
        answer: Any = structured.invoke(question)
        parsed = answer["parsed"] if include_raw else answer
        found = parsed.model_dump() if schema is Report else parsed
        assert set(found) == {"city", "warm"}
        if include_raw:
            assert answer["raw"].type == "ai"
    easy, hard = (call.body or {} for call in provider.log)
    if method == "json_schema":
        assert easy["response_format"]["type"] == "json_schema"
        assert hard["output_config"]["format"]["type"] == "json_schema"
    else:
        assert easy["tools"][0]["type"] == "function"
        assert "input_schema" in hard["tools"][0]


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "batch", "stream", "astream"])
@pytest.mark.parametrize("kind", [ModelRouter, Cascade])
async def test_the_raw_answer_of_structured_output_tells_its_route(models: dict[str, Any], kind: Any, way: str) -> None:
    structured = kind(models).with_structured_output(Report, method="function_calling", include_raw=True)
    if way.endswith("stream"):
        chunks = list(structured.stream(EASY)) if way == "stream" else [one async for one in structured.astream(EASY)]
        answer = chunks[0]
        for chunk in chunks[1:]:
            answer = answer + chunk
    elif way == "batch":
        (answer,) = structured.batch([EASY])
    else:
        answer = structured.invoke(EASY) if way == "invoke" else await structured.ainvoke(EASY)
    assert targets([answer["raw"]]) == ["small"]
    assert isinstance(answer["parsed"], Report)


def test_a_last_answer_that_is_streamed_with_its_raw_message_tells_its_route(models: dict[str, Any]) -> None:
    structured = Cascade(models).with_structured_output(Report, method="function_calling", include_raw=True)
    first, *others = structured.stream(EASY, {"metadata": {"route": "large"}})
    for chunk in others:
        first = first + chunk
    assert targets([first["raw"]]) == ["large"]
    assert isinstance(first["parsed"], Report)


def test_tools_can_be_bound_in_a_chain_batch_and_stream(provider: FakeProvider, router: ModelRouter) -> None:
    prompt = ChatPromptTemplate.from_template("{q}")
    chain = prompt | router.bind_tools([get_weather]).with_config(tags=["t"]).bind(stop=["END"])
    answers = chain.batch([{"q": question} for question in BOTH])
    assert [answer.tool_calls[0]["name"] for answer in answers] == ["get_weather"] * 2
    for question in BOTH:
        whole: Any = None
        for chunk in chain.stream({"q": question}):
            whole = chunk if whole is None else whole + chunk
        assert whole.tool_calls[0]["name"] == "get_weather"
        assert whole.response_metadata["lc_costkit"]["route"]["target"]
    shapes = {call.provider: (call.body or {})["tools"][0] for call in provider.log}
    assert set(shapes["openai"]) == {"type", "function"}
    assert "input_schema" in shapes["anthropic"]


def test_what_a_target_had_bound_is_kept_when_tools_come(provider: FakeProvider, models: dict[str, Any]) -> None:
    bound = {
        "small": models["small"].bind(stop=["END"]).with_config(tags=["own"]),
        "large": models["large"].with_retry(stop_after_attempt=2, wait_exponential_jitter=False),
    }
    watcher = Watcher()
    prepared = ModelRouter(bound).bind_tools([get_weather])
    prepared.invoke(EASY, {"callbacks": [watcher]})
    provider.fail_next(Fault.server_error())
    prepared.invoke(DEMANDING)
    assert (provider.log[0].body or {})["stop"] == ["END"]
    assert "own" in watcher.starts[0][1]
    assert [call.status for call in provider.log] == [200, 500, 200]
    assert all((call.body or {})["tools"] for call in provider.log)


def test_what_a_target_had_bound_is_kept_when_a_schema_comes(provider: FakeProvider, models: dict[str, Any]) -> None:
    prepared = ModelRouter({"only": models["small"].bind(stop=["END"])}).bind_tools([get_weather])
    for include_raw in (False, True):
        prepared.with_structured_output(Report, include_raw=include_raw).invoke(EASY)
    for call in provider.log:
        assert call.body is not None
        assert call.body["stop"] == ["END"]
        assert call.body["response_format"]["type"] == "json_schema"
        assert "tools" not in call.body  # as of a model alone: the schema takes the place of the tools


def test_a_target_with_fallbacks_gives_tools_to_all_of_them(provider: FakeProvider, models: dict[str, Any]) -> None:
    target = models["small"].bind(stop=["END"]).with_fallbacks([models["large"]])
    prepared = ModelRouter({"only": target}).bind_tools([get_weather])
    provider.fail_next(Fault.server_error())
    assert prepared.invoke(EASY).tool_calls
    assert asked(provider) == ["openai", "anthropic"]
    first, second = (call.body or {} for call in provider.log)
    assert first["stop"] == ["END"]
    assert first["tools"][0]["function"]["name"] == second["tools"][0]["name"] == "get_weather"


# -- fallbacks and retries -----------------------------------------------------------------------


@pytest.mark.parametrize("as_fallback", [False, True])
@pytest.mark.parametrize("method", ["bind_tools", "with_structured_output"])
def test_fallbacks_pass_preparation_on(
    provider: FakeProvider, models: dict[str, Any], router: ModelRouter, as_fallback: bool, method: str
) -> None:
    plain = models["large"] if not as_fallback else models["small"]
    both: Any = plain.with_fallbacks([router]) if as_fallback else router.with_fallbacks([plain])
    prepared = both.bind_tools([get_weather]) if method == "bind_tools" else both.with_structured_output(Report)
    provider.fail_next(Fault.server_error())
    answer = prepared.invoke(DEMANDING if as_fallback else EASY)
    assert answer.tool_calls if method == "bind_tools" else isinstance(answer, Report)
    assert [(call.provider, call.status) for call in provider.log] == [("openai", 500), ("anthropic", 200)]
    first, second = (call.body or {} for call in provider.log)
    assert (first["tools"] if method == "bind_tools" else first["response_format"]) and second["tools"]


def test_retries_work_inside_and_around(provider: FakeProvider, router: ModelRouter) -> None:
    inside = router.with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
    for question in BOTH:
        provider.fail_next(Fault.rate_limit())
        assert inside.bind_tools([get_weather]).invoke(question).tool_calls
    assert [call.status for call in provider.log] == [429, 200] * 2
    assert isinstance(inside, ModelRouter)


# -- configuring ---------------------------------------------------------------------------------


def test_policy_and_mode_can_be_configured(provider: FakeProvider, router: ModelRouter) -> None:
    def always_large(request: RouteRequest) -> str:
        return "large"

    configured: Any = router.configurable_fields(
        policy=ConfigurableField(id="policy"), mode=ConfigurableField(id="mode")
    )
    for prepared in (configured, configured.bind_tools([get_weather])):
        answers = [
            prepared.invoke(EASY),
            prepared.invoke(EASY, {"configurable": {"policy": always_large}}),
            *prepared.batch([EASY, EASY], {"configurable": {"policy": always_large}}),
        ]
        assert targets(answers) == ["small", "large", "large", "large"]
        observed = prepared.invoke(EASY, {"configurable": {"mode": "observe"}})
        assert "lc_costkit" not in observed.response_metadata
    assert asked(provider) == ["openai", *["anthropic"] * 4] * 2
    assert all((call.body or {})["tools"] for call in provider.log[5:])
    assert isinstance(configured.with_structured_output(Report).invoke(DEMANDING), Report)


def test_a_configured_router_counts_its_faults_where_they_are_looked_for(router: ModelRouter) -> None:
    configured: Any = router.configurable_fields(policy=ConfigurableField(id="policy"))
    configured.invoke(EASY, {"configurable": {"policy": lambda request: "huge"}})
    assert router.faults.total == configured.faults.total == 1


@pytest.mark.parametrize("include_raw", [None, False, True])
def test_what_can_be_configured_on_a_target_still_can_be_when_it_is_prepared(
    provider: FakeProvider, models: dict[str, Any], include_raw: bool | None
) -> None:
    field = models["small"].configurable_fields(model_name=ConfigurableField(id="model"))
    made: Any = ModelRouter({"small": field, "large": models["large"]})
    prepared = made.bind_tools([get_weather])
    if include_raw is not None:
        prepared = made.with_structured_output(Report, include_raw=include_raw)
    assert "model" in [spec.id for spec in prepared.config_specs]
    prepared.invoke(EASY)
    prepared.invoke(EASY, {"configurable": {"model": "gpt-4.1-nano"}})
    assert [call.model for call in provider.log] == ["gpt-4o-mini", "gpt-4.1-nano"]
    assert all("tools" in (call.body or {}) or "response_format" in (call.body or {}) for call in provider.log)


def test_savings_are_counted_against_the_model_that_was_configured(models: dict[str, Any]) -> None:
    field = models["small"].configurable_fields(model_name=ConfigurableField(id="model"))
    other = models["large"].configurable_alternatives(
        ConfigurableField(id="who"),
        default_key="claude",
        spare=models["small"].model_copy(update={"model_name": "gpt-4.1"}),
    )
    seen: list[RouteRequest] = []

    def small(request: RouteRequest) -> str:
        seen.append(request)
        return "small"

    watcher = Watcher()
    made = ModelRouter({"small": field, "large": other}, policy=small)
    for prepared in (made, made.bind_tools([get_weather]).with_config(tags=["t"])):
        prepared.invoke(EASY, {"callbacks": [watcher], "configurable": {"model": "gpt-4.1-nano", "who": "spare"}})
    for request, mark in zip(seen, watcher.marks, strict=True):
        assert mark is not None
        assert (mark.chosen_model, mark.baseline_model) == ("gpt-4.1-nano", "gpt-4.1")
        assert [model.model for model in request.models.values()] == ["gpt-4.1-nano", "gpt-4.1"]


@pytest.mark.parametrize("late", [False, True])
def test_alternatives_of_a_target_each_get_their_own_format(
    provider: FakeProvider, models: dict[str, Any], late: bool
) -> None:
    other = (lambda: models["large"]) if late else models["large"]
    target = models["small"].configurable_alternatives(ConfigurableField(id="who"), default_key="openai", claude=other)
    prepared = ModelRouter({"only": target}).bind_tools([get_weather])
    prepared.invoke(EASY)
    prepared.invoke(EASY, {"configurable": {"who": "claude"}})
    easy, hard = (call.body or {} for call in provider.log)
    assert easy["tools"][0]["type"] == "function"
    assert "input_schema" in hard["tools"][0]


def test_a_router_can_have_alternatives(provider: FakeProvider, models: dict[str, Any], router: ModelRouter) -> None:
    either: Any = router.configurable_alternatives(
        ConfigurableField(id="who"), default_key="routed", direct=models["large"]
    )
    for prepared in (either.bind_tools([get_weather]), either.with_structured_output(Report)):
        prepared.invoke(EASY)
        answer = prepared.invoke(EASY, {"configurable": {"who": "direct"}})
        assert "lc_costkit" not in getattr(answer, "response_metadata", {})
    assert asked(provider) == ["openai", "anthropic"] * 2
    assert "input_schema" in (provider.log[1].body or {})["tools"][0]


# -- calling -------------------------------------------------------------------------------------


async def test_events_carry_the_route_and_the_tags(router: ModelRouter) -> None:
    chain = ChatPromptTemplate.from_template("{q}") | router | StrOutputParser()
    for question, target in zip(BOTH, ("small", "large"), strict=True):
        config: Any = {"tags": ["mine"], "metadata": {"user": "u1"}}
        events = [event async for event in chain.astream_events({"q": question}, config, version="v2")]
        model = [event for event in events if event["event"].startswith("on_chat_model")]
        assert {event["event"].rpartition("_")[2] for event in model} == {"start", "stream", "end"}
        for event in model:
            mark = RouteMark.from_dict(event["metadata"][ROUTE_KEY])
            assert mark is not None
            assert mark.target == target
            assert mark.reasons
            assert event["metadata"]["user"] == "u1"
            assert "mine" in event["tags"]
        around = [event for event in events if not event["event"].startswith("on_chat_model")]
        assert all(ROUTE_KEY not in event["metadata"] for event in around)


async def test_batches_as_completed_say_which_input_was_answered(provider: FakeProvider, router: ModelRouter) -> None:
    expected = {0: "small", 1: "large", 2: "small"}
    inputs: list[Any] = [EASY, HARD, "thanks"]
    found = dict(router.batch_as_completed(inputs))
    afound = {place: answer async for place, answer in router.abatch_as_completed(inputs)}
    for answers in (found, afound):
        assert {place: targets([answer])[0] for place, answer in answers.items()} == expected
    provider.fail_next(Fault.server_error(), match=lambda request: request.provider == "anthropic")
    mixed = dict(router.batch_as_completed(inputs, return_exceptions=True))
    assert {place for place, answer in mixed.items() if isinstance(answer, Exception)} == {1}


async def test_transform_waits_for_the_whole_input(provider: FakeProvider, router: ModelRouter) -> None:
    def pieces() -> Iterator[Any]:
        yield from ("Prove that there are ", "infinitely many primes.")

    async def apieces() -> AsyncIterator[Any]:
        for piece in pieces():
            yield piece

    chunks = list(router.transform(pieces()))
    achunks = [chunk async for chunk in router.atransform(apieces())]
    assert len(chunks) > 2
    assert len(achunks) > 2
    assert targets([chunks[0], achunks[0]]) == ["large", "large"]
    sent = {str((call.body or {})["messages"][-1]["content"]) for call in provider.log}
    assert sent == {HARD}


async def test_it_composes_in_parallel_and_after_other_runnables(provider: FakeProvider, router: ModelRouter) -> None:
    text: Any = router | StrOutputParser()
    chain: Any = RunnableParallel(
        routed=text, twice=RunnableLambda(lambda question: f"{question} again") | text
    ) | RunnablePassthrough.assign(size=lambda both: len(both["routed"]))
    for answer in (chain.invoke(HARD), await chain.ainvoke(HARD)):
        assert answer["size"] == len(answer["routed"]) > 0
        assert answer["twice"]
    assert set(asked(provider)) == {"anthropic"}
    keys = [key for chunk in RunnableParallel(a=text, b=text).stream(EASY) for key in chunk]
    assert set(keys) == {"a", "b"}
    assert len(keys) > 4


# -- drawing, copying, writing -------------------------------------------------------------------


def test_a_drawn_graph_names_the_targets(router: ModelRouter) -> None:
    prompt = ChatPromptTemplate.from_template("{q}")
    for chain in (prompt | router | StrOutputParser(), prompt | router.bind_tools([get_weather])):
        graph = chain.get_graph()
        node = next(node for node in graph.nodes.values() if node.name == "ModelRouter<small,large>")
        reached = {edge.data: graph.nodes[edge.target].name for edge in graph.edges if edge.source == node.id}
        assert reached == {"small": "ChatOpenAI", "large": "ChatAnthropic"}
        drawn = graph.draw_mermaid()
        assert "ModelRouter<small,large>" in drawn
        assert "-. &nbsp;small&nbsp; .-> ChatOpenAI" in drawn
        assert graph.last_node() is not None
    alone = ModelRouter({"only": router.targets["small"]}) | StrOutputParser()
    assert "ChatOpenAI" in alone.get_graph().draw_mermaid()


def test_a_drawn_graph_holds_the_steps_of_a_target(models: dict[str, Any]) -> None:
    prompted = ChatPromptTemplate.from_template("Say {q}") | models["small"]
    made = ModelRouter({"small": prompted, "large": models["large"]})
    graph = made.get_graph()
    assert {"ChatPromptTemplate", "ChatOpenAI", "ChatAnthropic"} <= {node.name for node in graph.nodes.values()}
    assert made.get_prompts() == [prompted.first]


def test_it_can_be_pickled_when_its_clients_can(provider: FakeProvider, router: ModelRouter) -> None:
    claude = {"small": chat_anthropic(provider), "large": chat_anthropic(provider, "claude-sonnet-4-6")}
    made = ModelRouter(claude, policy=Rules(threshold=0.2), on_error="next").bind_tools([get_weather])
    again = pickle.loads(pickle.dumps(made))  # noqa: S301
    assert targets([again.invoke(EASY), again.invoke(DEMANDING)]) == ["small", "large"]
    assert all((call.body or {})["tools"] for call in provider.log)
    assert again.on_error == "next"
    # langchain-openai's client holds locks: what holds it cannot be pickled either
    for holder in (router.targets["small"], router):
        with pytest.raises(TypeError, match="cannot pickle"):
            pickle.dumps(holder)


def load(text: str) -> Any:
    allowed: list[Any] = [ModelRouter, ChatOpenAI, ChatAnthropic]
    secrets = {"OPENAI_API_KEY": "test", "ANTHROPIC_API_KEY": "test"}
    return loads(text, allowed_objects=allowed, valid_namespaces=["lc_costkit"], secrets_map=secrets)


@pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
def test_it_is_written_and_read_with_its_targets(provider: FakeProvider, router: ModelRouter) -> None:
    made = ModelRouter(router.targets, mode="observe", on_error="next", strong="small").with_config(tags=["t"])
    text = dumps(made)
    assert '"test"' not in text
    assert dumpd(made)["id"] == ["lc_costkit", "langchain", "router", "ModelRouter"]
    again = load(text)
    assert isinstance(again, ModelRouter)
    assert (again.mode, again.on_error, again.strong) == ("observe", "next", "small")
    assert again.bound_config == {"tags": ["t"]}
    assert [type(target) for target in again.targets.values()] == [ChatOpenAI, ChatAnthropic]
    assert targets([load(dumps(router)).invoke(HARD)]) == ["large"]
    assert asked(provider) == ["anthropic"]


@pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
def test_another_policy_is_named_when_written_and_refused_when_read(router: ModelRouter) -> None:
    made = ModelRouter(router.targets, policy=Rules(threshold=0.3))
    written = dumpd(made)
    assert written["kwargs"]["policy"]["type"] == "not_implemented"
    assert written["kwargs"]["policy"]["id"][-1] == "Rules"
    with pytest.raises(NotImplementedError, match="Rules"):
        load(dumps(made))
