"""Are three defects of a router that others ship not ours?

Found in cascadeflow 1.2.0's wrapper of LangChain models: structured output raised ``AttributeError``, both models were
sent the tools in the format of one of them, and a stream held the rejected draft and the accepted answer, joined.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from pydantic import BaseModel

from lc_costkit.langchain.cascade import Cascade
from lc_costkit.langchain.many_models import ManyModels
from lc_costkit.langchain.router import ModelRouter
from lc_costkit.routing import Answer, RouteRequest, Verdict
from lc_costkit.routing.checks import no_refusal
from lc_costkit.testing import FakeAnswer, FakeProvider, FakeRequest, FakeToolCall, Fault
from tests.conftest import chat_anthropic, chat_openai
from tests.langchain.test_router import HARD

DRAFT = "I'm sorry, but I cannot help with that, whatever else you may ask of me today."
ACCEPTED = "There are infinitely many primes, since no finite list of them holds all."


class User(BaseModel):
    """A user."""

    name: str
    age: int


@tool
def find_user(name: str) -> str:
    """Find a user."""
    return name


def told(request: FakeRequest) -> FakeAnswer:
    """The small model declines, or gives what breaks the schema; the large one answers."""
    small = request.provider == "openai"
    if request.response_schema is not None or any(one.name == "User" for one in request.tools):
        values = {"name": "Ann", "age": "unknown" if small else 31}
        if request.tools:
            return FakeAnswer(tool_calls=(FakeToolCall(name="User", arguments=values),))
        return FakeAnswer(str(values).replace("'", '"'))
    if request.tools and not small:
        return FakeAnswer(tool_calls=(FakeToolCall(name="find_user", arguments={"name": "Ann"}),))
    return FakeAnswer(DRAFT if small else ACCEPTED)


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=told) as running:
        yield running


@pytest.fixture
def models(provider: FakeProvider) -> dict[str, BaseChatModel]:
    return {"small": chat_openai(provider), "large": chat_anthropic(provider, "claude-sonnet-4-6")}


@pytest.fixture
def cascade(models: dict[str, Any]) -> Cascade:
    return Cascade(models, checks=[no_refusal])


@pytest.fixture
def router(models: dict[str, Any]) -> ModelRouter:
    return ModelRouter(models)


def asked(provider: FakeProvider) -> list[str]:
    return [call.provider for call in provider.log]


# -- with_structured_output(...).invoke(...): AttributeError: no attribute 'generate' ------------


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
async def test_structured_output_is_parsed_by_a_router(router: ModelRouter, method: str) -> None:
    structured = router.with_structured_output(User, method=method)
    assert structured.invoke(HARD) == await structured.ainvoke(HARD) == User(name="Ann", age=31)


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
async def test_structured_output_is_parsed_by_a_cascade(provider: FakeProvider, cascade: Cascade, method: str) -> None:
    structured = cascade.with_structured_output(User, method=method)
    assert structured.invoke("Who?") == await structured.ainvoke("Who?") == User(name="Ann", age=31)
    assert asked(provider) == ["openai", "anthropic"] * 2  # the draft has no age, and went up


# -- bind_tools: the keyword arguments of both models were merged --------------------------------


@pytest.mark.parametrize("kind", [ModelRouter, Cascade])
def test_tools_are_sent_in_each_providers_own_format(
    provider: FakeProvider, models: dict[str, Any], kind: type[ManyModels]
) -> None:
    made: Any = kind(models) if kind is ModelRouter else Cascade(models, checks=[no_refusal])
    prepared = made.bind_tools([find_user])
    for question in ("hi", HARD):
        prepared.invoke(question)
    assert set(asked(provider)) == {"openai", "anthropic"}
    for call in provider.log:
        (sent,) = (call.body or {})["tools"]
        if call.provider == "openai":
            assert set(sent) == {"type", "function"}
            assert sent["function"]["parameters"]["required"] == ["name"]
        else:
            assert {"name", "description", "input_schema"} <= set(sent)
            assert "function" not in sent
            assert sent["input_schema"]["required"] == ["name"]


# -- stream: the rejected draft and the verified answer, joined ----------------------------------


class Tokens(BaseCallbackHandler):
    """Keeps every piece of text a streaming handler is told of."""

    def __init__(self) -> None:
        self.text = ""

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        self.text += str(token)


async def streams(model: Any) -> dict[str, str]:
    """Return the text of each way there is to stream a model."""
    chain = ChatPromptTemplate.from_template("{q}") | model | StrOutputParser()
    found = {
        "stream": "".join(chunk.text for chunk in model.stream(HARD)),
        "astream": "".join([chunk.text async for chunk in model.astream(HARD)]),
        "chain": "".join(chain.stream({"q": HARD})),
        "transform": "".join(chunk.text for chunk in model.transform(iter([HARD]))),
        "atransform": "".join([chunk.text async for chunk in model.atransform(_once(HARD))]),
    }
    events = [event async for event in model.astream_events(HARD, version="v2")]
    pieces = [event["data"]["chunk"].text for event in events if event["event"] == "on_chat_model_stream"]
    found["astream_events"] = "".join(pieces)
    handler = Tokens()
    list(model.stream(HARD, {"callbacks": [handler]}))
    found["on_llm_new_token"] = handler.text
    graph = StateGraph(MessagesState)
    graph.add_node("answer", lambda state: {"messages": [model.invoke(state["messages"])]})
    graph.add_edge(START, "answer")
    compiled: Any = graph.compile()
    sent = compiled.stream({"messages": [("user", HARD)]}, stream_mode="messages")
    found["LangGraph messages"] = "".join(chunk.text for chunk, _ in sent if isinstance(chunk, AIMessageChunk))
    return found


async def _once(value: str) -> Any:
    yield value


async def test_a_stream_of_a_router_holds_one_answer_even_after_a_failure(
    provider: FakeProvider, models: dict[str, Any]
) -> None:
    router = ModelRouter(models, policy=lambda request: "small", on_error="next")
    provider.fail_next(Fault.server_error(), times=100, match=lambda request: request.provider == "openai")
    for way, text in (await streams(router)).items():
        assert text == ACCEPTED, way
    assert asked(provider).count("openai") == asked(provider).count("anthropic") > 0


async def test_a_rejected_draft_is_in_no_stream_of_a_cascade(provider: FakeProvider, cascade: Cascade) -> None:
    for way, text in (await streams(cascade)).items():
        assert text == ACCEPTED, way
    assert asked(provider).count("openai") == asked(provider).count("anthropic") > 0


async def test_an_accepted_draft_is_in_every_stream_of_a_cascade_once(models: dict[str, Any]) -> None:
    def content(request: RouteRequest, answer: Answer) -> Verdict:
        return Verdict(passed=True)

    found = await streams(Cascade(models, checks=[content]))
    for way in ("stream", "astream", "chain", "transform", "atransform"):
        assert found[way] == DRAFT, way
