"""Is what routing and cascades save net of all they cost: decisions, drafts, failures, retries, a lost cache?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable
from llama_index.core.base.llms.types import ChatMessage
from llama_index_instrumentation.dispatcher import instrument_tags
from pydantic import BaseModel

from lc_costkit import (
    AnswerJudge,
    CallRecord,
    Cascade,
    CostCallbackHandler,
    Ledger,
    LLMClassifier,
    ModelRouter,
    SemanticCache,
)
from lc_costkit.cost import exact_sum
from lc_costkit.llama_index import cascade_llm, instrument, routed_llm
from lc_costkit.marks import MARK, ROUTE_KEY, RouteMark
from lc_costkit.routing import Answer, RouteRequest, Verdict
from lc_costkit.routing.answer import PASSED, failed
from lc_costkit.routing.checks import SelfConsistent
from lc_costkit.testing import FakeAnswer, FakeProvider, FakeRequest, FakeToolCall, Fault
from tests.conftest import chat_anthropic, chat_openai
from tests.whole.support import EASY, HARD, assert_agrees, calls, metered, saved

MILLION = Decimal(1_000_000)
MILLIONTH = 1 / MILLION
RATES = {
    "gpt-4o-mini": (Decimal("0.15"), Decimal("0.60")),
    "gpt-4o": (Decimal("2.50"), Decimal("10.00")),
    "claude-sonnet-4-6": (Decimal(3), Decimal(15)),
}
"""USD for a million tokens in and out, by hand."""

POOR = "I cannot say."


def at(model: str, record: CallRecord) -> Decimal:
    """What the tokens of a call cost at a model's rates."""
    tokens_in, tokens_out = RATES[model]
    return (tokens_in * record.usage.total_input + tokens_out * record.usage.total_output) / MILLION


def spent_and_saved(ledger: Ledger) -> Decimal:
    total = ledger.report().total
    assert total.unpriced_savings == total.unpriced_calls == 0
    return exact_sum((total.usd, total.saved_usd))


def cost(record: CallRecord) -> Decimal:
    assert record.cost.usd is not None
    return record.cost.usd


def by_question(request: FakeRequest) -> str:
    """A small model that knows nothing of refunds, and the name of a target for whoever asks for one."""
    if "refund" in request.question.lower() and request.model == "gpt-4o-mini":
        return POOR
    return f"The answer of {request.model}, in some detail."


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=by_question) as running:
        yield running


@pytest.fixture(params=[False, True], ids=["synchronous", "buffered"])
def ledger(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Ledger]:
    with Ledger(tmp_path / "l.db", buffered=request.param) as opened:
        yield opened


def good(request: RouteRequest, answer: Answer, /) -> Verdict:
    return failed("it says nothing") if POOR in answer.text else PASSED


# -- the router --------------------------------------------------------------------------------


def test_a_router_over_two_providers_is_checked_by_hand(provider: FakeProvider, ledger: Ledger) -> None:
    router = ModelRouter({"cheap": chat_openai(provider), "strong": chat_anthropic(provider, "claude-sonnet-4-6")})
    for text in (EASY, HARD):
        router.invoke(text, metered(ledger))
    router.invoke(HARD, metered(ledger, route="cheap"))
    records = calls(ledger)
    assert [record.route for record in records] == ["cheap", "strong", "cheap"]
    for record in records:
        wanted = at("claude-sonnet-4-6", record) - cost(record)
        assert saved(record, "route") == (None if record.route == "strong" else wanted)
    assert spent_and_saved(ledger) == exact_sum(at("claude-sonnet-4-6", record) for record in records)
    assert_agrees(ledger, provider)


