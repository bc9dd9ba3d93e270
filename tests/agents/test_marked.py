"""Is a marked model the model itself, but for what it tells?"""

from __future__ import annotations

import copy
import gc
from typing import Any

import pytest
from langchain.agents.middleware.types import ModelRequest
from langchain_anthropic import ChatAnthropic
from langchain_core.callbacks import BaseCallbackHandler, CallbackManager
from langchain_core.language_models.fake_chat_models import FakeListChatModel, FakeMessagesListChatModel
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, HumanMessage

from lc_costkit import Budget, Ledger, budgeted
from lc_costkit.agents.marked import Failures, Heard, marked
from lc_costkit.marks import ROUTE_KEY, RouteMark
from lc_costkit.testing import FakeProvider
from tests.conftest import chat_anthropic, chat_openai

MARK = RouteMark(target="cheap")


class Starts(BaseCallbackHandler):
    """Keeps the metadata of each call."""

    def __init__(self) -> None:
        self.metadata: list[dict[str, Any]] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        self.metadata.append(kwargs["metadata"])


@pytest.mark.parametrize("managed", [False, True], ids=["list", "manager"])
async def test_it_tells_besides_what_the_model_tells(managed: bool, provider: FakeProvider) -> None:
    own, heard = Starts(), Heard()
    callbacks: Any = CallbackManager([own]) if managed else [own]
    model = chat_openai(provider, metadata={"feature": "f"}, callbacks=callbacks)
    told = marked(model, MARK, heard)
    told.invoke("Hello")
    await told.ainvoke("Hello", {"metadata": {ROUTE_KEY: "strong"}})
    assert [one[ROUTE_KEY] for one in own.metadata] == [MARK.to_dict()] * 2
    assert {one["feature"] for one in own.metadata} == {"f"}
    model.invoke("Hello")
    assert ROUTE_KEY not in own.metadata[2]
    assert heard.answers == 2
    assert len(getattr(model.callbacks, "handlers", model.callbacks)) == 1


def test_it_is_of_the_models_own_kind_and_the_same_to_a_cache(provider: FakeProvider) -> None:
    for model in (chat_openai(provider), chat_anthropic(provider)):
        told: Any = marked(model, MARK, Heard())
        assert isinstance(told, type(model))
        assert (told._llm_type, type(told).__name__, told.profile) == (
            model._llm_type,
            type(model).__name__,
            model.profile,
        )
        assert told._get_llm_string() == model._get_llm_string()
        assert dumps(told) == dumps(model)
        assert told == marked(model, MARK, Heard())


def test_what_a_model_makes_when_it_is_first_called_is_made_once(provider: FakeProvider) -> None:
    model = chat_anthropic(provider)
    assert "_client" not in vars(model)
    clients = []
    for _ in range(2):
        told: Any = marked(model, MARK, Heard())
        told.invoke("Hello")
        clients.append(told._client)
    assert clients[0] is clients[1] is vars(model)["_client"]


def test_a_list_of_answers_goes_on() -> None:
    model = FakeListChatModel(responses=["one", "two", "three"])
    assert [marked(model, MARK, Heard()).invoke("?").text for _ in range(3)] == ["one", "two", "three"]
    messages = FakeMessagesListChatModel(responses=[AIMessage("one"), AIMessage("two")])
    assert [marked(messages, MARK, Heard()).invoke("?").text for _ in range(2)] == ["one", "two"]


def test_a_copy_tells_the_same(provider: FakeProvider) -> None:
    heard = Heard()
    told = marked(chat_anthropic(provider), MARK, heard)
    for other in (told.model_copy(update={"temperature": 0.1}), copy.copy(told)):
        assert (other.metadata or {})[ROUTE_KEY] == MARK.to_dict()
        other.invoke("Hello")
    assert heard.answers == 2


def test_what_is_set_on_it_is_set_on_the_model(provider: FakeProvider) -> None:
    model = chat_openai(provider)
    told = marked(model, MARK, Heard())
    told.temperature = 0.5
    assert model.temperature == 0.5


def test_a_budget_around_the_model_stays(provider: FakeProvider, tmp_path: Any) -> None:
    heard, budget = Heard(), Budget(calls=5)
    with Ledger(tmp_path / "l.db") as ledger:
        model = budgeted(chat_anthropic(provider), budget, ledger)
        told = marked(model, MARK, heard)
        assert isinstance(told, ChatAnthropic)
        told.invoke("Hello")
        list(told.stream("Hello"))
    assert (budget.status().spent, heard.answers) == (2, 2)


def test_marking_twice_tells_the_last_and_is_heard_by_both(provider: FakeProvider) -> None:
    first, second = Heard(), Heard()
    twice = marked(marked(chat_openai(provider), MARK, first), RouteMark(target="strong"), second)
    assert (twice.metadata or {})[ROUTE_KEY]["target"] == "strong"
    twice.invoke("Hello")
    assert (first.answers, second.answers) == (1, 1)


# -- failures -----------------------------------------------------------------------------


def test_a_failed_call_is_forgotten_with_its_step(provider: FakeProvider) -> None:
    failures = Failures()
    own, other = chat_openai(provider), chat_openai(provider)
    message = HumanMessage("Hello")
    request: ModelRequest[Any] = ModelRequest(model=own, messages=[], state={"messages": [message]})
    assert not failures.replaced(request)
    failures.note(request)
    assert not failures.replaced(request)
    assert failures.replaced(request.override(model=other))
    twin: Any = {"messages": [HumanMessage("Hello")]}
    assert not failures.replaced(request.override(model=other, state=twin))
    nothing: ModelRequest[Any] = ModelRequest(model=own, messages=[])
    failures.note(nothing)
    assert not failures.replaced(nothing)
    assert len(failures) == 1
    del request, message
    gc.collect()
    assert len(failures) == 0
