"""How is a call made in every way a framework has, and held against the provider's bill?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from lc_costkit.langchain.callbacks import CostCallbackHandler
from lc_costkit.ledger import Ledger
from lc_costkit.record import CallRecord
from lc_costkit.testing import FakeAnswer, FakeProvider

LONG = "Policy: a card can be frozen in the app at any time, and thawed there too. " * 400
WHOLE = ("invoke", "ainvoke")
STREAMED = ("stream", "astream")
WAYS = (*WHOLE, *STREAMED)


@contextmanager
def answering(**said: Any) -> Iterator[FakeProvider]:
    """A provider whose every answer has these fields of ``FakeAnswer``."""
    with FakeProvider(answer=lambda request: FakeAnswer("It can be frozen in the app.", **said)) as provider:
        yield provider


def call(model: BaseChatModel | Any, way: str, *, system: Any = None, **config: Any) -> CallRecord:
    """Make one call in one way, metered, and return its record."""
    ledger = Ledger()
    given: Any = {"callbacks": [CostCallbackHandler(ledger)], **config}
    messages: list[BaseMessage] = [] if system is None else [SystemMessage(system)]
    messages.append(HumanMessage("How do I freeze my card?"))
    if way == "invoke":
        model.invoke(messages, config=given)
    elif way == "stream":
        assert list(model.stream(messages, config=given))
    elif way == "ainvoke":
        asyncio.run(model.ainvoke(messages, config=given))
    else:
        asyncio.run(_consumed(model, messages, given))
    assert ledger.faults.counts == {}
    (record,) = ledger.records()
    return record


async def _consumed(model: Any, messages: list[BaseMessage], config: Any) -> None:
    async for _ in model.astream(messages, config=config):
        pass


def as_billed(record: CallRecord, provider: FakeProvider) -> None:
    """The last call is in the ledger to the last digit, and nothing about it is doubted."""
    assert record.cost.usd == provider.log[-1].usd, (record.cost, provider.log[-1])
    assert provider.log[-1].usd
    assert record.cost.basis == "exact", record.cost.reasons


def around_the_bill(record: CallRecord, provider: FakeProvider) -> None:
    """The last call is an estimate whose bounds hold the bill, and it says why."""
    cost, billed = record.cost, provider.log[-1].usd
    assert billed
    assert cost.basis == "estimated"
    assert cost.reasons
    assert cost.low is not None and cost.high is not None and cost.usd is not None
    assert cost.low <= billed <= cost.high, (cost, billed)
    assert cost.low <= cost.usd <= cost.high
    assert cost.low < cost.high


def reports_openais_writes() -> bool:
    """Older langchain-openai reads what was written to the prompt cache as plain input."""
    from langchain_openai.chat_models.base import _create_usage_metadata

    usage = {"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"cache_write_tokens": 5}}
    return "cache_creation" in _create_usage_metadata(usage).get("input_token_details", {})


def marked(text: str, *lifetimes: str | None) -> list[dict[str, Any]]:
    """A system prompt for Anthropic with a cache breakpoint of each lifetime; None: one that states none."""
    blocks = []
    for number, lifetime in enumerate(lifetimes):
        control = {"type": "ephemeral"} | ({"ttl": lifetime} if lifetime else {})
        blocks.append({"type": "text", "text": f"Part {number}. {text}", "cache_control": control})
    return blocks
