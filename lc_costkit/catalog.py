"""Which entry of the price list is meant by a model name?

The same model goes by many names: ``models/gemini-2.5-flash``, ``anthropic/claude-...``,
a Bedrock id or ARN, an Azure deployment. A name that is not understood finds nothing,
which the price book reports as unpriced; it never finds something similar.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, Provider

_PROVIDER_IDS = {
    "azure_openai": "azure",
    "azure-openai": "azure",
    "azure_ai": "azure",
    "amazon_bedrock": "aws",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "anthropic_bedrock": "aws",
    "google_genai": "google",
    "google_vertexai": "google",
    "google_anthropic_vertex": "google",
    "google-genai": "google",
    "gemini": "google",
    "vertex_ai": "google",
    "vertexai": "google",
    "mistralai": "mistral",
    "mistral_ai": "mistral",
    "xai": "x-ai",
    "x_ai": "x-ai",
    "together_ai": "together",
    "togetherai": "together",
    "fireworks_ai": "fireworks",
    "moonshot": "moonshotai",
    "voyage": "voyageai",
}
"""What LangChain (``ls_provider``, ``model_provider``), LiteLLM and users call a provider, as genai-prices ids."""

_SELF_HOSTED = frozenset(
    {"ollama", "vllm", "llamacpp", "llama_cpp", "llamafile", "lmstudio", "lm_studio", "gpt4all", "mlx", "huggingface"}
)
"""Providers that bill no tokens of their own: the price of a namesake elsewhere says nothing about them."""

_BEDROCK_NAME = re.compile(
    r"^(?:(?:us|us-gov|eu|apac|jp|au|ca|sa|global|regional)\.)?"
    r"(?:anthropic|amazon|meta|mistral|cohere|ai21|deepseek|qwen|openai|google|nvidia|writer|moonshotai|zai)\.[a-z]"
)
_LEADING_PATHS = re.compile(r"^(?:projects/[^/]+/locations/[^/]+/)?(?:publishers/[^/]+/)?(?:models|tunedmodels)/")
_OPENAI_NAME = re.compile(r"^(?:text-embedding-|text-moderation-|ft:|chatgpt-|computer-use-|codex-|davinci-|babbage-)")
_MEMO_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class Entry:
    """One model of the price list.

    Attributes:
        provider: the genai-prices provider.
        model: the genai-prices model.
        native: whether the model is listed by this provider itself, and not borrowed from another one.
        doubt: why the match may not be the price that is billed; ``None`` for none.
    """

    provider: Provider
    model: ModelInfo
    native: bool
    doubt: str | None = None


@dataclass(slots=True)
class Catalog:
    """Finds entries in the price list of genai-prices and remembers what it found.

    genai-prices is imported (0.2 s) at the first look-up. Several threads may share one.
    """

    _snapshot: DataSnapshot | None = None
    _memo: dict[tuple[str, str | None], Entry | None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, model: str, provider: str | None) -> Entry | None:
        """Return the entry for ``model``, or ``None`` for an unknown one."""
        from genai_prices.data_snapshot import get_snapshot

        snapshot = get_snapshot()
        key = (model, provider)
        with self._lock:
            if snapshot is not self._snapshot or len(self._memo) >= _MEMO_LIMIT:
                self._snapshot = snapshot
                self._memo = {}
            if key in self._memo:
                return self._memo[key]
        entry = _look_up(snapshot, model, provider)
        with self._lock:
            if snapshot is self._snapshot:
                self._memo[key] = entry
        return entry


def provider_id(name: str | None) -> str | None:
    """Return the genai-prices id for what a framework calls a provider.

    >>> provider_id("google_genai"), provider_id("bedrock_converse"), provider_id("openai"), provider_id(None)
    ('google', 'aws', 'openai', None)
    """
    if not name or not isinstance(name, str):
        return None
    plain = name.strip().lower()
    return _PROVIDER_IDS.get(plain, plain) or None


def spellings(model: str, provider: str | None) -> Iterator[tuple[str | None, str, bool]]:
    """Yield (provider, name, provider is certain) in the order in which they are tried.

    >>> list(spellings("models/gemini-2.5-flash", None))
    [(None, 'gemini-2.5-flash', True)]
    >>> list(spellings("us.anthropic.claude-sonnet-4-5-20250929-v1:0", None))
    [('aws', 'us.anthropic.claude-sonnet-4-5-20250929-v1:0', True)]
    >>> list(spellings("anthropic/claude-sonnet-4-5", None))
    [('anthropic', 'claude-sonnet-4-5', True), (None, 'anthropic/claude-sonnet-4-5', True)]
    """
    name = model.strip().lower()
    if name.startswith("arn:"):
        name = name.rpartition("/")[2]
    head, _, tail = _LEADING_PATHS.sub("", name).partition("/")
    stripped = f"{head}/{tail}" if tail else head
    if provider is not None:
        yield provider, stripped, True
        if tail and provider_id(head) == provider:
            yield provider, tail, True
        elif tail and provider not in _SELF_HOSTED:
            yield provider_id(head), tail, False
        elif _BEDROCK_NAME.match(stripped) and provider != "aws":
            yield "aws", stripped, True
        return
    if tail:
        yield provider_id(head), tail, True
        if head in _SELF_HOSTED:
            return
    elif _BEDROCK_NAME.match(stripped):
        yield "aws", stripped, True
        return
    elif _OPENAI_NAME.match(stripped):
        yield "openai", stripped, True
        return
    yield None, stripped, True


def _look_up(snapshot: DataSnapshot, model: str, provider: str | None) -> Entry | None:
    for candidate, name, certain in spellings(model, provider):
        found = _find(snapshot, name, candidate)
        if found is not None:
            doubt = None if certain else f"{provider} has no price for {model!r}; that of {candidate} was used"
            return _entry(found, doubt)
    if provider is None or provider in _SELF_HOSTED or _is_known(snapshot, provider):
        return None
    inferred = _look_up(snapshot, model, None)
    if inferred is None:
        return None
    doubt = f"provider {provider!r} is not in the price list; {inferred.provider.id} was inferred from the model name"
    return Entry(inferred.provider, inferred.model, inferred.native, doubt)


def _find(snapshot: DataSnapshot, name: str, provider: str | None) -> tuple[Provider, ModelInfo] | None:
    try:
        return snapshot.find_provider_model(name, None, provider, None)
    except LookupError:
        return None


def _entry(found: tuple[Provider, ModelInfo], doubt: str | None) -> Entry:
    provider, model = found
    return Entry(provider, model, any(model is listed for listed in provider.models), doubt)


def _is_known(snapshot: DataSnapshot, provider: str) -> bool:
    try:
        snapshot.find_provider(None, provider, None)
    except LookupError:
        return False
    return True
