"""Which words of an answer does the model say for itself?

What it quotes, writes in code or was asked to write for somebody ("write an email that declines") may refuse and doubt
without the answer doing so.
"""

from __future__ import annotations

import re

from lc_costkit.routing.wording import hedge, refusal

_QUOTED = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]{0,400}`|^[ \t]{0,8}>[^\n]*|\"[^\"\n]{0,400}\"|“[^”\n]{0,400}”|„[^“”\n]{0,400}[“”]"
    r"|«[^»\n]{0,400}»|「[^」\n]{0,400}」|『[^』\n]{0,400}』",
    re.DOTALL | re.MULTILINE,
)
_ASKS_FOR_TEXT = re.compile(
    r"(?:\A|[.!?:]\s|\n|\bplease\s|\b(?:can|could|would|will)\s+you\s+(?:please\s)?|\bhelp\s+me\s+(?:to\s)?)[ \t]{0,8}"
    r"(?:write|draft|compose|translate|rewrite|reword|rephrase|paraphrase|proofread|summari[sz]e|begin|continue|finish"
    r"|reply|respond|decline|apologi[sz]e|tell\s+me\s+a|make\s+up|correct\s+(?:the|my|this)|fix\s+(?:the|my|this)"
    r"\s+(?:\w+\s)?(?:spelling|grammar|text|sentence|email|letter))\b"
    r"|(?:써|적어|지어|고쳐|바꿔|옮겨|다듬어|요약해|번역해|작성해)\s*(?:줘|주세|주실|줄래|달라|봐)"
    r"|(?:번역|요약|작성|교정)(?:하세요|하시오|해|:|\s*부탁)|(?:한국어|한글|영어|존댓말|반말)로(?::|\s)",
    re.IGNORECASE,
)
_MOST = 4_000
"""Characters of a question at its beginning and at its end, where what is wanted is said: a pasted text between them
may hold anything."""
_BEGINNING = 20
"""Characters before the words in which a text is refused: nothing but a greeting or an apology."""


def asks_for_text(question: str) -> bool:
    """Tell whether a question asks to write, translate or mend a text.

    >>> asks_for_text("Write an email to my boss."), asks_for_text("Who writes the email?")
    (True, False)
    """
    return bool(_ASKS_FOR_TEXT.search(question[:_MOST]) or _ASKS_FOR_TEXT.search(question[_MOST:][-_MOST:]))


def refused(question: str, text: str) -> str | None:
    """Return the words in which an answer declines for itself, or ``None``.

    Of a text that was asked for, that is how it begins, unless the question has such words for it.

    >>> refused("Why?", "I don't know."), refused("Translate: 모르겠어요", "I don't know.")
    ("I don't know", None)
    """
    said = _QUOTED.sub(" ", text).strip()
    if not asks_for_text(question):
        return refusal(said)
    if refusal(question) or hedge(question):
        return None
    found = refusal(said.partition("\n")[0])
    return found if found is not None and said.find(found) < _BEGINNING else None


def doubted(question: str, text: str) -> str | None:
    """Return the words in which an answer doubts or corrects itself, or ``None``; none of a text that was asked for.

    >>> doubted("Who?", "I guess Kim."), doubted("Write a story.", "I guess Kim.")
    ('I guess', None)
    """
    return None if asks_for_text(question) else hedge(_QUOTED.sub(" ", text))
