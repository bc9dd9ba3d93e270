"""Which query engine of a ``RouterQueryEngine`` does a question go to?"""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Sequence
from typing import Any

from llama_index.core.base.base_selector import BaseSelector, SelectorResult, SingleSelection
from llama_index.core.llms import LLM
from llama_index.core.prompts import BasePromptTemplate, PromptTemplate
from llama_index.core.prompts.mixin import PromptDictType
from llama_index.core.schema import QueryBundle
from llama_index.core.tools import ToolMetadata
from llama_index_instrumentation.dispatcher import active_instrument_tags

from lc_costkit.errors import BudgetExceeded, ConfigurationError, SelectionError, shown
from lc_costkit.faults import Faults
from lc_costkit.marks import MARK, ROUTE_KEY
from lc_costkit.routing.around import check_policy
from lc_costkit.routing.policy import Policy, RouteDecision, RouteRequest, Turn
from lc_costkit.routing.target_model import TargetModel
from lc_costkit.switch import disabled

_ASK = (
    "There are {num_choices} choices:\n"
    "---------------------\n"
    "{context_list}\n"
    "---------------------\n"
    "Question: {query_str}\n"
    "---------------------\n"
)
_FOR_ONE = "Answer with the number of the choice that fits the question best, and with nothing else."
_FOR_SEVERAL = (
    "Answer with the numbers of the choices that are needed for the question, at most {max_outputs} of them, "
    "separated by commas, and with nothing else."
)

_NUMBERS = re.compile(r"[(\[]?[0-9]+[)\]]?(?:\s*[,;]\s*[(\[]?[0-9]+[)\]]?)*\.?")
_MOST_DIGITS = 9


