"""Does a cascade behave as the model it stands for, without a network?"""

from __future__ import annotations

import asyncio
import pickle
import re
import threading
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models.fake import FakeListLLM
from langchain_core.language_models.fake_chat_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField, Runnable, RunnableConfig, RunnableLambda

from lc_costkit import AnswerJudge, Budget, BudgetExceeded, Ledger, ModelPrice, PriceBook, budgeted
from lc_costkit.errors import ConfigurationError
from lc_costkit.langchain.callbacks import CostCallbackHandler
from lc_costkit.langchain.cascade import Cascade
from lc_costkit.langchain.router import ModelRouter
from lc_costkit.marks import ROUTE_KEY, RouteMark
from lc_costkit.routing import RouteRequest, Rules
from lc_costkit.routing.answer import PASSED, Answer, Verdict, failed
from lc_costkit.routing.checks import SelfConsistent, complete, no_refusal
from lc_costkit.switch import DISABLE_VARIABLE
from tests.langchain.test_router import HARD, Endless, Recorder, Watcher, _WithTools

BAD = "I'm sorry, but I cannot help with that."


def says(*answers: str, **options: Any) -> FakeListChatModel:
    return FakeListChatModel(responses=list(answers), **options)


def cascade(cheap: str = BAD, strong: str = "strong answer", **options: Any) -> Cascade:
    return Cascade({"cheap": says(cheap), "strong": says(strong)}, **options)


def told(answer: Any) -> dict[str, Any]:
    route: dict[str, Any] = answer.response_metadata["lc_costkit"]["route"]
    return route


def good_input(request: RouteRequest, answer: Answer) -> Verdict:
    return failed("the question is hard") if request.question.startswith("hard") else PASSED


