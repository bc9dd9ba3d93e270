"""How does a LlamaIndex integration for Anthropic look that runs on any version of the client?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from anthropic import Anthropic, AsyncAnthropic
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


class AnthropicFunctionLLM(FunctionCallingLLM):
    """A function-calling LLM over the real ``anthropic`` client (its beta messages, which list iterations).

    ``response.raw`` is the message, and of a stream each event: as the client's object, or with
    ``plain`` as a dict. With ``told="end"`` a stream keeps its beginning to itself, as some
    integrations do.
    """

    model: str = "claude-haiku-4-5"
    base_url: str
    api_key: str = "test"
    max_tokens: int = 1024
    plain: bool = True
    told: str = "all"

    @classmethod
    def class_name(cls) -> str:
        return "AnthropicFunctionLLM"

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(
            model_name=self.model, is_chat_model=True, is_function_calling_model=True, context_window=200_000
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
        with Anthropic(**self._access()) as client:
            return self._whole(client.beta.messages.create(**self._request(messages, kwargs)))

    async def _achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        async with AsyncAnthropic(**self._access()) as client:
            return self._whole(await client.beta.messages.create(**self._request(messages, kwargs)))

    def _stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        def responses() -> Iterator[ChatResponse]:
            text = ""
            with Anthropic(**self._access()) as client:
                for event in client.beta.messages.create(**self._request(messages, kwargs), stream=True):
                    if self._tells(event):
                        text += (piece := _text(event))
                        yield self._piece(event, text, piece)

        return responses()

    async def _astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        async def responses() -> AsyncIterator[ChatResponse]:
            text = ""
            async with AsyncAnthropic(**self._access()) as client:
                async for event in await client.beta.messages.create(**self._request(messages, kwargs), stream=True):
                    if self._tells(event):
                        text += (piece := _text(event))
                        yield self._piece(event, text, piece)

        return responses()

    def _tells(self, event: Any) -> bool:
        return event.type == "content_block_delta" or event.type == "message_delta" or self.told == "all"

    def _piece(self, event: Any, text: str, piece: str) -> ChatResponse:
        message = ChatMessage(role=MessageRole.ASSISTANT, content=text)
        return ChatResponse(message=message, delta=piece, raw=event.model_dump() if self.plain else event)

    def _whole(self, answer: Any) -> ChatResponse:
        text = "".join(block.text for block in answer.content if block.type == "text")
        calls = [block.model_dump() for block in answer.content if block.type == "tool_use"]
        message = ChatMessage(
            role=MessageRole.ASSISTANT, content=text, additional_kwargs={"tool_calls": calls} if calls else {}
        )
        return ChatResponse(message=message, raw=answer.model_dump() if self.plain else answer)

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
        described = [
            {
                "name": tool.metadata.get_name(),
                "description": tool.metadata.description,
                "input_schema": tool.metadata.get_parameters_dict(),
            }
            for tool in tools
        ]
        return {"messages": messages, **({"tools": described} if described else {}), **kwargs}

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        calls = response.message.additional_kwargs.get("tool_calls") or []
        if not calls and error_on_no_tool_call:
            raise ValueError("the model called no tool")
        return [
            ToolSelection(tool_id=call["id"], tool_name=call["name"], tool_kwargs=dict(call["input"])) for call in calls
        ]

    def _access(self) -> dict[str, Any]:
        return {"api_key": self.api_key, "base_url": self.base_url, "max_retries": 0}

    def _request(self, messages: Sequence[ChatMessage], options: dict[str, Any]) -> dict[str, Any]:
        sent: list[dict[str, Any]] = []
        system: list[dict[str, Any]] = []
        for one in messages:
            content: Any = [{"type": "text", "text": one.content or ""}]
            if one.additional_kwargs.get("cache_control"):
                content[-1]["cache_control"] = one.additional_kwargs["cache_control"]
            if one.role == MessageRole.SYSTEM:
                system += content
            elif one.role == MessageRole.TOOL:
                result = {"type": "tool_result", "tool_use_id": one.additional_kwargs["tool_call_id"]}
                sent.append({"role": "user", "content": [{**result, "content": one.content or ""}]})
            else:
                calls = one.additional_kwargs.get("tool_calls") or []
                named = [{key: call[key] for key in ("type", "id", "name", "input")} for call in calls]
                spoken = content if one.content else []
                sent.append({"role": str(one.role.value), "content": [*spoken, *named]})
        request = {"model": self.model, "max_tokens": self.max_tokens, "messages": sent, **options}
        return request | ({"system": system} if system else {})


def _text(event: Any) -> str:
    delta = getattr(event, "delta", None)
    return getattr(delta, "text", None) or ""
