"""How does a LlamaIndex integration for OpenAI's embeddings look that runs on any version of the client?

It keeps its clients as ``OpenAIEmbedding`` of llama-index-embeddings-openai does.
"""

from __future__ import annotations

from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr
from openai import AsyncOpenAI, OpenAI


class OpenAIEmbedding(BaseEmbedding):
    """Embeddings over the real ``openai`` client."""

    base_url: str
    model_name: str = "text-embedding-3-small"
    max_retries: int = 0
    reuse_client: bool = True
    dimensions: int | None = 8

    _client: Any = PrivateAttr(default=None)
    _aclient: Any = PrivateAttr(default=None)

    @classmethod
    def class_name(cls) -> str:
        return "OpenAIEmbedding"

    def _get_client(self) -> OpenAI:
        if not self.reuse_client:
            return OpenAI(api_key="test", base_url=self.base_url, max_retries=self.max_retries)
        if self._client is None:
            self._client = OpenAI(api_key="test", base_url=self.base_url, max_retries=self.max_retries)
        return self._client  # type: ignore[no-any-return]

    def _get_aclient(self) -> AsyncOpenAI:
        if not self.reuse_client:
            return AsyncOpenAI(api_key="test", base_url=self.base_url, max_retries=self.max_retries)
        if self._aclient is None:
            self._aclient = AsyncOpenAI(api_key="test", base_url=self.base_url, max_retries=self.max_retries)
        return self._aclient  # type: ignore[no-any-return]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._vectors(self._get_client().embeddings.create(**self._request(texts)))

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._vectors(await self._get_aclient().embeddings.create(**self._request(texts)))

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return (await self._aget_text_embeddings([text]))[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await self._aget_text_embedding(query)

    def _request(self, texts: list[str]) -> dict[str, Any]:
        return {"model": self.model_name, "input": texts, "dimensions": self.dimensions}

    @staticmethod
    def _vectors(response: Any) -> list[list[float]]:
        return [one.embedding for one in response.data]
