"""Does a LangChain model judge a cascade's answers, unseen by the application and paid for in the open?"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate

from lc_costkit import AnswerJudge, Cascade, CostCallbackHandler, Ledger
from lc_costkit.errors import ConfigurationError
from lc_costkit.marks import RouteMark
from lc_costkit.routing import Answer, RouteRequest
from lc_costkit.testing import FakeProvider, FakeRequest, Fault
from tests.conftest import chat_anthropic, chat_openai
from tests.langchain.test_classifier import Listener

ASKED = "You decide whether its answer may be given"
GOOD, BAD = "What is a bank holiday?", "Is 91 a prime?"
CHEAP, STRONG = "This is what gpt-4o-mini answers.", "This is what claude-sonnet-4-6 answers."
PROMPT = ChatPromptTemplate.from_messages([("system", "You help with numbers."), ("human", "{q}")])


class World:
    """A provider whose judge says what the test wants, and whose other models say who they are."""

    def __init__(self) -> None:
        self.good, self.bad = "yes", "no"
        self.provider = FakeProvider(answer=self.answer)

    def answer(self, request: FakeRequest) -> str:
        if ASKED in request.question:
            return self.bad if BAD in request.question else self.good
        return f"This is what {request.model} answers."

    @property
    def judged(self) -> list[Any]:
        return [call.body for call in self.provider.log if ASKED in str(call.body)]

    def judge(self, **options: Any) -> AnswerJudge:
        return AnswerJudge(chat_openai(self.provider, "gpt-4.1"), **options)

    def cascade(self, **options: Any) -> Cascade:
        targets = {
            "cheap": chat_openai(self.provider, "gpt-4o-mini"),
            "strong": chat_anthropic(self.provider, "claude-sonnet-4-6"),
        }
        return Cascade(targets, [self.judge(**options)])


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    with made.provider:
        yield made


async def test_each_way_of_calling_asks_the_judge(world: World) -> None:
    chain = PROMPT | world.cascade() | StrOutputParser()
    for question, answer in ((GOOD, CHEAP), (BAD, STRONG)):
        assert chain.invoke({"q": question}) == await chain.ainvoke({"q": question}) == answer
        assert "".join(chain.stream({"q": question})) == answer
        assert "".join([piece async for piece in chain.astream({"q": question})]) == answer
    questions = [{"q": q} for q in (GOOD, BAD, GOOD)]
    assert chain.batch(questions) == await chain.abatch(questions) == [CHEAP, STRONG, CHEAP]
    assert len(world.judged) == 14


def test_the_judge_is_shown_the_conversation_and_the_draft_in_one_short_message(world: World) -> None:
    world.cascade(least=7).invoke([("system", "You help with numbers."), ("human", GOOD)])
    (body,) = world.judged
    (message,) = body["messages"]
    for part in ("You help with numbers.", GOOD, CHEAP, "from 0 (useless) to 10"):
        assert part in message["content"]
    assert (message["role"], body["temperature"], body["max_completion_tokens"]) == ("user", 0, 32)
    assert not body.get("stream")


@pytest.mark.parametrize(
    ("least", "good", "bad", "reason"),
    [
        (None, "Yes.", "No.", "the judge says no"),
        (7, "9/10", "4", "the judge gives 4 of 10, and 7 are asked"),
        (None, "yes", "It depends.", "the judge's answer is neither yes nor no"),
    ],
)
def test_a_verdict_decides_and_its_reason_is_told(
    world: World, least: float | None, good: str, bad: str, reason: str
) -> None:
    world.good, world.bad = good, bad
    cascade = world.cascade(least=least)
    assert cascade.invoke(GOOD).content == CHEAP
    answer = cascade.invoke(BAD)
    assert answer.content == STRONG
    assert reason in str(answer.response_metadata["lc_costkit"]["route"])


async def test_a_judge_that_fails_sends_the_request_on(world: World) -> None:
    cascade = world.cascade()
    for _ in range(2):
        world.provider.fail_next(Fault.server_error(), match=lambda request: ASKED in request.question)
    assert cascade.invoke(GOOD).content == (await cascade.ainvoke(GOOD)).content == STRONG
    assert cascade.faults.total == 2


@pytest.mark.parametrize("asynchronous", [False, True])
def test_its_cost_is_the_cascades_and_the_callers(world: World, asynchronous: bool) -> None:
    listener = Listener()
    with Ledger() as ledger:
        config: Any = {
            "callbacks": [CostCallbackHandler(ledger), listener],
            "metadata": {"feature": "support", "user": "u1"},
            "tags": ["beta"],
        }
        cascade = world.cascade()
        asyncio.run(cascade.ainvoke(GOOD, config)) if asynchronous else cascade.invoke(GOOD, config)
        draft, judged = sorted(ledger.records(), key=lambda one: one.started_at)
        total = ledger.report().total
    assert [(one.feature, one.user, one.tags) for one in (draft, judged)] == [("support", "u1", ("beta",))] * 2
    assert (draft.aside, judged.aside, judged.route, draft.trace_id) == (False, True, None, judged.trace_id)
    assert listener.marks[-1] == RouteMark(target="", aside=True, part="cascade")
    costs = [one.cost.usd or Decimal(0) for one in (draft, judged)]
    assert total.usd == sum(costs) == world.provider.billed_usd
    assert [(saving.part, saving.usd) for saving in judged.saved] == [("cascade", -costs[1])]
    (saved,) = draft.saved
    assert saved.usd is not None
    assert total.saved_usd == saved.usd - costs[1]


async def test_neither_the_judge_nor_a_rejected_draft_shows_in_a_stream(world: World) -> None:
    tool = {"name": "look_up", "description": "", "input_schema": {"type": "object"}}
    for model in (world.cascade(), world.cascade().bind_tools([tool]), world.cascade().bind(stop=["END"])):
        events = [event async for event in (PROMPT | model).astream_events({"q": BAD}, version="v2")]
        seen = [event for event in events if event["event"].startswith("on_chat_model")]
        assert {event["metadata"]["ls_model_name"] for event in seen} == {"claude-sonnet-4-6"}


def test_it_can_be_pickled() -> None:
    judge = pickle.loads(pickle.dumps(AnswerJudge(FakeListChatModel(responses=["8"]), least=7)))  # noqa: S301
    assert judge(RouteRequest(question=GOOD), Answer(text=CHEAP)).passed


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ("gpt-4o-mini", {}, "LangChain model"),
        (FakeListChatModel(responses=[""]), {"least": 11}, "least"),
        (FakeListChatModel(responses=[""]), {"max_tokens": 0}, "max_tokens"),
    ],
)
def test_bad_options_are_refused(model: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        AnswerJudge(model, **options)
