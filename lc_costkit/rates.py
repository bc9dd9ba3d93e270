"""Which rates of the price list apply to a call?

A list price has standard rates and variants (batch, service tiers, fast modes), some of
which start at a date. genai-prices returns the standard rate, without a word, for a
variant it does not have at that date. Here that is noticed: the discount is applied where
it is documented to have been in force, and otherwise the result is doubted aloud.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING

from lc_costkit import unlisted as rules
from lc_costkit.applying import Rates
from lc_costkit.cost import MILLION
from lc_costkit.usage import TokenUsage, UsageReading

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice as ListedPrice
    from genai_prices.types import PriceVariant, TieredPrices

    from lc_costkit.catalog import Entry

_TOOL_KEYS = {
    "web_search": "web_searches_kcount",
    "file_search": "storage_searches_kcount",
    "social_search": "social_searches_kcount",
    "code_execution": "code_executions_kcount",
    "rerank": "rerank_searches_kcount",
}
_STANDARD = {
    "service_tier": frozenset({"", "default", "standard", "auto", "standard_only", "on_demand", "unspecified"}),
    "processing": frozenset({"", "standard", "online"}),
    "speed": frozenset({"", "standard", "normal", "default"}),
    "inference_geo": frozenset({"", "global", "not_available"}),
}
"""Words with which providers say: nothing special."""

_ONE = (Decimal(1), Decimal(1))

_SAME_WORD = {
    "service_tier": {
        "on_demand_flex": "flex",
        "on_demand_priority": "priority",
        "service_tier_flex": "flex",
        "service_tier_priority": "priority",
        "service_tier_default": "default",
    },
    "processing": {"batches": "batch", "batch_api": "batch"},
}
"""Other words for a variant: Vertex AI's ``trafficType``, and the names of enumerations."""


def unusual(reading: UsageReading) -> dict[str, str]:
    """Return what a reading asks for beyond standard service, by genai-prices' context key.

    >>> unusual(UsageReading(usage=TokenUsage(), service_tier="default", processing="batch"))
    {'processing': 'batch'}
    """
    asked = {}
    for key in ("service_tier", "processing", "speed"):
        word = (getattr(reading, key) or "").strip().lower()
        asked[key] = _SAME_WORD.get(key, {}).get(word, word)
    if asked["service_tier"] in ("batch", "batches"):
        # Anthropic reports the batch API as a tier.
        asked |= {"service_tier": "", "processing": asked["processing"] or "batch"}
    return {key: value for key, value in asked.items() if value not in _STANDARD[key]}


def listed_rates(entry: Entry, reading: UsageReading, at: datetime) -> Rates:
    """Return the rates of a listed model for this call, made at ``at``."""
    draft = _Draft(entry, reading.usage.total_input, at)
    asked = unusual(reading)
    draft.start(asked)
    draft.settle_time_of_day()
    for key, value in asked.items():
        draft.apply_variant(key, value)
    draft.doubt_combination(asked)
    draft.doubt_moving_name()
    draft.doubt_flat_variants(asked)
    draft.apply_place((reading.inference_geo or "").strip().lower())
    draft.fill_gaps(reading.usage)
    draft.doubt_gaps(reading.usage)
    draft.doubt_fees(reading)
    return draft.finish()


