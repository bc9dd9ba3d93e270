"""Is all counted that a request has cost, each call once?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import LLM
from pydantic import BaseModel, Field

from lc_costkit.cache import Cache
from lc_costkit.llama_index import LLMClassifier, cached_llm, cascade_llm, routed_llm
from lc_costkit.llama_index.delegating import ChatRequest
from lc_costkit.llama_index.spending import Spending, asend, counted_by, send
from lc_costkit.marks import MARK, ROUTE_KEY
from lc_costkit.pricing import PriceBook
from lc_costkit.routing.answer import failed
from lc_costkit.routing.checks import SelfConsistent
from lc_costkit.testing import FakeAnswer, FakeProvider, FakeRequest, FakeToolCall
from tests.support.llama_openai import OpenAIFunctionLLM

HELLO = ChatRequest(messages=[ChatMessage("What is the capital?")])

Make = Callable[..., OpenAIFunctionLLM]


def no(request: Any, answer: Any) -> Any:
    return failed("no")


def cascade(make: Make) -> LLM:
    return cascade_llm({"cheap": make("gpt-4o"), "strong": make("gpt-4o-mini")}, [no])


KINDS: dict[str, Callable[[Make], LLM]] = {
    "plain": lambda make: make(),
    "cascade": cascade,
    "cascade with its own limit": lambda make: cascade_llm({"a": make("gpt-4o"), "b": make()}, [no], max_usd=1),
    "cascade with samples": lambda make: cascade_llm({"a": make(), "b": make()}, [SelfConsistent(samples=2), no]),
    "cascade in a cascade": lambda make: cascade_llm({"a": cascade(make), "b": make()}, [no]),
    "router that asks": lambda make: routed_llm({"a": cascade(make), "b": make()}, LLMClassifier(make())),
    "cache before a cascade": lambda make: cached_llm(cascade(make), Cache()),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
async def test_what_is_counted_is_what_is_billed(
    kind: Callable[[Make], LLM], make_llama_llm: Make, provider: FakeProvider
) -> None:
    llm, spending = kind(make_llama_llm), Spending(PriceBook())
    with counted_by(spending):
        send(HELLO, llm)
        await asend(HELLO, llm)
    assert spending() == provider.billed_usd > 0


def test_a_limit_counts_the_drafts_of_a_cascade_below(make_llama_llm: Make, provider: FakeProvider) -> None:
    cascade(make_llama_llm).chat(HELLO.messages)
    draft, last = (call.usd or 0 for call in provider.log)
    assert draft > 3 * last
    targets = {"cheap": cascade(make_llama_llm), "strong": make_llama_llm("gpt-4o-mini")}
    route = cascade_llm(targets, [no], max_usd=str(draft)).chat(HELLO.messages).additional_kwargs[MARK][ROUTE_KEY]
    assert route["stopped"] == f"strong would take it past {draft} USD"


def test_an_answer_whose_cost_cannot_be_read_is_not_lost(make_llama_llm: Make, provider: FakeProvider) -> None:
    class Broken(PriceBook):
        def price(self, *args: Any, **options: Any) -> Any:
            raise ZeroDivisionError

    spending = Spending(Broken())
    with counted_by(spending):
        assert send(HELLO, make_llama_llm()).message.content
    assert spending() is None


class Noted(OpenAIFunctionLLM):
    """Notes what it has answered; its second call fails, and those after it take a while."""

    noted: list[str] = Field(default_factory=list)
    asked: int = 0

    async def _achat(self, *args: Any, **kwargs: Any) -> Any:
        self.asked += 1
        if self.asked == 2:
            raise RuntimeError("the first sample")
        await asyncio.sleep(0.05 if self.asked > 2 else 0)
        response = await super()._achat(*args, **kwargs)
        self.noted.append(self.model)
        return response


async def test_all_samples_are_waited_for_where_one_fails(provider: FakeProvider) -> None:
    cheap, strong = (Noted(model=model, base_url=provider.openai_base_url) for model in ("gpt-4o-mini", "gpt-4o"))
    cheap.noted = strong.noted = []
    llm = cascade_llm({"cheap": cheap, "strong": strong}, [SelfConsistent(samples=3)])
    await llm.achat(HELLO.messages)
    assert cheap.noted == ["gpt-4o-mini"] * 3 + ["gpt-4o"]


def test_a_draft_that_cannot_be_read_is_not_taken_for_free(make_llama_llm: Make, provider: FakeProvider) -> None:
    class City(BaseModel):
        name: str

    def answer(request: FakeRequest) -> str | FakeAnswer:
        return FakeAnswer(tool_calls=(FakeToolCall(name="City", arguments={}),)) if request.tools else "Rome"

    with FakeProvider(answer=answer) as typed:
        plain = make_llama_llm(base_url=typed.openai_base_url)
        llm = cascade_llm({"a": plain.as_structured_llm(City), "b": plain, "strong": plain}, [no], max_usd=1)
        llm.chat(HELLO.messages)
        assert len(typed.log) == 3
    assert llm.faults.counts == {"keeping max_usd: LookupError": 1}
