"""How much of a prompt would the other target have read from its provider's prompt cache?

A provider keeps what a conversation sent to one model, for that model. A router that sends the conversation to
another target gives that up, and what it saved is that much less. The rule:

* ``RouteMark.warm`` is the share of the prompt that the strong target would still have in its cache, had all calls so
  far gone to it. It counts where its provider caches so long a prefix, unasked or because the request is marked for
  it (``routing.prompt_caching`` has the lengths and their sources).
* Tokens that the called model read from its own provider's cache count already.
* Where the strong target is called and had answered the conversation before, or this is the first request of one,
  only what other targets had been sent in its place was given up (``RouteMark.kept`` is what it had been sent itself):
  what else it does not find in its cache now it would not have found without the kit.
* In observe mode the strong target reads its own cache. The target the policy chose would have had the conversation
  in its own only if the policy had chosen it for the answer before, too.

This is an assumption to the router's disadvantage: caches are promises of nobody, and that some providers bill what
they write to them is left out. So what was saved is rather more than is said. The shares are estimated by the lengths
of texts, which may say a little more of a saving than there was: against the real bill of the strong target alone,
conversations at random over ``FakeProvider`` with switches in the midst of them came out at most 3 % above it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lc_costkit.marks import RouteMark
from lc_costkit.usage import TokenUsage

_WRITTEN = ("cache_write_1h_tokens", "cache_write_5m_tokens", "cache_write_tokens", "input_tokens")


def cached_elsewhere(mark: RouteMark, usage: TokenUsage, *, model: str | None) -> int:
    """Return how many more tokens of a prompt the other target would have read from a cache than were.

    Args:
        mark: of the call.
        usage: what it used.
        model: of the other target.

    Returns:
        Tokens; below 0 in observe mode, for those the strong target read from its cache and the other would not have.
    """
    if not mark.warm:
        return 0
    warm = int(min(1.0, mark.warm) * usage.total_input)
    if mark.observed:
        return 0 if mark.before == mark.chosen else -min(warm, usage.cache_read_tokens)
    if not _is_cached(mark, usage, warm, model):
        return 0
    kept = 0
    if mark.target == mark.strong and mark.before in (None, mark.strong):
        kept = int(min(1.0, mark.kept) * usage.total_input)
    there: int = sum(getattr(usage, name) for name in _WRITTEN)
    return min(max(0, warm - max(kept, usage.cache_read_tokens)), there)


def with_cached(usage: TokenUsage, tokens: int) -> TokenUsage:
    """Count tokens as read from the prompt cache, those first that were written to it; or not, where below 0.

    >>> usage = TokenUsage(input_tokens=500, cache_write_5m_tokens=1500, output_tokens=9)
    >>> with_cached(usage, 1800).to_dict()
    {'input_tokens': 200, 'cache_read_tokens': 1800, 'output_tokens': 9}
    >>> with_cached(TokenUsage(input_tokens=10, cache_read_tokens=90), -60).to_dict()
    {'input_tokens': 70, 'cache_read_tokens': 30}
    """
    counts: dict[str, Any] = {"cache_read_tokens": usage.cache_read_tokens + tokens}
    if tokens < 0:
        counts["input_tokens"] = usage.input_tokens - tokens
    left = max(0, tokens)
    for name in _WRITTEN if left else ():
        taken = min(left, getattr(usage, name))
        counts[name] = getattr(usage, name) - taken
        left -= taken
    return replace(usage, **counts)


def without_input(usage: TokenUsage, tokens: int) -> TokenUsage:
    """Leave out tokens at the end of the prompt, of which the provider read none from its cache as long as it can.

    >>> without_input(TokenUsage(input_tokens=50, cache_write_5m_tokens=100, cache_read_tokens=900), 70).to_dict()
    {'cache_read_tokens': 900, 'cache_write_5m_tokens': 80}
    """
    counts: dict[str, Any] = {}
    left = tokens
    for name in (*reversed(_WRITTEN), "cache_read_tokens"):
        taken = min(left, getattr(usage, name))
        counts[name] = getattr(usage, name) - taken
        left -= taken
    return replace(usage, **counts)


def _is_cached(mark: RouteMark, usage: TokenUsage, tokens: int, model: str | None) -> bool:
    # Here, for the meter is loaded without the router, and no call without one has such a mark.
    from lc_costkit.routing.prompt_caching import caching_of

    wrote = usage.cache_write_tokens or usage.cache_write_5m_tokens or usage.cache_write_1h_tokens
    return caching_of(model).caches(tokens, marked=mark.cache_marked or bool(wrote))
