"""How does a LlamaIndex integration for OpenAI look that runs on any version of the client?"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from llama_index.core.base.llms.generic_utils import (
    achat_to_completion_decorator,
    astream_chat_to_completion_decorator,
    chat_to_completion_decorator,
    stream_chat_to_completion_decorator,
)
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools.types import BaseTool
from openai import AsyncOpenAI, OpenAI


class OpenAIFunctionLLM(FunctionCallingLLM):
    """A function-calling LLM over the real ``openai`` client.

    ``response.raw`` is the provider's payload as a dict; of a stream, each chunk's, the last
    one with the usage.
    """

    model: str = "gpt-4o-mini"
    base_url: str
    api_key: str = "test"
    max_retries: int = 0
    temperature: float | None = None
    max_tokens: int | None = None

    @classmethod
    def class_name(cls) -> str:
        return "OpenAIFunctionLLM"

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(
            model_name=self.model, is_chat_model=True, is_function_calling_model=True, context_window=128_000
        )

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return self._chat(messages, **kwargs)

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return await self._achat(messages, **kwargs)

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        return self._stream_chat(messages, **kwargs)

    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        return await self._astream_chat(messages, **kwargs)

    # a completion is one call, so it uses the chat methods that report nothing

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return chat_to_completion_decorator(self._chat)(prompt, **kwargs)

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        return stream_chat_to_completion_decorator(self._stream_chat)(prompt, **kwargs)

    @llm_completion_callback()
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return await achat_to_completion_decorator(self._achat)(prompt, **kwargs)

    @llm_completion_callback()
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        return await astream_chat_to_completion_decorator(self._astream_chat)(prompt, **kwargs)

    def _chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        with self._client() as client:
            return _response(client.chat.completions.create(**self._request(messages, kwargs)).model_dump())

    async def _achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        async with self._async_client() as client:
            return _response((await client.chat.completions.create(**self._request(messages, kwargs))).model_dump())

    def _stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        def responses() -> Iterator[ChatResponse]:
            with self._client() as client, client.chat.completions.create(**request) as stream:
                gathered = _Gathered()
                for chunk in stream:
                    yield gathered.add(chunk.model_dump())

        request = self._request(messages, kwargs, stream=True)
        return responses()

    async def _astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        async def responses() -> AsyncIterator[ChatResponse]:
            async with self._async_client() as client:
                gathered = _Gathered()
                async with await client.chat.completions.create(**request) as stream:
                    async for chunk in stream:
                        yield gathered.add(chunk.model_dump())

        request = self._request(messages, kwargs, stream=True)
        return responses()

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
        messages = list(chat_history or ())
        if user_msg is not None:
            messages.append(ChatMessage(role="user", content=user_msg) if isinstance(user_msg, str) else user_msg)
        prepared: dict[str, Any] = {"messages": messages, **kwargs}
        if tools:
            prepared["tools"] = [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools]
            prepared["tool_choice"] = "required" if tool_required else "auto"
            prepared["parallel_tool_calls"] = allow_parallel_tool_calls
        return prepared

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        calls = response.message.additional_kwargs.get("tool_calls") or []
        if not calls and error_on_no_tool_call:
            raise ValueError("the model called no tool")
        return [
            ToolSelection(
                tool_id=call["id"],
                tool_name=call["function"]["name"],
                tool_kwargs=_arguments(call["function"]["arguments"]),
            )
            for call in calls
        ]

    def _client(self) -> OpenAI:
        return OpenAI(api_key=self.api_key, base_url=self.base_url, max_retries=self.max_retries)

    def _async_client(self) -> AsyncOpenAI:
        return AsyncOpenAI(api_key=self.api_key, base_url=self.base_url, max_retries=self.max_retries)

    def _request(
        self, messages: Sequence[ChatMessage], options: dict[str, Any], *, stream: bool = False
    ) -> dict[str, Any]:
        request: dict[str, Any] = {"model": self.model, "messages": [_message(one) for one in messages], **options}
        for name in ("temperature", "max_tokens"):
            if getattr(self, name) is not None:
                request.setdefault(name, getattr(self, name))
        if stream:
            request |= {"stream": True, "stream_options": {"include_usage": True}}
        return request


def _message(message: ChatMessage) -> dict[str, Any]:
    sent: dict[str, Any] = {"role": str(message.role.value), "content": message.content or ""}
    if message.additional_kwargs.get("tool_calls"):
        sent["tool_calls"] = message.additional_kwargs["tool_calls"]
        sent["content"] = message.content
    if message.role == MessageRole.TOOL:
        sent["tool_call_id"] = message.additional_kwargs["tool_call_id"]
    return sent


def _response(raw: dict[str, Any]) -> ChatResponse:
    answered = raw["choices"][0]["message"]
    calls = answered.get("tool_calls") or []
    message = ChatMessage(
        role=MessageRole.ASSISTANT,
        content=answered.get("content"),
        additional_kwargs={"tool_calls": [_plain(call) for call in calls]} if calls else {},
    )
    return ChatResponse(message=message, raw=raw)


def _plain(call: dict[str, Any]) -> dict[str, Any]:
    function = {"name": call["function"]["name"], "arguments": call["function"]["arguments"]}
    return {"id": call["id"], "type": "function", "function": function}


def _arguments(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


class _Gathered:
    """What a stream has said so far."""

    def __init__(self) -> None:
        self._text = ""
        self._calls: dict[int, dict[str, Any]] = {}

    def add(self, chunk: dict[str, Any]) -> ChatResponse:
        """The response up to and with ``chunk``."""
        delta = chunk["choices"][0]["delta"] if chunk["choices"] else {}
        piece = delta.get("content") or ""
        self._text += piece
        for part in delta.get("tool_calls") or ():
            call = self._calls.setdefault(part["index"], {"id": "", "function": {"name": "", "arguments": ""}})
            call["id"] += part.get("id") or ""
            for name in ("name", "arguments"):
                call["function"][name] += part["function"].get(name) or ""
        calls = [_plain(call) for call in self._calls.values()]
        message = ChatMessage(
            role=MessageRole.ASSISTANT,
            content=self._text,
            additional_kwargs={"tool_calls": calls} if calls else {},
        )
        return ChatResponse(message=message, delta=piece, raw=chunk)
