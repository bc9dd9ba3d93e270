"""Does a budget stop a LangChain application, and count what the provider bills?"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache
from langchain_core.language_models import FakeListLLM
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langchain_core.tools import tool
from pydantic import BaseModel

from lc_costkit import Budget, BudgetExceeded, CostCallbackHandler, Ledger, SemanticCache, budgeted
from lc_costkit.budget.rate_limit import RateLimit
from lc_costkit.errors import ConfigurationError
from lc_costkit.pricing import ModelPrice, PriceBook
from lc_costkit.switch import DISABLE_VARIABLE
from lc_costkit.testing import FakeProvider
from tests.conftest import chat_anthropic, chat_openai

# langchain-openai adds up the usage of several prompts and trips over fields that newer clients leave empty.
pytestmark = pytest.mark.filterwarnings("ignore:Unexpected type for token usage:UserWarning")


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


@pytest.fixture(params=[chat_openai, chat_anthropic], ids=["openai", "anthropic"])
def plain(request: pytest.FixtureRequest, provider: FakeProvider) -> Any:
    return request.param(provider, max_tokens=500)


@pytest.fixture
def global_cache() -> Iterator[Any]:
    yield set_llm_cache
    set_llm_cache(None)


def spent(budget: Budget) -> Decimal | int:
    """What was spent, after a look that nothing is held and nothing was left to its lease."""
    status = budget.status()
    assert (status.held, status.unsettled) == (0, 0)
    return status.spent


def assert_agrees(budget: Budget, ledger: Ledger, provider: FakeProvider) -> None:
    """The budget, the ledger and the provider's bill say the same, to the last digit."""
    assert provider.wait_idle()
    assert ledger.faults.counts == {}
    assert provider.billed_usd > 0
    assert ledger.report().total.provider_usd == provider.billed_usd
    assert spent(budget) == provider.billed_usd


# -- every way of calling ---------------------------------------------------------------


async def test_each_way_of_calling_counts_what_the_provider_bills(
    plain: Any, ledger: Ledger, provider: FakeProvider
) -> None:
    budget = Budget(usd=1, per="day")
    model = budgeted(plain, budget, ledger)
    config: Any = {"callbacks": [CostCallbackHandler(ledger)]}
    model.invoke([SystemMessage("Be brief."), HumanMessage("Why is the sky blue?")], config)
    await model.ainvoke("Hello", config)
    list(model.stream("Hello", config))
    async for _ in model.astream("Hello", config):
        pass
    model.batch(["a", "b"], config)
    await model.abatch(["c", "d"], config)
    model.generate([[HumanMessage("e")], [HumanMessage("f")]], callbacks=config["callbacks"])
    async for _ in model.astream_events("g", config, version="v2"):
        pass
    model.bind_tools([weather], tool_choice="any").invoke("What is the weather in Paris?", config)
    model.with_structured_output(City).invoke("Name a city", config)
    list((ChatPromptTemplate.from_template("Say {word}") | model | StrOutputParser()).stream({"word": "hi"}, config))
    assert provider.calls == 14
    assert_agrees(budget, ledger, provider)


async def test_a_spent_budget_stops_every_way_before_the_provider_is_called(
    plain: Any, ledger: Ledger, provider: FakeProvider
) -> None:
    budget = Budget(usd="0.0000001", per="day", scope={"user": "*"})
    model = budgeted(plain, budget, ledger)
    config: Any = {"metadata": {"user": "u1"}}
    with pytest.raises(BudgetExceeded, match=r"for user 'u1': 0 spent \+ 0 held \+ up to .* exceeds .*; resets"):
        model.invoke("Hello", config)
    with pytest.raises(BudgetExceeded):
        await model.ainvoke("Hello", config)
    with pytest.raises(BudgetExceeded, match="for user 'u1'"):
        list(model.stream("Hello", config))
    with pytest.raises(BudgetExceeded, match="for user 'u1'"):
        async for _ in model.astream("Hello", config):
            pass
    with pytest.raises(BudgetExceeded):
        model.batch(["a", "b"])
    answers = await model.abatch(["a", "b"], return_exceptions=True)
    assert [type(answer) for answer in answers] == [BudgetExceeded] * 2
    with pytest.raises(BudgetExceeded):
        model.bind_tools([weather]).invoke("What is the weather in Paris?")
    with pytest.raises(BudgetExceeded):
        model.with_structured_output(City, method="json_schema").invoke("Name a city")
    with pytest.raises(BudgetExceeded):
        async for _ in model.astream_events("g", version="v2"):
            pass
    assert provider.calls == 0
    assert spent(budget) == 0


