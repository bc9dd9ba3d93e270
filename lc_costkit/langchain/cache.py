"""How does LangChain's own cache hook reach the cache?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from langchain_core.caches import RETURN_VAL_TYPE, BaseCache
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import Runnable

from lc_costkit.cache.admit import AdmissionRule
from lc_costkit.cache.aside import current_aside
from lc_costkit.cache.calibration import Calibration
from lc_costkit.cache.engine import Cache
from lc_costkit.cache.explain import Explanation
from lc_costkit.cache.feedback import Rejectable
from lc_costkit.cache.gates import Gate
from lc_costkit.cache.judging import GreyZone
from lc_costkit.cache.key import MAX_TEMPERATURE, CacheRequest, Context, QuestionFinder
from lc_costkit.cache.knobs import MAX_ERROR_RATE
from lc_costkit.cache.pair_log import NEAR_HITS
from lc_costkit.cache.payloads import NotKept
from lc_costkit.cache.policy import Policy
from lc_costkit.cache.policy_report import PolicyReport
from lc_costkit.cache.results import Hit, Miss
from lc_costkit.cache.seen_pairs import LoggedPair
from lc_costkit.cache.stats import CacheStats
from lc_costkit.cache.store import Entry
from lc_costkit.cache.verify import Sampled, asks_by_invoke
from lc_costkit.errors import ConfigurationError
from lc_costkit.langchain import payload, served
from lc_costkit.langchain.asking import asker
from lc_costkit.langchain.pending import Pending
from lc_costkit.langchain.prompts import read_request
from lc_costkit.langchain.warming import Warmed, asked, warm_chain, warm_pairs
from lc_costkit.marks import MARK
from lc_costkit.pricing import PriceBook
from lc_costkit.readers import read_langchain
from lc_costkit.switch import disabled
from lc_costkit.threads import off_loop
from lc_costkit.usage import UsageReading


class SemanticCache(BaseCache):
    """A LangChain cache that also serves other wordings of a question it has answered.

    ``set_llm_cache(SemanticCache("costkit.db"))``, or ``cache=`` of a model. It takes the
    arguments of ``lc_costkit.cache.Cache`` and raises what that raises; after construction
    neither a lookup nor an update fails a call. LangChain itself never asks a cache in
    ``stream()``.

    Hits carry a ``CacheMark`` in ``ChatGeneration.generation_info["lc_costkit"]``, and so do
    live answers, with what the lookup cost. Answers that were cut off, refused or empty are
    not stored; answers that call tools are served to the letter only, with new call ids.
    """

    def __init__(
        self,
        path_or_url: str | Path = ":memory:",
        *,
        policy: str | Policy = "strict",
        max_error_rate: float = MAX_ERROR_RATE,
        similarity_threshold: float | None = None,
        judge: GreyZone | None = None,
        verify: Sampled | None = None,
        embedder: object | None = None,
        gates: Iterable[Gate] | None = None,
        admission: Iterable[AdmissionRule] | None = None,
        ttl: timedelta | float | None = None,
        max_entries: int | None = None,
        namespace: str = "default",
        mode: str = "on",
        question: QuestionFinder | None = None,
        context: Context = "history",
        max_temperature: float = MAX_TEMPERATURE,
        near_hits: int = NEAR_HITS,
        prices: PriceBook | None = None,
    ) -> None:
        self.engine = Cache(
            path_or_url,
            policy=policy,
            max_error_rate=max_error_rate,
            similarity_threshold=similarity_threshold,
            judge=judge,
            verify=verify,
            embedder=embedder,
            gates=gates,
            admission=admission,
            ttl=ttl,
            max_entries=max_entries,
            namespace=namespace,
            mode=mode,
            question=question,
            context=context,
            max_temperature=max_temperature,
            near_hits=near_hits,
            prices=prices,
        )
        self._served = served.Served()
        self._pending = Pending()
        self._asked_again = None if verify is None else verify.ask
        if asks_by_invoke(self._asked_again) and not isinstance(self._asked_again, Runnable):
            self.engine.close()
            raise ConfigurationError(f"Sampled ask has invoke() and is no LangChain model: {self._asked_again!r:.200}")

    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """Return the stored answer as new objects in a ``list``, or ``None``."""
        request = self._read(prompt, llm_string)
        if request is None:
            return None
        outcome = self.engine.lookup(
            request, decode=payload.load, as_text=payload.as_text, ask=asker(self._asked_again, prompt)
        )
        return self._serve(prompt, llm_string, request, outcome)

    async def alookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        """Do what ``lookup`` does without blocking the event loop."""
        if not self.engine.may_wait:
            return await off_loop(self.lookup, prompt, llm_string)
        request = await off_loop(self._read, prompt, llm_string)
        if request is None:
            return None
        outcome = await self.engine.alookup(
            request, decode=payload.load, as_text=payload.as_text, ask=asker(self._asked_again, prompt)
        )
        return self._serve(prompt, llm_string, request, outcome)

    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        """Keep an answer, and mark the live one with what the lookup found."""
        if disabled() or current_aside() is not None:
            return
        try:
            found = self._pending.take(prompt, llm_string)
            request, miss = (read_request(prompt, llm_string), None) if found is None else found
            text = payload.dump(return_val)
            reading = _reading(return_val)
            if miss is not None:
                _mark(return_val, miss)
            if isinstance(text, NotKept):
                self.engine.skipped(text.reason, miss=miss)
                return
            exact_only = payload.has_tool_calls(return_val)
            self.engine.store(request, text, reading=reading, miss=miss, exact_only=exact_only)
        except Exception as error:
            self.engine.faulted("update", error)

    async def aupdate(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        """Do what ``update`` does without blocking the event loop."""
        await off_loop(self.update, prompt, llm_string, return_val)

    def clear(self, **kwargs: Any) -> None:
        """Remove the answers of this namespace, or with ``everything=True`` of all; the statistics stay.

        With ``keep_labels=True``, pairs of questions that have a label stay, too.
        """
        self.engine.clear(
            everything=bool(kwargs.get("everything", False)), keep_labels=bool(kwargs.get("keep_labels", False))
        )

    async def aclear(self, **kwargs: Any) -> None:
        """Do what ``clear`` does without blocking the event loop."""
        await asyncio.to_thread(self.clear, **kwargs)

    def warm(
        self,
        what: Runnable[Any, Any] | Iterable[tuple[Any, str]],
        questions: Iterable[Any] | None = None,
        *,
        like: Runnable[Any, Any] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Warmed:
        """Fill the cache before the traffic comes.

        ``warm(pairs, like=prompt | model)`` stores (input, answer) pairs in the scope in which
        that chain will ask them; no model is called, and a hit later saves what the answer would
        have cost, as an estimate. ``warm(chain, questions)`` runs the chain over the inputs with
        this cache, and pays for what is not in it yet.

        Args:
            what: the pairs, or the chain.
            questions: inputs for the chain.
            like: for pairs, the chain or model that will ask.
            progress: called with (done, total) after each one.

        Raises:
            ConfigurationError: the arguments do not fit together, there is no model to be found, or
                ``like`` asks models more than once for one input.
        """
        if isinstance(what, Runnable):
            return warm_chain(self, what, questions, like=like, progress=progress)
        return warm_pairs(self, what, questions, like=like, progress=progress)

    def explain(self, input: Any, *, like: Runnable[Any, Any]) -> Explanation:
        """Say how a call of ``like`` with ``input`` would be decided; no model is called.

        The steps before the model run as they are, and a model that is called inside a function is
        called. Of several models in a chain, the one that is asked first is explained.

        Raises:
            ConfigurationError: ``like`` holds no model that would ask a cache.
        """
        return self.engine.explain(read_request(*asked(like, input)[0]))

    def recommend(self, max_error_rate: float | None = None, *, confidence: float = 0.95) -> PolicyReport:
        """Say which policy the traffic so far speaks for; see ``Cache.recommend``."""
        return self.engine.recommend(max_error_rate, confidence=confidence)

    def stats(self) -> CacheStats:
        """Return what this namespace has served, refused and saved, over all processes and restarts."""
        return self.engine.stats()

    def reject(self, answer: served.Answer | Rejectable, *, question: str | None = None) -> int:
        """Remove an answer that was wrong, and never serve it to that question again.

        A generation or result says itself which entry it is. A message or its text does not: it is
        the entry that was last served with these words by this process while it is held, else every entry
        of the namespace that holds them, of which ``question`` picks those that were served to it.

        Args:
            answer: the ``AIMessage``, ``ChatGeneration``, ``LLMResult`` or text that was served; or
                what ``Cache.reject`` takes.
            question: the question that was answered wrongly.

        Returns:
            How many entries went; 0 where the one it was served from is gone already and no other holds it.

        Raises:
            ConfigurationError: the cache never served this answer and holds none like it.
        """
        return served.reject(self.engine, self._served, answer, question=question)

    def label(self, cached: str, new: str, *, same: bool) -> int:
        """Say whether the answer to one question is right for another; return the label's number."""
        return self.engine.label(cached, new, same=same)

    def calibrate(
        self,
        pairs: Iterable[Any] | None = None,
        *,
        max_error_rate: float | None = None,
        confidence: float = 0.95,
        learn: bool = False,
    ) -> Calibration:
        """Find the score from which labels certify the error rate, and serve from it; see ``Cache.calibrate``."""
        return self.engine.calibrate(pairs, max_error_rate=max_error_rate, confidence=confidence, learn=learn)

    def draw_pairs(self, count: int, *, seed: int | None = None) -> list[LoggedPair]:
        """Draw pairs to be labelled with ``label_pair``, of all that the gates let pass with the same chance."""
        return self.engine.draw_pairs(count, seed=seed)

    def label_pair(self, pair_id: int, *, same: bool | None) -> None:
        """Label one of ``near_hits()``; ``None`` takes its label back."""
        self.engine.label_pair(pair_id, same=same)

    def forget_verdicts(self) -> int:
        """Take back what live checks have done, where it was their judge that was wrong; see ``Cache``."""
        return self.engine.forget_verdicts()

    def near_hits(self, limit: int = 50, *, labelled: bool | None = None) -> list[LoggedPair]:
        """Return what the semantic tier decided last, served or not, the newest first."""
        return self.engine.near_hits(limit, labelled=labelled)

    def entry(self, entry_id: int) -> Entry | None:
        """Return the stored answer that a hit names, or ``None`` if it is gone."""
        return self.engine.entry(entry_id)

    def delete(self, entry_id: int | None = None, *, question: str | None = None) -> int:
        """Remove one entry by id, or every answer to a question; return how many."""
        return self.engine.delete(entry_id, question=question)

    def check(self) -> tuple[str, ...]:
        """Read the whole store and return what is wrong with it; empty if it is sound."""
        return self.engine.check()

    def flush(self, timeout_seconds: float | None = None) -> bool:
        """Wait for the checks under way and write down the statistics; tell whether every check was done."""
        return self.engine.flush(timeout_seconds)

    def close(self) -> None:
        """Write down the statistics and close the store."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __deepcopy__(self, _memo: object) -> Self:
        return self  # copies of a model share its cache

    def _read(self, prompt: str, llm_string: str) -> CacheRequest | None:
        if disabled() or current_aside() is not None:  # not even noted: the caller may be asking the same right now
            return None
        try:
            return read_request(prompt, llm_string)
        except Exception as error:
            self.engine.faulted("reading the prompt", error)
            return None

    def _serve(
        self, prompt: str, llm_string: str, request: CacheRequest, outcome: Hit | Miss
    ) -> RETURN_VAL_TYPE | None:
        try:
            if isinstance(outcome, Miss):
                self._pending.put(prompt, llm_string, request, outcome)
                return None
            generations: list[Generation] = outcome.answer  # type: ignore[assignment]  # payload.load made it
            _mark(generations, outcome)
            self._served.note(generations, outcome)
            return generations
        except Exception as error:
            self.engine.faulted("serving", error)
            return None


def _mark(generations: Sequence[Generation], outcome: Hit | Miss) -> None:
    mark = outcome.mark().to_dict()
    for generation in generations:
        # A plain Generation is compared as a whole by LangChain's standard suite, and by users.
        if isinstance(generation, ChatGeneration):
            generation.generation_info = {**(generation.generation_info or {}), MARK: mark}


def _reading(generations: Sequence[Generation]) -> UsageReading | None:
    for generation in generations:
        message = getattr(generation, "message", None)
        usage = getattr(message, "usage_metadata", None)
        if usage:
            return read_langchain(usage, getattr(message, "response_metadata", None), start_metadata=None)
    return None
