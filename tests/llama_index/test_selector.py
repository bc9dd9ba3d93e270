"""Does a question go to the query engine that was named, and to none when none was?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from llama_index.core import Document, MockEmbedding, VectorStoreIndex
from llama_index.core.query_engine import RouterQueryEngine
from llama_index.core.response_synthesizers import TreeSummarize
from llama_index.core.tools import QueryEngineTool, ToolMetadata
from llama_index_instrumentation.dispatcher import instrument_tags

from lc_costkit.errors import BudgetExceeded, ConfigurationError, SelectionError
from lc_costkit.ledger import Ledger
from lc_costkit.llama_index import ModelSelector, instrument
from lc_costkit.routing import RouteDecision, RouteRequest, Rules
from lc_costkit.switch import DISABLE_VARIABLE
from lc_costkit.testing import FakeProvider, FakeRequest
from tests.support.llama_openai import OpenAIFunctionLLM

HARD = "Prove that there are infinitely many primes."
SELECTING = "gpt-4.1-nano"

Make = Callable[..., OpenAIFunctionLLM]


class Script:
    """What the selecting model says; the others say which they are."""

    says = "1"
    prompts: list[str]

    def __init__(self) -> None:
        self.prompts = []

    def __call__(self, request: FakeRequest) -> str:
        if request.model != SELECTING:
            return f"{request.model} speaking"
        self.prompts.append(request.question)
        return self.says


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def provider(script: Script) -> Iterator[FakeProvider]:
    with FakeProvider(answer=script) as running:
        yield running


@pytest.fixture
def tools(provider: FakeProvider, make_llama_llm: Make) -> list[QueryEngineTool]:
    index = VectorStoreIndex.from_documents([Document(text="Cards arrive in a week.")], embed_model=MockEmbedding(8))
    described = {"cheap": "Knows where\nthings are.", "strong": "Proves {things}."}
    models = {"cheap": "gpt-4o-mini", "strong": "gpt-4o"}
    return [
        QueryEngineTool.from_defaults(
            index.as_query_engine(llm=make_llama_llm(models[name])), name=name, description=description
        )
        for name, description in described.items()
    ]


@pytest.fixture
def engine(tools: list[QueryEngineTool], make_llama_llm: Make) -> Callable[[ModelSelector], RouterQueryEngine]:
    llm = make_llama_llm("gpt-4.1")
    return lambda selector: RouterQueryEngine(selector, tools, llm=llm, summarizer=TreeSummarize(llm=llm))


Engine = Callable[[ModelSelector], RouterQueryEngine]


def models(provider: FakeProvider) -> list[str | None]:
    return [call.model for call in provider.log]


@pytest.mark.parametrize(("says", "index"), [("1", 0), ("2", 1), (" (2)\n", 1), ("2.", 1), ("[1]", 0), ("2, 2", 1)])
async def test_the_choice_an_llm_names_is_taken(
    engine: Engine, script: Script, make_llama_llm: Make, provider: FakeProvider, says: str, index: int
) -> None:
    script.says = says
    selector = ModelSelector(make_llama_llm(SELECTING))
    for answer in (engine(selector).query("Where is it?"), await engine(selector).aquery("Where is it?")):
        assert str(answer) == f"{('gpt-4o-mini', 'gpt-4o')[index]} speaking"
        assert answer.metadata is not None
        assert answer.metadata["selector_result"].ind == index
    assert models(provider) == [SELECTING, ("gpt-4o-mini", "gpt-4o")[index]] * 2
    assert "(1) cheap: Knows where things are." in script.prompts[0]
    assert "(2) strong: Proves {things}." in script.prompts[0]
    assert "Where is it?" in script.prompts[0]


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ("0", "and there is no choice 0"),
        ("3", "and there is no choice 3"),
        ("-1", "which is not a number alone"),
        ("", "which is empty"),
        ("   ", "which is empty"),
        ("the strong one", "which is not a number alone"),
        ("Choice 2", "which is not a number alone"),
        ("1.5", "which is not a number alone"),
        ("1-2", "which is not a number alone"),
        ("1, 2", "which are 2 choices"),
        ("9" * 5000, "and there is no choice 9"),
        ("２", "which is not a number alone"),
    ],
)
async def test_an_answer_that_is_no_choice_is_an_error_and_no_engine_is_asked(
    engine: Engine, script: Script, make_llama_llm: Make, provider: FakeProvider, says: str, why: str
) -> None:
    script.says = says
    selector = ModelSelector(make_llama_llm(SELECTING))
    with pytest.raises(SelectionError, match=why) as caught:
        engine(selector).query("Where is it?")
    with pytest.raises(SelectionError, match=why):
        await engine(selector).aquery("Where is it?")
    assert repr(says)[:100] in str(caught.value)
    assert "the choices are 1 (cheap), 2 (strong)" in str(caught.value)
    assert len(str(caught.value)) < 500
    assert isinstance(caught.value, ValueError)
    assert models(provider) == [SELECTING] * 2


@pytest.mark.parametrize("says", ["1, 2", "2;1", "(1), (2)."])
def test_several_choices_are_asked_and_put_together(
    engine: Engine, script: Script, make_llama_llm: Make, provider: FakeProvider, says: str
) -> None:
    script.says = says
    selector = ModelSelector(make_llama_llm(SELECTING), max_choices=2)
    assert str(engine(selector).query("Where is it?")) == "gpt-4.1 speaking"
    assert sorted(filter(None, models(provider))) == sorted([SELECTING, "gpt-4o", "gpt-4o-mini", "gpt-4.1"])
    assert "at most 2" in script.prompts[0]


def test_more_choices_than_allowed_are_an_error(script: Script, make_llama_llm: Make) -> None:
    script.says = "1, 2, 3"
    selector = ModelSelector(make_llama_llm(SELECTING), max_choices=2)
    with pytest.raises(SelectionError, match=r"3 choices; the choices are .*; say at most 2 of the numbers"):
        selector.select(["a", "b", "c"], "Where?")
    assert "(1) a" in script.prompts[0]


async def test_nothing_to_select_from_is_an_error(make_llama_llm: Make, provider: FakeProvider) -> None:
    with pytest.raises(SelectionError, match="nothing to select from"):
        ModelSelector(make_llama_llm(SELECTING)).select([], "Where?")
    with pytest.raises(ConfigurationError, match="selects by name"):
        await ModelSelector(Rules()).aselect([], "Where?")
    assert provider.calls == 0


def test_the_prompt_can_be_changed(engine: Engine, script: Script, make_llama_llm: Make) -> None:
    from llama_index.core import PromptTemplate

    made = engine(ModelSelector(make_llama_llm(SELECTING)))
    assert "selector:prompt" in made.get_prompts()
    made.update_prompts({"selector:prompt": PromptTemplate("Pick of {context_list} for {query_str}")})
    made.query("Where is it?")
    assert script.prompts[0].startswith("Pick of (1) cheap")


def test_its_calls_are_metered_as_any_other(engine: Engine, make_llama_llm: Make, provider: FakeProvider) -> None:
    with Ledger() as ledger, instrument(ledger):
        engine(ModelSelector(make_llama_llm(SELECTING))).query("Where is it?")
        records = [record for record in ledger.records() if record.operation != "embedding"]
    assert len({record.trace_id for record in records}) == 1
    assert sum(record.cost.usd or 0 for record in records) == provider.billed_usd > 0
    assert all(record.route is None for record in records)


# -- policies ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "model"), [("hi", "gpt-4o-mini"), (HARD, "gpt-4o")])
async def test_a_policy_picks_by_the_choices_names(
    engine: Engine, provider: FakeProvider, text: str, model: str
) -> None:
    made = engine(ModelSelector(Rules()))
    for answer in (made.query(text), await made.aquery(text)):
        assert str(answer) == f"{model} speaking"
        assert answer.metadata is not None
        assert answer.metadata["selector_result"].reason
    assert models(provider) == [model] * 2
    assert "selector:prompt" not in made.get_prompts()


async def test_a_policy_sees_the_question_the_names_and_the_tags(engine: Engine) -> None:
    seen: list[RouteRequest] = []

    def policy(request: RouteRequest) -> RouteDecision:
        seen.append(request)
        return RouteDecision(target="cheap", reasons=("so", "there"))

    selector = ModelSelector(policy)
    with instrument_tags({"user": "u42"}):
        answer = engine(selector).query(HARD)
        await engine(ModelSelector(policy, strong="cheap")).aquery(HARD)
    assert [request.question for request in seen] == [HARD] * 2
    assert [request.targets for request in seen] == [("cheap", "strong"), ("strong", "cheap")]
    assert seen[0].metadata == {"user": "u42"}
    assert answer.metadata is not None
    assert answer.metadata["selector_result"].reason == "so; there"


async def test_the_callers_tag_has_the_last_word(engine: Engine) -> None:
    with instrument_tags({"route": "strong"}):
        assert str(engine(ModelSelector(Rules())).query("hi")) == "gpt-4o speaking"
    with instrument_tags({"route": "a target of an LLM further in"}):
        assert str(await engine(ModelSelector(Rules())).aquery("hi")) == "gpt-4o-mini speaking"


class Waits:
    """A policy that waits for something."""

    def __call__(self, request: RouteRequest) -> str:
        raise AssertionError("asynchronous calls await acall")

    async def acall(self, request: RouteRequest) -> str:
        return "strong"


async def waits(request: RouteRequest) -> str:
    return "strong"


async def test_a_policy_that_waits_is_awaited(engine: Engine) -> None:
    for policy in (Waits(), waits):
        assert str(await engine(ModelSelector(policy)).aquery("hi")) == "gpt-4o speaking"
    with pytest.raises(TypeError, match="asynchronous; call aselect"):
        engine(ModelSelector(waits)).query("hi")


def raises(request: RouteRequest) -> str:
    raise KeyError("gone")


def names_none(request: RouteRequest) -> str:
    return "huge"


def answers_none(request: RouteRequest) -> Any:
    return None


@pytest.mark.parametrize(
    ("policy", "error", "message"),
    [
        (raises, KeyError, "gone"),
        (names_none, SelectionError, r"answered with 'huge'; the choices are \['cheap', 'strong'\]"),
        (answers_none, SelectionError, "answered with None"),
    ],
)
async def test_a_policy_that_names_no_choice_is_an_error_or_the_strong_one(
    engine: Engine, provider: FakeProvider, policy: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        engine(ModelSelector(policy)).query("hi")
    with pytest.raises(error, match=message):
        await engine(ModelSelector(policy)).aquery("hi")
    assert provider.calls == 0
    safe = ModelSelector(policy, strong="strong")
    assert str(engine(safe).query("hi")) == "gpt-4o speaking"
    assert str(await engine(safe).aquery("hi")) == "gpt-4o speaking"
    assert safe.faults.counts == {f"the routing policy: {error.__name__}": 2}


def test_a_budgets_refusal_is_raised(engine: Engine) -> None:
    def refused(request: RouteRequest) -> str:
        raise BudgetExceeded("spent")

    with pytest.raises(BudgetExceeded):
        engine(ModelSelector(refused, strong="strong")).query("hi")


def test_switched_off_the_strong_one_is_asked(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DISABLE_VARIABLE, "1")
    assert str(engine(ModelSelector(Rules(), strong="strong")).query("hi")) == "gpt-4o speaking"
    assert str(engine(ModelSelector(Rules())).query("hi")) == "gpt-4o-mini speaking"


def _choices(*names: str | None) -> list[ToolMetadata]:
    return [ToolMetadata(name=name, description="Answers.") for name in names]


@pytest.mark.parametrize(
    ("selector", "choices", "message"),
    [
        (ModelSelector(Rules()), _choices("a", None), "each choice needs one of its own"),
        (ModelSelector(Rules()), _choices("a", "a"), r"the names are \['a', 'a'\]"),
        (ModelSelector(Rules(), strong="huge"), _choices("a", "b"), "strong='huge' is not a choice"),
        (ModelSelector(Rules(targets=("a", "c"))), _choices("a", "b"), r"names \['c'\], which are no choices"),
        (ModelSelector(Rules(threshold=(0.2, 0.5))), _choices("a", "b"), "need 1 thresholds"),
    ],
)
def test_choices_that_a_policy_cannot_choose_among_are_refused(
    selector: ModelSelector, choices: list[ToolMetadata], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        selector.select(choices, "hi")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "gpt-4o"}, "needs a LlamaIndex LLM or a routing policy, not 'gpt-4o'"),
        ({"by": Rules}, r"policy Rules is a class; make one: Rules\(\.\.\.\)"),
        ({"by": Rules(), "max_choices": 0}, "max_choices must be a whole number of 1 or more, not 0"),
        ({"by": Rules(), "max_choices": True}, "max_choices must be"),
        ({"by": Rules(), "max_choices": 2}, "a policy names one choice; max_choices=2 is for LLMs"),
        ({"by": OpenAIFunctionLLM(base_url="http://127.0.0.1"), "strong": "a"}, "strong is for policies"),
    ],
)
def test_bad_input_is_refused_at_construction(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ModelSelector(**arguments)
