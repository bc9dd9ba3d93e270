"""What is a prompt made of, and from where on does it differ from the last one?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Part = Literal["system", "history", "context", "question", "tools"]

_PARTS: tuple[Part, ...] = get_args(Part)

PREFIX_BLOCK_BYTES = 1024
"""One hash for each; about 256 tokens, a quarter of the shortest prefix that providers cache."""

PREFIX_BLOCKS_LIMIT = 128
"""Blocks past it are not hashed, so that a record stays small."""

_FRAMING_TOKENS = 4
"""Tokens by which a provider frames one message, about (OpenAI's chat format takes 3 to 4)."""

_SYSTEM_ROLES = frozenset({"system", "developer"})
_HUMAN_ROLES = frozenset({"human", "user"})
_TOOL_ROLES = frozenset({"tool", "function"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What was sent to a model, as far as it is text.

    Attributes:
        turns: role and text of each message, in order; one ``("human", text)`` for a completion.
        tools: the tool definitions as text.
        declared_question: the part of the last human text that the caller says is the question.
        framed: messages, with a provider's few tokens around each; false for plain text.

    >>> prompt = Prompt(turns=(("system", "Be brief."), ("human", "Why is the sky blue?")))
    >>> prompt.question, prompt.shares(100)
    ('Why is the sky blue?', {'system': 31, 'question': 69})
    """

    turns: tuple[tuple[str, str], ...]
    tools: str = ""
    declared_question: str | None = None
    framed: bool = True

    @property
    def question(self) -> str:
        """The declared question, or the last human text."""
        asked = self._asked()
        return self._question_in(self.turns[asked][1]) if asked is not None else ""

    def _question_in(self, text: str) -> str:
        declared = (self.declared_question or "").strip()
        return declared if declared and declared in text else text

    @property
    def question_hash(self) -> str | None:
        """A digest of the question; ``None`` if there is no human text."""
        question = self.question
        return hashlib.blake2b(_bytes(question), digest_size=16).hexdigest() if question else None

    def parts(self) -> dict[Part, list[str]]:
        """Return the texts of each part that is there.

        The context is what surrounds a declared question, and what tools returned.
        """
        texts: dict[Part, list[str]] = {part: [] for part in _PARTS}
        for part, text in self._pieces():
            if text:
                texts[part].append(text)
        return {part: found for part, found in texts.items() if found}

    def _pieces(self) -> list[tuple[Part, str]]:
        asked = self._asked()
        pieces: list[tuple[Part, str]] = []
        for index, (role, text) in enumerate(self.turns):
            if index == asked:
                question = self._question_in(text)
                pieces.append(("question", question))
                if question != text:
                    before, _, after = text.partition(question)
                    pieces += [("context", before), ("context", after)]
            elif role in _SYSTEM_ROLES:
                pieces.append(("system", text))
            else:
                pieces.append(("context" if role in _TOOL_ROLES else "history", text))
        pieces.append(("tools", self.tools))
        return pieces

    def shares(self, total_tokens: int) -> dict[str, int]:
        """Divide reported input tokens among the parts by length; the sum is exact, the shares are not."""
        lengths = dict.fromkeys(_PARTS, 0)
        for part, text in self._pieces():
            lengths[part] += _size(text)
        return divided(total_tokens, {part: length for part, length in lengths.items() if length})

    def counted(self, count: Callable[[str], int]) -> dict[str, int]:
        """Count the tokens of each part, with about what a provider adds around messages."""
        counts: dict[str, int] = {part: sum(map(count, texts)) for part, texts in self.parts().items()}
        if self.framed and counts:
            largest = max(counts, key=lambda part: counts[part])
            counts[largest] += _FRAMING_TOKENS * len(self.turns)
        return counts

    def prefix_hashes(self) -> tuple[str, ...]:
        """Return chained digests of the leading blocks: two prompts share a prefix as long as these are equal."""
        pieces = [self.tools, *(f"\x1e{role}\x1f{text}" for role, text in self.turns)]
        limit = PREFIX_BLOCK_BYTES * PREFIX_BLOCKS_LIMIT
        data = _bytes("".join([piece[:limit] for piece in pieces])[:limit])[:limit]
        digest = hashlib.blake2b(digest_size=8)
        hashes = []
        for start in range(0, len(data) - PREFIX_BLOCK_BYTES + 1, PREFIX_BLOCK_BYTES):
            digest.update(data[start : start + PREFIX_BLOCK_BYTES])
            hashes.append(digest.hexdigest())
        return tuple(hashes)

    def _asked(self) -> int | None:
        for index in range(len(self.turns) - 1, -1, -1):
            if self.turns[index][0] in _HUMAN_ROLES:
                return index
        return None


def divided(total: int, weights: Mapping[Part, int]) -> dict[str, int]:
    """Divide ``total`` by weight into whole numbers that sum to it (largest remainders get the rest).

    >>> divided(10, {"system": 1, "question": 1, "tools": 1})
    {'system': 4, 'question': 3, 'tools': 3}
    """
    whole = sum(weights.values())
    if not whole or not total:
        return {}
    shares: dict[str, int] = {name: total * weight // whole for name, weight in weights.items()}
    missing = total - sum(shares.values())
    if not missing:
        return shares
    for name in sorted(weights, key=lambda name: -(total * weights[name] % whole))[:missing]:
        shares[name] += 1
    return shares


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(_bytes(text))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
