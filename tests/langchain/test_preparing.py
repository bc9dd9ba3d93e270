"""Is what stands around a model still there when the model is given tools or a schema?"""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.runnables import ConfigurableField, Runnable, RunnableBinding, RunnableLambda
from langchain_core.runnables.configurable import RunnableConfigurableFields
from langchain_core.runnables.retry import RunnableRetry

from lc_costkit.errors import ConfigurationError
from lc_costkit.langchain.preparing import prepared
from lc_costkit.langchain.router import ModelRouter

TOOL = {"name": "t"}
OTHER = {"name": "other"}


class Model(FakeListChatModel):
    """Takes tools, and answers a schema with something that hides it."""

    def bind_tools(self, tools: Any, **kwargs: Any) -> Runnable[Any, Any]:
        return self.bind(tools=tools, **kwargs)

    def with_structured_output(self, schema: Any, **kwargs: Any) -> Runnable[Any, Any]:
        return RunnableLambda(lambda text: self.invoke(text).content)


def model() -> Model:
    return Model(responses=["one"])


def bind(target: Any, tool: dict[str, str] = TOOL) -> Any:
    return prepared(target, "bind_tools", ([tool],), {})


def layers(target: Any) -> list[Any]:
    """Return a runnable and what it stands around, outermost first."""
    found = [target]
    while (inner := getattr(found[-1], "bound", None)) is not None:
        found.append(inner)
    return found


def settings(target: Any) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for layer in reversed(layers(target)):
        merged |= getattr(layer, "kwargs", {})
    return merged


def test_bound_settings_stay_and_tools_are_replaced() -> None:
    first = bind(model().bind(stop=["."]))
    second = bind(first, OTHER)
    assert settings(first) == {"stop": ["."], "tools": [TOOL]}
    assert settings(second) == {"stop": ["."], "tools": [OTHER]}
    assert len(layers(bind(bind(model()), OTHER))) == 2


def test_a_bound_config_stays() -> None:
    made = bind(model().with_config(tags=["a"]).bind(stop=["."]))
    assert [tag for layer in layers(made) for tag in getattr(layer, "config", {}).get("tags", ())] == ["a"]
    assert settings(made) == {"stop": ["."], "tools": [TOOL]}


def test_retries_stay() -> None:
    made = bind(model().bind(stop=["."]).with_retry(stop_after_attempt=7))
    (retry,) = [layer for layer in layers(made) if isinstance(layer, RunnableRetry)]
    assert retry.max_attempt_number == 7
    assert settings(made) == {"stop": ["."], "tools": [TOOL]}


def test_configurable_fields_stay_inside_what_is_bound() -> None:
    target = model().configurable_fields(responses=ConfigurableField(id="words"))
    made = bind(target.bind(stop=["."]))
    assert isinstance(layers(made)[-1], RunnableConfigurableFields)
    assert made.invoke("hi", {"configurable": {"words": ["two"]}}).content == "two"
    assert settings(made) == {"stop": ["."], "tools": [TOOL]}


def test_what_would_be_lost_is_an_error() -> None:
    target: Any = model().configurable_fields(responses=ConfigurableField(id="words"))
    with pytest.raises(ConfigurationError, match="its configurable fields would be lost in RunnableLambda"):
        ModelRouter({"only": target}).with_structured_output({"title": "t"})


def test_the_original_is_not_touched() -> None:
    target = model().bind(stop=["."], tools=[OTHER])
    bind(target)
    assert isinstance(target, RunnableBinding)
    assert target.kwargs == {"stop": ["."], "tools": [OTHER]}
