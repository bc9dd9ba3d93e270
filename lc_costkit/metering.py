"""What does a finished call become?

The one place where calls are priced, and the only writer of the ledger: every adapter
opens a call here and finishes it here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from lc_costkit.call import OpenCall, Outcome, failed
from lc_costkit.cost import exact_sum
from lc_costkit.drafts import Counted
from lc_costkit.errors import ConfigurationError
from lc_costkit.ledger import Ledger
from lc_costkit.marks import VERIFICATION_FEATURE, CacheMark, RouteMark
from lc_costkit.pricing import Cost, PriceBook
from lc_costkit.record import ASIDE_KEY, CallRecord, Plain, Saving
from lc_costkit.savings import (
    basis_of,
    check_savings,
    counted_amounts,
    hit_saving,
    is_strong,
    lost_saving,
    miss_savings,
    once_only,
    prune_savings,
    route_saving,
    taken_back,
    unknown_saving,
)
from lc_costkit.tokens import TokenCounter, approximate_tokens
from lc_costkit.usage import TERMS, TokenUsage, UsageReading

__all__ = ["Meter", "OpenCall", "Outcome", "billing_terms", "failed", "owner", "plain_metadata"]

_logger = logging.getLogger(__name__)

_FREE = Cost(usd=Decimal(0), basis="exact")
_METADATA_LIMIT = 32
_TEXT_LIMIT = 256


class Meter:
    """Prices finished calls and writes them to a ledger. Never raises into a call.

    * The provider reported usage: exact, if the price is.
    * It did not (a stream that was closed or cut, a provider that reports none): tokens are
      counted from the prompt and from what came of the answer; the basis is ``estimated``.
    * It refused (an error status): it charges nothing, and the error is recorded.
    * The cache answered: cost 0, the lookup as side cost, and the rest of the answer's cost
      as a saving, which is negative where the lookup cost more.
    * It was made for a routing decision, or to a target that failed and is not the strong one: its cost is lost, a
      negative saving. A stream that its reader closed is no failure: what had come was read.
    * It replaces answers that were thrown away (``RouteMark.rejected``): it takes back what was counted as saved on
      them. Where the ledger's ``drafts`` do not know them, what was saved is ``unpriced``.

    Args:
        ledger: where records go; its ``faults`` count what goes wrong here.
        prices: how calls are priced; the public price list by default.
        on_record: called with each record after it was written (on the ledger's thread where
            that writes it); what it raises is counted, not raised.

    Raises:
        ConfigurationError: an argument is of the wrong kind.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        prices: PriceBook | None = None,
        on_record: Callable[[CallRecord], None] | None = None,
    ) -> None:
        if not isinstance(ledger, Ledger):
            raise ConfigurationError(f"ledger must be a Ledger, not {ledger!r}; write Ledger({ledger!r})")
        if prices is not None and not isinstance(prices, PriceBook):
            raise ConfigurationError(f"prices must be a PriceBook, not {prices!r}")
        if on_record is not None and not callable(on_record):
            raise ConfigurationError(f"on_record must be callable with a CallRecord, not {on_record!r}")
        self.ledger = ledger
        self.prices = prices or PriceBook()
        self._on_record = on_record

    def finish(self, call: OpenCall, outcome: Outcome, *, later: bool = False) -> None:
        """Price a call and write it down.

        Args:
            call: as it was opened.
            outcome: how it ended.
            later: do it on the ledger's thread; for callers on an event loop. Always so when
                the ledger is buffered.
        """
        try:
            if later or self.ledger.buffered:
                self.ledger.record_later(lambda: self.price(call, outcome), written=self._told)
            else:
                self.ledger.keep(self.price(call, outcome), written=self._told)
        except Exception as error:
            self.fault(error)

    def fault(self, error: BaseException) -> None:
        """Count a failure to meter."""
        self.ledger.faults.record(
            "metering", error, "the call was not added to the ledger; check free space and ledger.check()"
        )

    def price(self, call: OpenCall, outcome: Outcome) -> CallRecord:
        """Return the record of a finished call, without writing it; the ledger's ``drafts`` remember what it counts."""
        reading = self._read(outcome)
        mark = outcome.cache
        if mark is not None and mark.verdict == "hit":
            return self._hit(call, outcome, mark, reading)
        if reading is not None and reading.cached_locally:
            foreign = CacheMark(verdict="hit", reason="answered by the framework's own cache")
            return self._hit(call, outcome, foreign, reading)
        charged, cost = self._charged(call, outcome, reading)
        failure = outcome.failure
        saved: tuple[Saving, ...] = ()
        if outcome.billed or reading is not None:
            saved = self._savings(call, mark, cost, charged, failure=failure)
        amounts: Mapping[str, Decimal] = {}
        if not failure and call.route is not None and call.route.request is not None:
            amounts = counted_amounts(call.route.part, cost, saved)
        return self._record(
            call,
            outcome,
            reading=charged,
            answered=reading.model if reading is not None else None,
            cost=cost,
            saved=(*saved, *self._replaced(call, amounts)),
            interrupted=reading is None and outcome.billed and outcome.error is not None,
        )

    def charge(self, call: OpenCall, outcome: Outcome) -> tuple[UsageReading, Cost]:
        """Return what a call used and what the provider charges for it, without a record; for what counts along."""
        return self._charged(call, outcome, self._read(outcome))

    def _charged(self, call: OpenCall, outcome: Outcome, reading: UsageReading | None) -> tuple[UsageReading, Cost]:
        if reading is None and not outcome.billed:
            return UsageReading(usage=TokenUsage()), _FREE
        if reading is None:
            reading = self._estimated(call, outcome)
        if reading.model is None or reading.provider is None:
            model, provider = reading.model or call.model_asked, reading.provider or call.provider
            reading = replace(reading, model=model, provider=provider)
        return reading, self._cost(reading, call.started_at, max(0.0, outcome.ended - call.started))

    def _hit(self, call: OpenCall, outcome: Outcome, mark: CacheMark, reading: UsageReading | None) -> CallRecord:
        answer = Cost(usd=None, basis="unpriced")
        pruned: list[Decimal] = []
        if mark.answer_usd is not None:
            answer = Cost(usd=mark.answer_usd, basis="exact" if mark.answer_basis == "exact" else "estimated")
        if reading is not None and reading.usage.total:
            spent = replace(reading, cached_locally=False, estimated=True, model=reading.model or call.model_asked)
            if mark.answer_usd is None:
                # Not said what it cost then; what it would cost now is an estimate of it.
                answer = self._cost(spent, call.started_at)
            answer, pruned = self._without_kit(call, spent, answer)
        tokens = mark.answer_tokens if mark.answer_tokens is not None else reading.usage.total if reading else 0
        lookup = mark.lookup_usd or Decimal(0)
        saving = hit_saving(answer, tokens, lookup, basis_of(mark.lookup_basis))
        saved: tuple[Saving, ...] = (saving,)
        if call.route is not None and call.route.aside:
            # Without the kit, nobody would have asked.
            saved = tuple(miss_savings(replace(mark, verdict="miss"), _FREE, 0))
        amounts = (
            {} if answer.usd is None else {"cache": exact_sum((answer.usd, *(usd.copy_negate() for usd in pruned)))}
        )
        return self._record(
            call,
            replace(outcome, cache=mark),
            reading=UsageReading(usage=TokenUsage(), provider=reading.provider if reading else None),
            answered=reading.model if reading else None,
            cost=_FREE,
            saved=(*saved, *self._replaced(call, amounts)),
        )

    def _without_kit(self, call: OpenCall, spent: UsageReading, answer: Cost) -> tuple[Cost, list[Decimal]]:
        """Return what the call would have cost without the router and the pruner that stood before the cache, too.

        Beside it, how much of that is for what the pruner took out.
        """
        beside = [saving for saving in self._savings(call, None, answer, spent) if not saving.hypothetical]
        more = [saving.usd for saving in beside if saving.usd is not None]
        if answer.usd is None or not more:
            return answer, []
        pruned = [saving.usd for saving in beside if saving.usd is not None and saving.part == "prune"]
        return Cost(usd=exact_sum((answer.usd, *more)), basis="estimated"), pruned

    def _replaced(self, call: OpenCall, amounts: Mapping[str, Decimal]) -> list[Saving]:
        """Take back what was counted for the answers that this call replaces; remember what is counted for it.

        Args:
            call: one of those made to answer a request.
            amounts: what is counted for it (see ``Counted``).
        """
        mark = call.route
        if mark is None or mark.aside or mark.observed or call.feature == VERIFICATION_FEATURE:
            return []
        try:
            return self._replacing(mark, call, amounts)
        except Exception as error:
            self.ledger.faults.record("pricing", error, "the call is in the ledger without what it takes back")
            return [unknown_saving(mark.part)]

    def _replacing(self, mark: RouteMark, call: OpenCall, amounts: Mapping[str, Decimal]) -> list[Saving]:
        if mark.request is None:
            return [unknown_saving(mark.part)] if mark.rejected else []
        drafts, prompt = self.ledger.drafts, hash(call.prompt)
        answers, attempts = drafts.take_back(
            mark.request,
            call_id=call.call_id,
            attempt=mark.attempt,
            rejected=mark.rejected,
            # The strong target would have been asked again without the kit, too.
            prompt=None if is_strong(mark) else prompt,
        )
        counted = Counted(
            call_id=call.call_id, attempt=mark.attempt, rejected=mark.rejected, prompt=prompt, amounts=amounts
        )
        drafts.note(mark.request, counted)
        saved = taken_back(answers)
        return [*saved, unknown_saving(mark.part)] if attempts < mark.rejected else saved

    def _read(self, outcome: Outcome) -> UsageReading | None:
        try:
            return outcome.read()
        except Exception as error:
            self.ledger.faults.record("reading usage", error, "the call is in the ledger with an estimated cost")
            return None

    def _cost(self, reading: UsageReading, at: datetime, seconds: float | None = None) -> Cost:
        try:
            return self.prices.price(reading, at=at, duration_seconds=seconds)
        except Exception as error:
            self.ledger.faults.record("pricing", error, "the call is in the ledger, unpriced")
            return Cost(usd=None, basis="unpriced", reasons=(f"pricing failed ({type(error).__name__})",))

    def _savings(
        self, call: OpenCall, mark: CacheMark | None, cost: Cost, reading: UsageReading, *, failure: bool = False
    ) -> tuple[Saving, ...]:
        if call.feature == VERIFICATION_FEATURE:
            return check_savings(cost)
        try:
            savings = [] if mark is None else miss_savings(mark, cost, reading.usage.total)
            if call.route is not None:
                savings += self._routed(call.route, cost, reading, call.started_at, failure=failure)
            savings += prune_savings(call.prunes, reading, self.prices, call.started_at, route=call.route)
            return tuple(once_only(savings) if mark is not None and mark.verdict == "observed_hit" else savings)
        except Exception as error:
            self.ledger.faults.record("pricing", error, "the call is in the ledger without what was saved on it")
            return ()

    def _routed(
        self, mark: RouteMark, cost: Cost, reading: UsageReading, at: datetime, *, failure: bool
    ) -> tuple[Saving, ...]:
        if mark.aside:
            return lost_saving(mark.part, cost)
        if failure:
            # The strong target would have failed without the kit, too.
            return () if is_strong(mark) else lost_saving(mark.part, cost)
        saving = route_saving(mark, cost, reading, self.prices, at)
        return () if saving is None else (saving,)

    @staticmethod
    def _estimated(call: OpenCall, outcome: Outcome) -> UsageReading:
        answer = outcome.answer()
        try:
            counter = TokenCounter(call.model_asked)
            counts = sum(call.prompt.counted(counter.count).values()), counter.count(answer)
        except Exception as error:
            # As a process ends, tiktoken can no longer be imported.
            _logger.debug("lc_costkit counts by script", exc_info=error)
            counts = sum(call.prompt.counted(approximate_tokens).values()), approximate_tokens(answer)
        return UsageReading(usage=TokenUsage(input_tokens=counts[0], output_tokens=counts[1]), estimated=True)

    def _record(
        self,
        call: OpenCall,
        outcome: Outcome,
        *,
        reading: UsageReading,
        answered: str | None = None,
        cost: Cost,
        saved: tuple[Saving, ...] = (),
        interrupted: bool = False,
    ) -> CallRecord:
        mark, route = outcome.cache or CacheMark(verdict="none"), call.route
        metadata = dict(call.metadata)
        if route is not None and route.aside:
            metadata[ASIDE_KEY], route = route.part, None
        elif route is not None and route.observed and route.chosen is not None:
            metadata["route_observed"] = route.chosen
        since_start = None if outcome.first_token is None else max(0.0, outcome.first_token - call.started)
        return CallRecord(
            call_id=call.call_id,
            trace_id=call.trace_id,
            parent_id=call.parent_id,
            started_at=call.started_at,
            latency_seconds=max(0.0, outcome.ended - call.started),
            first_token_seconds=since_start,
            framework=call.framework,
            operation=call.operation,
            provider=reading.provider or call.provider,
            model_asked=call.model_asked,
            model_answered=answered,
            usage=reading.usage,
            cost=cost,
            billing=billing_terms(reading),
            side_cost_usd=mark.lookup_usd or Decimal(0),
            side_cost_basis=basis_of(mark.lookup_basis),
            cache=mark.verdict,
            cache_tier=mark.tier,
            cache_entry_id=mark.entry_id,
            similarity=mark.similarity,
            cache_reason=mark.reason,
            saved=saved,
            route=route.target if route else None,
            route_score=route.score if route else None,
            route_reasons=route.reasons if route else (),
            feature=call.feature,
            user=call.user,
            team=call.team,
            tags=call.tags,
            metadata=metadata,
            question_hash=call.prompt.question_hash,
            prefix_hashes=call.prompt.prefix_hashes(),
            tokens_by_part=call.prompt.shares(reading.usage.total_input),
            error=outcome.error,
            interrupted=interrupted,
            streamed=outcome.streamed,
            question=call.prompt.question if self.ledger.record_text else None,
            answer=outcome.answer() if self.ledger.record_text else None,
        )

    def _told(self, record: CallRecord) -> None:
        if self._on_record is not None:
            try:
                self._on_record(record)
            except Exception as error:
                self.ledger.faults.record("on_record", error, "the call is recorded; mend the callback")


