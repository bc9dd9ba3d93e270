"""What happens before and after one call of a LlamaIndex LLM that has a cache?"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from llama_index.core.base.llms.types import ChatResponse, CompletionResponse
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.dispatcher import active_instrument_tags, instrument_tags

from lc_costkit.cache.engine import Cache
from lc_costkit.cache.key import CacheRequest
from lc_costkit.cache.payloads import NotKept
from lc_costkit.cache.results import Hit, Miss
from lc_costkit.cache.verify import FreshAnswer
from lc_costkit.llama_index import answers
from lc_costkit.llama_index.aside import made_aside
from lc_costkit.llama_index.hits import CACHE_KEY, CacheHitEvent, CacheMissEvent
from lc_costkit.marks import MARK
from lc_costkit.streams import aclosing, closing
from lc_costkit.switch import disabled
from lc_costkit.threads import off_loop

_R = TypeVar("_R", ChatResponse, CompletionResponse)

dispatcher = get_dispatcher(__name__)


class CachedCall(Generic[_R]):
    """One call: ask the cache, and if it has nothing, keep what the model says.

    Args:
        cache: the cache.
        describe: makes the request; what it raises is a fault of ours and skips the cache.
        decode: reads a stored answer.
        as_text: reads the text of a stored answer.
        again: asks the LLM the same again, whole, to check what was served.
        streamed: the caller wants a stream.
    """

    def __init__(
        self,
        cache: Cache,
        describe: Callable[[], CacheRequest],
        decode: Callable[[str], _R],
        *,
        as_text: Callable[[str], str],
        again: Callable[[], _R],
        streamed: bool = False,
    ) -> None:
        self._cache = cache
        self._describe = describe
        self._decode: Callable[[str], _R] = decode
        self._as_text = as_text
        self._again: Callable[[], _R] = again
        self._streamed = streamed
        self._request: CacheRequest | None = None
        self._miss: Miss | None = None

    def ask(self) -> _R | None:
        """Return the stored answer, if there is one."""
        if not self._read():
            return None
        assert self._request is not None  # noqa: S101 -- _read has made it
        return self._serve(
            self._cache.lookup(self._request, decode=self._decode, as_text=self._as_text, ask=self._fresh)
        )

    async def aask(self) -> _R | None:
        """Do what ``ask`` does without blocking the event loop."""
        if not self._read():
            return None
        assert self._request is not None  # noqa: S101 -- _read has made it
        return self._serve(
            await self._cache.alookup(self._request, decode=self._decode, as_text=self._as_text, ask=self._fresh)
        )

    @contextmanager
    def missing(self) -> Iterator[None]:
        """Let the events of the model's call carry what the cache found."""
        if self._miss is None or self._miss.verdict == "none":
            yield
            return
        mark = self._miss.mark().to_dict()
        dispatcher.event(CacheMissEvent(mark=mark))
        active = active_instrument_tags.get()
        with instrument_tags({**active, MARK: {**active.get(MARK, {}), CACHE_KEY: mark}}):
            yield

    def keep(self, response: _R) -> _R:
        """Store a whole answer and return it as it is."""
        gathered = answers.Gathered()
        self._gather(gathered, response)
        self._store(response, gathered)
        return response

    async def akeep(self, response: _R) -> _R:
        """Do what ``keep`` does without blocking the event loop."""
        return await off_loop(self.keep, response)

    def watch(self, chunks: Iterator[_R]) -> Generator[_R, None, None]:
        """Pass chunks on as they come; store the answer if the stream comes to its end."""
        gathered, last = answers.Gathered(), None
        with closing(chunks):
            for last in chunks:
                self._gather(gathered, last)
                yield last
        if last is not None:
            self._store(last, gathered)

    async def awatch(self, chunks: AsyncIterator[_R]) -> AsyncGenerator[_R, None]:
        """Pass chunks on as they come; store the answer if the stream comes to its end."""
        gathered, last = answers.Gathered(), None
        async with aclosing(chunks):
            async for last in chunks:
                self._gather(gathered, last)
                yield last
        if last is not None:
            await off_loop(self._store, last, gathered)

    def _fresh(self) -> FreshAnswer:
        """Ask the LLM again, for a check in the background."""
        with made_aside() as metered:
            response = self._again()
        return answers.fresh(response, None if self._request is None else self._request.model, metered=metered)

    def _read(self) -> bool:
        if disabled():
            return False
        try:
            self._request = self._describe()
        except Exception as error:
            self._cache.faulted("reading the call", error)
        return self._request is not None

    def _serve(self, outcome: Hit | Miss) -> _R | None:
        if isinstance(outcome, Miss):
            self._miss = outcome
            return None
        try:
            return self._hand_out(outcome)
        except Exception as error:
            self._cache.faulted("serving", error)
            return None

    def _hand_out(self, outcome: Hit) -> _R:
        response: _R = outcome.answer  # type: ignore[assignment]  # what decode made
        text = answers.text_of(response)
        answers.mark_hit(response, outcome)
        if self._streamed:
            response.delta = text
        dispatcher.event(
            CacheHitEvent(
                mark=outcome.mark().to_dict(),
                model=outcome.entry.model,
                operation="chat" if isinstance(response, ChatResponse) else "completion",
                streamed=self._streamed,
                question=outcome.key.question,
                answer=text,
            )
        )
        return response

    def _gather(self, gathered: answers.Gathered, response: _R) -> None:
        if self._request is None:
            return
        try:
            gathered.add(response, self._request.model)
        except Exception as error:
            self._cache.faulted("reading the answer", error)

    def _store(self, response: _R, gathered: answers.Gathered) -> None:
        if self._request is None:
            return
        try:
            payload = answers.dump(response, gathered)
            if isinstance(payload, NotKept):
                self._cache.skipped(payload.reason, miss=self._miss)
                return
            exact_only = answers.has_tool_calls(response)
            self._cache.store(self._request, payload, reading=gathered.reading, miss=self._miss, exact_only=exact_only)
        except Exception as error:
            self._cache.faulted("reading the answer", error)


def one(response: _R) -> Generator[_R, None, None]:
    """Make a stream of one answer."""
    yield response


async def aone(response: _R) -> AsyncGenerator[_R, None]:
    """Make a stream of one answer."""
    yield response
