"""How often, by whom and at whose expense are served answers checked?"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lc_costkit.cache.callables import is_coroutine
from lc_costkit.cache.judging import Judge, checked_judge
from lc_costkit.cache.key import CacheRequest
from lc_costkit.errors import ConfigurationError
from lc_costkit.ledger import Ledger
from lc_costkit.usage import UsageReading


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshAnswer:
    """What the model answers when it is asked again.

    Attributes:
        text: the answer as text; empty where it gave none that could be compared.
        reading: what the provider reported, to price it; ``None`` leaves it unpriced.
        payload: the answer as it would be stored, where it may be: it then answers the question it was
            asked for if the stored answer was wrong.
        metered: a meter of the framework has recorded the call.

    Raises:
        ConfigurationError: a field is of another kind.
    """

    text: str
    reading: UsageReading | None = None
    payload: str | None = None
    metered: bool = False

    def __post_init__(self) -> None:
        for name, value, kind in (
            ("text", self.text, str),
            ("reading", self.reading, UsageReading | None),
            ("payload", self.payload, str | None),
        ):
            if not isinstance(value, kind):
                raise ConfigurationError(f"FreshAnswer {name} must be {kind}, not {type(value).__name__}")


Ask = Callable[[CacheRequest], "str | FreshAnswer"]
"""Asks the model again; what it returns as plain text is unpriced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Check a share of the would-be semantic hits against a fresh answer of the model.

    Where the model can be asked, the stored answer is served at once and the model is asked in the
    background: LlamaIndex's ``cached_llm`` asks the LLM it wraps, LangChain's ``SemanticCache`` the
    model given as ``ask``. Without one, LangChain's cache returns the sampled call as a miss: the
    model answers as it would without a cache, and this answer is compared in the background. It is
    stored unless it is the same, and to the letter only where that stays unknown. In observe mode
    the model answers anyway, so every decision about a candidate is drawn from, those that were
    refused as well, and nothing else is asked.

    An entry whose answer was wrong for another question answers its own to the letter only from then on,
    and the operating point is raised when the checks put it in doubt (see
    ``lc_costkit.cache.tighten``). Observe mode only writes verdicts down, for ``recommend()``.

    The checks cost money: asking again about ``rate`` times what the hits had cost, and the judge.
    ``stats()`` shows it as ``verification_usd`` and takes it off what was saved.

    Args:
        rate: share of the semantic hits to check, above 0, at most 1.
        judge: compares the stored answer with the fresh one: ``same_text``, ``AlikeAnswers(...)``, a
            ``ModelJudge`` of ``lc_costkit.langchain.judging`` or ``lc_costkit.llama_index.judging``, or
            a function of your own. One that fails gives no verdict.
        ask: who answers again: a callable that takes the ``CacheRequest`` and returns text or a
            ``FreshAnswer``, or for ``SemanticCache`` a LangChain model. A model gets the messages of the
            call alone: bind to it what else the call carries, and give it the same settings and a
            timeout. It never uses the cache.
        ledger: keeps the calls that are made for checking, under the feature ``cache verification``.
            What a meter of the framework records there already is not recorded again.
        seed: makes the draw repeatable; ``None`` draws anew in every process.

    Raises:
        ConfigurationError: the rate is out of range, the judge or ``ask`` is not a plain callable, or the
            ledger not a ``Ledger``.
    """

    rate: float
    judge: Judge
    ask: Any = None
    ledger: Ledger | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        rate: object = self.rate
        if not isinstance(rate, int | float) or isinstance(rate, bool) or not math.isfinite(rate) or not 0 < rate <= 1:
            raise ConfigurationError(f"Sampled rate must be a share above 0 and at most 1, not {rate!r}")
        checked_judge(self.judge)
        if self.ask is not None and not callable(self.ask) and not asks_by_invoke(self.ask):
            raise ConfigurationError(
                f"Sampled ask must be a callable of the request or a LangChain model, not {self.ask!r:.200}"
            )
        if is_coroutine(self.ask):
            raise ConfigurationError(
                f"Sampled ask must be a plain function, not the coroutine function {self.ask!r:.200}: it is called "
                "in a thread of its own"
            )
        if self.ledger is not None and not isinstance(self.ledger, Ledger):
            raise ConfigurationError(f"Sampled ledger must be a Ledger, not {self.ledger!r:.200}")
        if self.seed is not None and (not isinstance(self.seed, int) or isinstance(self.seed, bool)):
            raise ConfigurationError(f"Sampled seed must be a whole number, not {self.seed!r}")


def asks_by_invoke(ask: object) -> bool:
    """Tell whether this is a model of a framework, which its adapter knows how to ask."""
    return callable(getattr(ask, "invoke", None))
