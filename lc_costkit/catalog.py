"""Which entry of the price list is meant by a model name?

A name that is not understood finds nothing, which the price book reports as unpriced. A
name that the list only seems to know, or knows from another provider, is found with a doubt.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date
from difflib import get_close_matches
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from lc_costkit.model_names import SELF_HOSTED, is_own_model, location_of, provider_id, spellings
from lc_costkit.name_match import is_named
from lc_costkit.unlisted import DEEPSEEK_MOVED, DEEPSEEK_MOVES, moved_to, unlisted

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, Provider

__all__ = ["Catalog", "Entry", "provider_id", "spellings"]

_MEMO_LIMIT = 4096

_REGIONAL = {
    "google": re.compile(r"claude-(?!3|4-opus$|4-sonnet$|sonnet-4-0$|opus-4-[01]$|2|v1)"),
    "azure": re.compile(r"gpt-|o\d|text-embedding-|ada$|codex"),
}
"""Models whose listed price is that of the global endpoint, by provider."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One model of the price list.

    Attributes:
        provider: the genai-prices provider.
        model: the genai-prices model.
        native: whether the model is listed by this provider itself, and not borrowed from another one.
        doubt: why the match may not be the price that is billed; ``None`` for none.
        location: where it runs, if the name says so and the price depends on it.
        later: for a name that moves (``mistral-large-latest``), other models of the line it may have moved to.
        moved: the day on which it first did, if that is known (UTC).
        regional: whether the price is that of a global endpoint, and others cost ``REGIONAL_FACTOR`` times as much.
        source: which list it is from.
    """

    provider: Provider
    model: ModelInfo
    native: bool
    doubt: str | None = None
    location: str | None = None
    regional: bool = False
    later: tuple[ModelInfo, ...] = ()
    moved: date | None = None
    source: str = "genai-prices"


@cache
def _listed_snapshot() -> Callable[[], DataSnapshot]:
    from genai_prices.data_snapshot import get_snapshot  # 0.2 s, at the first look-up

    return get_snapshot


@dataclass(slots=True)
class Catalog:
    """Finds entries in the price list of genai-prices and remembers what it found.

    genai-prices is imported (0.2 s) at the first look-up. Several threads may share one.

    Attributes:
        refreshed: gives a newer list than the one in force in the process, or ``None``.
    """

    refreshed: Callable[[], DataSnapshot | None] = lambda: None
    _found: tuple[DataSnapshot | None, dict[tuple[str, str | None], Entry | None]] = field(
        default_factory=lambda: (None, {})
    )

    def snapshot(self) -> DataSnapshot:
        """Return the list in force: a refreshed one, one that the process has set, or the one in the package."""
        return self.refreshed() or _listed_snapshot()()

    def find(self, model: str, provider: str | None) -> Entry | None:
        """Return the entry for ``model``, or ``None`` for an unknown one."""
        snapshot = self.snapshot()
        # List and memo change together, in one assignment: no lock that a fork could leave closed.
        listed, memo = self._found
        if snapshot is not listed or len(memo) >= _MEMO_LIMIT:
            memo = {}
            self._found = (snapshot, memo)
        key = (model, provider)
        if key not in memo:
            memo[key] = _look_up(snapshot, model, provider)
        return memo[key]

    def near(self, model: str, provider: str | None, *, most: int = 5) -> tuple[str, ...]:
        """Return names in the list that are written like ``model``, as ``provider/name``, the nearest first."""
        listed = [
            (entry.id.lower(), owner.id)
            for owner in self.snapshot().providers
            if provider is None or owner.id == provider or provider not in self.providers()
            for entry in owner.models
        ]
        wanted = [name for _, name, _ in spellings(model, provider)][-1].rpartition("/")[2]
        owners: dict[str, list[str]] = {}
        for name, owner in listed:
            owners.setdefault(name, []).append(owner)
        close = get_close_matches(wanted, owners, n=most, cutoff=0.6)
        # The maker's own entry says more than the same name at a reseller.
        return tuple(f"{min(owners[name], key=lambda owner: (owner not in _MAKERS, owner))}/{name}" for name in close)

    def providers(self) -> frozenset[str]:
        """Return the ids of the providers in the list."""
        return frozenset(provider.id for provider in self.snapshot().providers)


_UNVERIFIED = re.compile(
    r"^(?:Imported from OpenRouter pricing; verify(?!.*Verified against)|Seen on OpenRouter|.*trusting)", re.DOTALL
)
"""What the list writes beside prices that it does not vouch for."""

_MAKERS = frozenset(
    {"openai", "anthropic", "google", "mistral", "deepseek", "x-ai", "cohere", "voyageai", "moonshotai"}
)


def list_name(snapshot: DataSnapshot) -> str:
    """Say which list a snapshot is: the package's version, and when it was refreshed."""
    from genai_prices.data import providers

    name = f"genai-prices {version('genai-prices')}"
    if snapshot.from_auto_update:
        # The stamp is the machine's local time without a zone.
        return f"{name}, refreshed {snapshot.timestamp.astimezone(UTC).isoformat(timespec='seconds')}"
    return name if snapshot.providers is providers else f"{name}, list set by the application"