@pytest.mark.filterwarnings("ignore:.*beta")
async def test_event_streams_are_held_to_it(plain: Any, ledger: Ledger, provider: FakeProvider) -> None:
    budget = Budget(calls=2)
    model = budgeted(plain, budget, ledger)
    assert model.stream_events("Hello", version="v3").output.text
    assert (await (await model.astream_events("Hello", version="v3")).output).text
    with pytest.raises(BudgetExceeded):
        _ = model.stream_events("Hello", version="v3").output
    with pytest.raises(BudgetExceeded):
        await (await model.astream_events("Hello", version="v3")).output
    assert provider.calls == spent(budget) == 2


def test_prompts_of_one_request_are_reserved_one_by_one(plain: Any, ledger: Ledger, provider: FakeProvider) -> None:
    budget = Budget(calls=2)
    with pytest.raises(BudgetExceeded):
        budgeted(plain, budget, ledger).generate([[HumanMessage(word)] for word in "abc"])
    assert provider.calls == spent(budget) == 2


async def test_calls_side_by_side_share_what_is_left(plain: Any, ledger: Ledger, provider: FakeProvider) -> None:
    budget = Budget(calls=5)
    model = budgeted(plain, budget, ledger)
    answers = await asyncio.gather(*(model.ainvoke("Hello") for _ in range(12)), return_exceptions=True)
    assert sum(isinstance(answer, BudgetExceeded) for answer in answers) == 7
    assert provider.calls == spent(budget) == 5


def test_completion_models(ledger: Ledger) -> None:
    prices = PriceBook(overrides={"fake": ModelPrice(input_per_million=10, output_per_million=10)})
    budget, calls = Budget(tokens=1000), Budget(calls=1)
    model = budgeted(FakeListLLM(responses=["one", "two"]), [budget, calls], ledger, prices=prices)
    config: Any = {"metadata": {"ls_model_name": "fake"}}
    assert model.bind(max_tokens=16).batch(["a", "b"], config) == ["one", "two"]
    with pytest.raises(BudgetExceeded, match="calls in total"):
        model.bind(max_tokens=16).invoke("c", config)
    assert spent(calls) == 1, "one request for both prompts"
    assert 0 < int(spent(budget)) <= 64, "what is reserved at the most: nobody said what it used"


def test_several_answers_are_reserved_at_once(provider: FakeProvider, ledger: Ledger) -> None:
    budget = Budget(usd="0.001")
    model = budgeted(chat_openai(provider, max_tokens=500), budget, ledger)
    model.invoke("Hello")
    with pytest.raises(BudgetExceeded):
        model.bind(n=4).invoke("Hello")
    assert provider.calls == 1
    assert spent(budget) == provider.billed_usd


def test_the_limit_of_a_call_is_the_one_that_counts(plain: Any, ledger: Ledger, provider: FakeProvider) -> None:
    budget = Budget(tokens=600)
    model = budgeted(plain, budget, ledger)
    with pytest.raises(BudgetExceeded):
        model.invoke("Hello", max_tokens=2000)
    assert model.invoke("Hello").text
    assert provider.calls == 1


def test_a_call_without_a_limit_reserves_the_models(provider: FakeProvider, ledger: Ledger) -> None:
    with pytest.raises(BudgetExceeded, match="max_tokens is not set; the model's limit of 16384 was used"):
        budgeted(chat_openai(provider), Budget(usd="0.009"), ledger).invoke("Hello")
    assert budgeted(chat_openai(provider), Budget(usd="0.02", name="other"), ledger).invoke("Hello").text


