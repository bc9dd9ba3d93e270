"""What does each endpoint make of a request it understood?"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol

from lc_costkit.testing.answers import AnswerFunction, as_answer
from lc_costkit.testing.anthropic_prompt import prepare_messages
from lc_costkit.testing.call_log import CallLog
from lc_costkit.testing.charges import terms_of
from lc_costkit.testing.clock import FakeClock
from lc_costkit.testing.faults import FaultQueue
from lc_costkit.testing.prompt_cache import Count, PromptCache
from lc_costkit.testing.rates import Metered, ModelRate
from lc_costkit.testing.records import FakeAnswer, FakeRequest, Provider
from lc_costkit.testing.wire import Frame, Prepared, Reply, Wire, WireError, generate
from lc_costkit.tokens import TokenCounter

_logger = logging.getLogger(__name__)

_COUNTS_KEPT = 4096
"""Texts whose token counts are remembered for each model: system prompts and documents come again."""


@dataclass(slots=True, kw_only=True)
class State:
    """What all endpoints of one provider share."""

    answer: AnswerFunction
    rates: Mapping[str, ModelRate]
    clock: FakeClock
    cache: PromptCache
    latency_seconds: float
    chunk_seconds: float
    keep_alive: bool
    api_key: str | None
    faults: FaultQueue = field(default_factory=FaultQueue)
    log: CallLog = field(default_factory=CallLog)
    counts: dict[str, Count] = field(default_factory=dict)

    def count_for(self, model: str) -> Count:
        """The token count of ``model``."""
        count = self.counts.get(model)
        if count is None:
            count = self.counts[model] = lru_cache(maxsize=_COUNTS_KEPT)(TokenCounter(model).count)
        return count


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An answer that is ready to be sent."""

    payload: Mapping[str, Any]
    """The answer in one piece; empty where it is streamed."""
    metered: Metered
    usage_of: Callable[[Metered], dict[str, Any] | None]
    """The usage in the provider's words, for these counts."""
    model: str
    usd_of: Callable[[Metered], Decimal | None] | None = None
    """What is billed for these counts (USD); by the model's plain rate if it is not given."""
    tier: str | None = None
    frames: Iterator[Frame] | None = None
    """The events of a stream, if one was asked for."""
    free: bool = False


class Endpoint(Protocol):
    """What a path answers."""

    provider: Provider

    def prepare(self, state: State, body: Mapping[str, Any], *, number: int, path: str) -> Prepared:
        """Understand the request.

        Raises:
            WireError: the provider would refuse it.
        """

    def answer(self, state: State, prepared: Prepared) -> Outcome:
        """Work out the answer.

        Raises:
            WireError: the provider would refuse the request after all.
        """


class Chat:
    """A model's answer, in the wire format it was asked in."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.provider: Provider = wire.provider

    def prepare(self, state: State, body: Mapping[str, Any], *, number: int, path: str) -> Prepared:
        """Understand the request; see ``Endpoint``."""
        return self._wire.prepare(body, number=number, path=path, count=state.count_for(model_of(body)))

    def answer(self, state: State, prepared: Prepared) -> Outcome:
        """Ask the answer function, count, and apply the prompt cache; see ``Endpoint``."""
        request = prepared.request
        count = state.count_for(request.model)
        answers = [asked(state.answer, request, choice) for choice in range(prepared.choices)]
        generations = tuple(generate(answer, prepared, self._wire, count) for answer in answers)
        terms = terms_of(answers, request, prepared.tier, state.rates)
        now = state.clock.timestamp()
        read = state.cache.meter(request.model, prepared.blocks, now=now, count=count, retention=prepared.retention)
        metered = Metered(
            uncached=read.uncached + prepared.trailing_tokens,
            cache_read=read.cache_read,
            cache_write=read.cache_write,
            cache_write_1h=read.cache_write_1h,
            output=sum(one.tokens for one in generations),
            reasoning=sum(one.reasoning for one in generations),
            input_audio=terms.input_audio,
            output_audio=terms.output_audio,
        )
        if (request.body.get("prompt_cache_options") or {}).get("ttl") == "12h":
            metered = replace(metered, cache_write=0, cache_write_12h=metered.cache_write)

        def reply(counts: Metered) -> Reply:
            return Reply(
                prepared=prepared,
                generations=generations,
                metered=counts,
                model=_answered_name(state.rates, terms.answered_by or request.model),
                terms=terms,
                created=math.floor(now),
            )

        whole = reply(metered)
        return Outcome(
            payload={} if request.stream else self._wire.render(whole),
            metered=metered,
            usage_of=lambda counts: self._wire.usage(reply(counts)),
            model=whole.model,
            tier=terms.tier,
            usd_of=lambda counts: terms.usd(state.rates, request.model, counts),
            frames=self._wire.frames(whole) if request.stream else None,
        )


class CountTokens:
    """Anthropic's free token count."""

    provider: Provider = "anthropic"

    def prepare(self, state: State, body: Mapping[str, Any], *, number: int, path: str) -> Prepared:
        """Understand the request; see ``Endpoint``."""
        count = state.count_for(model_of(body))
        return prepare_messages(body, number=number, path=path, count=count, needs_max_tokens=False)

    def answer(self, state: State, prepared: Prepared) -> Outcome:
        """The input tokens of the prompt; see ``Endpoint``."""
        tokens = sum(block.tokens for block in prepared.blocks) + prepared.trailing_tokens
        return Outcome(
            payload={"input_tokens": tokens},
            metered=Metered(),
            usage_of=lambda counts: None,
            model=prepared.request.model,
            free=True,
        )


def model_of(body: Mapping[str, Any]) -> str:
    """The model a body names, or a stand-in by which its text can be counted."""
    model = body.get("model")
    return model if isinstance(model, str) and model.strip() else "unnamed"


def asked(answer: AnswerFunction, request: FakeRequest, choice: int) -> FakeAnswer:
    """What the answer function says; its own errors are shown to the client, which does not retry them.

    Raises:
        WireError: the function raised, or returned neither text nor a ``FakeAnswer``.
    """
    try:
        return as_answer(answer(replace(request, choice=choice)))
    except Exception as error:
        _logger.exception("the answer function of FakeProvider failed on request %d", request.number)
        raise WireError(f"the answer function failed: {type(error).__name__}: {error}") from error


def _answered_name(rates: Mapping[str, ModelRate], model: str) -> str:
    rate = rates.get(model)
    return model if rate is None or rate.snapshot is None else rate.snapshot
