"""How does the user's own embedding object become an embedder?

By what it can do, not by its class, so neither framework is imported: LangChain
``Embeddings``, LlamaIndex ``BaseEmbedding``, an :class:`Embedder`, or a function.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lc_costkit.embedding.bundled import BundledEmbedder, bundled_embedder
from lc_costkit.embedding.protocol import ReadyEmbedder
from lc_costkit.embedding.scale import PROBES, Scales, measure
from lc_costkit.errors import ConfigurationError, EmbedderError

_logger = logging.getLogger(__name__)

EmbedTexts = Callable[[Sequence[str]], Any]
AsyncEmbedTexts = Callable[[Sequence[str]], Awaitable[Any]]


class Derived(Enum):
    """Says that a value is worked out from the object."""

    FROM_OBJECT = "from the object"


FROM_OBJECT: Final = Derived.FROM_OBJECT

MAX_CHARACTERS = 8_000
"""Of a longer text the first and last half of this are sent: Korean text of that length still fits
the 8,191 tokens that OpenAI's embedding models read."""

_MODEL_ATTRIBUTES = ("model", "model_name", "model_id", "deployment", "azure_deployment", "deployment_name", "repo_id")
METERED = "metered_embeddings"
"""The attribute under which a metering wrapper keeps the embedding object it asks."""

_WRAPPED_ATTRIBUTES = ("underlying_embeddings", METERED)
_PROBES = ("How do I change my password?", "What is the capital of France?")

# Classes that compute where the application runs: a call costs nothing. LangChain's and LlamaIndex' names.
_LOCAL_CLASSES = frozenset(
    {
        "DeterministicFakeEmbedding", "FakeEmbeddings", "MockEmbedding", "HuggingFaceEmbeddings",
        "HuggingFaceEmbedding", "HuggingFaceBgeEmbeddings", "HuggingFaceInstructEmbeddings", "SentenceTransformer",
        "SentenceTransformerEmbeddings", "FastEmbedEmbeddings", "FastEmbedEmbedding", "OllamaEmbeddings",
        "OllamaEmbedding", "LlamaCppEmbeddings", "GPT4AllEmbeddings", "SpacyEmbeddings", "Model2vecEmbeddings",
        "InstructorEmbedding", "OptimumEmbedding", "LlamafileEmbeddings", "LlamafileEmbedding",
    }
)  # fmt: skip


def as_embedder(
    source: object = None,
    *,
    identity: str | None = None,
    dimensions: int | None = None,
    priced_model: str | Derived | None = FROM_OBJECT,
    max_characters: int = MAX_CHARACTERS,
) -> ReadyEmbedder:
    """Wrap an embedding object, checking every answer it gives; calls nothing yet.

    Args:
        source: an object with ``embed_documents`` (LangChain), ``get_text_embedding_batch`` (LlamaIndex) or
            ``embed`` (:class:`Embedder`) or ``encode`` (sentence-transformers), or a function from a list of texts
            to one vector for each. None is the bundled embedder.
        identity: names the vectors in a store. By default the class, the model it names and the dimension;
            give one for a function, whose name says little.
        dimensions: length of a vector, if known; else the first call tells, or a probe of two short questions.
        priced_model: model whose price a call costs. By default the model the object names, and None (free) for
            functions and classes that compute locally.
        max_characters: of a longer text the first and the last half of this are sent.

    Raises:
        ConfigurationError: ``source`` is nothing that can embed, or an option is out of range.
    """
    _check_options(identity, dimensions, max_characters)
    if source is None:
        source = bundled_embedder()
    plain = identity is None and dimensions is None and priced_model is FROM_OBJECT
    plain = plain and max_characters == MAX_CHARACTERS
    if isinstance(source, BundledEmbedder | WrappedEmbedder) and plain:
        return source
    embed, aembed = _entry_points(source)
    known = source.known_dimensions if isinstance(source, WrappedEmbedder) else getattr(source, "dimensions", None)
    return WrappedEmbedder(
        embed,
        aembed,
        label=identity or _label(source),
        fixed_identity=identity is not None or _is_embedder(source),
        dimensions=dimensions or _positive(known),
        priced_model=_priced_model(source) if isinstance(priced_model, Derived) else priced_model,
        max_characters=min(max_characters, _positive(getattr(source, "max_characters", None)) or max_characters),
    )