class Tokens(BaseCallbackHandler):
    """Prints tokens as they come, as a terminal would."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        self.seen.append(token)


class Down(_WithTools):
    """A model that is not there."""

    def _call(self, *args: Any, **kwargs: Any) -> str:
        raise ConnectionError("down")

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        raise ConnectionError("down")


async def _once(value: str) -> AsyncIterator[str]:
    yield value


# -- answering -----------------------------------------------------------------------------------


async def test_each_way_of_calling_gives_the_accepted_answer() -> None:
    for asked, answer in ((cascade(), "strong answer"), (cascade("cheap answer"), "cheap answer")):
        assert asked.invoke("hi").content == (await asked.ainvoke("hi")).content == answer
        assert "".join(chunk.content for chunk in asked.stream("hi")) == answer
        assert "".join([chunk.content async for chunk in asked.astream("hi")]) == answer
        assert "".join(chunk.content for chunk in asked.transform(iter(["hi"]))) == answer
        assert "".join([chunk.content async for chunk in asked.atransform(_once("hi"))]) == answer
        assert [m.content for m in asked.batch(["hi", "ho"])] == [answer] * 2
        assert [m.content for m in await asked.abatch(["hi", "ho"])] == [answer] * 2
        chain = ChatPromptTemplate.from_template("{q}") | asked | StrOutputParser()
        assert chain.invoke({"q": "hi"}) == await chain.ainvoke({"q": "hi"}) == answer
        assert "".join(chain.stream({"q": "hi"})) == answer


def test_the_message_tells_who_answered_and_why() -> None:
    answer = cascade().invoke("hi")
    assert told(answer) == {
        "target": "strong",
        "score": None,
        "reasons": ["cheap was not good enough: it declines (sorry, but I cannot)"],
        "attempts": [
            {"target": "cheap", "passed": False, "reasons": ["it declines (sorry, but I cannot)"]},
            {"target": "strong", "passed": None},
        ],
    }
    assert pickle.loads(pickle.dumps(answer)) == answer  # noqa: S301
    assert told(cascade("fine").invoke("hi"))["attempts"] == [{"target": "cheap", "passed": True}]


def test_the_trail_is_on_the_first_chunk_of_a_stream_as_on_the_message() -> None:
    for asked in (cascade(), cascade("cheap answer")):
        whole = None
        for chunk in asked.stream("hi"):
            whole = chunk if whole is None else whole + chunk
        assert told(whole) == told(asked.invoke("hi"))


def test_the_original_message_is_untouched() -> None:
    original = AIMessage("hello", response_metadata={"model_name": "m"})
    answer = Cascade({"only": GenericFakeChatModel(messages=iter([original]))}).invoke("hi")
    assert told(answer)["target"] == "only"
    assert answer.response_metadata["model_name"] == "m"
    assert "lc_costkit" not in original.response_metadata


def test_checks_see_the_request_and_the_answer() -> None:
    seen: list[tuple[RouteRequest, Answer]] = []

    def check(request: RouteRequest, answer: Answer) -> Verdict:
        seen.append((request, answer))
        return PASSED

    model = GenericFakeChatModel(
        messages=iter(
            [
                AIMessage(
                    "Let me look.",
                    tool_calls=[{"name": "search", "args": {"q": "x"}, "id": "1"}],
                    invalid_tool_calls=[{"name": "open", "args": "{oops", "id": "2", "error": None}],
                    response_metadata={"finish_reason": "tool_calls"},
                )
            ]
        )
    )
    Cascade({"cheap": model, "strong": says("x")}, [check]).invoke(
        [SystemMessage("Be brief."), HumanMessage("Find it.")], {"metadata": {"user": "u1"}}
    )
    ((request, answer),) = seen
    assert (request.question, request.system, request.metadata["user"]) == ("Find it.", "Be brief.", "u1")
    assert request.targets == ("cheap", "strong")
    assert (answer.text, answer.finish_reason, answer.target) == ("Let me look.", "tool_calls", "cheap")
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [("search", {"q": "x"}), ("open", "{oops")]


@pytest.mark.parametrize("output", ["cheap: hi", {"value": 1}, [1, 2]])
def test_targets_that_give_no_messages_are_checked_by_their_text(output: Any) -> None:
    seen: list[str] = []

    def check(request: RouteRequest, answer: Answer) -> Verdict:
        seen.append(answer.text)
        return PASSED

    asked = Cascade({"cheap": RunnableLambda(lambda _: output), "strong": says("x")}, [check])
    assert asked.invoke("hi") == output
    assert list(asked.stream("hi")) == [output]
    assert seen == [output if isinstance(output, str) else str(output).replace("'", '"')] * 2


def test_images_are_left_out_and_noted_and_the_request_goes_through() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    answer = cascade("fine").invoke([HumanMessage([{"type": "text", "text": "hi"}, picture])])
    assert answer.content == "fine"
    assert told(answer)["reasons"] == ["1 parts are not text and were not read"]


def test_input_that_no_model_takes_is_judged_by_the_strong_target() -> None:
    asked = cascade("fine")
    with pytest.raises(ValueError, match="Invalid input type"):
        asked.invoke(42)  # type: ignore[arg-type]
    assert asked.faults.counts["reading the input: TypeError"] == 1


def test_the_caller_names_the_only_target() -> None:
    asked = cascade("cheap answer")
    answer = asked.invoke("hi", {"metadata": {"route": "strong"}})
    assert answer.content == "strong answer"
    assert [one["target"] for one in told(answer)["attempts"]] == ["strong"]
    assert cascade().invoke("hi", {"metadata": {"route": "cheap"}}).content == BAD


def test_the_policy_says_where_to_begin() -> None:
    targets = {"cheap": says(BAD), "middle": says("middle answer"), "strong": says("strong answer")}
    watcher = Watcher()
    asked = Cascade(targets, policy=lambda request: "middle")
    assert asked.invoke("hi", {"callbacks": [watcher]}).content == "middle answer"
    assert [mark and mark.target for mark in watcher.marks] == ["middle"]
    assert asked.explain("hi").target == "middle"


async def test_a_policy_and_checks_that_wait_are_awaited() -> None:
    class Waits:
        async def acall(self, request: RouteRequest) -> str:
            return "middle"

        def __call__(self, request: RouteRequest) -> str:
            raise AssertionError("not in asynchronous calls")

    async def check(request: RouteRequest, answer: Answer) -> Verdict:
        await asyncio.sleep(0)
        return failed("no")

    targets = {"cheap": says("a"), "middle": says("b"), "strong": says("c")}
    asked = Cascade(targets, [check], policy=Waits())  # type: ignore[list-item]
    answer = await asked.ainvoke("hi")
    assert [one["target"] for one in told(answer)["attempts"]] == ["middle", "strong"]


def test_the_draft_is_shown_to_the_next_target_where_that_is_asked_for() -> None:
    class Hears(FakeListChatModel):
        def _call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
            heard.append(messages)
            return "strong answer"

    heard: list[Any] = []
    targets = {"cheap": says(BAD), "strong": Hears(responses=["x"])}
    Cascade(targets).invoke("hi")
    assert [message.text for message in heard[0]] == ["hi"]
    Cascade(targets, pass_draft=True).invoke("hi")
    assert heard[1][0].text == "hi"
    assert BAD in heard[1][1].text
    assert "it declines" in heard[1][1].text


def test_a_policy_knows_who_answered_the_conversation_before() -> None:
    seen: list[str | None] = []

    def policy(request: RouteRequest) -> str:
        seen.append(request.conversation.target if request.conversation is not None else None)
        return "cheap"

    asked = cascade(policy=policy)
    first: list[Any] = [HumanMessage("hi")]
    asked.invoke(first)
    # The answer comes back as plain text, so that only what the cascade remembers can tell.
    asked.invoke([*first, AIMessage("strong answer"), HumanMessage("and then?")])
    list(asked.stream([*first, AIMessage("other"), HumanMessage("so?")]))
    assert seen == [None, "strong", "strong"]


# -- what others hear ----------------------------------------------------------------------------


def test_all_attempts_are_marked_as_of_one_request() -> None:
    watcher = Watcher()
    asked = Cascade({"cheap": says(BAD), "middle": says(BAD), "strong": says("x")})
    asked.invoke("hi", {"callbacks": [watcher], "metadata": {"user": "u1"}, "tags": ["a"]})
    marks = [mark for mark in watcher.marks if mark is not None]
    assert [(mark.target, mark.attempt, mark.rejected, mark.part) for mark in marks] == [
        ("cheap", 1, 0, "cascade"),
        ("middle", 2, 1, "cascade"),
        ("strong", 3, 2, "cascade"),
    ]
    assert len({mark.request for mark in marks}) == 1
    assert marks[0].request is not None
    assert {mark.strong for mark in marks} == {"strong"}
    assert not any(mark.aside or mark.observed for mark in marks)
    assert marks[2].reasons[0].startswith("middle was not good enough")
    assert all(metadata["user"] == "u1" and "a" in tags for metadata, tags in watcher.starts)
    asked.invoke("hi", {"callbacks": [watcher]})
    assert len({mark.request for mark in watcher.marks if mark is not None}) == 2


def test_attempts_are_children_of_one_run() -> None:
    class Runs(BaseCallbackHandler):
        def __init__(self) -> None:
            self.chains: list[tuple[Any, str]] = []
            self.models: list[Any] = []
            self.ends: list[Any] = []

        def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: Any, name: Any = None, **kw: Any) -> None:
            self.chains.append((run_id, name))

        def on_chain_end(self, outputs: Any, *, run_id: Any, **kwargs: Any) -> None:
            self.ends.append(outputs.content)

        def on_chat_model_start(self, *args: Any, parent_run_id: Any, **kwargs: Any) -> None:
            self.models.append(parent_run_id)

    for way in ("invoke", "stream"):
        runs = Runs()
        result = getattr(cascade(), way)("hi", {"callbacks": [runs]})
        assert result.content if way == "invoke" else list(result)
        ((chain, name),) = runs.chains
        assert name == "Cascade<cheap,strong>"
        assert runs.models == [chain, chain]
        assert runs.ends == ["strong answer"]


def test_the_ledger_has_every_attempt_sample_and_judge_of_a_request_under_one_trace() -> None:
    ledger = Ledger()
    judge = AnswerJudge(says("yes"))
    asked = Cascade({"cheap": says("12", "13", "13"), "strong": says("12")}, [complete, judge, SelfConsistent()])
    asked.invoke("How many?", {"callbacks": [CostCallbackHandler(ledger)], "metadata": {"feature": "f"}})
    calls = list(ledger.records())
    assert [call.route for call in calls if call.route] == ["cheap", "strong"]
    assert len(calls) == 5
    assert len({call.trace_id for call in calls}) == 1
    assert {call.feature for call in calls} == {"f"}
    assert all(call.tags == () for call in calls)


def test_samples_are_marked_as_asides_and_ask_no_cache() -> None:
    from langchain_core.caches import InMemoryCache

    watcher = Watcher()
    cheap = says("It is 12.", "It is 13.", "It is 13.", cache=InMemoryCache())
    answer = Cascade({"cheap": cheap, "strong": says("x")}, [SelfConsistent()]).invoke("hi", {"callbacks": [watcher]})
    assert told(answer)["attempts"][0]["reasons"] == ["33% of 3 samples come to it"]
    marks = [mark for mark in watcher.marks if mark is not None]
    assert [mark.aside for mark in marks] == [False, True, True, False]
    assert [mark.target for mark in marks] == ["cheap", "", "", "strong"]
    assert len({mark.request for mark in marks}) == 1


async def test_no_sample_is_still_drawn_when_the_next_target_is_asked() -> None:
    asked: list[str] = []

    class Cheap(FakeListChatModel):
        async def _agenerate(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            asked.append("cheap")
            if asked.count("cheap") == 2:  # the first sample
                raise ConnectionError("down")
            await asyncio.sleep(0.01)
            asked.append("cheap answered")
            return await super()._agenerate(messages, *args, **kwargs)

    class Strong(FakeListChatModel):
        async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
            asked.append("strong")
            return await super()._agenerate(*args, **kwargs)

    targets = {"cheap": Cheap(responses=["7"]), "strong": Strong(responses=["8"])}
    made = Cascade(targets, [SelfConsistent(samples=3)])
    answer = await made.ainvoke("3 + 5?")
    assert (answer.text, asked[-1]) == ("8", "strong")
    assert asked.count("cheap answered") == asked.count("cheap") - 1
    assert made.faults.total == 1


async def test_a_draft_that_is_thrown_away_reaches_no_stream() -> None:
    asked = cascade("Refused: " + BAD)
    events = [event async for event in asked.astream_events("hi", version="v2")]
    kinds = [event["event"] for event in events]
    assert kinds.count("on_chat_model_start") == 1
    assert "Refused" not in str(events)
    told_of = [event["data"]["chunk"].content for event in events if event["event"] == "on_chat_model_stream"]
    assert "".join(told_of) == "strong answer"
    assert len(told_of) > 2


async def test_an_accepted_draft_reaches_streams_in_one_piece() -> None:
    events = [event async for event in cascade("cheap answer").astream_events("hi", version="v2")]
    assert [event["event"] for event in events] == [
        "on_chain_start",
        "on_chat_model_start",
        "on_chat_model_stream",
        "on_chat_model_end",
        "on_chain_stream",
        "on_chain_end",
    ]
    assert events[2]["data"]["chunk"].content == "cheap answer"
    assert events[1]["tags"] == []
    assert events[1]["parent_ids"] == [events[0]["run_id"]]
    # A chain that only invokes is heard in the same way.
    chain: Runnable[Any, Any] = RunnableLambda(lambda text: cascade("cheap answer").invoke(text).content)
    kinds = [event["event"] async for event in chain.astream_events("hi", version="v2")]
    assert kinds.count("on_chat_model_stream") == 1


async def test_an_accepted_draft_of_a_completion_model_reaches_streams_too() -> None:
    targets = {"cheap": FakeListLLM(responses=["cheap answer"]), "strong": FakeListLLM(responses=["strong answer"])}
    events = [event async for event in Cascade(targets).astream_events("hi", version="v2")]
    heard = [(event["event"], event["data"]) for event in events if event["event"].startswith("on_llm")]
    assert [name for name, _ in heard] == ["on_llm_start", "on_llm_stream", "on_llm_end"]
    assert heard[0][1]["input"] == {"prompts": ["hi"]}
    assert heard[1][1]["chunk"].text == "cheap answer"
    assert heard[2][1]["output"]["generations"][0][0]["text"] == "cheap answer"
    targets["cheap"] = FakeListLLM(responses=["Refused: " + BAD])
    assert "Refused" not in str([event async for event in Cascade(targets).astream_events("hi", version="v2")])


async def test_a_model_that_always_streams_does_not_give_its_draft_away() -> None:
    class Streams(FakeListChatModel):
        streaming: bool = True

    tokens = Tokens()
    cheap = Streams(responses=["Refused: " + BAD], streaming=True)
    asked = Cascade({"cheap": cheap.bind(stop=["x"]), "strong": says("strong answer")})
    config: RunnableConfig = {"callbacks": [tokens]}
    asked.invoke("hi", config)
    await asked.ainvoke("hi", config)
    assert tokens.seen == []
    list(asked.stream("hi", config))
    assert "".join(tokens.seen) == "strong answer"
    cheap.invoke("hi", config)
    assert "Refused" in "".join(tokens.seen)


# -- streams -------------------------------------------------------------------------------------


async def test_the_last_target_streams_as_it_comes_and_drafts_in_one_piece() -> None:
    assert len(list(cascade().stream("hi"))) == len("strong answer")
    (chunk,) = cascade("cheap answer").stream("hi")
    assert chunk.content == "cheap answer"
    (chunk,) = [chunk async for chunk in cascade("cheap answer").astream("hi")]
    assert chunk.chunk_position == "last"


async def test_stream_first_streams_what_the_rules_name_unchecked() -> None:
    asked = cascade(stream_first=True)
    assert "".join(chunk.content for chunk in asked.stream("hi")) == BAD
    assert "".join(chunk.content for chunk in asked.stream(HARD)) == "strong answer"
    chunks = [chunk async for chunk in asked.astream("hi")]
    assert len(chunks) == len(BAD)
    assert told(chunks[0])["attempts"] == [{"target": "cheap", "passed": None}]
    assert asked.invoke("hi").content == "strong answer"
    named = cascade(stream_first=True, policy=lambda request: "strong")
    assert "".join(chunk.content for chunk in named.stream("hi")) == "strong answer"


async def test_a_stream_goes_on_to_another_target_as_long_as_nothing_of_it_has_come() -> None:
    class Breaks(FakeListChatModel):
        def _stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
            for number, chunk in enumerate(super()._stream(*args, **kwargs)):
                if number == after:
                    raise ConnectionError("cut")
                yield chunk

        async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            for chunk in self._stream(*args):
                yield chunk

    targets = {"cheap": says("cheap answer"), "strong": Breaks(responses=["strong answer"])}
    asked = Cascade(targets, policy=lambda request: "strong")
    after = 0
    assert "".join(chunk.content for chunk in asked.stream("hi")) == "cheap answer"
    assert "".join([chunk.content async for chunk in asked.astream("hi")]) == "cheap answer"
    after = 3
    with pytest.raises(ConnectionError):
        list(asked.stream("hi"))
    with pytest.raises(ConnectionError):
        _ = [chunk async for chunk in asked.astream("hi")]


async def test_closing_a_stream_closes_the_targets_at_once() -> None:
    for way in ("stream", "astream"):
        target = Endless()
        chunks: Any = getattr(Cascade({"only": target}), way)("Hi")
        if way == "stream":
            assert next(chunks) == "piece"
            chunks.close()
        else:
            assert await anext(chunks) == "piece"
            await chunks.aclose()
        assert target.closed


# -- faults and limits ---------------------------------------------------------------------------


def test_a_check_that_raises_goes_up_and_is_counted() -> None:
    def check(request: RouteRequest, answer: Answer) -> Verdict:
        raise KeyError("gone")

    asked = cascade("cheap answer", checks=[check])
    answer = asked.invoke("hi")
    assert answer.content == "strong answer"
    assert told(answer)["attempts"][0]["reasons"] == ["check check failed (KeyError)"]
    assert asked.faults.counts == {"check check: KeyError": 1}


async def test_a_target_that_fails_goes_up_or_raises() -> None:
    targets = {"cheap": Down(responses=["x"]), "strong": says("strong answer")}
    asked = Cascade(targets)
    for answer in (asked.invoke("hi"), await asked.ainvoke("hi")):
        assert told(answer)["attempts"][0] == {"target": "cheap", "passed": None, "error": "ConnectionError"}
        assert told(answer)["target"] == "strong"
    strict = Cascade(targets, on_error="raise")
    with pytest.raises(ConnectionError):
        strict.invoke("hi")
    with pytest.raises(ConnectionError):
        list(strict.stream("hi"))


def test_the_draft_is_given_where_the_last_target_fails() -> None:
    answer = Cascade({"cheap": says(BAD), "strong": Down(responses=["x"])}).invoke("hi")
    assert answer.content == BAD
    assert told(answer)["stopped"] == "strong failed (ConnectionError)"
    assert "".join(c.content for c in Cascade({"a": says(BAD), "b": Down(responses=["x"])}).stream("hi")) == BAD


def test_a_budgets_refusal_is_raised() -> None:
    ledger = Ledger()
    spent = budgeted(says("x"), Budget(calls=0), ledger)
    with pytest.raises(BudgetExceeded):
        Cascade({"cheap": spent, "strong": says("strong answer")}).invoke("hi")
    with pytest.raises(BudgetExceeded):
        Cascade({"cheap": says(BAD), "strong": spent}).invoke("hi")


def test_a_whole_cascade_can_be_held_to_a_budget() -> None:
    asked = budgeted(cascade(), Budget(calls=3), Ledger())
    assert isinstance(asked, Cascade)
    assert asked.invoke("hi").content == "strong answer"
    with pytest.raises(BudgetExceeded):
        asked.invoke("hi")


async def test_no_further_target_is_asked_when_the_time_is_over() -> None:
    asked = cascade(max_seconds=0)
    for answer in (asked.invoke("hi"), await asked.ainvoke("hi")):
        assert (answer.content, told(answer)["stopped"]) == (BAD, "the limit of 0 s is reached")


async def test_cancelling_is_no_failure_of_a_target() -> None:
    class Waits(Runnable[Any, Any]):
        def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
            raise AssertionError("only asynchronous calls")

        async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
            begun.set()
            await asyncio.Event().wait()

    begun = asyncio.Event()
    strong = Recorder("strong")
    asked = Cascade({"cheap": Waits(), "strong": strong})
    task = asyncio.create_task(asked.ainvoke("hi"))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert strong.calls == []
    assert asked.faults.total == 0


# -- switches ------------------------------------------------------------------------------------


async def test_observe_mode_calls_the_strong_target_alone_and_claims_nothing() -> None:
    watcher = Watcher()
    asked = cascade("cheap answer", mode="observe")
    answer = asked.invoke("hi", {"callbacks": [watcher]})
    assert (answer.content, answer.response_metadata) == ("strong answer", {})
    assert "".join([chunk.content async for chunk in asked.astream("hi")]) == "strong answer"
    (mark,) = watcher.marks
    assert mark is not None
    assert (mark.target, mark.chosen, mark.chosen_model, mark.observed) == ("strong", None, None, True)


async def test_switched_off_the_strong_target_answers_without_a_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DISABLE_VARIABLE, "1")
    watcher = Watcher()
    asked = cascade("cheap answer", stream_first=True)
    config: RunnableConfig = {"callbacks": [watcher]}
    answers = [asked.invoke("hi", config), await asked.ainvoke("hi", config), *asked.batch(["hi", "hi"], config)]
    assert {answer.content for answer in answers} == {"strong answer"}
    assert "".join(chunk.content for chunk in asked.stream("hi", config)) == "strong answer"
    assert "".join([chunk.content async for chunk in asked.astream("hi", config)]) == "strong answer"
    assert all(answer.response_metadata == {} for answer in answers)
    assert watcher.marks == [None] * 6


# -- preparing -----------------------------------------------------------------------------------


def test_bind_with_config_and_with_retry_reach_every_attempt() -> None:
    cheap, strong = Recorder("cheap"), Recorder("strong")
    asked = Cascade({"cheap": cheap, "strong": strong}, [good_input])
    prepared = asked.with_config(tags=["t"]).bind(stop=["."]).with_retry(stop_after_attempt=2).bind(top=1)
    assert isinstance(prepared, Cascade)
    assert prepared.invoke("hard", stop=["!"]) == "strong: hard"
    for call in (*cheap.calls, *strong.calls):
        assert (call["stop"], call["top"]) == (["!"], 1)
        assert "t" in call["config"]["tags"]
    assert "stop" not in asked.bound_kwargs
    with pytest.raises(ValueError, match="no answer"):
        prepared.invoke("fail")
    assert [len(cheap.calls), len(strong.calls)] == [3, 3]


def test_tools_reach_every_target_and_one_that_takes_none_is_named() -> None:
    seen: list[Any] = []

    class Hears(_WithTools):
        def _call(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            seen.append(kwargs["tools"])
            return BAD

    asked = Cascade({"cheap": Hears(responses=["x"]), "strong": Hears(responses=["x"])}).bind_tools([{"name": "t"}])
    asked.invoke("hi")
    assert seen == [[{"name": "t"}]] * 2
    with pytest.raises(ConfigurationError, match=r"target 'cheap' \(FakeListChatModel\) cannot do bind_tools"):
        cascade().bind_tools([{"name": "t"}])
    with pytest.raises(ConfigurationError, match=r"target 'cheap' .* cannot do with_structured_output"):
        cascade().with_structured_output({"title": "x", "type": "object", "properties": {}})


def test_fallbacks_fan_out_to_cascades() -> None:
    first = Cascade({"only": Down(responses=["x"])})
    second = Cascade({"spare": _WithTools(responses=["spare answer"])})
    both = first.with_fallbacks([second])
    assert both.invoke("hi").content == "spare answer"
    assert both.bind_tools([{"name": "t"}]).invoke("hi").content == "spare answer"


def test_options_can_be_configured_for_each_call() -> None:
    asked = cascade("cheap answer", checks=[lambda request, answer: 1 / 0])
    configurable = asked.configurable_fields(mode=ConfigurableField(id="mode"), checks=ConfigurableField(id="checks"))
    assert configurable.invoke("hi", {"configurable": {"checks": [complete]}}).content == "cheap answer"
    assert asked.faults.total == 0
    assert configurable.invoke("hi").content == "strong answer"
    assert asked.faults.total == 1
    answer = configurable.invoke("hi", {"configurable": {"mode": "observe"}})
    assert answer.response_metadata == {}


def test_a_router_can_be_a_target_and_a_cascade_the_target_of_a_router() -> None:
    inner = ModelRouter({"a": says(BAD), "b": says("b answer")})
    answer = Cascade({"inner": inner, "strong": says("strong answer")}).invoke("hi")
    assert answer.content == "strong answer"
    assert told(answer)["target"] == "strong"
    outer = ModelRouter({"cascade": cascade(), "other": says("other answer")})
    assert outer.invoke("hi").content == "strong answer"
    assert "".join(chunk.content for chunk in outer.stream("hi")) == "strong answer"


# -- batches -------------------------------------------------------------------------------------


async def test_batches_keep_order_and_return_exceptions_in_their_place() -> None:
    cheap, strong = Recorder("cheap"), Recorder("strong")
    asked = Cascade({"cheap": cheap, "strong": strong}, [good_input], on_error="raise")
    inputs = ["so", "hard 1", "yes", "hard 2", "no"]
    expected = ["cheap: so", "strong: hard 1", "cheap: yes", "strong: hard 2", "cheap: no"]
    assert asked.batch(inputs) == await asked.abatch(inputs, {"max_concurrency": 2}) == expected
    assert dict(asked.batch_as_completed(inputs)) == dict(enumerate(expected))
    assert {place: answer async for place, answer in asked.abatch_as_completed(inputs)} == dict(enumerate(expected))
    for answers in (
        asked.batch(["so", "fail", "hard"], return_exceptions=True),
        await asked.abatch(["so", "fail", "hard"], return_exceptions=True),
    ):
        assert (answers[0], answers[2]) == ("cheap: so", "strong: hard")
        assert isinstance(answers[1], ValueError)
    with pytest.raises(ValueError, match="no answer"):
        asked.batch(["so", "fail"])
    assert asked.batch([]) == await asked.abatch([]) == []


def test_many_threads_do_not_mix_their_trails() -> None:
    asked = Cascade({"cheap": Recorder("cheap"), "strong": Recorder("strong")}, [good_input])
    watcher = Watcher()
    inputs = [f"{'hard' if n % 2 else 'easy'} {n}" for n in range(40)]
    answers = asked.batch(inputs, {"max_concurrency": 8, "callbacks": [watcher]})
    assert answers == [f"{'strong' if n % 2 else 'cheap'}: {text}" for n, text in enumerate(inputs)]
    assert threading.active_count() < 40


# -- being a model -------------------------------------------------------------------------------


def test_what_others_read_off_a_model_is_the_strong_targets() -> None:
    asked = cascade()
    assert asked._llm_type == "fake-list-chat-model"
    assert asked.responses == ["strong answer"]
    assert asked.InputType == asked.targets["strong"].InputType
    with pytest.raises(AttributeError, match=r"Cascade has no 'generate'; call it on one target"):
        asked.generate([[HumanMessage("hi")]])


def test_it_can_be_pickled_and_used_after() -> None:
    asked = cascade("12", checks=[complete, SelfConsistent(samples=1)], policy=Rules(), max_seconds=60)
    again = pickle.loads(pickle.dumps(asked.bind(stop=["."])))  # noqa: S301
    assert (again.max_seconds, again.bound_kwargs) == (60, {"stop": ["."]})
    assert again.invoke("hi").content == "12"
    assert again.invoke(HARD).content == "strong answer"


def test_it_says_what_it_is() -> None:
    asked = Cascade({"strong": says("x"), "cheap": says("y")}, [complete, SelfConsistent()])
    assert repr(asked) == str(asked) == "Cascade(cheap -> strong; checks: complete, SelfConsistent)"
    assert asked.get_name() == "Cascade<strong,cheap>"
    chain = ChatPromptTemplate.from_template("{q}") | asked
    drawn = chain.get_graph().draw_mermaid()
    assert "cheap" in drawn
    assert "strong" in drawn


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"targets": {}}, "there are no targets"),
        ({"targets": [("a", says()), ("a", says())]}, "two targets have one name"),
        ({"targets": {"a": "gpt-4o-mini"}}, "target 'a' must be a model or another Runnable, not 'gpt-4o-mini'"),
        ({"checks": []}, "there are no checks"),
        ({"checks": None}, "checks must be a list of checks, not None"),
        ({"checks": [complete, "polite"]}, "'polite' cannot be called"),
        ({"strong": "huge"}, "strong='huge' is not a target"),
        ({"policy": Rules(targets=("cheap", "huge"))}, "names ['huge']"),
        ({"stream_first": "cheap"}, "stream_first must be True or False, not 'cheap'"),
        ({"max_usd": "-1"}, "max_usd must be a finite amount of at least 0 USD, not -1"),
        ({"max_seconds": -1}, "max_seconds must be a finite number of seconds, at least 0, not -1"),
        ({"on_error": "ignore"}, "on_error must be 'raise' or 'next', not 'ignore'"),
        ({"mode": "off"}, "mode must be"),
        ({"chekcs": [complete]}, "Cascade has no option 'chekcs'; did you mean 'checks'?"),
        ({"max_dollars": 1}, "Cascade has no option 'max_dollars'"),
    ],
)
def test_bad_input_is_refused_at_construction(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        Cascade(**{"targets": {"cheap": says("a"), "strong": says("b")}, **arguments})


def test_a_mark_reads_back_from_metadata() -> None:
    watcher = Watcher()
    cascade("fine").invoke("hi", {"callbacks": [watcher]})
    ((metadata, _),) = watcher.starts
    assert RouteMark.from_dict(metadata[ROUTE_KEY]) is not None
    assert metadata[ROUTE_KEY]["part"] == "cascade"


def test_prices_of_ones_own_keep_a_limit() -> None:
    class Named(FakeListChatModel):
        def _get_ls_params(self, stop: Any = None, **kwargs: Any) -> Any:
            return {**super()._get_ls_params(stop, **kwargs), "ls_model_name": self.responses[0][:1]}

    targets = {"cheap": Named(responses=[BAD]), "strong": Named(responses=["strong answer"])}
    with pytest.raises(ConfigurationError, match=r"max_usd needs prices, and target 'cheap' \(I\) has none"):
        Cascade(targets, max_usd="1")
    prices = PriceBook(overrides={"I": ModelPrice(per_call="0.01"), "s": ModelPrice(per_call="0.5")})
    answer = Cascade(targets, max_usd=Decimal("0.2"), prices=prices).invoke("hi")
    assert (answer.content, told(answer)["stopped"]) == (BAD, "strong would take it past 0.2 USD")
    assert Cascade(targets, max_usd=1, prices=prices).invoke("hi").content == "strong answer"


def test_refusals_in_the_checks_that_were_given_are_asked_in_order() -> None:
    assert told(cascade(checks=[no_refusal, complete]).invoke("hi"))["target"] == "strong"
