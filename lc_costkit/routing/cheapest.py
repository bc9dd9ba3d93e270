"""Which target is the cheapest that is good enough?"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lc_costkit.errors import ConfigurationError
from lc_costkit.faults import Faults
from lc_costkit.pricing import Cost, PriceBook
from lc_costkit.report import usd_text
from lc_costkit.routing.able import ability_of
from lc_costkit.routing.cheapest_options import (
    by_target,
    checked_filters,
    checked_models,
    checked_prices,
    checked_quality,
    checked_recent,
    limit_usd,
    positive,
    share,
)
from lc_costkit.routing.expected_cost import ExpectedCall, expected_cost
from lc_costkit.routing.experience import CONFIDENCE, Experience, TargetExperience, experience, mean_output
from lc_costkit.routing.offer import Offer, Quality, cheapest_offer
from lc_costkit.routing.policy import RouteDecision, RouteRequest
from lc_costkit.routing.prompt_tokens import prompt_tokens
from lc_costkit.routing.target_model import TargetModel

if TYPE_CHECKING:
    from lc_costkit.ledger import Ledger
    from lc_costkit.routing.learned import Learned

DEFAULT_OUTPUT_TOKENS = 300
"""How long an answer is taken to be where nothing tells: an assumption, some 200 words. Give your own."""

LEAST_CALLS = 20
"""Calls from which latency and length of answers count as known: of fewer, the 95th percentile is the longest."""

LEAST_SCORES = 20
"""Scores from which quality counts as known: fewer show a mean of 0.86 at most (``lower_limit``)."""


class Cheapest:
    """A policy that calls the target of least expected cost that keeps a quality and the limits, and can do the job.

    What is expected is said with its source among the decision's reasons:

    * cost: of the prompt with tools and system prompt (a quick count, without images, audio and files; see
      ``prompt_tokens``) and of an answer as long as the target's were in the ledger; what the provider may still have
      of a conversation in its cache, at the price of a cache read.
    * quality: by ``quality``, or by the scores in the ledger. Of a ledger it is a lower limit with 95 % confidence
      that must reach ``min_quality`` (see ``lower_limit``), and less than ``least_scores`` scores are none.
    * latency: the 95th percentile in the ledger. With less than 20 calls it is not known and limits nothing.
    * abilities: by the model's profile. What it does not tell is taken for granted.

    Where there is a floor, a target whose quality is not known is not chosen. Where no target fits, the strong one is
    called, or the dearest that can do the job if that cannot. A target without a price is left out; ``faults`` counts
    that, and a ledger that could not be read again.

    Args:
        min_quality: the least expected quality, 0 to 1; needs ``quality`` or ``ledger``.
        max_cost: the most a call may be expected to cost, USD.
        max_latency: the longest 95 % of a target's calls may have taken, seconds; needs ``ledger``.
        quality: a ``Learned``, which predicts it for each request, or your own table by target name, 0 to 1;
            ``None`` takes the scores in the ledger.
        ledger: gives scores, latency and lengths of answers, read now and at each ``refresh()``.
        prices: what calls are priced with; the public price list by default.
        output_tokens: how long answers are, where the ledger does not tell; one number, or by target name. Without
            it, the mean of the other targets in the ledger, else the most that the call allows, else 300.
        seconds: how long a call takes, for models paid by the hour of which the ledger does not tell; as above.
        models: what targets do not tell of themselves, by target name: their model, window and abilities.
        recent: read only so much of the ledger; ``None`` for all of it. 60,000 calls in SQLite took 0.7 s to read.
        only: read only calls like these: ``{"feature": "support"}``, filters as in ``Ledger.records``.
        least_scores: how many scores make a quality known.

    Raises:
        ConfigurationError: a floor outside 0..1, a limit that is not above 0, a quality outside 0..1, or something
            that nothing is there to tell.
        StoreError: the ledger cannot be read.

    >>> models = {"small": TargetModel("gpt-4o-mini", "openai"), "large": TargetModel("gpt-4o", "openai")}
    >>> policy = Cheapest(min_quality=0.8, quality={"small": 0.7, "large": 0.9})
    >>> policy(RouteRequest(question="Hello", targets=("small", "large"), models=models)).target
    'large'
    """

    def __init__(
        self,
        *,
        min_quality: float | None = None,
        max_cost: Decimal | str | float | None = None,
        max_latency: float | None = None,
        quality: Learned | Mapping[str, float] | None = None,
        ledger: Ledger | None = None,
        prices: PriceBook | None = None,
        output_tokens: int | Mapping[str, int] | None = None,
        seconds: float | Mapping[str, float] | None = None,
        models: Mapping[str, TargetModel] | None = None,
        recent: timedelta | None = None,
        only: Mapping[str, str] | None = None,
        least_scores: int = LEAST_SCORES,
    ) -> None:
        self.min_quality = None if min_quality is None else share("min_quality", min_quality)
        self.max_cost = None if max_cost is None else limit_usd(max_cost)
        self.max_latency = None if max_latency is None else positive("max_latency", max_latency, "seconds")
        self.quality = checked_quality(quality)
        self.ledger = ledger
        self.prices = checked_prices(prices)
        self.output_tokens = by_target("output_tokens", output_tokens, "tokens")
        self.seconds = by_target("seconds", seconds, "seconds")
        self.models = checked_models(models or {})
        self.recent = recent if recent is None else checked_recent(recent)
        self.only = checked_filters(only or {})
        self.least_scores = positive("least_scores", least_scores, "scores")
        self.faults = Faults(logging.getLogger(__name__))
        self._check_sources()
        self.experience = Experience() if ledger is None else self._read(ledger)

    def refresh(self) -> bool:
        """Read the ledger again; return whether it could be read. Where not, what was known stays.

        Calls go on meanwhile with what was known before.
        """
        if self.ledger is None:
            return True
        try:
            self.experience = self._read(self.ledger)
        except Exception as error:
            self.faults.record("reading the ledger", error, "what was known of the targets before is used")
            return False
        return True

    def check(self, targets: Sequence[str]) -> None:
        """Raise ``ConfigurationError`` if something was given for names that are no targets."""
        given: dict[str, Sequence[str]] = {"models": tuple(self.models)}
        if self.quality is not None:
            told = self.quality if isinstance(self.quality, Mapping) else self.quality.targets
            given["quality"] = tuple(told)
        for name, value in (("output_tokens", self.output_tokens), ("seconds", self.seconds)):
            given[name] = tuple(value) if isinstance(value, Mapping) else ()
        for what, names in given.items():
            if unknown := [name for name in names if name not in targets]:
                raise ConfigurationError(f"{what} names {unknown!r}, which are no targets; there are {list(targets)!r}")

    def check_models(self, models: Mapping[str, TargetModel]) -> None:
        """Raise ``ConfigurationError`` if a target has no price."""
        for name, told in models.items():
            model = self._model(name, told)
            if not model.model:
                raise ConfigurationError(
                    f"target {name!r} does not say which model it is, so that it has no price; "
                    f"say it: Cheapest(models={{{name!r}: TargetModel(model=..., provider=...)}})"
                )
            seconds, _ = self._seconds(name, self._known(name, model))
            call = ExpectedCall(input_tokens=1_000, output_tokens=1_000, seconds=seconds)
            cost = expected_cost(self.prices, model, call)
            if cost.usd is None:
                raise ConfigurationError(
                    f"target {name!r} (model {model.model!r}, provider {model.provider!r}) cannot be priced: "
                    f"{'; '.join(cost.reasons)}. Cheapest(prices=PriceBook(overrides={{{model.model!r}: "
                    "ModelPrice(...)})) gives it a price, seconds= or ledger= the time of a call that is paid by time"
                )

    def __call__(self, request: RouteRequest, /) -> RouteDecision:
        """Choose among ``request.targets``."""
        names = request.targets or tuple(request.models)
        if not names:
            raise LookupError("there are no targets to choose among")
        tokens = prompt_tokens(request)
        qualities = self._qualities(request)
        models = {name: self._model(name, request.models.get(name)) for name in names}
        known = {name: self._known(name, model) for name, model in models.items()}
        return cheapest_offer(
            [self._offer(name, request, models[name], known, tokens, qualities.get(name)) for name in names]
        )

    def _check_sources(self) -> None:
        """Raise ``ConfigurationError`` if nothing tells what a limit needs."""
        if self.ledger is not None:
            from lc_costkit.ledger import Ledger

            if not isinstance(self.ledger, Ledger):
                raise ConfigurationError(f"ledger must be a Ledger, not {self.ledger!r}; write Ledger({self.ledger!r})")
            return
        if self.min_quality is not None and self.quality is None:
            raise ConfigurationError(
                f"min_quality={self.min_quality!r} needs to know how good the targets are: give quality= (a Learned, "
                "or a table by target name) or a ledger= with scores"
            )
        for name, value in (("max_latency", self.max_latency), ("recent", self.recent), ("only", self.only)):
            if value:
                raise ConfigurationError(f"{name}={value!r} does nothing without ledger=")

    def _offer(
        self,
        name: str,
        request: RouteRequest,
        model: TargetModel,
        all_known: Mapping[str, TargetExperience | None],
        tokens: int,
        quality: Quality | None,
    ) -> Offer:
        """Return what a target would cost, and what is for and against it."""
        known = all_known[name]
        output, output_source = self._output(name, request, all_known)
        seconds, seconds_source = self._seconds(name, known)
        ability = ability_of(model, request, input_tokens=tokens, output_tokens=output)
        there = request.conversation
        call = ExpectedCall.of(
            request,
            model,
            input_tokens=tokens,
            output_tokens=output,
            warm_share=there.warm_at.get(name, 0.0) if there is not None else 0.0,
            seconds=seconds,
        )
        cost = self._cost(name, model, call)
        quality = self._scored(known) if quality is None else quality
        against = [f"cannot do it ({', '.join(ability.missing)})"] if ability.missing else []
        against += self._against(cost, quality, known)
        cached = f", {call.warm_tokens:,} from the cache" if call.warm_tokens else ""
        prompt = f"{tokens:,} tokens of prompt (quick count{cached})"
        told = [f"for {prompt} and {output:,} of answer ({output_source})"]
        if cost.price is not None and cost.price.per_hour is not None:
            told.append(f"paid for {seconds:.2f} s ({seconds_source})")
        elif cost.usd is not None and cost.basis == "estimated":
            told.append(f"its price is an estimate: {cost.reasons[0]}")
        if quality.value is not None or self.min_quality is not None:
            told.append(quality.words)
        if self.max_latency is not None:
            told.append(_latency_words(known))
        if ability.unknown:
            told.append(f"not told by its profile, taken for granted: {', '.join(ability.unknown)}")
        if request.media:
            told.append(f"{', '.join(request.media)} input is not in the expected cost")
        return Offer(
            name=name,
            cost=cost.usd,
            quality=quality,
            able=not ability.missing,
            against=tuple(against),
            told=tuple(told),
        )

    def _against(self, cost: Cost, quality: Quality, known: TargetExperience | None) -> list[str]:
        """Return which of the limits a target does not keep."""
        found = []
        if cost.usd is None:
            found.append("has no price")
        elif self.max_cost is not None and cost.usd > self.max_cost:
            found.append(f"costs {usd_text(cost.usd)} USD, above max_cost={self.max_cost}")
        if self.min_quality is not None and (quality.sure is None or quality.sure < self.min_quality):
            found.append(f"{quality.words} (min_quality={self.min_quality:g})")
        if self.max_latency is not None and known is not None and known.calls >= LEAST_CALLS:
            slow = known.slow_seconds or 0.0
            if slow > self.max_latency:
                found.append(f"{_latency_words(known)} (max_latency={self.max_latency:g})")
        return found

    def _cost(self, name: str, model: TargetModel, call: ExpectedCall) -> Cost:
        cost = expected_cost(self.prices, model, call)
        if cost.usd is None:
            error = LookupError(f"target {name!r} has no price: {'; '.join(cost.reasons)}")
            self.faults.record("pricing a target", error, "it is left out; give its model a price (PriceBook)")
        return cost

    def _qualities(self, request: RouteRequest) -> dict[str, Quality]:
        """Return qualities by target where they are not read from the ledger."""
        if self.quality is None:
            return {}
        if isinstance(self.quality, Mapping):
            told, source = self.quality, "in your table"
        else:
            source = f"predicted from {self.quality.model.labels:,} labelled prompts"
            try:
                told = self.quality(request).expected_quality
            except Exception as error:
                self.faults.record("predicting quality", error, "no quality is known", may_quote=True)
                told = {}
        names = request.targets or tuple(request.models)
        return {
            name: Quality(told[name], told[name], f"quality {told[name]:.2f} {source}")
            if name in told
            else Quality(words=f"quality not known: it is not {source}")
            for name in names
        }

    def _scored(self, known: TargetExperience | None) -> Quality:
        """Return a quality as scores in the ledger show it."""
        if self.ledger is None:
            return Quality(words="quality not known")
        scores = known.scores if known is not None else 0
        if known is None or scores < self.least_scores:
            return Quality(words=f"quality not known: {scores} scores in the ledger, {self.least_scores:g} are needed")
        if known.mean_score is None or known.score_at_least is None:
            return Quality(words="quality not known: the scores in the ledger are not between 0 and 1")
        words = f"quality {known.mean_score:.2f} of {scores:,} scores in the ledger"
        words += f", at least {known.score_at_least:.2f} ({CONFIDENCE:.0%})"
        return Quality(known.mean_score, known.score_at_least, words)

    def _output(
        self, name: str, request: RouteRequest, all_known: Mapping[str, TargetExperience | None]
    ) -> tuple[int, str]:
        """Return how long an answer is expected to be, and who says so."""
        most = request.max_output_tokens
        given = self.output_tokens.get(name) if isinstance(self.output_tokens, Mapping) else self.output_tokens
        own = mean_output((all_known[name],), least_calls=LEAST_CALLS)
        if own is not None:
            expected, source = own.tokens, f"the mean of {own.calls:,} calls in the ledger"
        elif given is not None:
            expected, source = round(given), "as given"
        elif (others := mean_output(all_known.values(), least_calls=LEAST_CALLS)) is not None:
            expected, source = others.tokens, f"the mean of {others.calls:,} calls of other targets in the ledger"
        elif most is not None:
            return most, "the most that the call allows"
        else:
            expected, source = DEFAULT_OUTPUT_TOKENS, "an assumption"
        return (expected, source) if most is None or expected <= most else (most, "the most that the call allows")

    def _seconds(self, name: str, known: TargetExperience | None) -> tuple[float | None, str]:
        """Return how long a call is expected to take, and who says so."""
        if known is not None and known.calls >= LEAST_CALLS:
            return known.mean_seconds, f"the mean of {known.calls:,} calls in the ledger"
        given = self.seconds.get(name) if isinstance(self.seconds, Mapping) else self.seconds
        return given, "as given"

    def _model(self, name: str, told: TargetModel | None) -> TargetModel:
        """Return which model a target is: what it tells, and what was said here where it does not."""
        said = self.models.get(name)
        if said is None or told is None:
            return said or told or TargetModel()
        return replace(said, **{key: value for key in _TOLD if (value := getattr(told, key)) is not None})

    def _known(self, name: str, model: TargetModel) -> TargetExperience | None:
        return self.experience.of(name, model.model)

    def _read(self, ledger: Ledger) -> Experience:
        since = None if self.recent is None else datetime.now(UTC) - self.recent
        filters: dict[str, Any] = self.only
        return experience(ledger, since=since, **filters)

    def __repr__(self) -> str:
        limits = {"min_quality": self.min_quality, "max_cost": self.max_cost, "max_latency": self.max_latency}
        told = [f"{name}={value}" for name, value in limits.items() if value is not None]
        source = "a table" if isinstance(self.quality, Mapping) else "Learned" if self.quality is not None else None
        told += [f"quality by {source}"] if source else []
        told += [f"{len(self.experience.rows)} targets in the ledger"] if self.ledger is not None else []
        return f"Cheapest({', '.join(told)})"


_TOLD = tuple(one.name for one in fields(TargetModel))


def _latency_words(known: TargetExperience | None) -> str:
    if known is None or known.calls < LEAST_CALLS or known.slow_seconds is None:
        calls = 0 if known is None else known.calls
        return f"latency not known: {calls} calls in the ledger, {LEAST_CALLS} are needed"
    return f"95 % of {known.calls:,} calls in the ledger took up to {known.slow_seconds:.2f} s"