@pytest.mark.parametrize("mode", ["on", "observe"])
def test_a_classifier_is_paid_for_in_either_mode(mode: Any, ledger: Ledger) -> None:
    def answer(request: FakeRequest) -> str:
        return "cheap" if "cheap" in str(request.body["messages"]) else "An answer."

    with FakeProvider(answer=answer) as provider:
        targets = {"cheap": chat_openai(provider), "strong": chat_openai(provider, "gpt-4o")}
        router = ModelRouter(targets, policy=LLMClassifier(chat_openai(provider)), mode=mode)
        for text in (EASY, HARD):
            router.invoke(text, metered(ledger, feature="support"))
        records = calls(ledger)
        asides = [record for record in records if record.aside]
        answers = [record for record in records if not record.aside]
        assert (len(asides), len(answers)) == (2, 2)
        assert {(record.route, record.feature) for record in asides} == {(None, "support")}
        assert [saved(record, "route") for record in asides] == [-cost(record) for record in asides]
        assert spent_and_saved(ledger) == exact_sum(at("gpt-4o", record) for record in answers)
        net = exact_sum(at("gpt-4o", record) - cost(record) for record in answers)
        assert ledger.report().total.saved_usd == net - exact_sum(map(cost, asides))
        if mode == "observe":
            assert "routing did not pay: over 2 calls" in repr(ledger.report())
        assert_agrees(ledger, provider)


BROKEN = [Fault.server_error(), Fault.malformed_json(), Fault.timeout(0.5)]


@pytest.mark.parametrize("fault", BROKEN, ids=repr)
@pytest.mark.parametrize("how", ["with_retry", "next"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["invoke", "ainvoke"])
async def test_what_failed_is_lost_and_what_answers_after_it_is_not(
    fault: Fault, how: str, asynchronous: bool, provider: FakeProvider, ledger: Ledger
) -> None:
    targets = {"cheap": chat_openai(provider, timeout=0.2), "strong": chat_openai(provider, "gpt-4o")}
    router: Runnable[Any, Any] = ModelRouter(targets, on_error="next" if how == "next" else "raise")
    if how == "with_retry":
        router = router.with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
    provider.fail_next(fault)
    question, config = "What does a card cost?", metered(ledger)
    answer = await router.ainvoke(question, config) if asynchronous else router.invoke(question, config)
    assert answer.text
    broken, answered = calls(ledger)
    assert broken.error
    assert answered.route == ("strong" if how == "next" else "cheap")
    assert saved(broken, "route") == (None if fault.kind == "status" else -cost(broken))
    assert (cost(broken) > 0) == (fault.kind != "status")
    assert spent_and_saved(ledger) == at("gpt-4o", answered)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["invoke", "ainvoke"])
async def test_a_broken_answer_is_billed_although_the_target_before_it_was_refused(
    asynchronous: bool, provider: FakeProvider, ledger: Ledger
) -> None:
    router = ModelRouter({"cheap": chat_openai(provider), "strong": chat_openai(provider, "gpt-4o")}, on_error="next")
    provider.fail_next(Fault.server_error())
    provider.fail_next(Fault.malformed_json())
    with pytest.raises(json.JSONDecodeError):
        _ = await router.ainvoke(EASY, metered(ledger)) if asynchronous else router.invoke(EASY, metered(ledger))
    refused, broken = calls(ledger)
    assert (refused.route, broken.route) == ("cheap", "strong")
    assert cost(refused) == 0 < cost(broken)


@pytest.mark.parametrize("make", [ModelRouter, lambda targets, **options: Cascade(targets, [good], **options)])
def test_a_dearer_target_in_place_of_one_that_failed_is_a_loss_in_observe_mode_too(
    make: Callable[..., Runnable[Any, Any]], provider: FakeProvider, ledger: Ledger
) -> None:
    targets = {"dear": chat_openai(provider, "gpt-4o"), "strong": chat_openai(provider)}
    provider.fail_next(Fault.server_error())
    make(targets, mode="observe", on_error="next").invoke("What does a card cost?", metered(ledger))
    refused, answered = calls(ledger)
    assert (refused.route, answered.route) == ("strong", "dear")
    assert spent_and_saved(ledger) == at("gpt-4o-mini", answered) < cost(answered)


class Fee(BaseModel):
    """What something costs."""

    usd: float


@pytest.mark.parametrize("asynchronous", [False, True], ids=["invoke", "ainvoke"])
async def test_an_answer_that_does_not_parse_and_is_asked_for_again_is_lost(asynchronous: bool, ledger: Ledger) -> None:
    def answer(request: FakeRequest) -> FakeAnswer:
        wrong = {"usd": "unknown"} if request.number == 1 else {"usd": 5}
        return FakeAnswer(tool_calls=(FakeToolCall(name="Fee", arguments=wrong),))

    with FakeProvider(answer=answer) as provider:
        router = ModelRouter({"cheap": chat_openai(provider), "strong": chat_openai(provider, "gpt-4o")})
        structured = router.with_structured_output(Fee, method="function_calling")
        chain = structured.with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
        config = metered(ledger)
        given = await chain.ainvoke(EASY, config) if asynchronous else chain.invoke(EASY, config)
        assert given == Fee(usd=5)
        first, second = calls(ledger)
        assert [record.error for record in (first, second)] == [None, None]
        assert spent_and_saved(ledger) == at("gpt-4o", second)
        assert ledger.report().total.saved_usd == at("gpt-4o", second) - cost(second) - cost(first)
        assert_agrees(ledger, provider)


