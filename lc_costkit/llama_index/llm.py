"""How does a LlamaIndex application get answers from the cache?"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    LLMMetadata,
)
from llama_index.core.bridge.pydantic import Field, PrivateAttr, SerializeAsAny
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.tools import BaseTool

from lc_costkit.cache.engine import Cache
from lc_costkit.cache.explain import Explanation
from lc_costkit.cache.feedback import Rejectable
from lc_costkit.errors import ConfigurationError
from lc_costkit.llama_index import answers, rejecting
from lc_costkit.llama_index.cache_request import describe
from lc_costkit.llama_index.cached_call import CachedCall, aone, one
from lc_costkit.llama_index.delegating import (
    ChatRequest,
    CompletionRequest,
    DelegatingFunctionCallingLLM,
    DelegatingLLM,
    R,
    Request,
    settings_of,
)


def cached_llm(llm: LLM, cache: Cache | object) -> CachedLLM:
    """Return an LLM that serves stored answers, and calls ``llm`` for the rest.

    It is a ``FunctionCallingLLM`` when ``llm`` is, so that agents can use it. A hit emits a
    ``CacheHitEvent`` and no model events; a stream is stored once it has come to its end.

    Args:
        llm: the LLM to call on a miss.
        cache: a ``lc_costkit.cache.Cache``, or a ``SemanticCache`` to share the one of LangChain.

    Raises:
        ConfigurationError: ``llm`` is not a LlamaIndex LLM, or ``cache`` not a cache.

    Example:
        ``Settings.llm = cached_llm(llm, Cache("costkit.db"))``
    """
    engine = cache if isinstance(cache, Cache) else getattr(cache, "engine", None)
    if not isinstance(engine, Cache):
        raise ConfigurationError(f"cache must be a Cache or a SemanticCache, not {cache!r:.200}")
    if not isinstance(llm, LLM):
        raise ConfigurationError(f"llm must be a LlamaIndex LLM, not {llm!r:.200}")
    kind: type[CachedLLM] = CachedFunctionCallingLLM if isinstance(llm, FunctionCallingLLM) else CachedLLM
    made = kind(
        llm=llm,
        **settings_of(llm),
    )
    made._cache = engine
    return made


class CachedLLM(DelegatingLLM):
    """An LLM before which the cache is asked; made by ``cached_llm``.

    Its methods emit no model events of their own: the wrapped LLM's do, once.
    """

    llm: SerializeAsAny[LLM] = Field(description="The LLM to call on a miss.")

    _cache: Cache = PrivateAttr()

    @classmethod
    def class_name(cls) -> str:
        """Name of the component class."""
        return "CachedLLM"

    @property
    def metadata(self) -> LLMMetadata:
        """The wrapped LLM's."""
        return self.llm.metadata

    @property
    def cache(self) -> Cache:
        """The cache that is asked."""
        return self._cache

    def explain(self, prompt: str | Sequence[ChatMessage], *, formatted: bool = False, **kwargs: Any) -> Explanation:
        """Say how a call would be decided; the model is not called."""
        request: Request[Any] = (
            CompletionRequest(prompt=prompt, formatted=formatted, options=kwargs)
            if isinstance(prompt, str)
            else ChatRequest(messages=prompt, options=kwargs)
        )
        return self._cache.explain(describe(self.llm, request))

    def reject(self, answer: rejecting.Answer | Rejectable, *, question: str | None = None) -> int:
        """Remove an answer that was wrong, and never serve it to that question again.

        A response says itself which entry it is. A message or a text does not: it is every entry of
        the namespace that holds these words, of which ``question`` picks those that were served to it.

        Args:
            answer: the ``ChatResponse`` or ``CompletionResponse`` that was served, its message or text;
                or what ``Cache.reject`` takes.
            question: the question that was answered wrongly.

        Returns:
            How many entries went.

        Raises:
            ConfigurationError: the cache never served this answer and holds none like it.
        """
        return rejecting.reject(self._cache, answer, question=question)

    def _send(self, request: Request[R]) -> R:
        call = self._call(request)
        if (served := call.ask()) is not None:
            return served
        with call.missing():
            return call.keep(request.send(self.llm))

    async def _asend(self, request: Request[R]) -> R:
        call = self._call(request)
        if (served := await call.aask()) is not None:
            return served
        with call.missing():
            return await call.akeep(await request.asend(self.llm))

    def _stream(self, request: Request[R]) -> Generator[R, None, None]:
        call = self._call(request, streamed=True)
        if (served := call.ask()) is not None:
            return one(served)
        with call.missing():
            return call.watch(request.stream(self.llm))

    async def _astream(self, request: Request[R]) -> AsyncGenerator[R, None]:
        call = self._call(request, streamed=True)
        if (served := await call.aask()) is not None:
            return aone(served)
        with call.missing():
            return call.awatch(await request.astream(self.llm))

    def _call(self, request: Request[R], *, streamed: bool = False) -> CachedCall[R]:
        is_chat = isinstance(request, ChatRequest)
        decode: Any = answers.load_chat if is_chat else answers.load_completion
        as_text = answers.chat_as_text if is_chat else answers.completion_as_text
        return CachedCall(
            self._cache,
            lambda: describe(self.llm, request),
            decode,
            as_text=as_text,
            again=lambda: request.send(self.llm),
            streamed=streamed,
        )


class CachedFunctionCallingLLM(CachedLLM, DelegatingFunctionCallingLLM):
    """A ``CachedLLM`` over an LLM that calls tools; made by ``cached_llm``."""

    llm: SerializeAsAny[FunctionCallingLLM] = Field(description="The LLM to call on a miss.")

    @classmethod
    def class_name(cls) -> str:
        """Name of the component class."""
        return "CachedFunctionCallingLLM"

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        return self.llm._prepare_chat_with_tools_compat(
            tools,
            user_msg=user_msg,
            chat_history=chat_history,
            verbose=verbose,
            allow_parallel_tool_calls=allow_parallel_tool_calls,
            tool_required=tool_required,
            **kwargs,
        )

    def _answered_by(self, response: ChatResponse) -> FunctionCallingLLM:
        return self.llm
