"""Which target is enough, judged by a LlamaIndex LLM?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llama_index.core.llms import LLM

from lc_costkit.llama_index.asking import AskLLM
from lc_costkit.routing.asked_once import REMEMBERED
from lc_costkit.routing.classifier import MOST_CHARACTERS, MOST_CONTEXT, Classifier


class LLMClassifier(Classifier):
    """A policy that shows the cheapest LLM the question and asks it for the name of one target.

    What it may answer, what it sees and what is remembered: see ``lc_costkit.routing.Classifier``. Its calls are in the
    ledger with the ``feature`` and ``user`` of the call that is decided about, as a cost of the router. Give the LLM a
    timeout and few output tokens: the caller waits for it. ``llm.explain`` asks it, too.

    Args:
        llm: the LLM to ask.
        temperature: given to an LLM that takes one; ``None`` leaves it out.
        max_tokens: of its answer, given to an LLM that takes a limit; ``None`` leaves it out.
        targets: see ``Classifier``, and so the others.
        descriptions: by target, what it is for, in a line.
        most_characters: of the question that are shown.
        most_context: characters of the system prompt that are shown.
        remembered: answers kept.
        ttl_seconds: how long an answer is remembered.

    Raises:
        ConfigurationError: this is no LlamaIndex LLM, or see ``Classifier``.

    Example:
        ``routed_llm({"small": small, "large": large}, LLMClassifier(small))``
    """

    def __init__(
        self,
        llm: LLM,
        *,
        temperature: float | None = 0.0,
        max_tokens: int | None = None,
        targets: Sequence[str] | None = None,
        descriptions: Mapping[str, str] | None = None,
        most_characters: int = MOST_CHARACTERS,
        most_context: int = MOST_CONTEXT,
        remembered: int = REMEMBERED,
        ttl_seconds: float | None = None,
    ) -> None:
        super().__init__(
            AskLLM(llm, part="route", temperature=temperature, max_tokens=max_tokens),
            targets=targets,
            descriptions=descriptions,
            most_characters=most_characters,
            most_context=most_context,
            remembered=remembered,
            ttl_seconds=ttl_seconds,
        )
