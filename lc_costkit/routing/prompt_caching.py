"""When does a model's provider read a prompt from its cache, and for how long?

Sources, as of November 2026:

- OpenAI, developers.openai.com/api/docs/guides/prompt-caching: automatic, for prompts of 1,024 tokens and more; kept
  for 5 to 10 minutes of inactivity and up to an hour. From GPT-5.6 on kept 30 minutes, and writes are billed.
- Anthropic, platform.claude.com/docs/en/build-with-claude/prompt-caching: what a request marks with ``cache_control``;
  kept 5 minutes, or an hour where the mark says so, renewed by every use; writes are billed. The least length depends
  on the model.
- Google, ai.google.dev/gemini-api/docs/caching: automatic from Gemini 2.5 on, from 2,048 tokens (2.5) or 4,096
  (later); how long is not said.

A provider may drop a prefix earlier, and where requests are spread over machines it may not find one. What is said
here is what may be hoped for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

SHORTEST_SECONDS = 300.0
"""Five minutes without use: Anthropic's default, the least that OpenAI states, and taken for those who do not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptCaching:
    """How a model's provider caches prompts.

    Attributes:
        minimum_tokens: the shortest prefix that is cached, tokens.
        seconds: how long one is kept without use.
        marked: only what the request marks is cached.
        bills_writes: what is not read from the cache is billed as written to it.
    """

    minimum_tokens: int = 1_024
    seconds: float = SHORTEST_SECONDS
    marked: bool = False
    bills_writes: bool = False

    def kept(self, age: float, *, asked_seconds: float | None = None) -> bool:
        """Tell whether a prefix that was last sent ``age`` seconds ago may still be there.

        Args:
            age: seconds.
            asked_seconds: how long the marks of the request ask for; ``None`` for the default.
        """
        return age <= (asked_seconds if self.marked and asked_seconds is not None else self.seconds)

    def caches(self, tokens: int, *, marked: bool) -> bool:
        """Tell whether a prefix of so many tokens is cached, in a request that asks for it or does not."""
        return tokens >= self.minimum_tokens and (marked or not self.marked)


def _claude(minimum_tokens: int) -> PromptCaching:
    return PromptCaching(minimum_tokens=minimum_tokens, marked=True, bills_writes=True)


_LATER_GPT = PromptCaching(seconds=1_800.0, bills_writes=True)

_BY_NAME = {
    "gpt-5.6": _LATER_GPT,
    "gpt-6": _LATER_GPT,
    "gemini-2.5": PromptCaching(minimum_tokens=2_048),
    "gemini": PromptCaching(minimum_tokens=4_096),
    "claude": _claude(1_024),
    "claude-3-haiku": _claude(2_048),
    "claude-3-5-haiku": _claude(2_048),
    "claude-haiku-4-5": _claude(4_096),
    "claude-opus-4-5": _claude(4_096),
    "claude-opus-4-6": _claude(4_096),
    "claude-opus-4-7": _claude(2_048),
    "claude-sonnet-4-6": _claude(2_048),
    "claude-opus-5": _claude(512),
    "claude-fable-5": _claude(512),
}
"""By the longest start of a model's name. Sonnet 4.6 is documented with 1,024 and was seen to begin at 2,048
(anthropic-sdk-python #1194)."""

_OTHERS = PromptCaching()
"""For models that are not in the table. Where a provider sells no cheaper cached input, its price list says so."""


@lru_cache(maxsize=256)
def caching_of(model: str | None) -> PromptCaching:
    """Return how the provider of a model caches; as OpenAI long did where that is not known.

    >>> caching_of("anthropic.claude-haiku-4-5-20251001-v1:0").minimum_tokens
    4096
    >>> caching_of("openai/gpt-4o") == caching_of("my-own-model") == PromptCaching()
    True
    """
    name = (model or "").lower().rpartition("/")[2]
    if "claude" in name:  # after a region, and with a dot in the version, at some resellers
        name = name[name.find("claude") :].replace(".", "-")
    found = [start for start in _BY_NAME if name.startswith(start)]
    return _BY_NAME[max(found, key=len)] if found else _OTHERS
