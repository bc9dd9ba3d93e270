"""In which scope will a chain ask, and how is the cache filled before it does?

The key must be the one LangChain will compute, so LangChain is made to compute it: the
model in the chain is replaced by a copy whose cache notes what it is asked and answers
at once, so that no provider is reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.caches import RETURN_VAL_TYPE, BaseCache
from langchain_core.language_models import BaseLanguageModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import (
    Runnable,
    RunnableBranch,
    RunnableParallel,
    RunnableSequence,
    RunnableWithFallbacks,
)
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.passthrough import RunnableAssign

from lc_costkit.cache.key import CacheRequest
from lc_costkit.errors import ConfigurationError
from lc_costkit.langchain import payload
from lc_costkit.langchain.prompts import read_request
from lc_costkit.tokens import TokenCounter
from lc_costkit.usage import TokenUsage, UsageReading

if TYPE_CHECKING:
    from lc_costkit.langchain.cache import SemanticCache

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmed:
    """What warming did.

    Attributes:
        asked: how many inputs there were.
        stored: how many answers were written.
        present: how many were in the cache already.
        refused: how many may not be cached, or could not be; ``stats()`` says why.
    """

    asked: int
    stored: int
    present: int
    refused: int


class _Probe(BaseCache):
    """Notes what it is asked and hits at once, so that the model is not called."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        self.seen.append((prompt, llm_string))
        return [Generation(text="")]

    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        """Nothing is kept."""

    def clear(self, **kwargs: Any) -> None:
        self.seen.clear()


def asked(like: Runnable[Any, Any], input: Any) -> list[tuple[str, str]]:
    """Return the two strings with which ``like`` would ask a cache about ``input``, for each of its calls.

    A call that needs the answer to an earlier one sees an empty answer.

    Raises:
        ConfigurationError: ``like`` holds no model, or fails before it gets to one.
    """
    probe = _Probe()
    chain = _with_cache(like, probe, quiet=True)
    try:
        chain.invoke(input)
    except Exception as error:
        # What comes after the model may choke on the probe's empty answer.
        if not probe.seen:
            raise ConfigurationError(f"the chain fails on {input!r:.200} before it asks a model: {error}") from error
    if not probe.seen:
        raise ConfigurationError(f"the chain does not ask a model about {input!r:.200}")
    return list(dict.fromkeys(probe.seen))


def warm_pairs(
    cache: SemanticCache,
    pairs: Iterable[tuple[Any, str]],
    questions: Iterable[Any] | None,
    *,
    like: Runnable[Any, Any] | None,
    progress: Progress | None,
) -> Warmed:
    """Store (input, answer) pairs as if ``like`` had been asked."""
    if like is None or questions is not None:
        raise ConfigurationError("warm(pairs, like=...) needs the chain or model that will ask, and no questions")
    checked = [_checked_pair(pair) for pair in pairs]
    stored = 0
    for done, (question, answer) in enumerate(checked, start=1):
        calls = asked(like, question)
        if len(calls) > 1:
            raise ConfigurationError(
                f"the chain asks {len(calls)} times about {question!r:.200}, and the answer belongs to one of them; "
                "pass the part that gives it as like="
            )
        request = read_request(*calls[0])
        kept = Generation(text=answer) if request.plain_text else ChatGeneration(message=AIMessage(answer))
        text = payload.dump([kept])
        reading = _estimate(request, answer)
        if isinstance(text, str) and cache.engine.store(request, text, reading=reading) is not None:
            stored += 1
        if progress is not None:
            progress(done, len(checked))
    return Warmed(asked=len(checked), stored=stored, present=0, refused=len(checked) - stored)


