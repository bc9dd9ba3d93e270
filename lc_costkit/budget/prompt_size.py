"""How many tokens can a prompt be at most?

Two answers: a quick one from its bytes, and a closer one that counts. Neither may be
below what the provider bills.
"""

from __future__ import annotations

import re
from functools import lru_cache

from lc_costkit.prompt import Prompt
from lc_costkit.tokens import TokenCounter

_CALL_TOKENS = 16
"""Tokens around the whole request. OpenAI primes an answer with 3 (its cookbook, "How to count tokens with
tiktoken"); the rest is room for what other providers do not say."""

_TURN_TOKENS = 12
"""Tokens around one message: 3, and 1 before a name, with OpenAI (same place); the rest as above."""

_TOOL_CALL_TOKENS = 24
"""Tokens around a tool call in the history: its id, the words of its JSON, quotes inside quotes. An assumption."""

_TOOL_TOKENS = 16
"""Tokens around one tool definition, beside its JSON: 7, and 12 for the list, with OpenAI (same place, gpt-4o)."""

_CLAUDE_TOOLS_TOKENS = 1_024
"""Tokens of the system prompt that comes with tools: 159 to 530 for the Claude models of which Anthropic says it
(docs.anthropic.com, tool use pricing); twice that for those of which it does not."""

_HIDDEN_FACTOR = 2
"""Tokens of words in English letters, where the vocabulary is not public, as a factor of the ``o200k_base`` count.
Claude took 16 to 30 % more than GPT-4o (published comparisons of Claude 3.5), and Anthropic says of later tokenizers
that they take up to 1.35 times as many as the one before: 1.3 x 1.35 is 1.76."""

_NOT_WORDS = re.compile(r"[^A-Za-z ]+| (?= )")
_ROLES_OF_MODELS = frozenset({"ai", "assistant"})


def most_tokens(prompt: Prompt, *, claude: bool) -> int:
    """Return a number of tokens that the prompt cannot pass, without counting any.

    A vocabulary of byte pairs, which all providers use, has no token for less than a byte: a text is at
    most as many tokens as it has bytes in UTF-8.
    """
    return sum(_bytes(text) for text in _texts(prompt)) + _framing(prompt, claude=claude)


def counted_tokens(prompt: Prompt, model: str | None, *, claude: bool) -> tuple[int, bool]:
    """Return a closer bound, and whether it was counted with the model's own vocabulary.

    Where that is not public, words in English letters are counted with ``o200k_base`` and doubled; digits,
    punctuation, line breaks and other scripts, in which vocabularies differ far more, count by their bytes.
    """
    tokens = sum(most_in_text(text, model) for text in _texts(prompt))
    return tokens + _framing(prompt, claude=claude), vocabulary_known(model)


def most_in_text(text: str, model: str | None) -> int:
    """Return a number of tokens that a text cannot pass; as close as ``counted_tokens``."""
    counter = _counter(model)
    return counter.count(text) if counter.exact else _hidden(text, counter)


def vocabulary_known(model: str | None) -> bool:
    """Tell whether tokens can be counted as the model does."""
    return _counter(model).exact


def _texts(prompt: Prompt) -> list[str]:
    texts = [text for _, text in prompt.turns]
    return [*texts, prompt.tools] if prompt.tools else texts


def _framing(prompt: Prompt, *, claude: bool) -> int:
    tokens = _CALL_TOKENS + _TURN_TOKENS * len(prompt.turns)
    for role, text in prompt.turns:
        if role in _ROLES_OF_MODELS:
            tokens += _TOOL_CALL_TOKENS * text.count("({")
    if prompt.tools:
        # "name" also occurs among the parameters: that counts too many, never too few.
        tokens += _TOOL_TOKENS * (1 + prompt.tools.count('"name"')) + (_CLAUDE_TOOLS_TOKENS if claude else 0)
    return tokens


def _hidden(text: str, counter: TokenCounter) -> int:
    words, gaps = _NOT_WORDS.subn(" ", text)
    whole = _bytes(text)
    return min(whole, _HIDDEN_FACTOR * counter.count(words) + whole - (len(words) - gaps))


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


@lru_cache(maxsize=256)
def _counter(model: str | None) -> TokenCounter:
    return TokenCounter(model if model and model.strip() else None)
