"""Which negotiated discount holds for a call?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase

from lc_costkit.amounts import check_span, spans_overlap, whole_date
from lc_costkit.applying import Rates
from lc_costkit.errors import ConfigurationError
from lc_costkit.model_names import provider_id

_WHOLE = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Discount:
    """A discount on the price list that a provider granted you.

    It applies to every rate per token of the list that a call is billed at: input, output, reasoning,
    cache reads and writes, audio and images, at whatever tier, batch or long-context rate the call had.
    It does not apply to fees by the request (web searches) or by the call, nor to prices of your own.
    The rates stored with a call are the discounted ones, with a note beside them.

    Where several hold for a call, the most specific one is taken: a model's name before a pattern,
    a pattern with more letters before one with fewer, a named provider before none; of two that are as
    specific, the smaller discount. They are never added up.

    Attributes:
        percent: per cent off, above 0 and at most 100; ``Decimal``, ``int`` or ``str``.
        provider: the provider that grants it; ``None`` for any.
        models: a model's name, or a pattern with ``*`` and ``?``; it is held against the name as answered and
            the name in the price list. ``None`` for all models.
        since: the first day (UTC) on which it holds; ``None`` for always.
        until: the first day (UTC) on which it no longer holds; ``None`` for open.

    Raises:
        ConfigurationError: the percentage is a float or out of range, a name is blank, or no day is between the dates.

    >>> Discount(percent="15", provider="openai", models="gpt-5*").describe()
    'discount of 15 % on token rates (openai, gpt-5*)'
    """

    percent: Decimal | int | str
    provider: str | None = None
    models: str | None = None
    since: date | None = None
    until: date | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "percent", _percentage(self.percent))
        for name in ("provider", "models"):
            value = getattr(self, name)
            if value is not None:
                if not isinstance(value, str) or not value.strip():
                    raise ConfigurationError(f"{name} of a Discount must be text or None, not {value!r}")
                object.__setattr__(self, name, value.strip().lower())
        for name in ("since", "until"):
            if getattr(self, name) is not None:
                whole_date(name, getattr(self, name))
        check_span("Discount", self.since, self.until)

    @property
    def factor(self) -> Decimal:
        """What is left to pay, as a share (0..1)."""
        return (_WHOLE - Decimal(self.percent)) / _WHOLE

    def holds(self, provider: str, names: Sequence[str], at: datetime) -> bool:
        """Say whether it holds for a call at ``at`` (UTC) of a model that goes by any of ``names``."""
        day = at.date()
        return (
            (self.since is None or self.since <= day)
            and (self.until is None or day < self.until)
            and (self.provider is None or provider_id(self.provider) == provider)
            and (self.models is None or any(fnmatchcase(name, self.models) for name in names))
        )

    def describe(self) -> str:
        """Say what it is, for the notes of a price."""
        for_whom = ", ".join(part for part in (self.provider, self.models) if part is not None)
        return f"discount of {self.percent} % on token rates" + (f" ({for_whom})" if for_whom else "")


def checked_discounts(discounts: Iterable[Discount]) -> tuple[Discount, ...]:
    """Return discounts, the most specific first.

    Raises:
        ConfigurationError: one is no ``Discount``, or two for the same provider and models hold on the same day.
    """
    if isinstance(discounts, Discount):
        discounts = (discounts,)
    if not isinstance(discounts, Iterable):
        raise ConfigurationError(f"discounts must be some Discount(...), not {discounts!r}")
    listed = tuple(discounts)
    for later, discount in enumerate(listed):
        if not isinstance(discount, Discount):
            raise ConfigurationError(f"discounts must hold Discount(...), not {discount!r}")
        for other in listed[:later]:
            same = _provider(other) == _provider(discount) and other.models == discount.models
            if same and spans_overlap((other.since, other.until), (discount.since, discount.until)):
                raise ConfigurationError(
                    f"two discounts hold for the same calls on the same day: {other.describe()} and "
                    f"{discount.describe()}; end one where the other begins"
                )
    return tuple(sorted(listed, key=_rank))


def discounted(rates: Rates, discounts: Sequence[Discount], provider: str, names: Sequence[str], at: datetime) -> Rates:
    """Return rates with the first of ``discounts`` that holds taken off."""
    discount = next((discount for discount in discounts if discount.holds(provider, names, at)), None)
    if discount is None:
        return rates
    return replace(
        rates,
        per_million={key: rate * discount.factor for key, rate in rates.per_million.items()},
        notes=(*rates.notes, discount.describe()),
    )


def _rank(discount: Discount) -> tuple[bool, int, bool, Decimal]:
    pattern = discount.models or "*"
    letters = sum(letter not in "*?" for letter in pattern)
    return any(mark in pattern for mark in "*?["), -letters, discount.provider is None, Decimal(discount.percent)


def _provider(discount: Discount) -> str | None:
    return provider_id(discount.provider)


def _percentage(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (Decimal, int, str)):
        raise ConfigurationError(f"percent must be a Decimal, int or str, not {value!r}; write {str(value)!r}")
    try:
        percent = Decimal(str(value).removesuffix("%").strip())
    except InvalidOperation:
        raise ConfigurationError(f"percent is no number: {value!r}") from None
    if not percent.is_finite() or not 0 < percent <= _WHOLE:
        raise ConfigurationError(f"percent must be above 0 and at most 100, not {value}")
    return percent
