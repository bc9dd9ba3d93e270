"""Does a router behave as the model it stands for, without a network?"""

from __future__ import annotations

import asyncio
import inspect
import pickle
import pydoc
import re
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models.fake_chat_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import ConfigurableField, Runnable, RunnableConfig, RunnableLambda
from pydantic import BaseModel

from lc_costkit.errors import ConfigurationError
from lc_costkit.langchain.cascade import Cascade
from lc_costkit.langchain.router import ModelRouter
from lc_costkit.marks import ROUTE_KEY, RouteMark
from lc_costkit.routing import RouteDecision, RouteRequest, Rules, first_sure
from lc_costkit.switch import DISABLE_VARIABLE

HARD = "Prove that there are infinitely many primes."


class Watcher(BaseCallbackHandler):
    """Keeps what reaches the start of every model call."""

    def __init__(self) -> None:
        self.starts: list[tuple[dict[str, Any], list[str]]] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        self.starts.append((kwargs["metadata"] or {}, kwargs["tags"] or []))

    @property
    def marks(self) -> list[RouteMark | None]:
        return [RouteMark.from_dict(metadata.get(ROUTE_KEY)) for metadata, _ in self.starts]


def fakes() -> dict[str, FakeListChatModel]:
    return {
        "small": FakeListChatModel(responses=["small answer"]),
        "large": FakeListChatModel(responses=["large answer"]),
    }


def router(**options: Any) -> ModelRouter:
    return ModelRouter(fakes(), **options)