class ModelSelector(BaseSelector):
    """Selects query engines by asking an LLM for their numbers, or a routing policy for the name of one.

    An answer that is no choice is an error that says what was answered and what there is; no choice is ever taken
    in its place. With a policy, the names of the choices are its targets, in their order, cheapest first:
    ``ModelSelector(Rules())`` over two ``QueryEngineTool`` of the names ``cheap`` and ``strong`` asks the strong one
    what is hard. The LLM's calls are metered like any other; no saving is counted for a selection.

    Args:
        by: an LLM; or a policy, any function from a ``RouteRequest`` to a name or a ``RouteDecision``.
        max_choices: the most an LLM may select; a policy selects one.
        strong: name of the choice for whatever a policy cannot decide, and while the kit is switched off; such faults
            are counted in ``faults``. Without it they are raised. A policy sees it as the last.

    Raises:
        ConfigurationError: ``by`` is neither, ``max_choices`` is no number of 1 or more, or an option is given that
            is not for ``by``.

    >>> selector = ModelSelector(lambda request: "large" if "prove" in request.question else "small")
    >>> choices = [ToolMetadata(name=name, description="Answers.") for name in ("small", "large")]
    >>> selector.select(choices, "prove it").ind
    1
    """

    def __init__(self, by: LLM | Policy, *, max_choices: int = 1, strong: str | None = None) -> None:
        if isinstance(max_choices, bool) or not isinstance(max_choices, int) or max_choices < 1:
            raise ConfigurationError(f"max_choices must be a whole number of 1 or more, not {max_choices!r}")
        if isinstance(by, type):
            check_policy(by)
        if not isinstance(by, LLM) and not callable(by):
            raise ConfigurationError(f"a ModelSelector needs a LlamaIndex LLM or a routing policy, not {shown(by)}")
        if isinstance(by, LLM) and strong is not None:
            raise ConfigurationError("strong is for policies; what an LLM answers that is no choice is an error")
        if not isinstance(by, LLM) and max_choices > 1:
            raise ConfigurationError(f"a policy names one choice; max_choices={max_choices} is for LLMs")
        self.by = by
        self.max_choices = max_choices
        self.strong = strong
        self.faults = Faults(logging.getLogger(__name__))
        self._prompt: BasePromptTemplate = PromptTemplate(_ASK + (_FOR_ONE if max_choices == 1 else _FOR_SEVERAL))

    def _select(self, choices: Sequence[ToolMetadata], query: QueryBundle) -> SelectorResult:
        if isinstance(self.by, LLM):
            return self._parsed(self.by.predict(self._prompt, **self._asked(choices, query)), choices)
        request, settled = self._settled(choices, query)
        if settled is not None:
            return settled
        try:
            answer = self.by(request)
            if inspect.isawaitable(answer):
                _discard(answer)
                raise TypeError("the policy is asynchronous; call aselect, or the query engine's aquery")
            return self._named(answer, choices)
        except Exception as error:
            return self._instead(error, choices)

    async def _aselect(self, choices: Sequence[ToolMetadata], query: QueryBundle) -> SelectorResult:
        if isinstance(self.by, LLM):
            return self._parsed(await self.by.apredict(self._prompt, **self._asked(choices, query)), choices)
        request, settled = self._settled(choices, query)
        if settled is not None:
            return settled
        try:
            answer = getattr(self.by, "acall", self.by)(request)
            return self._named(await answer if inspect.isawaitable(answer) else answer, choices)
        except Exception as error:
            return self._instead(error, choices)

    # -- an LLM ----------------------------------------------------------------------------------

    def _asked(self, choices: Sequence[ToolMetadata], query: QueryBundle) -> dict[str, Any]:
        if not choices:
            raise SelectionError("there is nothing to select from")
        lines = [f"({number}) {_title(choice)}" for number, choice in enumerate(choices, start=1)]
        return {
            "num_choices": len(choices),
            "max_outputs": self.max_choices,
            "context_list": "\n\n".join(lines),
            "query_str": query.query_str,
        }

    def _parsed(self, answer: str, choices: Sequence[ToolMetadata]) -> SelectorResult:
        text = answer.strip()
        if not _NUMBERS.fullmatch(text):
            raise self._refused(answer, choices, "which is empty" if not text else "which is not a number alone")
        found = list(dict.fromkeys(re.findall(r"[0-9]+", text)))
        for number in found:
            if len(number) > _MOST_DIGITS or not 1 <= int(number) <= len(choices):
                raise self._refused(answer, choices, f"and there is no choice {number:.20}")
        places = list(dict.fromkeys(int(number) - 1 for number in found))
        if len(places) > self.max_choices:
            raise self._refused(answer, choices, f"which are {len(places)} choices")
        return SelectorResult(selections=[SingleSelection(index=n, reason=f"the LLM said {n + 1}") for n in places])

    def _refused(self, answer: str, choices: Sequence[ToolMetadata], why: str) -> SelectionError:
        there_are = ", ".join(f"{n} ({choice.name or 'unnamed'})" for n, choice in enumerate(choices, start=1))
        wanted = "the number of one of them" if self.max_choices == 1 else f"at most {self.max_choices} of the numbers"
        return SelectionError(f"the LLM answered {answer!r:.200}, {why}; the choices are {there_are}; say {wanted}")

    # -- a policy --------------------------------------------------------------------------------

    def _settled(
        self, choices: Sequence[ToolMetadata], query: QueryBundle
    ) -> tuple[RouteRequest, SelectorResult | None]:
        """Read the request, and select what needs no policy."""
        names = _names(choices)
        if self.strong is not None and self.strong not in names:
            raise ConfigurationError(f"strong={self.strong!r} is not a choice; there are {names!r}")
        targets = names if self.strong is None else [*(n for n in names if n != self.strong), self.strong]
        _check(self.by, targets)
        metadata = {name: value for name, value in active_instrument_tags.get().items() if name != MARK}
        request = RouteRequest(
            question=query.query_str,
            turns=(Turn("human", query.query_str),),
            metadata=metadata,
            targets=tuple(targets),
        )
        if disabled() and self.strong is not None:
            return request, _selected(names.index(self.strong), "the kit is switched off")
        told = metadata.get(ROUTE_KEY)
        if isinstance(told, str) and told in names:
            return request, _selected(names.index(told), "the caller's metadata says so")
        return request, None

    def _named(self, answer: object, choices: Sequence[ToolMetadata]) -> SelectorResult:
        decision = RouteDecision(target=answer) if isinstance(answer, str) else answer
        names = _names(choices)
        if not isinstance(decision, RouteDecision) or decision.target not in names:
            named = decision.target if isinstance(decision, RouteDecision) else answer
            raise SelectionError(f"the policy answered with {named!r:.200}; the choices are {names!r}")
        return _selected(names.index(decision.target), "; ".join(decision.reasons) or "the policy says so")

    def _instead(self, error: Exception, choices: Sequence[ToolMetadata]) -> SelectorResult:
        if self.strong is None or isinstance(error, BudgetExceeded):
            raise error
        advice = f"every such question goes to {self.strong!r}; mend or replace the policy"
        self.faults.record("the routing policy", error, advice, may_quote=True)
        return _selected(_names(choices).index(self.strong), f"the routing policy failed ({type(error).__name__})")

    # -- prompts, as LlamaIndex lets one read and change them ------------------------------------

    def _get_prompts(self) -> PromptDictType:
        return {"prompt": self._prompt} if isinstance(self.by, LLM) else {}

    def _update_prompts(self, prompts: PromptDictType) -> None:
        self._prompt = prompts.get("prompt", self._prompt)


def _title(choice: ToolMetadata) -> str:
    description = " ".join(choice.description.split())
    return f"{choice.name}: {description}" if choice.name else description


def _names(choices: Sequence[ToolMetadata]) -> list[str]:
    """Return the choices' names, which a policy chooses among.

    Raises:
        ConfigurationError: there are none, one has no name, or two have the same.
    """
    names = [choice.name or "" for choice in choices]
    if not names or "" in names or len(set(names)) < len(names):
        raise ConfigurationError(
            f"a policy selects by name: each choice needs one of its own, as in "
            f"QueryEngineTool.from_defaults(engine, name=...); the names are {names!r}"
        )
    return names


def _check(policy: Any, names: Sequence[str]) -> None:
    """Raise ``ConfigurationError`` if the policy cannot choose among these names."""
    unknown = [name for name in getattr(policy, "targets", None) or () if name not in names]
    if unknown:
        raise ConfigurationError(f"the policy names {unknown!r}, which are no choices; there are {list(names)!r}")
    for check, seen in (("check", names), ("check_models", {name: TargetModel() for name in names})):
        if hasattr(policy, check):
            getattr(policy, check)(seen)


def _selected(index: int, reason: str) -> SelectorResult:
    return SelectorResult(selections=[SingleSelection(index=index, reason=reason)])


def _discard(answer: Any) -> None:
    close = getattr(answer, "close", None)
    if close is not None:
        close()
