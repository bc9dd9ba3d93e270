"""Where a budget sends a call to another model, or answers it itself: does the application go on?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.language_models import FakeListChatModel, FakeListLLM
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel, field_validator

from lc_costkit import Budget, BudgetExceeded, CostCallbackHandler, Ledger, ModelRouter, SemanticCache, budgeted
from lc_costkit.errors import ConfigurationError
from lc_costkit.marks import MARK
from lc_costkit.testing import FakeProvider
from tests.conftest import chat_anthropic, chat_openai

STRONG = {chat_openai: "gpt-4o", chat_anthropic: "claude-opus-5"}
CHEAP = {chat_openai: "gpt-4o-mini", chat_anthropic: "claude-haiku-4-5"}

# langchain-openai tells pydantic of answers it has parsed in a field that was declared without.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")


class City(BaseModel):
    """A city."""

    name: str


@tool
def weather(city: str) -> str:
    """Say what the weather is in a city."""
    return f"Sunny in {city}."


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l.db") as opened:
        yield opened


PAIRS = [
    pytest.param((one, other), id=f"{one.__name__[5:]}-to-{other.__name__[5:]}")
    for one in (chat_openai, chat_anthropic)
    for other in (chat_openai, chat_anthropic)
]


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest, provider: FakeProvider) -> tuple[Any, Any]:
    """A strong and a cheap model, of one provider or of two."""
    strong, cheap = request.param
    return strong(provider, STRONG[strong], max_tokens=2000), cheap(provider, CHEAP[cheap], max_tokens=100)


def tight(**options: Any) -> Budget:
    """Enough for a short answer of a cheap model, and for none of a strong one."""
    return Budget(**{"usd": "0.01", "on_exceeded": "cheapest", **options})


def by(message: Any) -> Any:
    return message.response_metadata.get(MARK, {}).get("budget", {}).get("answered_by")


def assert_agrees(budget: Budget, ledger: Ledger, provider: FakeProvider) -> None:
    assert provider.wait_idle()
    assert budget.status().held == 0
    assert budget.status().spent == provider.billed_usd == ledger.report().total.provider_usd > 0


def name_of(model: Any) -> str:
    return str(getattr(model, "model_name", None) or model.model)


# -- the cheapest model -----------------------------------------------------------------------


async def test_every_way_goes_to_the_cheapest(pair: Any, ledger: Ledger, provider: FakeProvider) -> None:
    strong, cheap = pair
    budget = tight()
    model = budgeted(strong, budget, ledger, cheapest=cheap)
    config: Any = {"callbacks": [CostCallbackHandler(ledger)]}
    whole: Any = None
    for chunk in model.stream("Hello", config):
        whole = chunk if whole is None else whole + chunk
    awhole: Any = None
    async for chunk in model.astream("Hello", config):
        awhole = chunk if awhole is None else awhole + chunk
    answers = [model.invoke("Hello", config), await model.ainvoke("Hello", config), whole, awhole]
    assert [by(answer) for answer in answers] == [name_of(cheap)] * 4
    assert all(answer.text for answer in answers)
    assert {call.model for call in provider.log} == {name_of(cheap)}
    assert provider.calls == 4
    assert_agrees(budget, ledger, provider)
    records = list(ledger.records())
    assert all(record.model_answered and record.model_answered.startswith(name_of(cheap)) for record in records)


async def test_tools_work_there_too(pair: Any, ledger: Ledger, provider: FakeProvider) -> None:
    strong, cheap = pair
    budget = tight()
    model = budgeted(strong, budget, ledger, cheapest=cheap).bind_tools([weather])
    question = HumanMessage("What is the weather in Paris?")
    call: Any = model.invoke([question])
    assert [one["name"] for one in call.tool_calls] == ["weather"]
    assert set(call.tool_calls[0]["args"]) == {"city"}
    result = ToolMessage("Sunny.", tool_call_id=call.tool_calls[0]["id"])
    assert (await model.ainvoke([question, call, result])).text
    whole: Any = None
    async for chunk in model.astream([question]):
        whole = chunk if whole is None else whole + chunk
    assert [one["name"] for one in whole.tool_calls] == ["weather"]
    assert {one.model for one in provider.log} == {name_of(cheap)}


@pytest.mark.parametrize("choice", ["weather", "any", "auto"])
def test_a_tool_choice_is_understood_there(choice: str, pair: Any, ledger: Ledger, provider: FakeProvider) -> None:
    strong, cheap = pair
    model = budgeted(strong, tight(), ledger, cheapest=cheap).bind_tools([weather], tool_choice=choice)
    answer: Any = model.invoke("What is the weather in Paris?")
    assert [one["name"] for one in answer.tool_calls] == ["weather"]
    assert provider.log[0].model == name_of(cheap)


@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
@pytest.mark.parametrize("schema", [City, City.model_json_schema()], ids=["class", "schema"])
async def test_structured_output_works_there_too(
    method: str, schema: Any, pair: Any, ledger: Ledger, provider: FakeProvider
) -> None:
    strong, cheap = pair
    model = budgeted(strong, tight(), ledger, cheapest=cheap).with_structured_output(schema, method=method)
    streamed = [chunk async for chunk in model.astream("Name a city")]
    for answer in (model.invoke("Name a city"), await model.ainvoke("Name a city"), streamed[-1]):
        assert answer.name if isinstance(answer, City) else answer["name"]
    assert {one.model for one in provider.log} == {name_of(cheap)}


def test_the_strong_model_answers_as_long_as_it_fits(pair: Any, ledger: Ledger, provider: FakeProvider) -> None:
    strong, cheap = pair
    budget = Budget(tokens=2500, on_exceeded="cheapest")
    model = budgeted(strong, budget, ledger, cheapest=cheap)
    answered = []
    with pytest.raises(BudgetExceeded):
        for _ in range(100):
            answered.append(by(model.invoke("Tell me a long story about the sea")))
    assert answered[0] is None
    assert answered[-1] == name_of(cheap)
    assert set(answered) == {None, name_of(cheap)}
    assert provider.calls == len(answered)
    assert budget.status().held == 0
    assert 2000 < int(budget.status().spent) <= 2500


def test_what_is_bound_to_the_cheapest_counts(provider: FakeProvider, ledger: Ledger) -> None:
    cheap = chat_openai(provider).bind(max_tokens=50, temperature=0.5)
    model = budgeted(chat_openai(provider, "gpt-4o", max_tokens=2000), tight(), ledger, cheapest=cheap)
    assert by(model.invoke("Hello")) == "gpt-4o-mini"
    body = provider.log[0].body or {}
    assert (body["temperature"], body["max_completion_tokens"]) == (0.5, 50)


async def test_a_cheapest_that_cannot_stream(provider: FakeProvider, ledger: Ledger) -> None:
    cheap = FakeListChatModel(responses=["cheap"] * 9).bind(max_tokens=5)
    model = budgeted(
        chat_openai(provider, "gpt-4o", disable_streaming=True, max_tokens=2000),
        Budget(usd="0.01", on_exceeded="cheapest", allow_unpriced=True),
        ledger,
        cheapest=cheap,
    )
    assert "".join(chunk.text for chunk in model.stream("Hello")) == "cheap"
    assert "".join([chunk.text async for chunk in model.astream("Hello")]) == "cheap"
    assert provider.calls == 0


async def test_the_cheapest_is_refused_where_it_does_not_fit_either(
    pair: Any, ledger: Ledger, provider: FakeProvider
) -> None:
    strong, cheap = pair
    budget = tight(usd="0.0000001")
    model = budgeted(strong, budget, ledger, cheapest=cheap)
    with pytest.raises(BudgetExceeded, match="exceeds"):
        model.invoke("Hello")
    with pytest.raises(BudgetExceeded):
        async for _ in model.astream("Hello"):
            pass
    assert (provider.calls, budget.status().held, budget.status().spent) == (0, 0, 0)


def test_past_the_soft_limit_too(provider: FakeProvider, ledger: Ledger) -> None:
    budget = Budget(calls=10, soft=0.2, on_soft="cheapest")
    model = budgeted(chat_openai(provider, "gpt-4o"), budget, ledger, cheapest=chat_openai(provider))
    answered = [by(model.invoke("Hello")) for _ in range(4)]
    assert answered == [None, None, "gpt-4o-mini", "gpt-4o-mini"]


@pytest.mark.parametrize("kind", [InMemoryCache, SemanticCache])
async def test_another_models_answer_is_not_kept_as_the_models_own(
    kind: Any, provider: FakeProvider, ledger: Ledger
) -> None:
    cache = kind()
    strong = chat_openai(provider, "gpt-4o", max_tokens=2000, cache=cache)
    model = budgeted(strong, tight(), ledger, cheapest=chat_openai(provider, max_tokens=50))
    for _ in range(2):
        assert by(model.invoke("Why is the sky blue?")) == "gpt-4o-mini"
        assert by(await model.ainvoke("Why is the sky blue?")) == "gpt-4o-mini"
        assert by(model.invoke("Why is the sky blue?", stream=True)) == "gpt-4o-mini"
    assert by(strong.invoke("Why is the sky blue?")) is None
    assert by(model.invoke("Why is the sky blue?")) is None, "what the strong model said is a hit"
    assert provider.calls == 7


# -- a router --------------------------------------------------------------------------------


async def test_of_a_router_the_first_target_is_the_cheapest(provider: FakeProvider, ledger: Ledger) -> None:
    router = ModelRouter(
        {
            "cheap": chat_anthropic(provider, max_tokens=100),
            "strong": chat_openai(provider, "gpt-4o", max_tokens=2000),
        },
        policy=lambda request: "strong",
    )
    budget = tight()
    model = budgeted(router, budget, ledger)
    assert isinstance(model, ModelRouter)
    config: Any = {"callbacks": [CostCallbackHandler(ledger)]}
    assert by(model.invoke("Hello", config)) == "claude-haiku-4-5"
    assert [by(answer) for answer in await model.abatch(["a", "b"], config)] == ["claude-haiku-4-5"] * 2
    assert isinstance(model.with_structured_output(City).invoke("Name a city", config), City)
    answer: Any = model.bind_tools([weather]).invoke("What is the weather in Paris?", config)
    assert answer.tool_calls
    assert router.targets["strong"].invoke("Hello").response_metadata["model_name"].startswith("gpt-4o"), "as it was"
    assert budget.status().held == 0


def test_what_is_bound_to_the_first_target_counts(provider: FakeProvider, ledger: Ledger) -> None:
    targets = {
        "cheap": chat_openai(provider).bind(max_tokens=50),
        "strong": chat_openai(provider, "gpt-4o", max_tokens=2000),
    }
    model = budgeted(ModelRouter(targets, policy=lambda request: "strong"), tight(), ledger)
    assert by(model.invoke("Hello")) == "gpt-4o-mini"
    assert (provider.log[0].body or {})["max_completion_tokens"] == 50


def test_tools_that_must_not_be_called_are_not_sent_to_another_provider(provider: FakeProvider, ledger: Ledger) -> None:
    strong = chat_openai(provider, "gpt-4o", max_tokens=2000)
    model = budgeted(strong, tight(), ledger, cheapest=chat_anthropic(provider, max_tokens=50))
    own = {"type": "web_search_preview"}
    answer: Any = model.bind_tools([weather, own], tool_choice="none").invoke("What is the weather in Paris?")
    assert (answer.tool_calls, by(answer)) == ([], "claude-haiku-4-5")
    assert model.bind_tools([weather, own]).invoke("What is the weather in Paris?").tool_calls
    assert [len((call.body or {}).get("tools", ())) for call in provider.log] == [0, 1]


@pytest.mark.parametrize("choice", [None, "any"])
def test_one_tool_at_a_time_stays_one_at_a_time(
    choice: str | None, pair: Any, ledger: Ledger, provider: FakeProvider
) -> None:
    strong, cheap = pair
    budget = Budget(calls=9, soft=0.001, on_soft="cheapest")
    model = budgeted(strong, budget, ledger, cheapest=cheap)
    how: Any = {"parallel_tool_calls": False, **({"tool_choice": choice} if choice else {})}
    for _ in range(2):
        assert model.bind_tools([weather], **how).invoke("What is the weather in Paris?").tool_calls
    body = provider.log[1].body or {}
    assert body["model"] == name_of(cheap)
    said = body.get("parallel_tool_calls"), (body["tool_choice"] if isinstance(body.get("tool_choice"), dict) else {})
    assert said[0] is False or said[1]["disable_parallel_tool_use"] is True


def test_an_answer_that_does_not_fit_its_schema_is_not_lost(ledger: Ledger, provider: FakeProvider) -> None:
    class Picky(City):
        """A city that is never right."""

        @field_validator("name")
        @classmethod
        def never(cls, name: str) -> str:
            raise TypeError("not this one")

    budget = tight()
    strong = chat_openai(provider, "gpt-4o", max_tokens=2000)
    model = budgeted(strong, budget, ledger, cheapest=chat_anthropic(provider, max_tokens=50))
    asked: Any = model.with_structured_output(Picky, method="json_schema", include_raw=True)
    answer = asked.invoke("Name a city")
    assert by(answer["raw"]) == "claude-haiku-4-5"
    assert answer["raw"].text
    assert answer["parsing_error"] is not None
    assert budget.status().spent == provider.billed_usd > 0


def test_a_routers_targets_share_one_gate(provider: FakeProvider, ledger: Ledger) -> None:
    budget = Budget(calls=2)
    targets = {"cheap": chat_openai(provider), "strong": chat_anthropic(provider)}
    turns = iter(["cheap", "strong", "cheap"])
    model = budgeted(ModelRouter(targets, policy=lambda request: next(turns)), budget, ledger)
    assert [model.invoke("Hello").response_metadata["model_provider"] for _ in range(2)] == ["openai", "anthropic"]
    with pytest.raises(BudgetExceeded):
        model.invoke("Hello")
    assert provider.calls == 2


# -- a function ---------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["Come back tomorrow.", AIMessage("Come back tomorrow.")], ids=["text", "message"])
async def test_a_function_may_answer(answer: Any, pair: Any, ledger: Ledger, provider: FakeProvider) -> None:
    errors: list[BudgetExceeded] = []

    def instead(error: BudgetExceeded) -> Any:
        errors.append(error)
        return answer

    budget = Budget(calls=0, on_exceeded=instead)
    model = budgeted(pair[0], budget, ledger)
    config: Any = {"callbacks": [CostCallbackHandler(ledger)]}
    got: list[Any] = [model.invoke("Hello", config), await model.ainvoke("Hello", config)]
    got += [*model.stream("Hello", config)][:1]
    got += [chunk async for chunk in model.astream("Hello", config)][:1]
    assert [message.text for message in got] == ["Come back tomorrow."] * 4
    assert [by(message) for message in got] == ["on_exceeded"] * 4
    assert len({message.id for message in got}) == 4
    assert len(errors) == 4
    assert provider.calls == 0
    assert ledger.report().total.provider_usd == 0
    assert {record.cost.basis for record in ledger.records()} == {"exact"}
    if isinstance(answer, AIMessage):
        assert (answer.id, answer.response_metadata, answer.usage_metadata) == (None, {}, None), "as it was"


def test_a_function_may_name_a_model(pair: Any, ledger: Ledger, provider: FakeProvider) -> None:
    strong, cheap = pair
    budget = tight(on_exceeded=lambda error: cheap)
    model = budgeted(strong, budget, ledger)
    assert by(model.invoke("Hello")) == name_of(cheap)
    assert budget.status().spent == provider.billed_usd > 0


def test_a_model_that_asks_the_same_gate_asks_it_once(provider: FakeProvider, ledger: Ledger) -> None:
    made: list[Any] = []
    budget = Budget(usd="0.01", on_exceeded=lambda error: made[0].bind(model="gpt-4o-mini", max_tokens=50))
    calls = Budget(calls=9)
    model = budgeted(chat_openai(provider, "gpt-4o", max_tokens=2000), [budget, calls], ledger)
    made.append(model)
    assert by(model.invoke("Hello")) == "gpt-4o-mini"
    assert provider.calls == calls.status().spent == 1
    assert budget.status().spent == provider.billed_usd


def test_a_model_that_does_not_fit_either_is_refused(pair: Any, ledger: Ledger, provider: FakeProvider) -> None:
    strong, cheap = pair
    model = budgeted(strong, Budget(calls=0, on_exceeded=lambda error: cheap), ledger)
    with pytest.raises(BudgetExceeded, match=f"does not allow {name_of(cheap)} either"):
        model.invoke("Hello")
    assert provider.calls == 0


def test_a_function_may_raise(pair: Any, ledger: Ledger, provider: FakeProvider) -> None:
    def instead(error: BudgetExceeded) -> Any:
        raise PermissionError(f"ask your manager: {error.budget}")

    model = budgeted(pair[0], Budget(calls=0, name="daily", on_exceeded=instead), ledger)
    with pytest.raises(PermissionError, match="ask your manager: daily"):
        model.invoke("Hello")


@pytest.mark.parametrize("answer", [5, {"text": "a"}, ["a"], b"a", HumanMessage("a"), lambda: "a"])
async def test_what_is_no_answer_is_none(answer: Any, ledger: Ledger, provider: FakeProvider) -> None:
    model = budgeted(chat_openai(provider), Budget(calls=0, on_exceeded=lambda error: answer), ledger)
    with pytest.raises(BudgetExceeded, match="a text, an AIMessage or a model is needed"):
        model.invoke("Hello")
    with pytest.raises(BudgetExceeded, match="a text, an AIMessage or a model is needed"):
        async for _ in model.astream("Hello"):
            pass
    assert provider.calls == 0


async def test_a_function_is_not_awaited(ledger: Ledger, provider: FakeProvider) -> None:
    async def later(error: BudgetExceeded) -> str:
        return "Later."

    with pytest.raises(ConfigurationError, match="give plain functions"):
        Budget(calls=0, on_exceeded=later)
    model = budgeted(chat_openai(provider), Budget(calls=0, on_exceeded=lambda error: later(error)), ledger)
    with pytest.raises(BudgetExceeded, match="not <coroutine"):
        await model.ainvoke("Hello")


def test_a_message_that_calls_a_tool_is_an_answer(pair: Any, ledger: Ledger) -> None:
    call: Any = {"name": "weather", "args": {"city": "Paris"}, "id": "1", "type": "tool_call"}
    model = budgeted(pair[0], Budget(calls=0, on_exceeded=lambda error: AIMessage("", tool_calls=[call])), ledger)
    whole: Any = None
    for chunk in model.stream("Hello"):
        whole = chunk if whole is None else whole + chunk
    assert model.invoke("Hello").tool_calls == whole.tool_calls == [call]


def test_what_cannot_stand_in_is_said(pair: Any, ledger: Ledger) -> None:
    with pytest.raises(ConfigurationError, match="is none"):
        budgeted(pair[0], tight(), ledger, cheapest=pair[1] | (lambda message: message))
    model = budgeted(pair[0], Budget(calls=0, on_exceeded=lambda error: FakeListLLM(responses=["a"])), ledger)
    with pytest.raises(BudgetExceeded, match="FakeListLLM cannot stand in"):
        model.invoke("Hello")


def test_completions_may_be_answered_as_well(ledger: Ledger) -> None:
    model = budgeted(FakeListLLM(responses=["own"]), Budget(calls=0, on_exceeded=lambda error: "Later."), ledger)
    assert model.batch(["a", "b"]) == ["Later.", "Later."]
    cheap = FakeListLLM(responses=["cheap"])
    other = budgeted(
        FakeListLLM(responses=["own"]),
        Budget(calls=5, soft=0.2, on_soft="cheapest", name="soft"),
        ledger,
        cheapest=cheap,
    )
    assert [other.invoke("a"), other.invoke("b")] == ["own", "cheap"]