@pytest.mark.parametrize("question", [EASY, HARD])
def test_a_stream_that_was_cut_is_lost_unless_it_is_the_strong_targets(
    question: str, provider: FakeProvider, ledger: Ledger
) -> None:
    router = ModelRouter({"cheap": chat_openai(provider), "strong": chat_openai(provider, "gpt-4o")})
    provider.fail_next(Fault.cut_stream(after_chunks=3))
    with pytest.raises(Exception, match="Connection error"):
        list(router.stream(question, metered(ledger)))
    (record,) = calls(ledger)
    assert (record.interrupted, record.cost.basis) == (True, "estimated")
    assert saved(record, "route") == (-cost(record) if record.route == "cheap" else None)
    assert spent_and_saved(ledger) == (0 if record.route == "cheap" else cost(record))


def test_a_stream_that_is_left_early_is_compared_as_far_as_it_came(ledger: Ledger) -> None:
    with FakeProvider(answer=lambda request: "one two three four " * 20, chunk_seconds=0.01) as provider:
        router = ModelRouter({"cheap": chat_openai(provider), "strong": chat_openai(provider, "gpt-4o")})
        stream = router.stream(EASY, metered(ledger))
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        (record,) = calls(ledger)
        assert record.error == "GeneratorExit"
        assert spent_and_saved(ledger) == at("gpt-4o", record)


# -- cascades ----------------------------------------------------------------------------------


async def answered(cascade: Any, way: str, texts: list[str], config: Any) -> None:
    if way == "invoke":
        for text in texts:
            cascade.invoke(text, config)
    elif way == "ainvoke":
        await asyncio.gather(*(cascade.ainvoke(text, config) for text in texts))
    elif way == "stream":
        for text in texts:
            list(cascade.stream(text, config))
    elif way == "astream":
        for text in texts:
            [chunk async for chunk in cascade.astream(text, config)]
    else:
        cascade.batch(texts, config)


WAYS = ["invoke", "ainvoke", "stream", "astream", "batch"]


@pytest.mark.parametrize("way", WAYS)
async def test_rejected_drafts_are_netted(way: str, provider: FakeProvider, ledger: Ledger) -> None:
    cascade = Cascade({"cheap": chat_openai(provider), "strong": chat_openai(provider, "gpt-4o")}, [good])
    await answered(cascade, way, [EASY, "What does a card cost?", HARD], metered(ledger))
    records = calls(ledger)
    accepted = [
        record for record in records if "gpt-4o-mini" not in (record.model or "") or record.usage.output_tokens > 5
    ]
    thrown = [record for record in records if record not in accepted]
    assert (len(accepted), len(thrown)) == (3, 2)
    assert spent_and_saved(ledger) == exact_sum(at("gpt-4o", record) for record in accepted)
    kept = [at("gpt-4o", record) - cost(record) for record in accepted]
    assert ledger.report().total.saved_by_part == {"cascade": exact_sum(kept) - exact_sum(map(cost, thrown))}
    assert_agrees(ledger, provider)


def test_three_targets_of_two_providers_samples_and_a_judge(ledger: Ledger) -> None:
    def answer(request: FakeRequest) -> str:
        if request.model == "gpt-4o-mini":
            return f"It is {request.number}."  # no two samples alike
        return "no" if "gpt-4o-2024-11-20" in request.model else "It is 7."

    with FakeProvider(answer=answer) as provider:
        judge = AnswerJudge(chat_openai(provider, "gpt-4o-2024-11-20"))
        targets: dict[str, Any] = {
            "cheap": chat_openai(provider),
            "middle": chat_openai(provider, "gpt-4o"),
            "strong": chat_anthropic(provider, "claude-sonnet-4-6"),
        }
        cascade = Cascade(targets, [SelfConsistent(samples=2), judge])
        cascade.invoke("How many?", metered(ledger))
        records = calls(ledger)
        (final,) = [record for record in records if record.route == "strong"]
        assert len([record for record in records if record.aside]) >= 4
        assert spent_and_saved(ledger) == at("claude-sonnet-4-6", final)
        rest = [record for record in records if record is not final]
        assert ledger.report().total.saved_by_part == {"cascade": -exact_sum(map(cost, rest))}
        assert "the cascade did not pay" in repr(ledger.report())
        assert_agrees(ledger, provider)


