"""What does a call of an embedding model become?

Neither framework tells what an embedding used. Where the provider's client can be watched its
own count is taken, and the cost is as exact as that of any other call. Elsewhere tokens are
counted here, and the cost is ``estimated``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from lc_costkit.cache.aside import current_aside, in_lookup
from lc_costkit.embedding.wrap import named_model, runs_locally
from lc_costkit.errors import ConfigurationError
from lc_costkit.failure import may_be_billed
from lc_costkit.ledger import Ledger
from lc_costkit.marks import VERIFICATION_FEATURE
from lc_costkit.metering import Meter, OpenCall, Outcome, failed, owner, plain_metadata
from lc_costkit.pricing import PriceBook
from lc_costkit.prompt import Prompt
from lc_costkit.readers import read_usage
from lc_costkit.record import CallRecord, Framework, Plain
from lc_costkit.switch import disabled
from lc_costkit.usage import TokenUsage, UsageReading

Seen = list[Any]
"""What a provider answered, call by call; holds its usage report, not the vectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a framework says of the run in which an embedding is made.

    Attributes:
        trace_id: the outermost run.
        parent_id: the run that embeds.
        metadata: of that run; ``feature``, ``user`` and ``team`` in it say whom it is for.
        tags: of that run.
        leave_out: metadata that is the framework's own.
    """

    trace_id: str | None = None
    parent_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    leave_out: Callable[[str], bool] = lambda name: False


class EmbeddingMeter:
    """Writes what the calls of one embedding model cost to a ledger. Never raises into a call.

    Within the lookup of a semantic cache it records nothing: there the cost belongs to the call
    that waits, which reports it. Copies share it, so that they write to the same ledger.

    Args:
        ledger: where calls are kept.
        model: the embedding object, from which the model's name is taken.
        framework: where it is metered.
        around: tells of the run an embedding is made in.
        provider: a genai-prices provider id, where it is known.
        prices: how calls are priced; the public price list by default.
        feature: who the money is for, where the run around says nothing of it.
        user: likewise.
        team: likewise.
        metadata: more plain values; those of the run around come on top.
        on_record: called with each record after it was written.

    Raises:
        ConfigurationError: an argument is of the wrong kind.
    """

    def __init__(
        self,
        ledger: Ledger,
        model: object,
        *,
        framework: Framework,
        around: Callable[[Ledger], Around],
        provider: str | None = None,
        prices: PriceBook | None = None,
        feature: str | None = None,
        user: str | None = None,
        team: str | None = None,
        metadata: Mapping[str, Plain] | None = None,
        on_record: Callable[[CallRecord], None] | None = None,
    ) -> None:
        if metadata is not None and not isinstance(metadata, Mapping):
            raise ConfigurationError(f"metadata must be a mapping of names to plain values, not {metadata!r}")
        self._meter = Meter(ledger, prices=prices, on_record=on_record)
        self._framework = framework
        self._around = around
        self._provider = provider
        self._model = named_model(model)
        self._runs_here = runs_locally(model)
        owners = {"feature": feature, "user": user, "team": team}
        self._own = {**(metadata or {}), **{name: value for name, value in owners.items() if value is not None}}

    @property
    def ledger(self) -> Ledger:
        """Where calls are kept; its ``faults`` count what went wrong here."""
        return self._meter.ledger

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    @contextmanager
    def call(self, inputs: object, *, model: str | None = None) -> Iterator[Seen]:
        """Meter what is done inside as one call.

        Args:
            inputs: a text, texts, or token ids of texts.
            model: as the request names it.

        Yields:
            A list to which ``told(response)`` of each answer is added; empty where nobody sees them.
        """
        seen: Seen = []
        if disabled() or in_lookup():
            yield seen
            return
        opened = self._opened(inputs, model)
        try:
            yield seen
        except BaseException as error:
            self._finish(opened, inputs, seen, error)
            raise
        self._finish(opened, inputs, seen, None)

    def _opened(self, inputs: object, model: str | None) -> OpenCall | None:
        try:
            around = self._around(self.ledger)
            metadata = {**self._own, **around.metadata}
            aside = current_aside()
            checks = aside is not None and aside.purpose == "verification"
            call = OpenCall(
                prompt=Prompt(turns=tuple(("tool", text) for text in _texts(inputs)), framed=False),
                parent_id=around.parent_id,
                framework=self._framework,
                operation="embedding",
                provider=self._provider,
                model_asked=model or self._model,
                feature=VERIFICATION_FEATURE if checks else owner(metadata, "feature"),
                user=None if checks else owner(metadata, "user"),
                team=owner(metadata, "team"),
                tags=around.tags,
                metadata=plain_metadata(metadata, leave_out=lambda name: name in _OWNERS or around.leave_out(name)),
            )
            call.trace_id = around.trace_id or call.call_id
            return call
        except Exception as error:
            self._meter.fault(error)
            return None

    def _finish(self, call: OpenCall | None, inputs: object, seen: Seen, error: BaseException | None) -> None:
        if call is None:
            return
        try:
            reading = self._reader(call, inputs, tuple(seen))
            if error is None:
                outcome = Outcome(read=reading, billed=not (self._runs_here and self._is_free(call)))
            else:
                # What was answered before it failed is charged; so may be what was under way.
                outcome = failed(error, read=reading if seen or may_be_billed(error) else lambda: None)
            self._meter.finish(call, outcome, later=_on_an_event_loop())
        except Exception as fault:
            self._meter.fault(fault)

    def _reader(self, call: OpenCall, inputs: object, seen: tuple[Any, ...]) -> Callable[[], UsageReading | None]:
        counted = _token_ids(inputs)

        def read() -> UsageReading | None:
            readings = [read_usage(one, call.provider, model=call.model_asked) for one in seen]
            known = [reading for reading in readings if reading is not None]
            if known and len(known) == len(readings):
                usage = sum((reading.usage for reading in known), TokenUsage())
                return UsageReading(usage=usage, model=known[-1].model, provider=known[-1].provider)
            if counted:
                return UsageReading(usage=TokenUsage(input_tokens=counted), model=call.model_asked, estimated=True)
            return None

        return read

    def _is_free(self, call: OpenCall) -> bool:
        """Tell whether a model that runs here has no price; one may have been given for its machine."""
        if call.model_asked is None:
            return True
        one = TokenUsage(input_tokens=1)
        reading = UsageReading(usage=one, model=call.model_asked, provider=call.provider)
        cost = self._meter.prices.price(reading, at=call.started_at, duration_seconds=1.0)
        return cost.price is None or cost.price.source.startswith("genai-prices")


_OWNERS = frozenset({"feature", "user", "team"})


def told(response: object) -> dict[str, Any]:
    """Return what a provider's answer says of its model and usage, without the vectors."""
    if isinstance(response, Mapping):
        return {name: response.get(name) for name in ("model", "usage")}
    return {name: getattr(response, name, None) for name in ("model", "usage")}


def _texts(inputs: object) -> Sequence[str]:
    if isinstance(inputs, str):
        return (inputs,)
    return [one for one in inputs if isinstance(one, str)] if isinstance(inputs, (list, tuple)) else ()


def _token_ids(inputs: object) -> int:
    """Count tokens that a client has made of texts already."""
    if not isinstance(inputs, (list, tuple)):
        return 0
    return sum(isinstance(one, int) or (len(one) if isinstance(one, (list, tuple)) else 0) for one in inputs)


def _on_an_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
