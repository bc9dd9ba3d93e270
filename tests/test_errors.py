"""Do errors say what was given, and not all of it?"""

from __future__ import annotations

import pytest
from langchain_openai import ChatOpenAI
from llama_index.core.llms import MockLLM

from lc_costkit import Cascade, ConfigurationError, ModelRouter, Rules, first_sure
from lc_costkit.errors import shown


def test_a_model_is_called_by_its_type_and_name() -> None:
    model = ChatOpenAI(model="gpt-4o-mini", api_key="not-needed")
    assert shown(model) == "ChatOpenAI gpt-4o-mini"
    assert shown(model.bind(stop=["."])).endswith("Binding gpt-4o-mini")
    assert shown(list(range(1_000))) == f"list {str(list(range(1_000)))[:80]}..."


def test_errors_about_a_model_in_the_wrong_place_are_short() -> None:
    model = ChatOpenAI(model="gpt-4o-mini", api_key="not-needed")
    wrong = (
        lambda: first_sure(Rules(), model),
        lambda: ModelRouter({"cheap": model}, policy=model),
        lambda: Cascade({"cheap": model}, [model]),
    )
    for build in wrong:
        with pytest.raises(ConfigurationError, match="ChatOpenAI gpt-4o-mini cannot be called"):
            build()
    with pytest.raises(ConfigurationError, match="target 'cheap' must be a model or another Runnable, not MockLLM"):
        ModelRouter({"cheap": MockLLM()})


def test_a_list_of_models_is_told_what_to_write() -> None:
    model = ChatOpenAI(model="gpt-4o-mini", api_key="not-needed")
    with pytest.raises(ConfigurationError, match=r'not list; write \{"cheap": \.\.\., "strong": \.\.\.\}'):
        ModelRouter([model, model])  # type: ignore[list-item]
