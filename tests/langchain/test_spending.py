"""Does a cascade know what its calls have cost?"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from pydantic import BaseModel, ValidationError

from lc_costkit import PriceBook, SemanticCache
from lc_costkit.langchain.spending import Spending
from lc_costkit.testing import FakeProvider, Fault
from tests.conftest import chat_anthropic, chat_openai


async def test_the_sum_is_what_the_providers_bill(provider: FakeProvider) -> None:
    spending = Spending(PriceBook())
    config: Any = {"callbacks": [spending]}
    assert spending() == 0
    openai, anthropic = chat_openai(provider), chat_anthropic(provider)
    openai.invoke("hi", config)
    list(anthropic.stream("ho", config))
    await anthropic.ainvoke("hum", config)
    assert spending() == provider.billed_usd > 0


def test_a_call_that_failed_is_not_counted(provider: FakeProvider) -> None:
    spending = Spending(PriceBook())
    provider.fail_next(Fault.server_error())
    with pytest.raises(Exception, match="500"):
        chat_openai(provider).invoke("hi", {"callbacks": [spending]})
    assert spending() == 0


def test_an_answer_that_its_client_cannot_read_is_counted() -> None:
    class City(BaseModel):
        name: str

    with FakeProvider(answer=lambda request: "no JSON") as provider:
        spending = Spending(PriceBook())
        model = chat_openai(provider).with_structured_output(City, method="json_schema")
        with pytest.raises(ValidationError):
            model.invoke("hi", {"callbacks": [spending]})
        assert spending() == provider.billed_usd > 0


def test_what_a_cache_answers_costs_nothing(provider: FakeProvider) -> None:
    model = chat_openai(provider, cache=SemanticCache())
    model.invoke("What is the capital of France?")
    spending = Spending(PriceBook())
    model.invoke("What is the capital of France?", {"callbacks": [spending]})
    assert provider.calls == 1
    assert spending() == Decimal(0)


def test_one_cost_that_is_not_known_makes_the_sum_unknown(provider: FakeProvider) -> None:
    spending = Spending(PriceBook())
    chat_openai(provider).invoke("hi", {"callbacks": [spending]})
    FakeListChatModel(responses=["x"]).invoke("hi", {"callbacks": [spending]})
    assert spending() is None
