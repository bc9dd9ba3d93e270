"""How does a LlamaIndex application get answers from the cache?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
)
from llama_index.core.bridge.pydantic import Field, PrivateAttr, SerializeAsAny
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import BaseTool

from lc_costkit.cache.engine import Cache
from lc_costkit.cache.explain import Explanation
from lc_costkit.cache.feedback import Rejectable
from lc_costkit.errors import ConfigurationError
from lc_costkit.llama_index import answers, rejecting
from lc_costkit.llama_index.cache_request import chat_request, completion_request
from lc_costkit.llama_index.cached_call import CachedCall, aone, one


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
        callback_manager=llm.callback_manager,
        system_prompt=llm.system_prompt,
        messages_to_prompt=llm.messages_to_prompt,
        completion_to_prompt=llm.completion_to_prompt,
        output_parser=llm.output_parser,
        query_wrapper_prompt=llm.query_wrapper_prompt,
        pydantic_program_mode=llm.pydantic_program_mode,
    )
    made._cache = engine
    return made


class CachedLLM(LLM):
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
        if isinstance(prompt, str):
            return self._cache.explain(completion_request(self.llm, prompt, kwargs, formatted=formatted))
        return self._cache.explain(chat_request(self.llm, prompt, kwargs))

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

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Serve a stored answer, or ask the wrapped LLM."""
        call = self._chat(messages, kwargs)
        if (served := call.ask()) is not None:
            return served
        with call.missing():
            return call.keep(self.llm.chat(messages, **kwargs))

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Serve a stored answer, or ask the wrapped LLM."""
        call = self._chat(messages, kwargs)
        if (served := await call.aask()) is not None:
            return served
        with call.missing():
            return await call.akeep(await self.llm.achat(messages, **kwargs))

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Serve a stored answer in one piece, or stream from the wrapped LLM."""
        call = self._chat(messages, kwargs, streamed=True)
        if (served := call.ask()) is not None:
            return one(served)
        with call.missing():
            return call.watch(self.llm.stream_chat(messages, **kwargs))

    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """Serve a stored answer in one piece, or stream from the wrapped LLM."""
        call = self._chat(messages, kwargs, streamed=True)
        if (served := await call.aask()) is not None:
            return aone(served)
        with call.missing():
            return call.awatch(await self.llm.astream_chat(messages, **kwargs))

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Serve a stored answer, or ask the wrapped LLM."""
        call = self._completion(prompt, kwargs, formatted=formatted)
        if (served := call.ask()) is not None:
            return served
        with call.missing():
            return call.keep(self.llm.complete(prompt, formatted=formatted, **kwargs))

    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Serve a stored answer, or ask the wrapped LLM."""
        call = self._completion(prompt, kwargs, formatted=formatted)
        if (served := await call.aask()) is not None:
            return served
        with call.missing():
            return await call.akeep(await self.llm.acomplete(prompt, formatted=formatted, **kwargs))

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """Serve a stored answer in one piece, or stream from the wrapped LLM."""
        call = self._completion(prompt, kwargs, formatted=formatted, streamed=True)
        if (served := call.ask()) is not None:
            return one(served)
        with call.missing():
            return call.watch(self.llm.stream_complete(prompt, formatted=formatted, **kwargs))

    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """Serve a stored answer in one piece, or stream from the wrapped LLM."""
        call = self._completion(prompt, kwargs, formatted=formatted, streamed=True)
        if (served := await call.aask()) is not None:
            return aone(served)
        with call.missing():
            return call.awatch(await self.llm.astream_complete(prompt, formatted=formatted, **kwargs))

    def _chat(
        self, messages: Sequence[ChatMessage], options: dict[str, Any], *, streamed: bool = False
    ) -> CachedCall[ChatResponse]:
        asked = tuple(messages)
        return CachedCall(
            self._cache,
            lambda: chat_request(self.llm, asked, options),
            answers.load_chat,
            as_text=answers.chat_as_text,
            again=lambda: self.llm.chat(asked, **options),
            streamed=streamed,
        )

    def _completion(
        self, prompt: str, options: dict[str, Any], *, formatted: bool, streamed: bool = False
    ) -> CachedCall[CompletionResponse]:
        return CachedCall(
            self._cache,
            lambda: completion_request(self.llm, prompt, options, formatted=formatted),
            answers.load_completion,
            as_text=answers.completion_as_text,
            again=lambda: self.llm.complete(prompt, formatted=formatted, **options),
            streamed=streamed,
        )


class CachedFunctionCallingLLM(CachedLLM, FunctionCallingLLM):
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

    def _validate_chat_with_tools_response(
        self, response: ChatResponse, tools: Sequence[BaseTool], allow_parallel_tool_calls: bool = False, **kwargs: Any
    ) -> ChatResponse:
        return self.llm._validate_chat_with_tools_response(
            response, tools, allow_parallel_tool_calls=allow_parallel_tool_calls, **kwargs
        )

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """Read tool calls as the wrapped LLM does."""
        return self.llm.get_tool_calls_from_response(response, error_on_no_tool_call=error_on_no_tool_call, **kwargs)
