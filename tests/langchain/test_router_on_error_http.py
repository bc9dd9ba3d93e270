"""Does a router answer where a target fails, and obey a caller who names one?"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.prompts import ChatPromptTemplate

from lc_costkit import Budget, BudgetExceeded, CostCallbackHandler, Ledger, budgeted
from lc_costkit.langchain.router import ModelRouter
from lc_costkit.testing import FakeProvider, Fault
from tests.conftest import chat_anthropic, chat_openai
from tests.langchain.test_router import HARD, Watcher

EASY = "hi, get_weather in Paris"


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


# -- a target fails ------------------------------------------------------------------------------


@pytest.fixture
def persistent(models: dict[str, Any]) -> ModelRouter:
    return ModelRouter(models, on_error="next")


@pytest.mark.parametrize(("question", "order"), [(EASY, ["openai", "anthropic"]), (HARD, ["anthropic", "openai"])])
async def test_the_next_target_answers_where_one_fails(
    provider: FakeProvider, persistent: ModelRouter, question: str, order: list[str]
) -> None:
    watcher = Watcher()
    for asynchronous in (False, True):
        provider.fail_next(Fault.server_error())
        config: Any = {"callbacks": [watcher]}
        answer = await persistent.ainvoke(question, config) if asynchronous else persistent.invoke(question, config)
        route = answer.response_metadata["lc_costkit"]["route"]
        assert route["target"] == ("large" if question == EASY else "small")
        assert route["reasons"][0].startswith(("small failed (", "large failed ("))
    assert asked(provider) == order * 2
    assert [call.status for call in provider.log] == [500, 200] * 2
    assert persistent.faults.total == 2
    marks = [mark for mark in watcher.marks if mark is not None]
    assert [mark.attempt for mark in marks] == [1, 2] * 2
    assert marks[0].request == marks[1].request != marks[2].request
    assert None not in {mark.request for mark in marks}


async def test_a_stream_goes_to_the_next_target_only_before_its_first_chunk(
    provider: FakeProvider, persistent: ModelRouter
) -> None:
    provider.fail_next(Fault.server_error())
    chunks = list(persistent.stream(EASY))
    provider.fail_next(Fault.server_error())
    achunks = [chunk async for chunk in persistent.astream(EASY)]
    for each in (chunks, achunks):
        assert len(each) > 2
        assert targets(each[:1]) == ["large"]
    assert asked(provider) == ["openai", "anthropic"] * 2
    seen: list[Any] = []
    provider.fail_next(Fault.cut_stream(after_chunks=4))
    with pytest.raises(Exception, match=r"peer closed|incomplete|[Cc]onnection"):
        seen.extend(persistent.stream(EASY))
    provider.fail_next(Fault.cut_stream(after_chunks=4))
    with pytest.raises(Exception, match=r"peer closed|incomplete|[Cc]onnection"):
        async for chunk in persistent.astream(EASY):
            seen.append(chunk)
    assert seen
    assert asked(provider)[4:] == ["openai"] * 2  # what was streamed cannot be taken back


@pytest.mark.parametrize("return_exceptions", [False, True])
async def test_of_a_batch_only_what_failed_goes_to_the_next_target(
    provider: FakeProvider, persistent: ModelRouter, return_exceptions: bool
) -> None:
    inputs: list[Any] = ["hi one", "hi two", HARD]

    def second(request: Any) -> bool:
        return bool(request.provider == "openai" and request.question == "hi two")

    for asynchronous in (False, True):
        provider.fail_next(Fault.server_error(), match=second)
        if asynchronous:
            answers = await persistent.abatch(inputs, return_exceptions=return_exceptions)
        else:
            answers = persistent.batch(inputs, return_exceptions=return_exceptions)
        assert targets(answers) == ["small", "large", "large"]
    assert sorted(asked(provider)) == ["anthropic"] * 4 + ["openai"] * 4


async def test_of_a_batch_what_no_target_answers_is_returned_or_raised(
    provider: FakeProvider, persistent: ModelRouter
) -> None:
    def second(request: Any) -> bool:
        return bool(request.question == "hi two")

    inputs: list[Any] = ["hi one", "hi two", HARD]
    provider.fail_next(Fault.server_error(), times=4, match=second)
    for answers in (
        persistent.batch(inputs, return_exceptions=True),
        await persistent.abatch(inputs, return_exceptions=True),
    ):
        assert isinstance(answers[1], Exception)
        assert targets([answers[0], answers[2]]) == ["small", "large"]
    provider.fail_next(Fault.server_error(), times=4, match=second)
    with pytest.raises(Exception, match=r"500|overloaded|server"):
        persistent.batch(inputs)
    with pytest.raises(Exception, match=r"500|overloaded|server"):
        await persistent.abatch(inputs)


async def test_when_all_targets_fail_the_last_error_is_raised(provider: FakeProvider, persistent: ModelRouter) -> None:
    for asynchronous in (False, True):
        provider.fail_next(Fault.server_error(), match=lambda request: request.provider == "openai")
        provider.fail_next(Fault.rate_limit(), match=lambda request: request.provider == "anthropic")
        with pytest.raises(Exception, match="429") as caught:
            await persistent.ainvoke(EASY) if asynchronous else persistent.invoke(EASY)
        assert "anthropic" in type(caught.value).__module__
    assert asked(provider) == ["openai", "anthropic"] * 2


async def test_a_budgets_refusal_goes_to_no_other_target(
    provider: FakeProvider, models: dict[str, Any], tmp_path: Path
) -> None:
    with Ledger(tmp_path / "l.db") as ledger:
        guarded = budgeted(models["small"], Budget(usd="0.0000001", name="tiny"), ledger)
        persistent = ModelRouter({"small": guarded, "large": models["large"]}, on_error="next")
        calls: list[Callable[[], Any]] = [
            lambda: persistent.invoke(EASY),
            lambda: list(persistent.stream(EASY)),
            lambda: persistent.batch([EASY, EASY]),
        ]
        for call in calls:
            with pytest.raises(BudgetExceeded):
                call()
        with pytest.raises(BudgetExceeded):
            await persistent.ainvoke(EASY)
        with pytest.raises(BudgetExceeded):
            await persistent.abatch([EASY])
        refused = persistent.batch([EASY], return_exceptions=True)
        assert isinstance(refused[0], BudgetExceeded)
    assert provider.calls == 0
    assert persistent.faults.total == 0


@pytest.mark.parametrize("way", ["invoke", "stream", "batch", "abatch"])
async def test_a_run_id_is_the_failed_calls_and_both_calls_are_in_the_ledger(
    provider: FakeProvider, persistent: ModelRouter, tmp_path: Path, way: str
) -> None:
    run_id = uuid.uuid4()
    provider.fail_next(Fault.server_error())
    with Ledger(tmp_path / "costs.db") as ledger:
        meter = CostCallbackHandler(ledger)
        config: Any = {"run_id": run_id, "callbacks": [meter], "metadata": {"feature": "search"}}
        if way == "invoke":
            persistent.invoke(EASY, config)
        elif way == "stream":
            list(persistent.stream(EASY, config))
        elif way == "batch":
            persistent.batch([EASY], config)
        else:
            await persistent.abatch([EASY], config)
        calls = list(ledger.records())
    assert [call.model for call in calls] == ["gpt-4o-mini", "claude-sonnet-4-6"]
    assert [call.feature for call in calls] == ["search"] * 2
    assert [call.call_id == str(run_id) for call in calls] == [True, False]


# -- the caller's word ---------------------------------------------------------------------------


async def test_metadata_names_the_target(provider: FakeProvider, router: ModelRouter) -> None:
    chain = ChatPromptTemplate.from_template("{q}") | router
    for name, question in (("large", EASY), ("small", HARD)):
        config: Any = {"metadata": {"route": name}}
        answers = [
            chain.invoke({"q": question}, config),
            await chain.ainvoke({"q": question}, config),
            *chain.batch([{"q": question}] * 2, config),
            next(iter(chain.stream({"q": question}, config))),
            router.with_config(metadata={"route": name}).invoke(question),
        ]
        assert targets(answers) == [name] * 6
        assert answers[0].response_metadata["lc_costkit"]["route"]["reasons"] == ["the caller's metadata says so"]
    assert router.faults.total == 0


def test_a_name_that_is_no_targets_is_a_fault_and_the_policy_decides(
    router: ModelRouter, caplog: pytest.LogCaptureFixture
) -> None:
    watcher = Watcher()
    answer = router.invoke(EASY, {"metadata": {"route": "huge"}, "callbacks": [watcher]})
    assert targets([answer]) == ["small"]
    assert router.faults.counts == {'reading metadata["route"]: LookupError': 1}
    assert "it is 'huge', and the targets are ['small', 'large']" in caplog.text
    (mark,) = watcher.marks
    assert mark is not None
    assert mark.target == "small"


# -- a stream that broke before it said anything ---------------------------------------------------


async def test_a_stream_that_breaks_before_its_first_word_is_begun_again_elsewhere(
    provider: FakeProvider, models: dict[str, Any]
) -> None:
    router = ModelRouter(models, policy=lambda request: "small", on_error="next")
    for ways in range(3):
        provider.fail_next(Fault.cut_stream(after_chunks=1), match=lambda request: request.provider == "openai")
        if ways == 0:
            chunks = list(router.stream(EASY))
        elif ways == 1:
            chunks = [chunk async for chunk in router.astream(EASY)]
        else:
            events = [event async for event in router.astream_events(EASY, version="v2")]
            chunks = [event["data"]["chunk"] for event in events if event["event"] == "on_chain_stream"]
        assert "".join(chunk.text for chunk in chunks)
        assert targets([chunks[0]]) == ["large"]
    assert router.faults.total == 3