class WrappedEmbedder:
    """A user's embedding object behind :class:`ReadyEmbedder`; made by :func:`as_embedder`.

    Blank texts are not sent and get a zero row. As safe to share between threads as the object itself.
    """

    def __init__(
        self,
        embed: EmbedTexts,
        aembed: AsyncEmbedTexts | None,
        *,
        label: str,
        fixed_identity: bool,
        dimensions: int | None,
        priced_model: str | None,
        max_characters: int,
    ) -> None:
        self._embed = embed
        self._aembed = aembed
        self.label = label
        self._fixed_identity = fixed_identity
        self._dimensions = dimensions
        self.max_characters = max_characters
        self._lock = threading.Lock()
        self._scales: Scales | None = None
        self.priced_model = priced_model

    @property
    def identity(self) -> str:
        """Class, model and dimension, or what the user gave; may embed a probe to learn the dimension.

        Raises:
            EmbedderError: the probe showed that the object breaks its contract.
        """
        return self.label if self._fixed_identity else f"{self.label}:{self.dimensions}"

    @property
    def dimensions(self) -> int:
        """Length of a vector; may embed a probe to learn it.

        Raises:
            EmbedderError: the probe showed that the object breaks its contract.
        """
        if self._dimensions is None:
            self.check()
        if self._dimensions is None:
            raise EmbedderError(f"{self.label} did not show its dimension; pass dimensions= to as_embedder")
        return self._dimensions

    @property
    def known_dimensions(self) -> int | None:
        """Length of a vector if it is known by now; never calls the object."""
        return self._dimensions

    def check(self) -> None:
        """Embed two short questions in one call and see that the answer is well-formed.

        Raises:
            EmbedderError: it is not. What the object itself raises passes through.
        """
        self.embed(_PROBES)

    @property
    def known_scales(self) -> Scales | None:
        """What ``scales`` found, if it was asked by now; never calls the object."""
        return self._scales

    def scales(self) -> Scales:
        """Learn what a cosine of this object means, in one call of some 500 tokens, made once.

        Raises:
            EmbedderError: the object breaks its contract. What it raises itself passes through.
        """
        found = self._scales
        if found is None:
            found = self._scales = measure(self.embed(PROBES))
            if found.latin is None:
                _logger.warning(
                    "%s does not tell rewordings from unrelated questions in English; a semantic cache with it serves "
                    "little but nearly equal wordings. Use a model for sentences, or set similarity_threshold=",
                    self.label,
                )
        return found

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dimensions) rows of length 1, zero for blank texts.

        Raises:
            EmbedderError: wrong count, shape or dimension, or a number that is not finite. What the object
                itself raises passes through.
        """
        sent, places = self._sendable(texts)
        return self._placed(self._embed(sent) if sent else None, places, len(texts))

    async def aembed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As :meth:`embed`, through the object's own async method, else in a thread."""
        sent, places = self._sendable(texts)
        if not sent and self._dimensions is None:
            return await asyncio.to_thread(self.embed, texts)
        if not sent:
            answer = None
        elif self._aembed is not None:
            answer = await self._aembed(sent)
        else:
            answer = await asyncio.to_thread(self._embed, sent)
        return self._placed(answer, places, len(texts))

    def _sendable(self, texts: Sequence[str]) -> tuple[list[str], list[int]]:
        sent: list[str] = []
        places: list[int] = []
        for place, text in enumerate(texts):
            cleaned = _sendable_text(text, self.max_characters)
            if cleaned:
                sent.append(cleaned)
                places.append(place)
        return sent, places

    def _placed(self, answer: object, places: Sequence[int], total: int) -> NDArray[np.float32]:
        if not places:
            return np.zeros((total, self.dimensions), np.float32)
        rows = _checked_rows(answer, len(places), self.label)
        self._check_dimension(rows.shape[1])
        made = np.zeros((total, rows.shape[1]), np.float32)
        made[list(places)] = rows
        return made

    def _check_dimension(self, found: int) -> None:
        with self._lock:
            if self._dimensions is None:
                self._dimensions = found
            expected = self._dimensions
        if found != expected:
            raise EmbedderError(
                f"{self.label} returned vectors of {found} numbers, {expected} were expected; "
                f"use one model for one cache, or pass dimensions={found} to as_embedder"
            )


def _check_options(identity: str | None, dimensions: int | None, max_characters: int) -> None:
    if identity is not None and not identity.strip():
        raise ConfigurationError("identity is blank; give a name for the vectors, or leave it out")
    if dimensions is not None and dimensions < 1:
        raise ConfigurationError(f"dimensions must be at least 1, not {dimensions}")
    if max_characters < 1:
        raise ConfigurationError(f"max_characters must be at least 1, not {max_characters}")


