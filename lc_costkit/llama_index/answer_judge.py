"""Is an answer good enough, judged by a LlamaIndex LLM?"""

from __future__ import annotations

from llama_index.core.llms import LLM

from lc_costkit.llama_index.asking import AskLLM
from lc_costkit.routing import judge


class AnswerJudge(judge.AnswerJudge):
    """A check for ``cascade_llm``: asks an LLM whether an answer is good enough for the request.

    What it may say and is shown: see ``lc_costkit.routing.judge.AnswerJudge``. Its calls are in the ledger with the
    ``feature`` and ``user`` of the call whose answer is judged, as a cost of the cascade. Put checks that cost nothing
    before it. Give the LLM a timeout and few output tokens: the caller waits for it.

    Args:
        llm: the LLM to ask; one that is better than the target it judges.
        least: the score from which an answer passes, above 0, at most 10; ``None`` asks for yes or no instead.
        temperature: given to an LLM that takes one; ``None`` leaves it out.
        max_tokens: of its answer, given to an LLM that takes a limit; ``None`` leaves it out.
        most_characters: of the conversation and of the answer that are shown.
        most_context: characters of the system prompt that are shown.

    Raises:
        ConfigurationError: this is no LlamaIndex LLM, or a number is out of range.

    Example:
        ``cascade_llm({"small": small, "large": large}, [*GENERAL_CHECKS, AnswerJudge(large)])``
    """

    def __init__(
        self,
        llm: LLM,
        *,
        least: float | None = None,
        temperature: float | None = 0.0,
        max_tokens: int | None = None,
        most_characters: int = judge.MOST_CHARACTERS,
        most_context: int = judge.MOST_CONTEXT,
    ) -> None:
        super().__init__(
            AskLLM(llm, part="cascade", temperature=temperature, max_tokens=max_tokens),
            least=least,
            most_characters=most_characters,
            most_context=most_context,
        )