def test_a_middle_target_that_is_good_enough(provider: FakeProvider, ledger: Ledger) -> None:
    targets: dict[str, Any] = {
        "cheap": chat_openai(provider),
        "middle": chat_openai(provider, "gpt-4o"),
        "strong": chat_anthropic(provider, "claude-sonnet-4-6"),
    }
    Cascade(targets, [good]).invoke(EASY, metered(ledger))
    draft, middle = calls(ledger)
    assert middle.route == "middle"
    assert spent_and_saved(ledger) == at("claude-sonnet-4-6", middle)
    assert ledger.report().total.saved_usd == at("claude-sonnet-4-6", middle) - cost(middle) - cost(draft)


def test_a_draft_out_of_the_cache_that_is_thrown_away_saved_nothing(
    provider: FakeProvider, ledger: Ledger, tmp_path: Path
) -> None:
    with SemanticCache(tmp_path / "cache.db") as cache:
        targets = {"cheap": chat_openai(provider, cache=cache), "strong": chat_openai(provider, "gpt-4o", cache=False)}
        cascade = Cascade(targets, [good])
        for _ in range(2):
            cascade.invoke(EASY, metered(ledger))
    draft, strong, hit, again = calls(ledger)
    assert (draft.cache, hit.cache) == ("miss", "hit")
    assert spent_and_saved(ledger) == exact_sum((cost(strong), cost(again)))
    assert ledger.report().total.saved_by_part == {"cascade": -cost(draft), "cache": 0}


def test_a_draft_that_is_shown_is_not_in_the_strong_targets_bill(provider: FakeProvider) -> None:
    """Its tokens are an estimate: rather too many, for the marks of a fence count as more than they are."""

    def after(**options: Any) -> tuple[Decimal, CallRecord]:
        with Ledger() as ledger:
            cascade = Cascade(
                {"cheap": chat_openai(provider), "strong": chat_openai(provider, "gpt-4o")}, [good], **options
            )
            cascade.invoke(EASY, metered(ledger))
            return spent_and_saved(ledger), calls(ledger)[-1]

    alone, plain = after()
    found, shown = after(pass_draft=True)
    more = shown.usage.input_tokens - plain.usage.input_tokens
    assert more > 20
    least = alone - MILLIONTH * more * RATES["gpt-4o"][0] / 5
    assert least <= found <= alone


def test_where_the_strong_target_fails_the_draft_is_given_and_nothing_is_said_to_be_saved(
    provider: FakeProvider, ledger: Ledger
) -> None:
    cascade = Cascade({"cheap": chat_openai(provider), "strong": chat_openai(provider, "gpt-4o")}, [good])
    provider.fail_next(Fault.server_error(), match=lambda request: request.model == "gpt-4o")
    assert cascade.invoke(EASY, metered(ledger)).text == POOR
    draft, broken = calls(ledger)
    assert broken.error
    assert spent_and_saved(ledger) == 0
    assert ledger.report().total.saved_usd == -cost(draft)


def test_handlers_of_the_targets_themselves_share_what_they_know(provider: FakeProvider, ledger: Ledger) -> None:
    made: dict[str, Any] = {
        name: chat_openai(provider, model, callbacks=[CostCallbackHandler(ledger)])
        for name, model in (("cheap", "gpt-4o-mini"), ("strong", "gpt-4o"))
    }
    Cascade(made, [good]).invoke(EASY)
    draft, strong = calls(ledger)
    assert spent_and_saved(ledger) == cost(strong)
    assert ledger.report().total.saved_usd == -cost(draft)