def _entry_points(source: Any) -> tuple[EmbedTexts, AsyncEmbedTexts | None]:
    if isinstance(source, type):
        raise ConfigurationError(f"{source.__name__} is a class; pass an instance of it as embedder")
    if isinstance(source, str | bytes):
        raise ConfigurationError(f"{source!r:.200} cannot embed: pass the embedding object, not a model's name")
    for sync_name, async_name in (
        ("embed_documents", "aembed_documents"),
        ("get_text_embedding_batch", "aget_text_embedding_batch"),
        ("embed", "aembed"),
        ("encode", "aencode"),  # sentence-transformers, model2vec
    ):
        method = getattr(source, sync_name, None)
        if callable(method):
            return _sync(method, source), getattr(source, async_name, None)
    for one_name in ("embed_query", "get_text_embedding"):
        one = getattr(source, one_name, None)
        if callable(one):
            return _one_by_one(_sync(one, source)), None
    if callable(source):
        return _sync(source, source), None
    raise ConfigurationError(
        f"{source!r:.200} cannot embed: pass a LangChain Embeddings, a LlamaIndex BaseEmbedding, an object with "
        "identity, dimensions and embed(texts), or a function from a list of texts to one vector for each"
    )


def _sync(method: Any, source: object) -> EmbedTexts:
    called = inspect.getattr_static(type(method), "__call__", None)
    if inspect.iscoroutinefunction(method) or inspect.iscoroutinefunction(called):
        raise ConfigurationError(
            f"{_label(source)} is async only; pass one that also embeds synchronously, the async form comes beside it"
        )
    return method  # type: ignore[no-any-return]


def _one_by_one(one: Callable[[Any], Any]) -> EmbedTexts:
    def embed(texts: Sequence[str]) -> list[Any]:
        return [one(text) for text in texts]

    return embed


def _sendable_text(text: str, longest: int) -> str:
    if len(text) > longest:
        half = longest // 2
        text = f"{text[: longest - half]} {text[-half:]}" if half else text[:longest]
    if not text.isascii():
        # A lone surrogate cannot be written as JSON; the provider's client would raise.
        text = text.encode("utf-8", "replace").decode("utf-8")
    return "" if text.isspace() else text


def _checked_rows(answer: object, expected: int, label: str) -> NDArray[np.float32]:
    try:
        with np.errstate(over="ignore"):
            rows = np.asarray(answer, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise EmbedderError(
            f"{label} returned a {type(answer).__name__} that is no table of numbers ({error}); "
            "return one list of floats of the same length for each text"
        ) from error
    if rows.ndim != 2 or rows.shape[0] != expected or rows.shape[1] == 0:
        raise EmbedderError(
            f"{label} returned shape {rows.shape} for {expected} texts, ({expected}, dimensions) was expected; "
            "return one vector for each text, in order"
        )
    wrong = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if wrong.size:
        raise EmbedderError(
            f"{label} returned NaN or infinite numbers in {wrong.size} of {expected} vectors, first in number "
            f"{int(wrong[0])}; a vector of zeros says that a text cannot be embedded"
        )
    # Halves of the largest float would overflow when squared.
    largest = np.abs(rows).max(axis=1, keepdims=True)
    largest[largest == 0] = 1
    rows = rows / largest
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    return np.asarray(rows / lengths, dtype=np.float32)


def named_model(source: object) -> str | None:
    """Return the name of the model that an embedding object says it uses."""
    for attribute in _MODEL_ATTRIBUTES:
        value = getattr(source, attribute, None)
        if isinstance(value, str) and value.strip():
            return value.strip()
    for attribute in _WRAPPED_ATTRIBUTES:
        inner = getattr(source, attribute, None)
        if inner is not None:
            return named_model(inner)
    return None


def _label(source: object) -> str:
    # Metering changes no vector, so it changes no name.
    source = getattr(source, METERED, source)
    if isinstance(source, WrappedEmbedder):
        return source.label
    if _is_embedder(source):
        return str(source.identity)  # type: ignore[attr-defined]
    own_name = getattr(source, "__qualname__", None)
    if isinstance(own_name, str):
        return f"{getattr(source, '__module__', '')}.{own_name}"
    model = named_model(source)
    return f"{type(source).__name__}:{model}" if model else type(source).__name__


def _priced_model(source: object) -> str | None:
    if _is_embedder(source):
        priced = getattr(source, "priced_model", None)
        return priced if isinstance(priced, str) else None
    if runs_locally(source) or not _is_service(source):
        return None
    return named_model(source)


def runs_locally(source: object) -> bool:
    """Tell whether an embedding object computes where the application runs, by its class or that of what it wraps."""
    inner = (getattr(source, attribute, None) for attribute in _WRAPPED_ATTRIBUTES)
    return any(type(one).__name__ in _LOCAL_CLASSES for one in (source, *inner))


def _is_embedder(source: object) -> bool:
    # Looked up on the class: asking the instance would run a property, and ours may call a provider.
    own = vars(source) if hasattr(source, "__dict__") else {}
    return all(hasattr(type(source), name) or name in own for name in ("identity", "dimensions", "embed"))


def _is_service(source: object) -> bool:
    return any(hasattr(source, name) for name in ("embed_documents", "embed_query", "get_text_embedding"))


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