# -- whom it is for ------------------------------------------------------------------------


async def test_each_value_of_a_scope_has_its_own(plain: Any, ledger: Ledger, provider: FakeProvider) -> None:
    budget = Budget(calls=1, scope={"user": "*"})
    model = budgeted(plain, budget, ledger)
    chain = ChatPromptTemplate.from_template("Say {word}") | model.bind(stop=["x"]) | StrOutputParser()
    for user in ("u1", "u2"):
        config: Any = {"metadata": {"user": user}}
        list(chain.stream({"word": "hi"}, config))
        with pytest.raises(BudgetExceeded, match=user):
            await chain.ainvoke({"word": "hi"}, config)
        with pytest.raises(BudgetExceeded, match=user):
            RunnableLambda(lambda word: model.invoke(word)).invoke("Hello", config)
    assert provider.calls == 2
    assert sorted(account.scope["user"] for account in budget.status().accounts) == ["u1", "u2"]


def test_a_budget_for_one_model_or_feature(provider: FakeProvider, ledger: Ledger) -> None:
    small = Budget(calls=0, scope={"model": "gpt-4o-mini"}, name="small")
    feature = Budget(calls=0, scope={"feature": "chat", "provider": "openai"}, name="chat")
    cheap, strong = (
        budgeted(chat_openai(provider, name), [small, feature], ledger) for name in ("gpt-4o-mini", "gpt-4o")
    )
    with pytest.raises(BudgetExceeded, match="small"):
        cheap.invoke("Hello")
    assert strong.invoke("Hello").text
    with pytest.raises(BudgetExceeded, match="chat"):
        strong.invoke("Hello", {"metadata": {"feature": "chat"}})
    with pytest.raises(BudgetExceeded, match="small"):
        strong.bind(model="gpt-4o-mini").invoke("Hello")


# -- what passes ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [InMemoryCache, SemanticCache])
@pytest.mark.parametrize("where", ["model", "global"])
async def test_cache_hits_pass_a_spent_budget(
    kind: Any, where: str, plain: Any, ledger: Ledger, provider: FakeProvider, global_cache: Any
) -> None:
    budget, cache = Budget(calls=1), kind()
    if where == "global":
        global_cache(cache)
    model = budgeted(plain.model_copy(update={"cache": cache if where == "model" else None}), budget, ledger)
    first = model.invoke("Why is the sky blue?")
    assert model.invoke("Why is the sky blue?").text == first.text
    assert (await model.ainvoke("Why is the sky blue?")).text == first.text
    with pytest.raises(BudgetExceeded):
        model.invoke("And the sea?")
    # what the model itself had asked is found, too: a cache knows no budgets
    assert plain.model_copy(update={"cache": cache}).invoke("Why is the sky blue?").text == first.text
    assert provider.calls == spent(budget) == 1


def test_completions_from_a_cache_pass(ledger: Ledger, global_cache: Any) -> None:
    global_cache(InMemoryCache())
    budget = Budget(calls=1)
    model = budgeted(FakeListLLM(responses=["one", "two"]), budget, ledger)
    assert [model.invoke("a"), model.invoke("a")] == ["one", "one"]
    assert spent(budget) == 1


