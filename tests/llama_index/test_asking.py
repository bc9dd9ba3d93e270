"""Do a policy and a check that ask an LLM cost what the ledger says, and nobody anything else?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.events.llm import LLMChatInProgressEvent
from llama_index.core.llms import LLM, MockLLM
from llama_index.core.tools import FunctionTool
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.dispatcher import instrument_tags
from pydantic import Field

from lc_costkit.budget.budget import Budget
from lc_costkit.cache import Cache
from lc_costkit.errors import BudgetExceeded, ConfigurationError
from lc_costkit.ledger import Ledger
from lc_costkit.llama_index import (
    AnswerJudge,
    LLMClassifier,
    budgeted_llm,
    cached_llm,
    cascade_llm,
    instrument,
    routed_llm,
)
from lc_costkit.llama_index.asking import AskLLM
from lc_costkit.marks import MARK, ROUTE_KEY
from lc_costkit.testing import FakeProvider, FakeRequest, Fault
from tests.support.llama_openai import OpenAIFunctionLLM

ASKED, CHEAP, STRONG = "gpt-4.1-nano", "gpt-4o-mini", "gpt-4o"
Make = Callable[..., OpenAIFunctionLLM]


def weather(city: str) -> str:
    """Say what the weather is in a city."""
    return f"Sunny in {city}."


WEATHER = FunctionTool.from_defaults(weather)


class Script:
    """What the model that is asked says."""

    says = "cheap"

    def __init__(self) -> None:
        self.asked: list[FakeRequest] = []

    def __call__(self, request: FakeRequest) -> str:
        if request.model != ASKED:
            return f"{request.model} speaking"
        self.asked.append(request)
        return self.says


class Pieces(BaseEventHandler):
    """Keeps what was streamed."""

    events: list[BaseEvent] = Field(default_factory=list)

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        if isinstance(event, LLMChatInProgressEvent):
            self.events.append(event)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def provider(script: Script) -> Iterator[FakeProvider]:
    with FakeProvider(answer=script) as running:
        yield running


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger() as made, instrument(made):
        yield made


@pytest.fixture
def targets(make_llama_llm: Make) -> dict[str, LLM]:
    return {"cheap": make_llama_llm(CHEAP), "strong": make_llama_llm(STRONG)}


async def drained(stream: Any) -> Any:
    return [chunk async for chunk in await stream]


def user(text: str) -> list[ChatMessage]:
    return [ChatMessage("You help with banking.", role="system"), ChatMessage(text)]


WAYS: list[Callable[[Any, str], Any]] = [
    lambda llm, text: llm.chat(user(text)),
    lambda llm, text: llm.complete(text),
    lambda llm, text: list(llm.stream_chat(user(text))),
    lambda llm, text: llm.chat_with_tools([WEATHER], user_msg=text),
    lambda llm, text: llm.achat(user(text)),
    lambda llm, text: drained(llm.astream_chat(user(text))),
    lambda llm, text: llm.achat_with_tools([WEATHER], user_msg=text),
]


async def finished(answer: Any) -> Any:
    return await answer if hasattr(answer, "__await__") else answer


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("says", ["cheap", "strong"])
async def test_the_target_that_the_llm_names_is_called_and_all_is_metered(
    targets: dict[str, LLM],
    make_llama_llm: Make,
    provider: FakeProvider,
    script: Script,
    ledger: Ledger,
    way: Callable[[Any, str], Any],
    says: str,
) -> None:
    script.says = says
    llm = routed_llm(targets, LLMClassifier(make_llama_llm(ASKED)))
    with instrument_tags({"user": "u42", "feature": "help"}):
        await finished(way(llm, "When does my card arrive?"))
    assert [call.model for call in provider.log] == [ASKED, CHEAP if says == "cheap" else STRONG]
    assert not provider.log[0].streamed
    records = list(ledger.records())
    assert [record.route for record in records] == [None, says]
    assert {(record.user, record.feature) for record in records} == {("u42", "help")}
    assert len({record.trace_id for record in records}) == 1
    assert sum(record.cost.usd or 0 for record in records) == provider.billed_usd > 0
    (saved,) = records[0].saved
    assert (saved.part, saved.usd) == ("route", -(provider.log[0].usd or Decimal(0)))


def test_the_same_question_is_asked_once_and_no_cache_answers(
    targets: dict[str, LLM], make_llama_llm: Make, script: Script, provider: FakeProvider
) -> None:
    cache = Cache()
    policy = LLMClassifier(cached_llm(make_llama_llm(ASKED), cache))
    llm = routed_llm(targets, policy)
    for _ in range(2):
        llm.chat(user("When does my card arrive?"))
    assert len(script.asked) == 1
    policy.clear()
    llm.chat(user("When does my card arrive?"))
    assert len(script.asked) == 2
    assert provider.calls == 5
    assert cache.stats().entries == 0


def test_what_it_names_that_is_no_target_is_the_middle_one(
    targets: dict[str, LLM], make_llama_llm: Make, script: Script, provider: FakeProvider
) -> None:
    script.says = "Ignore that and call gpt-5."
    three = {"cheap": targets["cheap"], "middle": make_llama_llm("gpt-4.1"), "strong": targets["strong"]}
    routed_llm(three, LLMClassifier(make_llama_llm(ASKED))).chat(user("hi"))
    assert [call.model for call in provider.log] == [ASKED, "gpt-4.1"]


async def test_a_failure_goes_to_the_strong_target(
    targets: dict[str, LLM], make_llama_llm: Make, provider: FakeProvider
) -> None:
    llm = routed_llm(targets, LLMClassifier(make_llama_llm(ASKED)))
    provider.fail_next(Fault.server_error(), times=2, match=lambda request: request.model == ASKED)
    llm.chat(user("hi"))
    await llm.achat(user("hi"))
    assert [call.model for call in provider.log] == [ASKED, STRONG] * 2
    assert llm.faults.counts == {"the routing policy: InternalServerError": 2}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("says", ["yes", "no", "perhaps"])
async def test_a_judge_decides_about_a_draft_and_costs_the_cascade(
    targets: dict[str, LLM],
    make_llama_llm: Make,
    provider: FakeProvider,
    script: Script,
    ledger: Ledger,
    way: Callable[[Any, str], Any],
    says: str,
) -> None:
    script.says = says
    llm = cascade_llm(targets, [AnswerJudge(make_llama_llm(ASKED))])
    seen = Pieces()
    root = get_dispatcher()
    root.add_event_handler(seen)
    try:
        with instrument_tags({"user": "u42"}):
            answer = await finished(way(llm, "When does my card arrive?"))
    finally:
        root.event_handlers.remove(seen)
    passed = says == "yes"
    assert [call.model for call in provider.log] == [CHEAP, ASKED, *([] if passed else [STRONG])]
    last = answer[-1] if isinstance(answer, list) else answer
    assert last.additional_kwargs[MARK][ROUTE_KEY]["target"] == ("cheap" if passed else "strong")
    records = list(ledger.records())
    assert [record.route for record in records] == ["cheap", None, *([] if passed else ["strong"])]
    assert {record.user for record in records} == {"u42"}
    assert len({record.trace_id for record in records}) == 1
    assert sum(record.cost.usd or 0 for record in records) == provider.billed_usd > 0
    (saved,) = records[1].saved
    assert (saved.part, saved.usd) == ("cascade", -(provider.log[1].usd or Decimal(0)))
    if not passed:  # what was spent, and saved, is what the strong target alone would have taken
        net = sum(one.usd or 0 for record in records for one in record.saved)
        assert provider.billed_usd + net == provider.log[2].usd
    assert all(ASKED not in str(getattr(event, "response", "")) for event in seen.events)
    (asked,) = script.asked
    assert "gpt-4o-mini speaking" in asked.question or "calls weather" in asked.question


def test_what_a_judge_costs_counts_against_the_limit(
    targets: dict[str, LLM], make_llama_llm: Make, script: Script, provider: FakeProvider
) -> None:
    script.says = "no"
    free = cascade_llm(targets, [AnswerJudge(make_llama_llm(ASKED))], max_usd=1)
    assert free.chat(user("hi")).additional_kwargs[MARK][ROUTE_KEY]["target"] == "strong"
    draft, judge, _ = (call.usd or Decimal(0) for call in provider.log)
    assert judge > 0
    # Room for a strong call as it is estimated, but for what the judge took.
    most = draft
    while True:
        most *= Decimal("1.5")
        stopped = cascade_llm(targets, [lambda request, answer: _no()], max_usd=most).chat(user("hi"))
        if "stopped" not in stopped.additional_kwargs[MARK][ROUTE_KEY]:
            break
    dear = cascade_llm(targets, [AnswerJudge(make_llama_llm("gpt-4")), lambda request, answer: _no()], max_usd=most)
    assert "stopped" in dear.chat(user("hi")).additional_kwargs[MARK][ROUTE_KEY]


def _no() -> Any:
    from lc_costkit.routing.answer import failed

    return failed("no")


def test_a_judge_that_fails_sends_the_request_on(
    targets: dict[str, LLM], make_llama_llm: Make, provider: FakeProvider
) -> None:
    llm = cascade_llm(targets, [AnswerJudge(make_llama_llm(ASKED), least=7)])
    provider.fail_next(Fault.server_error(), match=lambda request: request.model == ASKED)
    assert llm.chat(user("hi")).message.content == f"{STRONG} speaking"
    assert llm.faults.counts == {"check AnswerJudge: InternalServerError": 1}


def test_a_judge_past_its_budget_is_raised(
    targets: dict[str, LLM], make_llama_llm: Make, provider: FakeProvider, script: Script
) -> None:
    script.says = "yes"
    with Ledger() as ledger:
        held = budgeted_llm(make_llama_llm(ASKED), Budget(calls=1), ledger)
        llm = cascade_llm(targets, [AnswerJudge(held)])
        assert llm.chat(user("hi")).message.content == f"{CHEAP} speaking"
        with pytest.raises(BudgetExceeded):
            llm.chat(user("hi"))


@pytest.mark.parametrize(
    ("fields", "options", "sent"),
    [
        ({}, {}, {"temperature": 0.0}),
        ({}, {"temperature": None}, {}),
        ({}, {"temperature": 0.5, "max_tokens": 9}, {"temperature": 0.5, "max_tokens": 9}),
    ],
)
def test_an_llm_is_asked_with_the_settings_it_takes(
    make_llama_llm: Make, script: Script, fields: Any, options: Any, sent: Any
) -> None:
    assert AskLLM(make_llama_llm(ASKED, **fields), part="route", **options)("hi") == "cheap"
    body = script.asked[-1].body
    assert {name: body[name] for name in ("temperature", "max_tokens") if name in body} == sent


def test_an_llm_that_thinks_is_asked_as_it_is(provider: FakeProvider, script: Script) -> None:
    class Thinking(OpenAIFunctionLLM):
        reasoning_effort: str | None = "high"

    AskLLM(Thinking(model=ASKED, base_url=provider.openai_base_url), part="route", max_tokens=9)("hi")
    assert "temperature" not in script.asked[-1].body
    assert "max_tokens" not in script.asked[-1].body


@pytest.mark.parametrize("kind", [LLMClassifier, AnswerJudge])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"llm": "gpt-4o"}, "give a LlamaIndex LLM, not 'gpt-4o'"),
        ({"temperature": -1}, "temperature must be at least 0"),
        ({"max_tokens": 0}, "max_tokens must be at least 1"),
        ({"most_characters": 3}, "most_characters must be a whole number of at least 100"),
    ],
)
def test_bad_input_is_refused_at_construction(kind: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        kind(**{"llm": MockLLM(), **arguments})
