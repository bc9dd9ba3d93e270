"""How does a LangChain application meter its embeddings, for which no callback is called?"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from langchain_core.embeddings import Embeddings
from langchain_core.runnables.config import var_child_runnable_config

from lc_costkit.catalog import provider_id
from lc_costkit.embedding_meter import Around, EmbeddingMeter, told
from lc_costkit.errors import ConfigurationError
from lc_costkit.langchain.call_events import is_ours_or_the_frameworks, is_users_tag
from lc_costkit.langchain.callbacks import CostCallbackHandler
from lc_costkit.ledger import Ledger
from lc_costkit.pricing import PriceBook
from lc_costkit.record import CallRecord, Plain

_E = TypeVar("_E", bound=Embeddings)


def metered_embeddings(
    embeddings: _E,
    ledger: Ledger,
    *,
    prices: PriceBook | None = None,
    feature: str | None = None,
    user: str | None = None,
    team: str | None = None,
    metadata: Mapping[str, Plain] | None = None,
    on_record: Callable[[CallRecord], None] | None = None,
) -> _E:
    """Return embeddings that write what they cost to a ledger, and do what ``embeddings`` does.

    Of ``OpenAIEmbeddings`` and ``AzureOpenAIEmbeddings`` it is a copy whose client is watched: every
    request is a record with the usage that the provider reports. Anything else is wrapped: a call is
    a record, tokens are counted and the cost is ``estimated``; models that run in the application cost
    nothing unless ``prices`` has a price for them. Inside of a chain a record has the chain's metadata,
    tags and trace.

    Args:
        embeddings: what embeds; it is not changed.
        ledger: where calls are kept.
        prices: how they are priced; the public price list by default.
        feature: who the money is for, where the chain around does not say it.
        user: likewise.
        team: likewise.
        metadata: more plain values for the records.
        on_record: called with each ``CallRecord`` after it was written.

    Raises:
        ConfigurationError: ``embeddings`` is not a LangChain ``Embeddings``, or an argument is of the wrong kind.

    >>> from langchain_core.embeddings import DeterministicFakeEmbedding
    >>> ledger = Ledger()
    >>> embeddings = metered_embeddings(DeterministicFakeEmbedding(size=4), ledger, feature="search")
    >>> len(embeddings.embed_query("Why is the sky blue?"))
    4
    >>> [(call.operation, call.feature, call.cost.usd) for call in ledger.records()]
    [('embedding', 'search', Decimal('0'))]
    """
    if not isinstance(embeddings, Embeddings):
        raise ConfigurationError(f"embeddings must be a LangChain Embeddings, not {embeddings!r:.200}")
    if isinstance(embeddings, MeteredEmbeddings) or any(
        isinstance(getattr(embeddings, name, None), _Watched) for name in ("client", "async_client")
    ):
        raise ConfigurationError(f"{type(embeddings).__name__} is metered already; meter the embeddings it was made of")
    meter = EmbeddingMeter(
        ledger,
        embeddings,
        framework="langchain",
        around=_around,
        provider=_provider(type(embeddings)),
        prices=prices,
        feature=feature,
        user=user,
        team=team,
        metadata=metadata,
        on_record=on_record,
    )
    watched = _watched(embeddings, meter)
    # What is wrapped has the attributes of what it wraps, though not its class.
    return watched if watched is not None else cast(_E, MeteredEmbeddings(embeddings, meter))


class MeteredEmbeddings(Embeddings):
    """Embeddings that are metered call by call; made by ``metered_embeddings``. Attributes are those of the wrapped."""

    def __init__(self, embeddings: Embeddings, meter: EmbeddingMeter) -> None:
        self.metered_embeddings = embeddings
        self._meter = meter

    def embed_documents(self, texts: list[str], *args: Any, **kwargs: Any) -> list[list[float]]:
        """Embed texts."""
        with self._meter.call(texts):
            return self.metered_embeddings.embed_documents(texts, *args, **kwargs)

    def embed_query(self, text: str, *args: Any, **kwargs: Any) -> list[float]:
        """Embed a question."""
        with self._meter.call(text):
            return self.metered_embeddings.embed_query(text, *args, **kwargs)

    async def aembed_documents(self, texts: list[str], *args: Any, **kwargs: Any) -> list[list[float]]:
        """Embed texts."""
        with self._meter.call(texts):
            return await self.metered_embeddings.aembed_documents(texts, *args, **kwargs)

    async def aembed_query(self, text: str, *args: Any, **kwargs: Any) -> list[float]:
        """Embed a question."""
        with self._meter.call(text):
            return await self.metered_embeddings.aembed_query(text, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("metered_embeddings", "_meter"):
            raise AttributeError(name)
        return getattr(self.metered_embeddings, name)

    def __repr__(self) -> str:
        return f"metered_embeddings({self.metered_embeddings!r}, {self._meter.ledger!r})"


class _Watched:
    """The embeddings resource of an OpenAI client, whose answers are seen."""

    def __init__(self, resource: Any, meter: EmbeddingMeter) -> None:
        self._resource = resource
        self._meter = meter

    def create(self, *, input: Any, **request: Any) -> Any:
        """Send a request."""
        with self._meter.call(input, model=_text(request.get("model"))) as seen:
            response = self._resource.create(input=input, **request)
            seen.append(told(response))
            return response

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_resource", "_meter"):
            raise AttributeError(name)
        return getattr(self._resource, name)


class _WatchedAsync(_Watched):
    async def create(self, *, input: Any, **request: Any) -> Any:
        """Send a request."""
        with self._meter.call(input, model=_text(request.get("model"))) as seen:
            response = await self._resource.create(input=input, **request)
            seen.append(told(response))
            return response


def _watched(embeddings: _E, meter: EmbeddingMeter) -> _E | None:
    """Return a copy with a watched client, if it is one of OpenAI's kind."""
    if not _is_openais(type(embeddings)):
        return None
    clients = {"client": _Watched, "async_client": _WatchedAsync}
    watched = {name: kind(found, meter) for name, kind in clients.items() if (found := getattr(embeddings, name))}
    return cast(_E, cast(Any, embeddings).model_copy(update=watched))