def test_marks_in_the_metadata_are_enough(provider: FakeProvider, ledger: Ledger) -> None:
    def config(target: str, **values: Any) -> Any:
        mark = RouteMark(target=target, strong="strong", baseline_model="gpt-4o", part="cascade", request="r", **values)
        return metered(ledger, **{ROUTE_KEY: mark.to_dict()})

    chat_openai(provider).invoke(EASY, config("cheap"))
    chat_openai(provider, "gpt-4o").invoke(EASY, config("strong", attempt=2, rejected=1))
    chat_openai(provider, "gpt-4o").invoke(EASY, config("strong", attempt=3, rejected=4))
    draft, strong, _ = calls(ledger)
    assert strong.saved[0].takes_back == draft.call_id
    assert ledger.report().total.unpriced_savings == 1, "it is told of four drafts and has seen two"


# -- LlamaIndex --------------------------------------------------------------------------------


@pytest.mark.parametrize("asynchronous", [False, True], ids=["chat", "achat"])
async def test_llama_index_with_tags(
    asynchronous: bool, provider: FakeProvider, ledger: Ledger, make_llama_llm: Callable[..., Any]
) -> None:
    def tags(target: str, **values: Any) -> dict[str, Any]:
        mark = RouteMark(
            **{"target": target, "strong": "strong", "baseline_model": "gpt-4o", "part": "cascade", "request": "r"}
            | values
        )
        return {MARK: {ROUTE_KEY: mark.to_dict()}}

    question = [ChatMessage(role="user", content=EASY)]
    steps = [("gpt-4o-mini", tags("cheap")), ("gpt-4o-mini", tags("", aside=True))]
    steps.append(("gpt-4o", tags("strong", attempt=2, rejected=1)))
    with instrument(ledger):
        for model, carried in steps:
            with instrument_tags(carried):
                llm = make_llama_llm(model)
                _ = await llm.achat(question) if asynchronous else llm.chat(question)
    ledger.flush()
    draft, aside, strong = calls(ledger)
    assert (aside.aside, aside.route) == (True, None)
    assert spent_and_saved(ledger) == cost(strong)
    assert ledger.report().total.saved_by_part == {"cascade": -cost(draft) - cost(aside)}


def test_llama_index_routes(provider: FakeProvider, ledger: Ledger, make_llama_llm: Callable[..., Any]) -> None:
    llm = routed_llm({"cheap": make_llama_llm("gpt-4o-mini"), "strong": make_llama_llm("gpt-4o")})
    with instrument(ledger):
        for text in (EASY, HARD):
            llm.complete(text)
    records = calls(ledger)
    assert [record.route for record in records] == ["cheap", "strong"]
    assert spent_and_saved(ledger) == exact_sum(at("gpt-4o", record) for record in records)


@pytest.mark.parametrize("way", ["complete", "chat", "achat", "stream_chat", "astream_chat"])
async def test_llama_index_cascades(
    way: str, provider: FakeProvider, ledger: Ledger, make_llama_llm: Callable[..., Any]
) -> None:
    llm: Any = cascade_llm({"cheap": make_llama_llm("gpt-4o-mini"), "strong": make_llama_llm("gpt-4o")}, [good])
    with instrument(ledger):
        for text in (EASY, "What does a card cost?"):
            asked = text if way == "complete" else [ChatMessage(role="user", content=text)]
            given = getattr(llm, way)(asked)
            if way in ("achat", "astream_chat"):
                given = await given
            if way == "stream_chat":
                assert list(given)
            elif way == "astream_chat":
                assert [chunk async for chunk in given]
    ledger.flush()
    draft, strong, accepted = calls(ledger)
    assert [record.route for record in (draft, strong, accepted)] == ["cheap", "strong", "cheap"]
    assert spent_and_saved(ledger) == exact_sum((cost(strong), at("gpt-4o", accepted)))
    saved_usd = at("gpt-4o", accepted) - cost(accepted) - cost(draft)
    assert ledger.report().total.saved_by_part == {"cascade": saved_usd}


# -- a conversation ----------------------------------------------------------------------------


LONG = "The handbook of a bank, chapter by chapter. " * 300
TURNS = ["What does a card cost?", "Prove that this is fair and justify every step in detail.", "Thanks! And abroad?"]


