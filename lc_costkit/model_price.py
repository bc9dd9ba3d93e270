"""What does a model cost you, where you know better than the price list, and when?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal

from lc_costkit.amounts import any_overlap, check_span, usd_amount, whole_date
from lc_costkit.errors import ConfigurationError
from lc_costkit.model_names import provider_id

_MICROSECOND = Decimal("1e-6")
_LONGEST = 1e9
"""Seconds that no call takes: over thirty years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPrice:
    """What a model costs you: USD per million tokens, per call, or per hour of a machine.

    Amounts are ``Decimal``, ``int`` or ``str``; a ``float`` is refused, because 0.1 is not
    a tenth there. Rates that are not given follow those that are: cache reads, cache
    writes, audio and images cost what plain input costs, reasoning what output costs.
    Without ``output_per_million`` a call that produced output is unpriced. A price without
    any rate for tokens has ``per_hour`` or ``per_call``, and its tokens cost nothing more.

    Attributes:
        input_per_million: uncached input; may be left out with ``per_hour`` or ``per_call``.
        output_per_million: output, reasoning included.
        cache_read_per_million: input read from the prompt cache.
        cache_write_per_million: input written to it, for any lifetime without a rate of its own.
        cache_write_5m_per_million: input written for five minutes.
        cache_write_1h_per_million: input written for an hour.
        reasoning_per_million: reasoning, where it is billed apart from other output.
        input_audio_per_million: audio input.
        output_audio_per_million: audio output.
        input_image_per_million: image input.
        output_image_per_million: image output.
        per_call: USD for each call, whatever its tokens.
        per_hour: USD for an hour of the machine the model runs on. A call costs the time it took;
            that is an estimate, because the machine is also paid while idle and may serve several calls at once.
        per_request: USD for each request of a paid tool, by tool name.
        since: the first day (UTC) on which this is the price; ``None`` for always.
        until: the first day (UTC) on which it no longer is; ``None`` for open.

    Raises:
        ConfigurationError: an amount is a float, negative, infinite or no number; no price is given
            at all; a rate for tokens is given without ``input_per_million``; no day lies between the dates.

    >>> ModelPrice(input_per_million="0.15", output_per_million="0.60").input_per_million
    Decimal('0.15')
    """

    input_per_million: Decimal | int | str | None = None
    output_per_million: Decimal | int | str | None = None
    cache_read_per_million: Decimal | int | str | None = None
    cache_write_per_million: Decimal | int | str | None = None
    cache_write_5m_per_million: Decimal | int | str | None = None
    cache_write_1h_per_million: Decimal | int | str | None = None
    reasoning_per_million: Decimal | int | str | None = None
    input_audio_per_million: Decimal | int | str | None = None
    output_audio_per_million: Decimal | int | str | None = None
    input_image_per_million: Decimal | int | str | None = None
    output_image_per_million: Decimal | int | str | None = None
    per_call: Decimal | int | str = 0
    per_hour: Decimal | int | str | None = None
    per_request: Mapping[str, Decimal | int | str] = field(default_factory=dict)
    since: date | None = None
    until: date | None = None

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name == "per_request":
                if not isinstance(value, Mapping) or not all(isinstance(tool, str) for tool in value):
                    raise ConfigurationError(f"per_request must be a mapping of tool names to USD, not {value!r}")
                amounts = {tool: usd_amount(f"per_request[{tool!r}]", price) for tool, price in value.items()}
                object.__setattr__(self, item.name, amounts)
            elif value is not None and item.name in ("since", "until"):
                whole_date(item.name, value)
            elif value is not None or item.name == "per_call":
                object.__setattr__(self, item.name, usd_amount(item.name, value))
        check_span("ModelPrice", self.since, self.until)
        given = [name for name in LIST_KEYS.values() if getattr(self, name) is not None]
        if given and self.input_per_million is None:
            raise ConfigurationError(f"{given[0]} needs input_per_million beside it; give 0 if input costs nothing")
        if not given and self.per_hour is None and not self.per_call:
            raise ConfigurationError(
                "a ModelPrice needs input_per_million, per_hour or per_call; this one has no price"
            )

    @property
    def span(self) -> tuple[date | None, date | None]:
        """The days on which it is the price, from the first to before the second."""
        return self.since, self.until

    def holds_on(self, day: date) -> bool:
        """Say whether it is the price on a day (UTC)."""
        return (self.since is None or self.since <= day) and (self.until is None or day < self.until)

    def by_list_key(self) -> dict[str, Decimal]:
        """Return USD per million tokens by genai-prices' key, of the rates that were given."""
        rates = {key: rate for key, name in LIST_KEYS.items() if (rate := getattr(self, name)) is not None}
        # Time or the call pays for the tokens.
        return rates or {"input_mtok": Decimal(0), "output_mtok": Decimal(0)}

    def describe(self) -> str:
        """Say when it is the price: ``override`` or ``override since 2026-11-01``.

        >>> ModelPrice(per_hour="2.50", since=date(2026, 11, 1)).describe()
        'override since 2026-11-01'
        """
        words = [f"{name} {day}" for name, day in (("since", self.since), ("until", self.until)) if day is not None]
        return " ".join(["override", *words])