class _Draft:
    """Rates while they are being worked out."""

    def __init__(self, entry: Entry, total_input: int, at: datetime) -> None:
        self._entry = entry
        self._total_input = total_input
        self._at = at
        self._prices: dict[str, Decimal] = {}
        self._notes: list[str] = []
        self._doubts: list[str] = [entry.doubt] if entry.doubt else []
        self._bounds: tuple[Decimal, Decimal] | None = None if entry.doubt else _ONE
        self._less = self._more = Decimal(0)

    def start(self, asked: Mapping[str, str]) -> None:
        # Another provider's variants say nothing about this one's.
        context = asked if self._entry.native else {}
        if not self._entry.native:
            self._notes.append(f"{self._entry.provider.id} lists no price of its own; that of the maker was used")
        self._prices = self._flat(self._entry.model.get_prices(self._at, context))

    def apply_variant(self, key: str, value: str) -> None:
        """Take ``key=value`` into account where the price list does not have it at this date."""
        variants = self._variants(key, value)
        if any(variant.constraint is None or variant.constraint.active(self._at) for variant in variants):
            self._notes.append(f"{key} {value}: listed rates")
            return
        starts = [start for variant in variants if (start := getattr(variant.constraint, "start_date", None))]
        if starts:
            self._carry_back(key, value, min(starts))
        elif value == "batch":
            self._scale(rules.BATCH_FACTOR)
            self._notes.append("batch: half of the standard rates")
            if self._entry.provider.id == "anthropic" and self._announced(value):
                # Anthropic's discount is the same for all of its models.
                return
            self._doubt("the price list has no batch rates for this model; half of the standard rates is usual")
            self._widen(_ONE[0], 1 / rules.BATCH_FACTOR)
        elif not rules.PREPAID.isdisjoint({(None, value), (self._entry.provider.id, value)}):
            self._doubt(f"{key}={value!r} is paid for in advance, by capacity; the standard rates were used")
            self._widen(Decimal(0), rules.VARIANT_BOUNDS.get(value, _ONE)[1])
        else:
            self._doubt(f"the price list has no rates for {key}={value!r}; the standard rates were used")
            self._widen(*rules.VARIANT_BOUNDS.get(value, (None, None)))

    def doubt_combination(self, asked: Mapping[str, str]) -> None:
        """Doubt several variants at once: the list has each by itself and says nothing of them together."""
        if len(asked) > 1:
            both = " and ".join(f"{key}={value!r}" for key, value in asked.items())
            self._doubt(f"the price list does not say what {both} cost together")
            self._widen(None, None)

    def doubt_flat_variants(self, asked: Mapping[str, str]) -> None:
        """Doubt a variant that is listed at one rate for a prompt whose length raises the standard rate."""
        standard = vars(self._entry.model.get_prices(self._at))
        steps = [
            passed[-1] / tiers.base
            for term in asked.items()
            for variant in self._variants(*term)
            for key, rate in vars(variant.prices).items()
            if isinstance(rate, Decimal)
            and (tiers := standard.get(key)) is not None
            and not isinstance(tiers, Decimal)
            and (passed := self._passed(tiers))
            and tiers.base
        ]
        if steps:
            self._doubt("the price list has one rate for this variant and a higher standard one for so long a prompt")
            self._widen(_ONE[0], max(steps))

    def doubt_moving_name(self) -> None:
        """Doubt the price of a name that may stand for a later model by now."""
        if self._entry.moved is not None and not self._begun(self._entry.moved):
            return
        now = self._flat(self._entry.model.get_prices(self._at))
        steps = [
            rate / now[key]
            for other in self._entry.later
            for key, rate in self._flat(other.get_prices(self._at)).items()
            if key in ("input_mtok", "output_mtok", "cache_read_mtok") and now.get(key)
        ]
        if any(step != 1 for step in steps):
            self._doubt(f"the name moves; the price list has it at {self._entry.model.id!r}, and later models differ")
            self._widen(min(_ONE[0], *steps), max(_ONE[1], *steps))

    def settle_time_of_day(self) -> None:
        """Judge a rate of the hour, which the list neither dates nor limits to days of the week."""
        listed = self._entry.model.prices
        if not isinstance(listed, list):
            return
        active = [item for item in listed if item.constraint is None or item.constraint.active(self._at)]
        starts = [start for item in listed if (start := getattr(item.constraint, "start_date", None))]
        if not active or not hasattr(active[-1].constraint, "start_time"):
            return
        plain = next((item for item in reversed(active) if not hasattr(item.constraint, "start_time")), listed[0])
        local = self._at.astimezone(rules.BEIJING)
        if (
            self._entry.provider.id == "deepseek"
            and local.date() >= rules.WEEKENDS_SINCE
            and local.weekday() >= rules.SATURDAY
        ):
            self._prices = self._flat(plain.prices)
            self._notes.append("off-peak rates: it is a weekend in Beijing")
            return
        if self._begun(max(starts, default=None)):
            return
        now, before = self._flat(active[-1].prices), self._flat(plain.prices)
        steps = [before[key] / now[key] for key in before if now.get(key)]
        self._doubt("the price list has a rate for this hour of the day, and not since when")
        self._widen(min(_ONE[0], *steps), max(_ONE[1], *steps))

    def _announced(self, variant: str) -> bool:
        """Say whether the provider had a variant by then, whatever the list says."""
        since = rules.BATCH_SINCE.get(self._entry.provider.id) if variant == "batch" else None
        return since is not None and since <= self._at.astimezone(UTC).date()

    def _begun(self, start: date | None) -> bool:
        return start is None or start <= self._at.astimezone(UTC).date()

    def apply_place(self, geo: str) -> None:
        """Take into account where the call ran, which genai-prices does not."""
        if self._entry.provider.id == "aws":
            self._doubt_abroad()
        elif self._entry.regional:
            place = geo if geo not in ("", "not_available") else self._entry.location
            if place is None:
                self._doubt(
                    "the listed price is that of a global endpoint; one in a region costs "
                    f"{rules.REGIONAL_FACTOR} times as much, and nothing says which it was (an alias to "
                    f"'{self._entry.provider.id}/{self._entry.model.id}' takes the listed price as it is)"
                )
                self._widen(_ONE[0], rules.REGIONAL_FACTOR)
            elif place != "global":
                self._scale(rules.REGIONAL_FACTOR)
                self._notes.append(f"endpoint in {place}: {rules.REGIONAL_FACTOR} times the global rates")
        elif geo not in _STANDARD["inference_geo"] and self._entry.provider.id == "anthropic":
            if geo == "us":
                self._scale(rules.US_ONLY_FACTOR)
                self._notes.append(f"inference_geo us: {rules.US_ONLY_FACTOR} times the listed rates")
            else:
                self._doubt(f"no factor is known for inference_geo={geo!r}")
                self._widen(None, None)

    def _doubt_abroad(self) -> None:
        """Doubt the listed price of the US elsewhere; Claude's is the same, or listed apart, but in GovCloud."""
        place, name = self._entry.location or "us", self._entry.model.id
        listed = place.startswith(("us", "global")) or name.startswith(("regional.", "global.")) or "claude" in name
        if not listed or place.startswith("us-gov"):
            self._doubt(f"the listed price is that of the US, and the model ran in {place}")
            self._widen(_ONE[0], rules.ABROAD_FACTOR)

    def fill_gaps(self, usage: TokenUsage) -> None:
        """Add what the list leaves out and the provider's rules settle."""
        model = self._entry.model
        hour_rate_missing = "cache_write_mtok" in self._prices and "cache_write_1h_mtok" not in self._prices
        if usage.cache_write_1h_tokens and hour_rate_missing and "claude" in model.id:
            self._prices["cache_write_1h_mtok"] = rules.HOUR_FACTOR * self._prices["input_mtok"]
            self._notes.append("one-hour cache writes: twice the input rate")
        listed_free = model.id.endswith(":free") or rules.FREE_NOTE in (model.price_comments or "").lower()
        if not self._prices and (listed_free or (self._entry.provider.id, model.id) in rules.FREE_MODELS):
            self._prices |= {"input_mtok": Decimal(0), "output_mtok": Decimal(0)}
            self._notes.append("free of charge")

    def doubt_gaps(self, usage: TokenUsage) -> None:
        """Doubt the rate of plain text where the list has none for what the call used."""
        provider = self._entry.provider.id
        plain, prices = self._prices.get("input_mtok"), self._prices
        read = usage.cache_read_tokens + usage.cache_read_image_tokens + usage.cache_read_audio_tokens
        if read and plain and "cache_read_mtok" not in prices:
            self._doubt("the price list has no rate for cache reads of this model; the input rate was used")
            self._less += read * plain / MILLION
        write = usage.cache_write_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        # OpenAI's writes were free, so at the input rate, before the models that are listed with one.
        if write and plain and "cache_write_mtok" not in prices and provider not in ("openai", "azure"):
            self._doubt("the price list has no rate for cache writes of this model; the input rate was used")
            self._more += write * plain / MILLION
        audio = usage.input_audio_tokens + usage.cache_read_audio_tokens
        output_audio = usage.output_audio_tokens
        unlisted = {
            "audio input": provider != "google" and audio and "input_audio_mtok" not in prices,
            "audio output": provider != "google" and output_audio and "output_audio_mtok" not in prices,
            "image output": usage.output_image_tokens and "output_image_mtok" not in prices,
        }
        for kind in (kind for kind, missing in unlisted.items() if missing and any(prices.values())):
            # Google lists a rate wherever one differs from that of text.
            self._doubt(f"the price list has no rate for {kind} of this model; the text rate was used")
            most = rules.AUDIO_AT_MOST.get(self._entry.model.id)
            if most is None or kind == "image output":
                self._widen(None, None)
            elif kind == "audio input":
                self._more += audio * (most[0] - prices["input_mtok"]) / MILLION
            else:
                self._more += output_audio * (most[1] - prices["output_mtok"]) / MILLION

    def doubt_fees(self, reading: UsageReading) -> None:
        """Doubt what is paid for the search that some models make at each call."""
        provider, fee = self._entry.provider.id, self._prices.get("requests_kcount")
        if fee and provider == "perplexity":
            self._doubt("the fee for a request depends on the search context; that of the largest was used")
            self._less += fee / 1000 * (1 - rules.SEARCH_FEE_FACTOR)
        searches = provider == "openai" and "-search-" in (reading.model or "").lower()
        if searches and not reading.usage.tool_requests and reading.usage.total:
            self._doubt("the search that this model makes at each call is not in the report, and not in the amount")
            self._more += rules.SEARCH_MODEL_FEE

    def finish(self) -> Rates:
        per_million = {key: rate for key, rate in self._prices.items() if key.endswith("_mtok")}
        requests = {
            tool: self._prices[key] / 1000 for tool, key in _TOOL_KEYS.items() if key in self._prices
        } | dict.fromkeys(rules.FREE_TOOLS, Decimal(0))
        return Rates(
            per_million=per_million,
            requests=requests,
            per_call=self._prices.get("requests_kcount", Decimal(0)) / 1000,
            notes=tuple(self._notes),
            doubts=tuple(self._doubts),
            bounds=self._bounds,
            less=self._less,
            more=self._more,
        )

    def _variants(self, key: str, value: str) -> list[PriceVariant]:
        if not self._entry.native:
            return []
        return [variant for variant in self._entry.model.price_variants or () if variant.when == {key: value}]

    def _carry_back(self, key: str, value: str, start: date) -> None:
        """Apply the discount that the variant had when it was first listed to the standard rates of this date."""
        model = self._entry.model
        moment = datetime.combine(start, time(), UTC)
        standard, variant = self._flat(model.get_prices(moment)), self._flat(model.get_prices(moment, {key: value}))
        for name, rate in variant.items():
            if name in self._prices and standard.get(name):
                same = self._prices[name] == standard[name]
                self._prices[name] = rate if same else self._prices[name] * rate / standard[name]
        self._notes.append(f"{key} {value}: the discount listed from {start}, before that date")
        if not self._announced(value):
            self._doubt(f"the price list has {key}={value!r} only from {start}; the same discount was assumed")
            self._widen(Decimal("0.5"), Decimal(2))

    def _flat(self, price: ListedPrice) -> dict[str, Decimal]:
        """Choose the long-context tier: the highest whose start the whole prompt exceeds holds for all tokens."""
        flat: dict[str, Decimal] = {}
        for key, value in vars(price).items():
            if isinstance(value, Decimal):
                flat[key] = value
            elif value is not None and not key.startswith("_"):
                passed = self._passed(value)
                flat[key] = passed[-1] if passed else value.base
        return flat

    def _passed(self, price: TieredPrices) -> list[Decimal]:
        return [tier.price for tier in price.tiers if self._total_input > tier.start]

    def _scale(self, factor: Decimal) -> None:
        for key, rate in self._prices.items():
            if key.endswith("_mtok"):
                self._prices[key] = rate * factor

    def _doubt(self, reason: str) -> None:
        self._doubts.append(reason)

    def _widen(self, low: Decimal | None, high: Decimal | None) -> None:
        if low is None or high is None or self._bounds is None:
            self._bounds = None
        else:
            self._bounds = (self._bounds[0] * low, self._bounds[1] * high)