def test_switched_off_nothing_is_held(
    plain: Any, ledger: Ledger, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = Budget(calls=0)
    model = budgeted(plain, budget, ledger)
    monkeypatch.setenv(DISABLE_VARIABLE, "1")
    assert model.invoke("Hello").text
    assert list(model.stream("Hello"))
    assert provider.calls == 2
    assert spent(budget) == 0


async def test_observing_counts_and_stops_nothing(plain: Any, ledger: Ledger, provider: FakeProvider) -> None:
    budget = Budget(usd="0.0000001", mode="observe")
    model = budgeted(plain, budget, ledger)
    model.invoke("Hello")
    async for _ in model.astream("Hello"):
        pass
    assert spent(budget) == provider.billed_usd > budget.limit


def test_a_model_without_a_price(provider: FakeProvider, ledger: Ledger) -> None:
    plain = chat_openai(provider, "house-model", max_tokens=100)
    with pytest.raises(BudgetExceeded, match="no price is known"):
        budgeted(plain, Budget(usd=1), ledger).invoke("Hello")
    prices = PriceBook(overrides={"house-model": ModelPrice(input_per_million=1, output_per_million=1)})
    budget = Budget(usd=1, name="priced")
    assert budgeted(plain, budget, ledger, prices=prices).invoke("Hello").text
    assert spent(budget) > 0
    assert budgeted(plain, Budget(usd=1, name="free", allow_unpriced=True), ledger).invoke("Hello").text


async def test_a_rate_limit_waits(plain: Any, ledger: Ledger, provider: FakeProvider) -> None:
    model = budgeted(plain, RateLimit(requests=1, per="hour", max_wait=0.05), ledger)
    assert model.invoke("Hello").text
    with pytest.raises(BudgetExceeded):
        model.invoke("Hello")
    with pytest.raises(BudgetExceeded):
        await model.ainvoke("Hello")
    assert provider.calls == 1


# -- what it can be put around ----------------------------------------------------------------


def test_what_is_built_around_a_model_is_held_inside(plain: Any, ledger: Ledger, provider: FakeProvider) -> None:
    budget = Budget(calls=3)
    bound = budgeted(plain.bind_tools([weather]), budget, ledger)
    assert bound.invoke("What is the weather in Paris?").tool_calls
    with_config = budgeted(plain.with_config(tags=["a"]), budget, ledger)
    assert with_config.invoke("Hello").text
    fields: Any = budgeted(plain.configurable_fields(temperature=ConfigurableField(id="t")), budget, ledger)
    assert fields.with_config(configurable={"t": 0.5}).invoke("Hello").text
    either: Any = budgeted(
        plain.configurable_alternatives(ConfigurableField(id="m"), lazy=lambda: plain, other=plain), budget, ledger
    )
    for model in (bound, with_config, fields, either, either.with_config(configurable={"m": "lazy"})):
        with pytest.raises(BudgetExceeded):
            model.invoke("Hello")
    assert provider.calls == spent(budget) == 3


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ("gpt-4o", "pass the model object"),
        (RunnableLambda(lambda text: text), "a model, not a RunnableLambda"),
        (ChatPromptTemplate.from_template("{x}") | FakeListLLM(responses=["a"]), "before it is put into a chain"),
    ],
)
def test_what_is_no_model_is_refused(given: Any, word: str, ledger: Ledger) -> None:
    with pytest.raises(ConfigurationError, match=word):
        budgeted(given, Budget(calls=1), ledger)


def test_bad_arguments(plain: Any, ledger: Ledger) -> None:
    with pytest.raises(ConfigurationError, match="write Budget"):
        budgeted(plain, 50, ledger)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="give cheapest="):
        budgeted(plain, Budget(usd=1, on_exceeded="cheapest"), ledger)
    with pytest.raises(ConfigurationError, match="is none"):
        budgeted(plain, Budget(usd=1, on_exceeded="cheapest"), ledger, cheapest="gpt-4o-mini")  # type: ignore[arg-type]


def test_it_says_that_it_is_budgeted(plain: Any, ledger: Ledger) -> None:
    assert "budgeted by Budget(usd=5, per='day')" in repr(budgeted(plain, Budget(usd=5, per="day"), ledger))


def test_it_can_be_pickled_where_the_model_can(provider: FakeProvider, ledger: Ledger) -> None:
    budget = Budget(calls=2)
    model = budgeted(chat_anthropic(provider), budget, ledger)
    there: Any = pickle.loads(pickle.dumps(model))  # noqa: S301
    there.invoke("Hello")
    model.invoke("Hello")
    for one in (there, model):
        with pytest.raises(BudgetExceeded):
            one.invoke("Hello")
    assert provider.calls == spent(budget) == 2
    with Ledger() as memory, pytest.raises(pickle.PicklingError, match="in memory"):
        pickle.dumps(budgeted(chat_anthropic(provider), Budget(calls=2), memory))
