"""Does an answer cite what its context says?"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from lc_costkit.routing.answer import PASSED, Answer, Verdict, failed
from lc_costkit.routing.policy import RouteRequest

SHORTEST_QUOTE = 12
"""Characters of a quotation that is looked for in the context: shorter ones are terms and names."""

_QUOTE = re.compile(r"[\"“«「『]([^\"”»」』\n]{0,400})[\"”»」』]")
_REFERENCE = re.compile(r"\[(\d{1,3})\]")


@dataclass(frozen=True, slots=True)
class CitesContext:
    """Fails an answer that quotes, or refers to, what the context does not hold.

    Quotations (twelve characters or more) must stand in the context word for word, but for case and spaces;
    references such as ``[2]`` must be numbers of the context.

    Attributes:
        context: the documents of a request; by default its system prompt and what stands in its turns.
        required: an answer without a quotation or a reference fails as well.
    """

    context: Callable[[RouteRequest], str] | None = None
    required: bool = False

    def __call__(self, request: RouteRequest, answer: Answer, /) -> Verdict:
        """Look at one answer."""
        told = _whole_context(request) if self.context is None else self.context(request)
        plain = _plain(told)
        quotes = [quote for quote in _QUOTE.findall(answer.text) if len(quote) >= SHORTEST_QUOTE]
        references = set(_REFERENCE.findall(answer.text))
        if self.required and not quotes and not references:
            return failed("it cites nothing")
        if any(_plain(quote).strip(" .,;:") not in plain for quote in quotes):
            return failed("it quotes what the context does not say")
        unknown = references - set(_REFERENCE.findall(told))
        if unknown:
            return failed(f"it refers to [{min(unknown, key=int)}], which the context does not have")
        return PASSED


def _whole_context(request: RouteRequest) -> str:
    return "\n".join([request.system, *(turn.text for turn in request.turns), request.question])


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().replace("\u2019", "'").split())
