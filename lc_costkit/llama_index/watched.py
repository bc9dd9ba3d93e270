"""What did the provider of an embedding model answer, where LlamaIndex drops its usage?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding

from lc_costkit.embedding_meter import Seen, told

_CLIENTS = {"_client": "_get_client", "_aclient": "_get_aclient"}
"""Where ``OpenAIEmbedding`` of llama-index-embeddings-openai keeps its clients, and what makes them.

With ``reuse_client=False`` it keeps none and makes one for every request.
"""


@contextmanager
def watch(model: BaseEmbedding, seen: Seen) -> Iterator[BaseEmbedding]:
    """Yield a copy of a model whose OpenAI clients note their answers; the model itself where it keeps none.

    A copy for each call: the clients are shared, and what one call is answered is noted for it alone.
    """
    private = getattr(model, "__pydantic_private__", None) or {}
    if not all(name in private and hasattr(model, made_by) for name, made_by in _CLIENTS.items()):
        yield model
        return
    copy = model.model_copy()
    for name, made_by in _CLIENTS.items():
        client = _LateClient(model, made_by, seen)
        setattr(copy, name, client)
        # In place of the method, on this copy alone.
        object.__setattr__(copy, made_by, lambda client=client: client)
    yield copy


class _LateClient:
    """An OpenAI client that is made when it is used, and whose embeddings are watched."""

    def __init__(self, model: BaseEmbedding, made_by: str, seen: Seen) -> None:
        self._model = model
        self._made_by = made_by
        self._seen = seen

    @property
    def embeddings(self) -> _Watched:
        """The resource that embeds."""
        return _Watched(
            getattr(self._model, self._made_by)().embeddings, self._seen, later=self._made_by != "_get_client"
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(self._model, self._made_by)(), name)


class _Watched:
    def __init__(self, resource: Any, seen: Seen, *, later: bool) -> None:
        self._resource = resource
        self._seen = seen
        self._later = later

    def create(self, **request: Any) -> Any:
        """Send a request."""
        if self._later:
            return self._acreate(request)
        response = self._resource.create(**request)
        self._seen.append(told(response))
        return response

    async def _acreate(self, request: dict[str, Any]) -> Any:
        response = await self._resource.create(**request)
        self._seen.append(told(response))
        return response
