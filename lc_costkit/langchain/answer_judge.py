"""Is an answer good enough, judged by a LangChain model?"""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import Runnable

from lc_costkit.langchain.asking_models import MOST_TOKENS, AskModel
from lc_costkit.routing import judge


class AnswerJudge(judge.AnswerJudge):
    """A check for a ``Cascade``: asks a model whether an answer is good enough for the request.

    What it may say and is shown: see ``lc_costkit.routing.judge.AnswerJudge``. Its calls are in the ledger with the
    ``feature`` and ``user`` of the call whose answer is judged, as a cost of the cascade. Put checks that cost nothing
    before it. Give the model a timeout: the caller waits for it.

    Args:
        model: a chat or completion model, or a binding of one; one that is better than the target it judges.
        least: the score from which an answer passes, above 0, at most 10; ``None`` asks for yes or no instead.
        temperature: given to a model that takes one; ``None`` leaves it as it is.
        max_tokens: of its answer, given to a model that takes a limit; ``None`` leaves it as it is.
        most_characters: of the conversation and of the answer that are shown.
        most_context: characters of the system prompt that are shown.

    Raises:
        ConfigurationError: this is no LangChain model, or a number is out of range.

    >>> from langchain_core.language_models import FakeListChatModel
    >>> from lc_costkit.routing import Answer, RouteRequest
    >>> check = AnswerJudge(FakeListChatModel(responses=["No."]))
    >>> check(RouteRequest(question="What is 2 + 2?"), Answer(text="5")).reason
    'the judge says no'
    """

    def __init__(
        self,
        model: Runnable[Any, Any],
        *,
        least: float | None = None,
        temperature: float | None = 0.0,
        max_tokens: int | None = MOST_TOKENS,
        most_characters: int = judge.MOST_CHARACTERS,
        most_context: int = judge.MOST_CONTEXT,
    ) -> None:
        super().__init__(
            AskModel(model, part="cascade", temperature=temperature, max_tokens=max_tokens),
            least=least,
            most_characters=most_characters,
            most_context=most_context,
        )