def warm_chain(
    cache: SemanticCache,
    chain: Runnable[Any, Any],
    questions: Iterable[Any] | None,
    *,
    like: Runnable[Any, Any] | None,
    progress: Progress | None,
) -> Warmed:
    """Run ``chain`` over ``questions`` with ``cache`` in its models."""
    if questions is None or like is not None:
        raise ConfigurationError("warm(chain, questions) needs the inputs to run, and no like=")
    if isinstance(questions, str):
        raise ConfigurationError("warm(chain, questions) needs a list of inputs, not one text")
    inputs = list(questions)
    asking = _with_cache(chain, cache)
    before = cache.stats()
    for done, question in enumerate(inputs, start=1):
        asking.invoke(question)
        if progress is not None:
            progress(done, len(inputs))
    after = cache.stats()
    stored, present = after.stored - before.stored, after.hits - before.hits
    return Warmed(asked=len(inputs), stored=stored, present=present, refused=max(0, len(inputs) - stored - present))


def _with_cache(like: Runnable[Any, Any], cache: BaseCache, *, quiet: bool = False) -> Runnable[Any, Any]:
    if not isinstance(like, Runnable):
        raise ConfigurationError(f"like must be a model or a chain with one, not {type(like).__name__}")
    changed = _replaced(like, {"cache": cache, "callbacks": None} if quiet else {"cache": cache})
    if changed is like:
        raise ConfigurationError(
            f"no model found in {type(like).__name__}; pass a model, or a chain (prompt | model) that holds one. "
            "Models inside functions cannot be seen"
        )
    return changed


def _replaced(part: Runnable[Any, Any], update: dict[str, Any]) -> Runnable[Any, Any]:
    """Return ``part`` with its models copied and updated, or ``part`` itself where it holds none."""
    if isinstance(part, BaseLanguageModel):
        return part.model_copy(update=update)
    if isinstance(part, RunnableSequence):
        steps = [_replaced(step, update) for step in part.steps]
        return part if _same(steps, part.steps) else RunnableSequence(*steps, name=part.name)
    if isinstance(part, RunnableParallel):
        branches = {name: _replaced(step, update) for name, step in part.steps__.items()}
        return part if _same(branches.values(), part.steps__.values()) else RunnableParallel(branches)
    if isinstance(part, RunnableAssign):
        return _with_field(part, "mapper", _replaced(part.mapper, update))
    if isinstance(part, RunnableBranch):
        conditions = [(condition, _replaced(step, update)) for condition, step in part.branches]
        default = _replaced(part.default, update)
        same = default is part.default and _same((step for _, step in conditions), (step for _, step in part.branches))
        return part if same else RunnableBranch(*conditions, default)
    if isinstance(part, RunnableBindingBase):
        return _with_field(part, "bound", _replaced(part.bound, update))
    if isinstance(part, RunnableWithFallbacks):
        # A probe may make the first one fail; the others must not be asked for that.
        first = _replaced(part.runnable, update)
        if first is part.runnable or "callbacks" in update:
            return part if first is part.runnable else first
        others = [_replaced(other, update) for other in part.fallbacks]
        return part.model_copy(update={"runnable": first, "fallbacks": others})
    targets = getattr(part, "targets", None)  # a router of ours
    if isinstance(targets, dict) and hasattr(part, "model_copy"):
        replaced = {name: _replaced(target, update) for name, target in targets.items()}
        return part if _same(replaced.values(), targets.values()) else part.model_copy(update={"targets": replaced})
    return part


def _with_field(part: Any, name: str, value: Runnable[Any, Any]) -> Runnable[Any, Any]:
    if value is getattr(part, name):
        return part  # type: ignore[no-any-return]
    return part.model_copy(update={name: value})  # type: ignore[no-any-return]


def _same(left: Iterable[object], right: Iterable[object]) -> bool:
    return all(one is other for one, other in zip(left, right, strict=True))


def _checked_pair(pair: object) -> tuple[Any, str]:
    if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[1], str) or not pair[1].strip():
        raise ConfigurationError(f"warm() needs (input, answer) pairs with an answer in text, not {pair!r:.200}")
    return pair[0], pair[1]


def _estimate(request: CacheRequest, answer: str) -> UsageReading | None:
    if request.model is None:
        return None
    counter = TokenCounter(request.model)
    usage = TokenUsage(
        input_tokens=sum(counter.count(turn.text) for turn in request.turns), output_tokens=counter.count(answer)
    )
    return UsageReading(usage=usage, model=request.model, estimated=True)
