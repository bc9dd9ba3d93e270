"""Which target is enough, judged by a LangChain model?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.runnables import Runnable

from lc_costkit.langchain.asking_models import MOST_TOKENS, AskModel
from lc_costkit.routing.asked_once import REMEMBERED
from lc_costkit.routing.classifier import MOST_CHARACTERS, MOST_CONTEXT, Classifier


class LLMClassifier(Classifier):
    """A policy that shows the cheapest model the question and asks it for the name of one target.

    What it may answer, what it sees and what is remembered: see ``Classifier``. Its calls are in the ledger with the
    ``feature`` and ``user`` of the call that is decided about, as a cost of the router. Give the model a timeout: the
    caller waits for it. ``router.explain`` asks it, too.

    Args:
        model: a chat or completion model, or a binding of one.
        temperature: given to a model that takes one; ``None`` leaves it as it is.
        max_tokens: of its answer, given to a model that takes a limit; ``None`` leaves it as it is.
        targets: see ``Classifier``, and so the others.
        descriptions: by target, what it is for, in a line.
        most_characters: of the question that are shown.
        most_context: characters of the system prompt that are shown.
        remembered: answers kept.
        ttl_seconds: how long an answer is remembered.

    Raises:
        ConfigurationError: this is no LangChain model, or see ``Classifier``.

    >>> from langchain_core.language_models import FakeListChatModel
    >>> from lc_costkit.routing import RouteRequest
    >>> policy = LLMClassifier(FakeListChatModel(responses=["Large."]))
    >>> policy(RouteRequest(question="Is every even number a sum of two primes?", targets=("small", "large"))).target
    'large'
    """

    def __init__(
        self,
        model: Runnable[Any, Any],
        *,
        temperature: float | None = 0.0,
        max_tokens: int | None = MOST_TOKENS,
        targets: Sequence[str] | None = None,
        descriptions: Mapping[str, str] | None = None,
        most_characters: int = MOST_CHARACTERS,
        most_context: int = MOST_CONTEXT,
        remembered: int = REMEMBERED,
        ttl_seconds: float | None = None,
    ) -> None:
        super().__init__(
            AskModel(model, part="route", temperature=temperature, max_tokens=max_tokens),
            targets=targets,
            descriptions=descriptions,
            most_characters=most_characters,
            most_context=most_context,
            remembered=remembered,
            ttl_seconds=ttl_seconds,
        )