class OwnPrices:
    """Your own prices by model name, each for its dates.

    Raises:
        ConfigurationError: a value is neither a ``ModelPrice`` nor some of them, or two of them hold on the same day.
    """

    __slots__ = ("_prices",)

    def __init__(self, overrides: Mapping[str, ModelPrice | Sequence[ModelPrice]]) -> None:
        self._prices: dict[str, tuple[ModelPrice, ...]] = {}
        by_model("overrides", overrides)
        for model, given in overrides.items():
            prices = _checked(model, given)
            name = _spelled_once(model_key(model))
            if name in self._prices:
                raise ConfigurationError(f"overrides name {name!r} twice, in different spellings; give it one entry")
            self._prices[name] = prices

    def __bool__(self) -> bool:
        return bool(self._prices)

    def find(self, names: Sequence[str], at: datetime) -> tuple[str, ModelPrice] | None:
        """Return the first of ``names`` that has a price at ``at`` (UTC), with it."""
        day = at.date()
        for name in map(_spelled_once, names):
            for price in self._prices.get(name, ()):
                if price.holds_on(day):
                    return name, price
        return None

    def of(self, name: str) -> tuple[ModelPrice, ...]:
        """Return every price of a name, whatever its dates."""
        return self._prices.get(name, ())


def model_key(model: object) -> str:
    """Return a model name as it is compared.

    Raises:
        ConfigurationError: it is not text, or blank.
    """
    if not isinstance(model, str) or not model.strip():
        raise ConfigurationError(f"a model name must be text, not {model!r}")
    return model.strip().lower()


def by_model(name: str, value: object) -> None:
    """Refuse what is not a mapping by model name.

    Raises:
        ConfigurationError: it is none.
    """
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{name} must be a mapping by model name, like {{'gpt-4o': ...}}, not {value!r}")


def _spelled_once(name: str) -> str:
    """Return a name with its provider, if it has one, as the price list writes it: ``bedrock/x`` as ``aws/x``."""
    head, slash, tail = name.partition("/")
    return f"{provider_id(head)}/{tail}" if slash and tail else name


def machine_seconds(duration_seconds: float | None) -> Decimal | None:
    """Return a duration in seconds, to the microsecond; ``None`` for one that is not known or cannot be.

    Raises:
        ConfigurationError: it is no number.

    >>> machine_seconds(1.25), machine_seconds(-0.5), machine_seconds(float("nan"))
    (Decimal('1.250000'), Decimal('0.000000'), None)
    """
    if duration_seconds is not None and not isinstance(duration_seconds, (int, float, Decimal)):
        raise ConfigurationError(f"duration_seconds must be a number of seconds, not {duration_seconds!r}")
    if duration_seconds is None or not -_LONGEST < duration_seconds < _LONGEST:
        return None
    return max(Decimal(0), Decimal(duration_seconds)).quantize(_MICROSECOND, ROUND_HALF_EVEN)


LIST_KEYS = {
    "input_mtok": "input_per_million",
    "output_mtok": "output_per_million",
    "cache_read_mtok": "cache_read_per_million",
    "cache_write_mtok": "cache_write_per_million",
    "cache_write_5m_mtok": "cache_write_5m_per_million",
    "cache_write_1h_mtok": "cache_write_1h_per_million",
    "output_reasoning_mtok": "reasoning_per_million",
    "input_audio_mtok": "input_audio_per_million",
    "output_audio_mtok": "output_audio_per_million",
    "input_image_mtok": "input_image_per_million",
    "output_image_mtok": "output_image_per_million",
}
"""genai-prices' keys of the rates that a ``ModelPrice`` can give."""


def _checked(model: str, given: object) -> tuple[ModelPrice, ...]:
    prices = tuple(given) if isinstance(given, Sequence) and not isinstance(given, (str, bytes)) else (given,)
    for price in prices:
        if not isinstance(price, ModelPrice):
            raise ConfigurationError(
                f"the override for {model!r} must be a ModelPrice or several dated ones, not {price!r}"
            )
    if not prices:
        raise ConfigurationError(f"the override for {model!r} holds no ModelPrice; leave it out to use the price list")
    both = any_overlap(price.span for price in prices)
    if both is not None:
        first, second = (prices[index].describe() for index in both)
        raise ConfigurationError(
            f"two prices for {model!r} hold on the same day ({first}; {second}); end one where the other begins"
        )
    return prices
