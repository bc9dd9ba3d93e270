"""Is it said, once, where the target that counts as the cheapest is the dearer one?"""

from __future__ import annotations

import logging

import pytest
from langchain_openai import ChatOpenAI

from lc_costkit import ModelRouter
from lc_costkit.llama_index import routed_llm
from lc_costkit.routing import Rules
from lc_costkit.routing.choose import TargetChooser
from lc_costkit.routing.target_model import TargetModel
from tests.support.llama_openai import OpenAIFunctionLLM

MINI, FULL = TargetModel("gpt-4o-mini", "openai"), TargetModel("gpt-4o", "openai")


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.name.endswith("price_order")]


def test_the_dear_target_first_is_warned_about_once_with_both_prices(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        TargetChooser(["big", "tiny"], policy=Rules()).check_models({"big": FULL, "tiny": MINI})
    (message,) = said(caplog)
    assert "'big' (gpt-4o), costs 2.5 USD per million tokens of input and 10 of output" in message
    assert "'tiny' (gpt-4o-mini): 0.15 and 0.6" in message
    assert "strong='big'" in message


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (MINI, FULL),
        (FULL, FULL),
        (FULL, TargetModel()),
        (TargetModel("a-model-of-ours"), MINI),
        (TargetModel("text-embedding-3-large", "openai"), MINI),
    ],
)
def test_nothing_is_said_where_the_order_fits_or_a_price_is_not_known(
    first: TargetModel, last: TargetModel, caplog: pytest.LogCaptureFixture
) -> None:
    TargetChooser(["one", "other"], policy=Rules()).check_models({"one": first, "other": last})
    TargetChooser(["one", "other"], policy=Rules()).check_models({})
    TargetChooser(["one"], policy=Rules()).check_models({"one": first})
    assert not said(caplog)


def test_a_dear_target_that_is_named_strong_is_the_last(caplog: pytest.LogCaptureFixture) -> None:
    TargetChooser(["full", "mini"], policy=Rules(), strong="full").check_models({"full": FULL, "mini": MINI})
    TargetChooser(["strong", "cheap"], policy=Rules()).check_models({"strong": FULL, "cheap": MINI})
    assert not said(caplog)


def test_both_frameworks_say_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    chat = {name: ChatOpenAI(model=name, api_key="unused") for name in ("gpt-4o", "gpt-4o-mini")}  # type: ignore[arg-type]
    router = ModelRouter(chat)
    assert len(said(caplog)) == 1
    router.bind(temperature=0).with_config(tags=["x"])
    ModelRouter({name: chat[name] for name in reversed(chat)})
    assert len(said(caplog)) == 1
    routed_llm({f"llm {name}": OpenAIFunctionLLM(model=name, base_url="http://127.0.0.1:1") for name in chat})
    assert len(said(caplog)) == 2