def _look_up(snapshot: DataSnapshot, model: str, provider: str | None) -> Entry | None:
    if is_own_model(model):
        return None
    location = location_of(model)
    for candidate, name, certain in spellings(model, provider):
        doubt = None if certain else f"{provider} has no price for {model!r}; that of {candidate} was used"
        found = _find(snapshot, name, candidate)
        if found is None or not is_named(found[1].match, found[1].id, name):
            published = unlisted(name, candidate)
            if published is not None:
                owner, published_model, source = published
                by_id = {listed.id: listed for listed in snapshot.providers}
                return _entry(snapshot, (by_id[owner], published_model), name, doubt, location, source)
        if found is not None:
            return _entry(snapshot, found, name, doubt, location)
    if provider is None or provider in SELF_HOSTED:
        return None
    if any(provider == listed.id for listed in snapshot.providers):
        return _of_compatible_endpoint(snapshot, model, location) if provider == "openai" else None
    inferred = _guess(snapshot, model, provider, location) or _look_up(snapshot, model, None)
    if inferred is None:
        return None
    doubt = f"provider {provider!r} is not in the price list; {inferred.provider.id} was inferred from the names"
    return _entry(snapshot, (inferred.provider, inferred.model), None, doubt, location)


def _of_compatible_endpoint(snapshot: DataSnapshot, model: str, location: str | None) -> Entry | None:
    """Look for the maker of a model that OpenAI does not have: its clients also talk to other providers' endpoints."""
    found = _find(snapshot, model, None)
    if found is None or found[0].id == "openai":
        return None
    doubt = f"openai has no price for {model!r}; that of {found[0].id} was used"
    return _entry(snapshot, found, None, doubt, location)


def _guess(snapshot: DataSnapshot, model: str, provider: str, location: str | None) -> Entry | None:
    """Let the list guess whom a provider's name means: it takes ``my-openai-proxy`` for OpenAI."""
    from genai_prices.data_snapshot import find_provider_by_id

    owner = find_provider_by_id(snapshot.providers, provider)
    if owner is None:
        return None
    for _, name, _ in spellings(model, provider):
        found = _find(snapshot, name, owner.id)
        if found is not None:
            return _entry(snapshot, found, name, None, location)
    return None


def _find(snapshot: DataSnapshot, name: str, provider: str | None) -> tuple[Provider, ModelInfo] | None:
    # What the snapshot's own search has looked for, found or not, it never forgets.
    for owner in snapshot.providers:
        rule = owner.model_match
        if owner.id == provider or (provider is None and rule is not None and rule.is_match(name)):
            model = owner.find_model(name, all_providers=snapshot.providers)
            return None if model is None else (owner, model)
    return None


def _entry(
    snapshot: DataSnapshot,
    found: tuple[Provider, ModelInfo],
    name: str | None,
    doubt: str | None,
    location: str | None,
    source: str | None = None,
) -> Entry:
    provider, model = found
    if doubt is None and _UNVERIFIED.search(model.price_comments or ""):
        doubt = "the price list has this price from a reseller and did not verify it with the provider"
    if name is not None and doubt is None and not is_named(model.match, model.id, name):
        doubt = (
            f"the price list takes {name!r} for {model.id!r}, which may be another model; give it an alias if it is not"
        )
    regional = _REGIONAL.get(provider.id)
    return Entry(
        provider,
        model,
        native=source is not None or any(model is listed for listed in provider.models),
        doubt=doubt,
        location=location,
        regional=regional is not None and regional.match(model.id) is not None,
        later=_later(provider, model, name),
        moved=DEEPSEEK_MOVED if provider.id == "deepseek" else None,
        source=source or list_name(snapshot),
    )


def _later(provider: Provider, model: ModelInfo, name: str | None) -> tuple[ModelInfo, ...]:
    """Return where a name may have moved to since the list filed it under one model.

    Mistral moves ``...-latest`` without changing it in its answers, DeepSeek its two oldest names; other makers
    answer with the model's own name.
    """
    if provider.id == "deepseek" and model.id in DEEPSEEK_MOVES:
        return moved_to()
    if provider.id != "mistral" or name is None or not name.endswith("-latest") or model.id.endswith("-latest"):
        return ()
    line = re.compile(re.escape(name.removesuffix("latest")) + r"\d[\d.-]*$")
    return tuple(other for other in provider.models if other is not model and line.match(other.id))
