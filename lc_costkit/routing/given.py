"""Do the values of an answer stand in what was asked?"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.answer import PASSED, Answer, Verdict, failed
from lc_costkit.routing.checks import bare
from lc_costkit.routing.final import numbers
from lc_costkit.routing.policy import RouteRequest

_IN_WORDS = re.compile(
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty|sixty"
    r"|seventy|eighty|ninety|hundreds?|thousands?|millions?|billions?|dozen|half|quarter|twice|double|grand)\b"
    r"|\d\s*(?:k|m|bn|천|만|억)|[일이삼사오육칠팔구십백천만억]\s*(?:원|달러|명|개|번|시|월|년)"
    r"|하나|둘|(?:한|두|세|네|다섯|여섯|일곱|여덟|아홉|열)\s*(?:명|개|번|시|장|마리|살|시간)|절반",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesGiven:
    """Fails an answer in JSON, or a tool call, with a value that stands nowhere in the request.

    Texts must stand there in the same words, but for case, spaces and marks at their ends; numbers in digits, unless
    the request writes some in words. ``None``, ``True`` and ``False`` pass. The system prompt is part of the
    request, and so is what tools said. What is no JSON passes, as ``SchemaValid`` has its say about that.

    Attributes:
        fields: whose values are copied from the request; those that are worked out (a category, a date in another
            form) are left to the schema. ``None`` for all fields.

    Raises:
        ConfigurationError: there are no fields, or they are one text.
    """

    fields: Collection[str] | None = None

    def __post_init__(self) -> None:
        if self.fields is not None and (isinstance(self.fields, str) or not self.fields):
            raise ConfigurationError(f"fields must be names, or None for all, not {self.fields!r}")

    def __call__(self, request: RouteRequest, answer: Answer, /) -> Verdict:
        """Look at one answer."""
        asked = "\n".join([*(turn.text for turn in request.turns), request.question])
        told = f"{request.system}\n{asked}"
        words, digits = _plain(told), set(numbers(told))
        counted_in_words = bool(_IN_WORDS.search(asked))
        for name, value in self._values(answer):
            if isinstance(value, str):
                known = _plain(value) in words
            else:
                known = counted_in_words or value in digits or -value in digits
            if not known:
                return failed(f"the value of {name} does not stand in the request")
        return PASSED

    def _values(self, answer: Answer) -> Iterator[tuple[str, Any]]:
        for call in answer.tool_calls:
            yield from self._leaves(_read(call.arguments) if isinstance(call.arguments, str) else call.arguments, "")
        if answer.text.strip():
            yield from self._leaves(_read(bare(answer.text)), "")

    def _leaves(self, value: Any, name: str) -> Iterator[tuple[str, Any]]:
        """Return every text and number of a value, by the name of the field it is in."""
        left = [(name, value)]
        while left:
            name, value = left.pop()
            if isinstance(value, Mapping):
                left += [(str(key), one) for key, one in value.items()]
            elif isinstance(value, list | tuple):
                left += [(name, one) for one in value]
            elif isinstance(value, str | int | float) and not isinstance(value, bool) and self._is_asked(name):
                yield name, value

    def _is_asked(self, name: str) -> bool:
        return bool(name) and (self.fields is None or name in self.fields)


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().replace("\u2019", "'").split()).strip(" .,;:!?\"'")