def _is_openais(kind: type) -> bool:
    if not any(base.__module__.partition(".")[0] == "langchain_openai" for base in kind.__mro__):
        return False
    return issubclass(kind, importlib.import_module("langchain_openai").OpenAIEmbeddings)


def _provider(kind: type) -> str | None:
    """Return the provider by the package of a class: ``langchain_google_genai`` is Google's."""
    for base in kind.__mro__:
        package = base.__module__.partition(".")[0]
        if package == "langchain_openai":
            return "azure" if "Azure" in base.__name__ else "openai"
        if package.startswith("langchain_") and package not in ("langchain_core", "langchain_community"):
            return provider_id(package.removeprefix("langchain_"))
    return None


def _around(ledger: Ledger) -> Around:
    """Read the run config of the chain that is under way."""
    config: Mapping[str, Any] = var_child_runnable_config.get() or {}
    manager = config.get("callbacks")
    parent = getattr(manager, "parent_run_id", None)
    run = None if parent is None else str(parent)
    handlers: Sequence[object] = getattr(manager, "handlers", ())
    meters = [one for one in handlers if isinstance(one, CostCallbackHandler) and one.ledger is ledger]
    return Around(
        trace_id=meters[0].trace_of(run) if meters and run is not None else run,
        parent_id=run,
        metadata=config.get("metadata") or {},
        tags=tuple(tag for tag in config.get("tags") or () if is_users_tag(tag)),
        leave_out=is_ours_or_the_frameworks,
    )


def _text(name: object) -> str | None:
    return name if isinstance(name, str) else None