class Recorder(Runnable[Any, Any]):
    """A target that keeps how it was called."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.batches: list[tuple[list[Any], list[RunnableConfig]]] = []
        self.calls: list[dict[str, Any]] = []

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> str:
        self.calls.append({"config": config, **kwargs})
        if input == "fail":
            raise ValueError("no answer")
        return f"{self.name}: {input}"

    def batch(self, inputs: Any, config: Any = None, **kwargs: Any) -> list[Any]:
        self.batches.append((list(inputs), config))
        return super().batch(inputs, config, **kwargs)

    async def abatch(self, inputs: Any, config: Any = None, **kwargs: Any) -> list[Any]:
        self.batches.append((list(inputs), config))
        return await super().abatch(inputs, config, **kwargs)


def by_first_letter(request: RouteRequest) -> str:
    return "small" if request.question[:1] in "sf" else "large"


def recorders(**options: Any) -> tuple[ModelRouter, Recorder, Recorder]:
    small, large = Recorder("small"), Recorder("large")
    return ModelRouter({"small": small, "large": large}, policy=by_first_letter, **options), small, large


# -- deciding ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "hi",
        [HumanMessage("hi")],
        [("system", HARD), ("human", "hi")],
        ChatPromptTemplate.from_messages([("system", HARD), ("human", "{q}")]).invoke({"q": "hi"}),
        [{"role": "user", "content": "hi"}],
    ],
)
def test_every_input_a_model_takes_is_read(source: Any) -> None:
    assert router().invoke(source).content == "small answer"


async def test_each_way_of_calling_routes() -> None:
    asked = router()
    assert asked.invoke(HARD).content == (await asked.ainvoke(HARD)).content == "large answer"
    assert "".join(chunk.content for chunk in asked.stream(HARD)) == "large answer"
    assert "".join([chunk.content async for chunk in asked.astream("hi")]) == "small answer"
    assert [m.content for m in asked.batch(["hi", HARD])] == ["small answer", "large answer"]
    assert [m.content for m in await asked.abatch([HARD, "hi"])] == ["large answer", "small answer"]
    assert dict(asked.batch_as_completed([HARD, "hi"]))[0].content == "large answer"
    assert {n: m.content async for n, m in asked.abatch_as_completed([HARD, "hi"])}[1] == "small answer"
    assert "".join(chunk.content for chunk in asked.transform(iter([HARD]))) == "large answer"
    assert "".join([chunk.content async for chunk in asked.atransform(_once(HARD))]) == "large answer"
    events = [event["event"] async for event in asked.astream_events("hi", version="v2")]
    assert events[0] == "on_chat_model_start"
    assert events[-1] == "on_chat_model_end"


async def _once(value: str) -> AsyncIterator[str]:
    yield value


def test_the_policy_sees_the_conversation_the_tools_and_the_metadata() -> None:
    seen: list[RouteRequest] = []

    def policy(request: RouteRequest) -> str:
        seen.append(request)
        return "small"

    def search(query: str) -> str:
        """Search."""
        return query

    messages = [
        SystemMessage("Be brief."),
        HumanMessage("Find the note."),
        AIMessage("", tool_calls=[{"name": "search", "args": {"query": "note"}, "id": "1"}]),
        ToolMessage("It says 42.", tool_call_id="1"),
    ]
    model = _WithTools(responses=["x"])
    ModelRouter({"small": model}, policy=policy).bind_tools([search]).invoke(messages, {"metadata": {"user": "u1"}})
    (request,) = seen
    assert request.question == "Find the note."
    assert request.system == "Be brief."
    assert [turn.role for turn in request.turns] == ["human", "assistant", "tool"]
    assert [turn.calls for turn in request.turns] == ["", '[{"name": "search", "args": {"query": "note"}}]', ""]
    assert request.tools == ("search",)
    assert request.metadata["user"] == "u1"
    assert request.targets == ("small",)


class _WithTools(FakeListChatModel):
    def bind_tools(self, tools: Any, **kwargs: Any) -> Runnable[Any, Any]:
        return self.bind(tools=tools, **kwargs)


PROMPT = ChatPromptTemplate.from_messages(
    [("system", "Use: {context}"), MessagesPlaceholder("history", optional=True), ("human", "{question}")]
)


@pytest.mark.parametrize(
    ("fields", "seen"),
    [
        ({"q": HARD}, RouteRequest(question=HARD)),
        ({"context": "Many pages.", "question": HARD}, RouteRequest(question=HARD, system="Many pages.")),
        ({"history": [HumanMessage("Hi"), AIMessage("Hello")], "input": HARD}, RouteRequest(question=HARD)),
        ({"messages": [HumanMessage(HARD)]}, RouteRequest(question=HARD)),
    ],
)
def test_what_fills_the_prompts_of_chains_is_read(fields: dict[str, Any], seen: RouteRequest) -> None:
    requests: list[RouteRequest] = []
    chains = {name: RunnableLambda(lambda _: "answer") | model for name, model in fakes().items()}
    chosen = ModelRouter(chains, policy=lambda request: requests.append(request) or "small")  # type: ignore[func-returns-value]
    chosen.invoke(fields)  # type: ignore[arg-type]
    assert (requests[0].question, requests[0].system) == (seen.question, seen.system)
    assert chosen.faults.total == 0


def test_chains_with_prompts_are_targets_and_unclear_fields_go_to_the_strong_one() -> None:
    watcher = Watcher()
    chosen = ModelRouter({name: PROMPT | model for name, model in fakes().items()})
    for fields in ({"context": "c", "question": HARD}, {"context": "c", "question": "hi"}):
        chosen.invoke(fields, {"callbacks": [watcher]})  # type: ignore[arg-type]
    assert [mark and mark.target for mark in watcher.marks] == ["large", "small"]
    assert chosen.explain({"a": "hi", "b": "hello"}).choice.target == "large"  # type: ignore[arg-type]
    assert chosen.faults.counts == {"reading the input: TypeError": 1}


def test_images_are_left_out_and_noted() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    asked = router().explain([HumanMessage([{"type": "text", "text": "hi"}, picture])])
    assert asked.target == "small"
    assert asked.reasons[-1] == "1 parts are not text and were not read"


def test_an_image_without_a_word_goes_to_the_strong_target() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    asked = router().explain([HumanMessage([picture])])
    assert asked.target == "large"
    assert asked.reasons == ("there is no text for the rules to read", "1 parts are not text and were not read")
    later = ModelRouter(fakes(), policy=first_sure(Rules(), lambda request: "small")).explain([HumanMessage([picture])])
    assert later.target == "small"


def test_a_declared_question_is_judged_without_the_documents_around_it() -> None:
    from lc_costkit.cache.declared import question

    prompt = f"Documents: {HARD * 50}\nQuestion: Is it open?"
    assert router().explain(prompt).target == "large"
    with question("Is it open?"):
        assert router().explain(prompt).target == "small"
    with question("Something else?"):
        assert router().explain(prompt).target == "large"


# -- telling -------------------------------------------------------------------------------------


def test_the_mark_tags_metadata_and_callbacks_reach_the_model() -> None:
    watcher = Watcher()
    config: RunnableConfig = {"callbacks": [watcher], "tags": ["a"], "metadata": {"user": "u1"}}
    (ChatPromptTemplate.from_template("{q}") | router() | StrOutputParser()).invoke({"q": "hi"}, config)
    ((metadata, tags),) = watcher.starts
    mark = RouteMark.from_dict(metadata[ROUTE_KEY])
    assert mark is not None
    assert (mark.target, mark.chosen, mark.observed) == ("small", "small", False)
    assert mark.score == pytest.approx(0.0121)
    assert mark.reasons == ("small talk -1.20 (hi)",)
    assert mark.decision_seconds is not None
    assert metadata["user"] == "u1"
    assert "a" in tags


def test_a_mark_does_not_leak_into_the_next_call() -> None:
    watcher = Watcher()
    config: RunnableConfig = {"callbacks": [watcher], "metadata": {"user": "u1"}}
    asked, plain = router(), FakeListChatModel(responses=["x"])

    def twice(question: str) -> str:
        asked.invoke(question)
        plain.invoke(question)
        asked.invoke(HARD)
        return "done"

    RunnableLambda(twice).invoke("hi", config)
    assert [mark and mark.target for mark in watcher.marks] == ["small", None, "large"]
    assert config == {"callbacks": [watcher], "metadata": {"user": "u1"}}


def test_the_message_says_where_it_came_from_and_the_original_is_untouched() -> None:
    original = AIMessage("hello", response_metadata={"model_name": "m"})
    asked = ModelRouter({"only": GenericFakeChatModel(messages=iter([original]))})
    answer = asked.invoke("hi")
    assert answer.response_metadata["lc_costkit"]["route"]["target"] == "only"
    assert answer.response_metadata["model_name"] == "m"
    assert "lc_costkit" not in original.response_metadata
    assert pickle.loads(pickle.dumps(answer)) == answer  # noqa: S301


def test_in_a_stream_only_the_first_chunk_carries_the_decision() -> None:
    chunks = list(router().stream("hi"))
    assert [("lc_costkit" in chunk.response_metadata) for chunk in chunks] == [True] + [False] * (len(chunks) - 1)
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert whole.content == "small answer"
    assert whole.response_metadata["lc_costkit"]["route"]["target"] == "small"


def test_explain_calls_no_model() -> None:
    asked, small, large = recorders()
    explanation = asked.explain("some question")
    assert (explanation.target, explanation.strong) == ("small", "large")
    assert small.calls == large.calls == []


def test_names_show_in_the_graph() -> None:
    chain = ChatPromptTemplate.from_template("{q}") | router() | StrOutputParser()
    assert "ModelRouter<small,large>" in [node.name for node in chain.get_graph().nodes.values()]
    assert router(name="mine").get_name() == "mine"


# -- faults and switches -------------------------------------------------------------------------


def test_a_policy_that_raises_or_names_nobody_loses_no_request() -> None:
    def broken(request: RouteRequest) -> str:
        raise KeyError("gone")

    for policy in (broken, lambda request: "huge"):
        asked = router(policy=policy)
        watcher = Watcher()
        assert asked.invoke("hi", {"callbacks": [watcher]}).content == "large answer"
        assert asked.faults.total == 1
        (mark,) = watcher.marks
        assert mark is not None
        assert mark.reasons[0].startswith("the routing policy failed")


def test_input_no_model_takes_is_judged_by_the_strong_target() -> None:
    asked = router()
    with pytest.raises(ValueError, match="Invalid input type"):
        asked.invoke(42)  # type: ignore[arg-type]
    assert asked.faults.counts == {"reading the input: TypeError": 1}


def test_observe_mode_changes_nothing_but_the_record() -> None:
    watcher = Watcher()
    asked = router(mode="observe")
    answer = asked.invoke("hi", {"callbacks": [watcher]})
    assert answer.content == "large answer"
    assert answer.response_metadata == {}
    (mark,) = watcher.marks
    assert mark is not None
    assert (mark.target, mark.chosen, mark.observed) == ("large", "small", True)


async def test_switched_off_the_strong_target_answers_without_a_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DISABLE_VARIABLE, "1")
    watcher = Watcher()
    asked = router()
    config: RunnableConfig = {"callbacks": [watcher]}
    answers = [asked.invoke("hi", config), await asked.ainvoke("hi", config), *asked.batch(["hi", "hi"], config)]
    assert {answer.content for answer in answers} == {"large answer"}
    assert all(answer.response_metadata == {} for answer in answers)
    assert watcher.marks == [None] * 4


# -- preparing -----------------------------------------------------------------------------------


def test_bind_with_config_and_with_retry_reach_the_target_and_keep_each_other() -> None:
    small, large = Recorder("small"), Recorder("large")
    asked = ModelRouter({"small": small, "large": large}, policy=by_first_letter)
    prepared = asked.with_config(tags=["t"]).bind(stop=["."]).with_retry(stop_after_attempt=2).bind(top=1)
    prepared = prepared.with_config({"metadata": {"user": "u"}})
    assert isinstance(prepared, ModelRouter)
    assert prepared.invoke("so", stop=["!"]) == "small: so"
    (call,) = small.calls
    assert (call["stop"], call["top"]) == (["!"], 1)
    assert call["config"]["tags"] == ["t"]
    assert call["config"]["metadata"]["user"] == "u"
    with pytest.raises(ValueError, match="no answer"):
        prepared.with_retry(stop_after_attempt=1).invoke("fail")
    assert len(small.calls) == 3
    assert asked.invoke("so") == "small: so"
    assert "stop" not in small.calls[-1]


def test_tools_bound_after_retry_and_config_keep_both() -> None:
    attempts: list[dict[str, Any]] = []

    class Flaky(_WithTools):
        def _call(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            attempts.append(kwargs)
            if len(attempts) < 3:
                raise ConnectionError("again")
            return "there"

    watcher = Watcher()
    asked = ModelRouter({"only": Flaky(responses=["x"])})
    options = {"wait_exponential_jitter": False, "stop_after_attempt": 3}
    prepared = asked.with_retry(**options).with_config(callbacks=[watcher]).bind_tools([{"name": "t"}])
    assert prepared.invoke("hi").content == "there"
    assert [kwargs["tools"] for kwargs in attempts] == [[{"name": "t"}]] * 3
    assert len(watcher.starts) == 3


def test_fallbacks_fan_out_to_routers() -> None:
    class Down(_WithTools):
        def _call(self, *args: Any, **kwargs: Any) -> str:
            raise ConnectionError("down")

    first = ModelRouter({"only": Down(responses=["x"])})
    second = ModelRouter({"spare": _WithTools(responses=["spare answer"])})
    both = first.with_fallbacks([second]).bind_tools([{"name": "t"}])
    answer = both.invoke("hi")
    assert answer.content == "spare answer"
    assert answer.response_metadata["lc_costkit"]["route"]["target"] == "spare"


def test_the_mode_can_be_configured_for_each_call() -> None:
    asked = router().configurable_fields(mode=ConfigurableField(id="mode"))
    assert asked.invoke("hi").content == "small answer"
    assert asked.invoke("hi", {"configurable": {"mode": "observe"}}).content == "large answer"


def test_configurable_targets_take_their_part_of_the_config() -> None:
    small = FakeListChatModel(responses=["one"]).configurable_fields(responses=ConfigurableField(id="words"))
    asked = ModelRouter({"small": small, "large": FakeListChatModel(responses=["two"])})
    assert [spec.id for spec in asked.config_specs] == ["words"]
    assert asked.invoke("hi", {"configurable": {"words": ["three"]}}).content == "three"


def test_a_target_that_takes_no_tools_is_named() -> None:
    asked = ModelRouter({"plain": FakeListChatModel(responses=["x"]), "tools": _WithTools(responses=["y"])})
    with pytest.raises(ConfigurationError, match=r"target 'plain' \(FakeListChatModel\) cannot do bind_tools"):
        asked.bind_tools([{"name": "t"}])

    class Schema(BaseModel):
        x: int

    with pytest.raises(ConfigurationError, match=r"target 'small' .* cannot do with_structured_output"):
        recorders()[0].with_structured_output(Schema)


# -- batches -------------------------------------------------------------------------------------


async def test_each_target_gets_its_own_batch_and_order_is_kept() -> None:
    asked, small, large = recorders()
    inputs = ["s1", "l1", "s2", "l2", "s3"]
    expected = ["small: s1", "large: l1", "small: s2", "large: l2", "small: s3"]
    configs: list[RunnableConfig] = [{"metadata": {"n": n}} for n in range(5)]
    assert asked.batch(inputs, configs) == expected
    assert await asked.abatch(inputs, configs) == expected
    assert [sent for sent, _ in small.batches] == [["s1", "s2", "s3"]] * 2
    assert [[config["metadata"]["n"] for config in configs] for _, configs in large.batches] == [[1, 3]] * 2
    assert all(config["metadata"][ROUTE_KEY]["target"] == "large" for _, configs in large.batches for config in configs)
    assert asked.batch([]) == await asked.abatch([]) == []


async def test_exceptions_are_returned_in_their_place_or_raised() -> None:
    asked, _, _ = recorders()
    for answers in (
        asked.batch(["s", "fail", "l"], return_exceptions=True),
        await asked.abatch(["s", "fail", "l"], return_exceptions=True),
    ):
        assert (answers[0], answers[2]) == ("small: s", "large: l")
        assert isinstance(answers[1], ValueError)
    with pytest.raises(ValueError, match="no answer"):
        asked.batch(["s", "fail", "l"])
    with pytest.raises(ValueError, match="no answer"):
        await asked.abatch(["s", "fail", "l"])


class _Crowd(Runnable[Any, Any]):
    """Counts how many calls run at once."""

    lock = threading.Lock()
    inside = most = 0

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        with self._entered():
            threading.Event().wait(0.01)
        return input

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        with self._entered():
            await asyncio.sleep(0.01)
        return input

    def _entered(self) -> Any:
        from contextlib import contextmanager

        @contextmanager
        def entered() -> Iterator[None]:
            with _Crowd.lock:
                _Crowd.inside += 1
                _Crowd.most = max(_Crowd.most, _Crowd.inside)
            yield
            with _Crowd.lock:
                _Crowd.inside -= 1

        return entered()


async def test_max_concurrency_holds_over_all_targets() -> None:
    asked = ModelRouter({"small": _Crowd(), "large": _Crowd()}, policy=by_first_letter)
    inputs = ["s", "l"] * 6
    _Crowd.most = 0
    assert asked.batch(inputs, {"max_concurrency": 2}) == inputs
    assert await asked.abatch(inputs, {"max_concurrency": 2}) == inputs
    assert _Crowd.most <= 2


# -- being a model -------------------------------------------------------------------------------


def test_what_others_read_off_a_model_is_the_strong_targets() -> None:
    asked = router()
    assert asked._llm_type == "fake-list-chat-model"
    assert asked.responses == ["large answer"]
    assert asked.InputType == asked.targets["large"].InputType
    assert asked.OutputType == asked.targets["large"].OutputType
    with pytest.raises(AttributeError, match=r"ModelRouter has no 'generate'; call it on one target"):
        asked.generate([[HumanMessage("hi")]])
    with pytest.raises(AttributeError):
        _ = asked.no_such_thing
    assert not hasattr(recorders()[0], "profile")


def test_a_router_can_be_a_target() -> None:
    inner = router()
    outer = ModelRouter({"inner": inner, "other": FakeListChatModel(responses=["other answer"])})
    answer = outer.invoke("hi")
    assert answer.content == "small answer"
    assert answer.response_metadata["lc_costkit"]["route"]["target"] == "small"


def test_it_can_be_pickled_and_used_after() -> None:
    asked = pickle.loads(pickle.dumps(router(strong="small").bind(stop=["."])))  # noqa: S301
    assert (asked.strong, asked.bound_kwargs) == ("small", {"stop": ["."]})
    assert asked.invoke(HARD).content == "small answer"


def test_more_than_two_targets() -> None:
    asked = ModelRouter(
        [(name, FakeListChatModel(responses=[name])) for name in ("a", "b", "c")],
        policy=lambda request: RouteDecision(target=request.question),
    )
    assert [message.content for message in asked.batch(["c", "a", "b", "z"])] == ["c", "a", "b", "c"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"targets": {}}, "there are no targets"),
        ({"targets": {"": FakeListChatModel(responses=[])}}, "non-empty string"),
        ({"targets": [("a", FakeListChatModel(responses=[]))] * 2}, "two targets have one name"),
        ({"targets": {"a": "gpt-4o-mini"}}, "target 'a' must be a model or another Runnable, not 'gpt-4o-mini'"),
        ({"strong": "huge"}, r"strong='huge' is not a target; there are \['small', 'large'\]"),
        ({"mode": "off"}, "mode must be"),
        ({"policy": Rules(targets=("small", "huge"))}, r"names \['huge'\]"),
    ],
)
def test_bad_input_is_refused_at_construction(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ModelRouter(**{"targets": fakes(), **arguments})


@pytest.mark.parametrize("kind", [ModelRouter, Cascade])
def test_the_signature_shows_what_there_is_to_give(kind: type[Any]) -> None:
    told = set(inspect.signature(kind).parameters)
    assert {"targets", "policy", "strong", "mode", "on_error", "name"} <= told
    assert not [name for name in told if name.startswith("bound_") or name in ("drafting", "raw_wanted", "fields")]
    for line in pydoc.render_doc(kind, renderer=pydoc.plaintext).splitlines()[:12]:
        assert "bound_" not in line


class Endless(Runnable[Any, Any]):
    """Streams until it is closed, and notes that it was."""

    def __init__(self) -> None:
        self.closed = False

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> str:
        return "whole"

    def stream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[str]:
        try:
            while True:
                yield "piece"
        finally:
            self.closed = True

    async def astream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncIterator[str]:
        try:
            while True:
                yield "piece"
        finally:
            self.closed = True


async def test_closing_a_stream_closes_the_targets_at_once() -> None:
    for way in ("stream", "astream"):
        target = Endless()
        chunks: Any = getattr(ModelRouter({"only": target}), way)("Hi")
        if way == "stream":
            assert next(chunks) == "piece"
            chunks.close()
        else:
            assert await anext(chunks) == "piece"
            await chunks.aclose()
        assert target.closed


def test_any_iterator_is_a_stream() -> None:
    class Plain(Recorder):
        def stream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[str]:
            return iter(["a", "b"])

    assert list(ModelRouter({"only": Plain("only")}).stream("Hi")) == ["a", "b"]


def test_a_bound_config_does_not_hide_what_surrounds_the_call() -> None:
    watcher = Watcher()
    bound = router(policy=lambda request: "small").with_config(tags=["bound"])
    chain = RunnableLambda(lambda text: bound.invoke(text))
    chain.invoke("Hi", config={"callbacks": [watcher], "metadata": {"user": "u42"}, "tags": ["outer"]})
    ((metadata, tags),) = watcher.starts
    assert metadata["user"] == "u42"
    assert "bound" in tags


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"polcy": Rules()}, "ModelRouter has no option 'polcy'; did you mean 'policy'?"),
        ({"mod": "observe"}, "ModelRouter has no option 'mod'; did you mean 'mode'?"),
        ({"threshold": 0.1}, "ModelRouter has no option 'threshold'; it takes bound_config"),
    ],
)
def test_an_unknown_option_is_refused_not_ignored(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        ModelRouter(
            {"small": FakeListChatModel(responses=["a"]), "large": FakeListChatModel(responses=["b"])}, **options
        )


def test_a_target_called_strong_is_the_strong_one_wherever_it_stands() -> None:
    asked = ModelRouter(
        {
            "strong": FakeListChatModel(responses=["strong answer"]),
            "cheap": FakeListChatModel(responses=["cheap answer"]),
        }
    )
    assert asked.strong == "strong"
    assert asked.invoke(HARD).content == "strong answer"
    assert asked.invoke("hi").content == "cheap answer"
