"""How does something stand around a model's calls to its provider, while the model stays what it was?

``wrapped`` makes a subclass of the model's own type, with the same name, over a copy of it.
Below what LangChain does before a call (callbacks, its cache, its rate limiter) a guard
takes the place of the methods that go to the provider. It is handed the call with a view
of the model that has none of this around it: a model that streams in order to generate,
or generates in a thread in order to do so asynchronously, meets the guard once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeVar

from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.runnables import RunnableConfig, ensure_config
from pydantic import ConfigDict

from lc_costkit.errors import ConfigurationError, shown
from lc_costkit.langchain.keeping import keeping_own_answers
from lc_costkit.langchain.model_call import Chunk, Guard, ModelCall, Result, streams, view
from lc_costkit.langchain.telling import Told, aclose_all, atold_each, close_all, current_told, telling, told_each

M = TypeVar("M")


def wrapped(model: M, guard: Guard) -> M:
    """Return a copy of a model, of its own type, whose calls go through ``guard``.

    The original is not changed; clients and connections are shared.

    Raises:
        ConfigurationError: it is neither a chat model nor a completion model.
    """
    if not isinstance(model, (BaseChatModel, BaseLLM)):
        raise ConfigurationError(f"a model is needed, not {shown(model)}")
    made: M = view(model.model_copy(), _guarded(type(model), guard))
    return made


def guard_of(model: object) -> Guard | None:
    """Return what stands around a model, outermost first; ``None`` for nothing."""
    return getattr(type(model), "_guard", None)


def _guarded(plain: type, guard: Guard) -> type:
    parts: list[type] = [_ChatCalls if issubclass(plain, BaseChatModel) else _CompletionCalls]
    parts += [_Streams] if streams(plain, "_stream") else []
    parts += [_AsyncStreams] if streams(plain, "_stream", "_astream") else []
    bases = tuple(part for part in parts if not issubclass(plain, part))  # one that is guarded already has them
    names: dict[str, Any] = {
        "__module__": plain.__module__,
        "__qualname__": plain.__qualname__,
        "__doc__": plain.__doc__,
        "model_config": ConfigDict(defer_build=True),
    }
    made = type(plain)(plain.__name__, (*bases, plain), names)
    # After the class is made: pydantic would take them for fields.
    made._guard, made._plain = guard, plain  # type: ignore[attr-defined]
    for hook in ("_stream_chat_model_events", "_astream_chat_model_events"):
        if getattr(plain, hook, None) is not None:
            # A way to the provider of its own: without it LangChain goes by the streams, which are guarded.
            setattr(made, hook, None)
    return made


def _rebuilt(plain: type, guard: Guard) -> Any:
    kind: Any = _guarded(plain, guard)
    return kind.__new__(kind)


class _Calls:
    """What all guarded models share; the class below it in the order of resolution is the model's own."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Leave out what a model's author does with each new class: this one is no other model."""

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        """As above."""

    def _call(self, asked: list[Any], stop: list[str] | None, run_manager: Any, options: dict[str, Any]) -> ModelCall:
        told = current_told()
        if run_manager is not None:
            metadata = run_manager.metadata or {}
        else:
            metadata = told.metadata if told is not None else getattr(self, "metadata", None) or {}
        plain = view(self, type(self)._plain)  # type: ignore[attr-defined]
        return ModelCall(
            model=plain, asked=asked, stop=stop, options=options, run_manager=run_manager, metadata=metadata
        )

    def _opened(self, chunks: Any) -> Any:
        told = current_told()
        if told is not None:
            told.streams.append(chunks)
        return chunks

    def _generate(
        self, messages: Any, stop: list[str] | None = None, run_manager: Any = None, **options: Any
    ) -> Result:
        return _guard(self).generate(self._call(messages, stop, run_manager, options))

    async def _agenerate(
        self, messages: Any, stop: list[str] | None = None, run_manager: Any = None, **options: Any
    ) -> Result:
        return await _guard(self).agenerate(self._call(messages, stop, run_manager, options))

    def with_retry(self, **options: Any) -> Any:
        made: Any = super().with_retry(**options)  # type: ignore[misc]
        kind: Any = type(self)
        while (guard := getattr(kind, "_guard", None)) is not None:
            made, kind = guard.retried(made), kind._plain
        return made

    def __repr_name__(self) -> str:
        return f"{type(self).__name__}[{_guard(self)!r}]"

    def __reduce_ex__(self, protocol: Any) -> Any:
        kind: Any = type(self)
        return _rebuilt, (kind._plain, kind._guard), self.__getstate__()


class _ChatCalls(_Calls):
    def _generate_with_cache(self, messages: Any, stop: Any = None, run_manager: Any = None, **options: Any) -> Any:
        above: Any = super(_ChatCalls, keeping_own_answers(self))
        told = Told(getattr(run_manager, "metadata", None) or {})
        try:
            with telling(told):
                return above._generate_with_cache(messages, stop, run_manager, **options)
        finally:
            close_all(told)

    async def _agenerate_with_cache(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **options: Any
    ) -> Any:
        above: Any = super(_ChatCalls, keeping_own_answers(self))
        told = Told(getattr(run_manager, "metadata", None) or {})
        try:
            with telling(told):
                return await above._agenerate_with_cache(messages, stop, run_manager, **options)
        finally:
            await aclose_all(told)


class _CompletionCalls(_Calls):
    def generate(self, prompts: Any, *arguments: Any, **options: Any) -> Any:
        above: Any = super(_CompletionCalls, keeping_own_answers(self))
        return above.generate(prompts, *arguments, **options)

    async def agenerate(self, prompts: Any, *arguments: Any, **options: Any) -> Any:
        above: Any = super(_CompletionCalls, keeping_own_answers(self))
        return await above.agenerate(prompts, *arguments, **options)


class _Streams:
    def _stream(
        self: Any, messages: Any, stop: list[str] | None = None, run_manager: Any = None, **options: Any
    ) -> Iterator[Chunk]:
        call = self._call(_several(messages), stop, run_manager, options)
        chunks: Iterator[Chunk] = self._opened(_guard(self).stream(call))
        return chunks

    def stream(self, input: Any, config: RunnableConfig | None = None, **options: Any) -> Iterator[Any]:
        chunks = super().stream(input, config, **options)  # type: ignore[misc]
        return told_each(chunks, Told(_metadata(self, config)))


class _AsyncStreams:
    def _astream(
        self: Any, messages: Any, stop: list[str] | None = None, run_manager: Any = None, **options: Any
    ) -> AsyncIterator[Chunk]:
        call = self._call(_several(messages), stop, run_manager, options)
        chunks: AsyncIterator[Chunk] = self._opened(_guard(self).astream(call))
        return chunks

    def astream(self, input: Any, config: RunnableConfig | None = None, **options: Any) -> AsyncIterator[Any]:
        chunks = super().astream(input, config, **options)  # type: ignore[misc]
        return atold_each(chunks, Told(_metadata(self, config)))


def _guard(model: Any) -> Guard:
    guard: Guard = type(model)._guard
    return guard


def _several(asked: Any) -> list[Any]:
    return [asked] if isinstance(asked, str) else asked


def _metadata(model: Any, config: RunnableConfig | None) -> dict[str, Any]:
    """Return the metadata that callbacks of a call will see, which LangChain keeps from streams."""
    merged = ensure_config(config)
    inherited = getattr(merged.get("callbacks"), "metadata", None) or {}
    return {**inherited, **(merged.get("metadata") or {}), **(model.metadata or {})}
