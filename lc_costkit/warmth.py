"""How much of a prompt would the other target have read from its provider's prompt cache?

A provider keeps what a conversation sent to one model, for that model. A router that sends the conversation to
another target gives that up, and what it saved is that much less. The rule, where the conversation went on from a
call that is not long ago (``RouteMark.warm`` is the share of the prompt that was sent then):

* The provider caches by itself (``AUTOMATIC``), or the call was marked for caching.
* Prefixes count from ``SHORTEST_TOKENS`` on, in steps of ``STEP_TOKENS``.
* Tokens that the called model read from its own cache count already.
* Where the strong target is called and had answered the conversation before, nothing was given up: a miss there
  would have been one without the kit.

It is an assumption, and one to the router's disadvantage: caches are not promised. So it never overstates a saving.
"""

from __future__ import annotations

from dataclasses import replace

from lc_costkit.marks import RouteMark
from lc_costkit.model_names import provider_id
from lc_costkit.usage import TokenUsage

AUTOMATIC = frozenset({"openai", "azure", "google", "deepseek", "x-ai"})
"""Providers that cache prompts unasked: the prompt caching guides of OpenAI and Azure (gpt-4o and newer), Google
(implicit caching, Gemini 2.5 and newer), DeepSeek (context caching on disk) and xAI."""

SHORTEST_TOKENS = 1024
"""The shortest prefix that is cached: the guides of OpenAI and of Anthropic; for some models it is longer."""

STEP_TOKENS = 128
"""OpenAI caches in steps of so many tokens, by its guide."""

_WRITTEN = ("cache_write_1h_tokens", "cache_write_5m_tokens", "cache_write_tokens", "input_tokens")


def cached_elsewhere(mark: RouteMark, usage: TokenUsage, *, model: str | None, provider: str | None) -> int:
    """Return how many more tokens of a prompt the other target would have read from a cache than were.

    Args:
        mark: of the call.
        usage: what it used.
        model: of the other target.
        provider: of the other target.

    Returns:
        Tokens; below 0 in observe mode, for those the strong target read from its cache: the target that was chosen
        would not have had the conversation in its own.
    """
    if not mark.warm:
        return 0
    warm = int(min(1.0, mark.warm) * usage.total_input)
    if mark.observed:
        return -min(warm, usage.cache_read_tokens)
    if mark.target == mark.strong == mark.before or not _caches(mark, usage, model, provider):
        return 0
    warm -= warm % STEP_TOKENS
    if warm < SHORTEST_TOKENS:
        return 0
    return min(max(0, warm - usage.cache_read_tokens), sum(getattr(usage, name) for name in _WRITTEN))


def with_cached(usage: TokenUsage, tokens: int) -> TokenUsage:
    """Count tokens as read from the prompt cache, those first that were written to it; or not, where below 0.

    >>> usage = TokenUsage(input_tokens=500, cache_write_5m_tokens=1500, output_tokens=9)
    >>> with_cached(usage, 1800).to_dict()
    {'input_tokens': 200, 'cache_read_tokens': 1800, 'output_tokens': 9}
    >>> with_cached(TokenUsage(input_tokens=10, cache_read_tokens=90), -60).to_dict()
    {'input_tokens': 70, 'cache_read_tokens': 30}
    """
    counts = {"cache_read_tokens": usage.cache_read_tokens + tokens}
    if tokens < 0:
        counts["input_tokens"] = usage.input_tokens - tokens
    left = max(0, tokens)
    for name in _WRITTEN if left else ():
        taken = min(left, getattr(usage, name))
        counts[name] = getattr(usage, name) - taken
        left -= taken
    return replace(usage, **counts)


def _caches(mark: RouteMark, usage: TokenUsage, model: str | None, provider: str | None) -> bool:
    if mark.cache_marked or usage.cache_write_tokens or usage.cache_write_5m_tokens or usage.cache_write_1h_tokens:
        return True
    # Anthropic's models want to be asked, whoever runs them.
    return provider_id(provider) in AUTOMATIC and "claude" not in (model or "").lower()
