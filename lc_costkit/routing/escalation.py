"""When does a cheap target's answer do, and when is a dearer one asked?

All of the logic of a cascade, and no input or output: ``Escalation.run`` is a generator of steps (``attempts.py``),
which ``drive.py`` carries out for a framework.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from lc_costkit.amounts import usd_limit
from lc_costkit.errors import ConfigurationError, shown
from lc_costkit.faults import Faults
from lc_costkit.marks import ROUTE_KEY
from lc_costkit.pricing import PriceBook
from lc_costkit.routing.answer import Check
from lc_costkit.routing.attempts import Attempt, Draw, Drawn, Examine, Settled, Step, Tried, Try, Unreadable
from lc_costkit.routing.choose import Choice, OnError, TargetChooser, checked_on_error
from lc_costkit.routing.course import Course, Run, check_name
from lc_costkit.routing.drive import Walk, async_drive, sync_drive
from lc_costkit.routing.policy import Policy, RouteRequest
from lc_costkit.routing.rules import Rules
from lc_costkit.routing.target_model import TargetModel
from lc_costkit.switch import Mode
from lc_costkit.usage import TokenUsage

__all__ = [
    "Attempt",
    "Draw",
    "Drawn",
    "Escalation",
    "Examine",
    "Settled",
    "Step",
    "Tried",
    "Try",
    "Unreadable",
    "Walk",
    "async_drive",
    "begin_cheapest",
    "sync_drive",
]


def begin_cheapest(request: RouteRequest, /) -> str:
    """Begin with the cheapest target: the policy of a cascade that was given none."""
    return request.targets[0]


class Escalation:
    """Asks the cheapest target first, and a dearer one where a check says that the answer is not good enough.

    A check that fails sends the request on with its reason; the checks after it are not asked. A check that raises is
    a fault, which is counted, and sends it on, too. Samples for a check with ``samples`` are drawn once those before
    it have passed. The last target's answer is accepted whatever it is, and so is that of the only target that
    ``metadata["route"]`` names: checks are not asked about an answer that nothing could replace.

    The limits keep a request from being improved further. They never leave it without an answer: they are looked at
    only where there is one. A call under way is not broken off.

    Args:
        targets: names of the targets, cheapest first.
        checks: asked in this order: the free ones first.
        policy: names the target to begin with; by default the cheapest. One that fails begins with ``strong``.
        strong: the target that is asked last; by default the one called ``strong``, else the last.
        mode: ``observe`` calls the strong target alone. What the others would have said is not known then, so that no
            saving is told.
        pass_draft: show the next target the answer that was thrown away, and why.
        stream_first: a stream comes from the target that ``policy`` (``Rules()`` if there is none) names, unchecked.
        max_usd: what a request may cost (USD) for a further target to be asked; the next call is estimated.
        max_seconds: how long a request may have taken for a further target to be asked.
        on_error: ``next`` asks another target where one fails; where none is left, the last draft is the answer. A
            budget's refusal is always raised.
        prices: what ``max_usd`` is reckoned by; the public price list by default.

    Raises:
        ConfigurationError: as ``TargetChooser``; no checks, one that is not callable, a limit below 0, an option of
            another kind.
    """

    def __init__(
        self,
        targets: Sequence[str],
        checks: Sequence[Check],
        *,
        policy: Policy | None = None,
        strong: str | None = None,
        mode: Mode = "on",
        pass_draft: bool = False,
        stream_first: bool = False,
        max_usd: Decimal | int | float | str | None = None,
        max_seconds: float | None = None,
        on_error: OnError = "next",
        prices: PriceBook | None = None,
    ) -> None:
        self.checks = _checked_checks(checks)
        self.chooser = TargetChooser(targets, policy=policy or begin_cheapest, strong=strong, mode=mode)
        self.pass_draft = _checked_flag("pass_draft", pass_draft)
        self.stream_first = _checked_flag("stream_first", stream_first)
        self.stream_chooser = self.chooser
        if self.stream_first and policy is None:
            self.stream_chooser = TargetChooser(targets, policy=Rules(), strong=strong, mode=mode)
        self.max_usd = None if max_usd is None else usd_limit("max_usd", max_usd)
        self.max_seconds = _checked_seconds(max_seconds)
        self.on_error = checked_on_error(on_error)
        if prices is not None and not isinstance(prices, PriceBook):
            raise ConfigurationError(f"prices must be a PriceBook, not {prices!r}")
        self.prices = prices or PriceBook()
        self.go_on_from(self)

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the targets in the order in which they are asked."""
        return self.chooser.targets

    @property
    def strong(self) -> str:
        """The target that is asked last."""
        return self.chooser.strong

    @property
    def faults(self) -> Faults:
        """Faults of targets, checks and the policy so far."""
        return self.chooser.faults

    def go_on_from(self, other: Escalation) -> None:
        """Share the memory of one that differs in its options only."""
        for chooser in (self.chooser, self.stream_chooser):
            chooser.faults, chooser.conversations = other.chooser.faults, other.chooser.conversations

    def check_models(self, models: Mapping[str, TargetModel]) -> None:
        """Look at the models behind the names, once they are known.

        Raises:
            ConfigurationError: the policy cannot choose among them, or one has no price and there is ``max_usd``.
        """
        for chooser in {id(one): one for one in (self.chooser, self.stream_chooser)}.values():
            chooser.check_models(models)
        for name, model in models.items() if self.max_usd is not None else ():
            if model.model and self._price(model) is None:
                raise ConfigurationError(
                    f"max_usd needs prices, and target {name!r} ({model.model}) has none; "
                    f"pass prices=PriceBook(overrides=...) or aliases="
                )

    def run(
        self,
        request: RouteRequest,
        choice: Choice | None = None,
        *,
        unchecked: bool = False,
        spent: Callable[[], Decimal | None] | None = None,
    ) -> Run:
        """Answer one request, step by step.

        Args:
            request: what is asked.
            choice: where to begin, as ``chooser`` or ``stream_chooser`` says; asked here if not given.
            unchecked: the answer of the target to begin with is accepted whatever it is.
            spent: what all calls for this request have cost so far (USD), ``None`` if that is not known; by default
                what the steps tell.
        """
        if choice is None:
            choice = self.chooser.choose(request)
        alone = choice.observed or request.metadata.get(ROUTE_KEY) == choice.target
        return Course(self, request, choice, unchecked or alone, spent).run()

    def walk(self, request: RouteRequest, choice: Choice | None = None, **options: Any) -> Walk:
        """Do what ``run`` does, for the drivers."""
        return Walk(self.run(request, choice, **options))

    def _price(self, model: TargetModel) -> Decimal | None:
        usage = TokenUsage(input_tokens=1, output_tokens=1)
        return self.prices.cost(model.model, usage, provider=model.provider).usd if model.model else None


def _checked_checks(checks: Iterable[Check]) -> tuple[Check, ...]:
    try:
        listed = tuple(checks)
    except TypeError:
        raise ConfigurationError(f"checks must be a list of checks, not {shown(checks)}") from None
    if not listed:
        raise ConfigurationError("there are no checks, so that every draft would do; GENERAL_CHECKS has some")
    for check in listed:
        if isinstance(check, type):
            raise ConfigurationError(f"check {check.__name__} is a class; make one: {check.__name__}(...)")
        if not callable(check):
            raise ConfigurationError(f"a check is called with a request and an answer; {shown(check)} cannot be called")
        samples = getattr(check, "samples", 0)
        if isinstance(samples, bool) or not isinstance(samples, int) or samples < 0:
            raise ConfigurationError(f"samples of check {check_name(check)} must be a count, not {samples!r}")
    return listed


def _checked_flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} must be True or False, not {value!r}")
    return value


def _checked_seconds(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise ConfigurationError(f"max_seconds must be a finite number of seconds, at least 0, not {value!r}")
    return float(value)