def billing_terms(reading: UsageReading) -> dict[str, Any]:
    """Return what besides token counts decided the price, as plain data, so that a call can be priced again."""
    terms: dict[str, Any] = {name: value for name in TERMS if (value := getattr(reading, name)) is not None}
    if reading.estimated:
        terms["estimated"] = True
    if reading.open_terms:
        terms["open_terms"] = [list(term) for term in reading.open_terms]
    for name in ("also", "open_calls"):
        if others := getattr(reading, name):
            terms[name] = [
                {"model": one.model, "provider": one.provider, "usage": one.usage.to_dict(), **billing_terms(one)}
                for one in others
            ]
    return terms


def plain_metadata(metadata: Mapping[str, Any], *, leave_out: Callable[[str], bool]) -> dict[str, Plain]:
    """Keep what a record may hold: plain values, not too many, not too long."""
    kept: dict[str, Plain] = {}
    for name, value in metadata.items():
        if len(kept) >= _METADATA_LIMIT:
            break
        if isinstance(value, (str, int, float, bool)) and not leave_out(str(name)):
            kept[str(name)] = value[:_TEXT_LIMIT] if isinstance(value, str) else value
    return kept


def owner(metadata: Mapping[str, Any], name: str) -> str | None:
    """Return whom a call is for (``feature``, ``user``, ``team``), as text."""
    value = metadata.get(name)
    return None if value is None or value == "" else str(value)