def conversation(model: Runnable[Any, Any], config: Any, order: list[str], *, marked: bool = False) -> None:
    system: list[str | dict[Any, Any]] = [
        {"type": "text", "text": LONG * 3, "cache_control": {"type": "ephemeral"}} if marked else LONG
    ]
    messages: list[BaseMessage] = [SystemMessage(system)]
    for turn, target in zip(TURNS * 2, order, strict=False):
        messages.append(HumanMessage(turn))
        told: Any = {**config, "metadata": {"route": target}} if target else config
        model.invoke(messages, told)
        # The same words whoever says them, so that both conversations are alike.
        messages.append(AIMessage(f"A full answer to: {turn}"))


ORDERS = [
    ["cheap", "cheap", "cheap", "cheap"],
    ["strong", "cheap", "strong", "cheap"],
    ["cheap", "strong", "strong", "strong"],
    ["strong", "strong", "strong", "strong"],
]


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_what_was_saved_is_not_overstated_where_the_prompt_cache_is_lost(order: list[str], ledger: Ledger) -> None:
    """Against the real bill of the strong target alone, whose provider caches by itself."""
    with FakeProvider(answer=lambda request: "The same answer, whoever gives it.") as provider:
        conversation(chat_openai(provider, "gpt-4o"), {}, [""] * len(order))
        assert provider.wait_idle()
        alone = provider.billed_usd
    with FakeProvider(answer=lambda request: "The same answer, whoever gives it.") as provider:
        router = ModelRouter({"cheap": chat_openai(provider), "strong": chat_openai(provider, "gpt-4o")})
        conversation(router, metered(ledger), order)
        records = calls(ledger)
        assert [record.route for record in records] == order
        assert_agrees(ledger, provider)
    found = spent_and_saved(ledger)
    assert alone * Decimal("0.97") <= found <= alone
    if "cheap" not in order:
        assert found == alone
        assert ledger.report().total.saved_usd == 0


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
@pytest.mark.parametrize("cheap", ["claude-haiku-4-5", "gpt-4o-mini"])
def test_nor_where_the_request_marks_what_is_to_be_cached(order: list[str], cheap: str) -> None:
    """What the strong target would have paid for writing to its cache is left out where the cheap one bills none."""
    with FakeProvider(answer=lambda request: "The same answer, whoever gives it.") as provider:
        conversation(chat_anthropic(provider, "claude-sonnet-4-6"), {}, [""] * len(order), marked=True)
        assert provider.wait_idle()
        alone = provider.billed_usd
    with FakeProvider(answer=lambda request: "The same answer, whoever gives it.") as provider, Ledger() as ledger:
        small: Any = chat_anthropic(provider, cheap) if "claude" in cheap else chat_openai(provider, cheap)
        router = ModelRouter({"cheap": small, "strong": chat_anthropic(provider, "claude-sonnet-4-6")})
        conversation(router, metered(ledger), order, marked=True)
        assert_agrees(ledger, provider)
        found, report = spent_and_saved(ledger), ledger.report()
        assert alone * Decimal("0.98" if "claude" in cheap else "0.8") <= found <= alone
        assert ("routing did not pay" in repr(report)) == (report.total.saved_usd < 0)
        if order == ["cheap", "strong", "strong", "strong"]:
            assert report.total.saved_usd < 0, "what the first answer saved is less than the cache it did without"


@pytest.mark.parametrize("order", [["cheap", "strong"], ["strong", "strong"], ["strong", "cheap"]], ids="-".join)
def test_a_system_prompt_that_conversations_share_is_lost_too_where_another_target_was_sent_it(
    order: list[str], ledger: Ledger
) -> None:
    with FakeProvider(answer=lambda request: "The same answer, whoever gives it.") as provider:
        for _ in order:
            conversation(chat_openai(provider, "gpt-4o"), {}, [""])
        assert provider.wait_idle()
        alone = provider.billed_usd
    with FakeProvider(answer=lambda request: "The same answer, whoever gives it.") as provider:
        router = ModelRouter({"cheap": chat_openai(provider), "strong": chat_openai(provider, "gpt-4o")})
        for target in order:
            conversation(router, metered(ledger), [target])
        assert_agrees(ledger, provider)
    found = spent_and_saved(ledger)
    assert alone * Decimal("0.97") <= found <= alone
    if "cheap" not in order:
        assert (found, ledger.report().total.saved_usd) == (alone, 0)
