"""Which part of a prompt does the provider read from its cache, and which does it write?

The rules are tables; what a provider changes is a row here, and ``FakeProvider`` takes
rows of its own. Sources, as of 2026-11-20:

- OpenAI: developers.openai.com/api/docs/guides/prompt-caching. Automatic from 1,024 tokens;
  before GPT-5.6 in steps of 128 tokens, writes free, kept 5 to 10 minutes after the last
  use (5 here) or 24 hours on request; from GPT-5.6 on matched at breakpoints only (one at
  the end of the newest message, and the latest three that the request marks), writes
  reported and billed, kept 30 minutes, the latest 80 breakpoints considered.
- Anthropic: platform.claude.com/docs/en/build-with-claude/prompt-caching. At most four
  breakpoints, each looking back over 20 blocks; kept 5 minutes or 1 hour, renewed by every
  read; a prefix below the model's minimum is silently not cached. Two minimums are disputed:
  Sonnet 4.6 is documented with 1,024 and observed to begin at 2,048 (anthropic-sdk-python
  #1194), which is used here; Opus 4.7 is quoted with 2,048 (used here) and with 4,096.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType
from typing import Literal

from lc_costkit.errors import ConfigurationError
from lc_costkit.testing.rates import Metered

Count = Callable[[str], int]
Style = Literal["steps", "breakpoints"]

MAX_BREAKPOINTS = 4
"""Breakpoints that one request may write, with both providers."""

BLOCK_CHARACTERS = 64
"""How finely two prompts are compared where prefixes need not end at a breakpoint: about 16
tokens. A shared prefix that ends inside such a block counts as ending at its start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRule:
    """How one family of models caches prompts.

    Raises:
        ConfigurationError: a number is below 1 or the style is unknown.
    """

    style: Style
    minimum_tokens: int
    """The shortest prefix that is cached, in tokens."""
    step_tokens: int = 1
    """Cached prefixes are whole multiples of this, in tokens."""
    lifetimes: Mapping[str, float]
    """Seconds an entry lives after its last use, by the name the request uses for it."""
    lookback: int = 1
    """Blocks (Anthropic) or breakpoints (OpenAI) before a breakpoint that are tried for a match."""
    bills_writes: bool = True

    def __post_init__(self) -> None:
        if self.style not in ("steps", "breakpoints"):
            raise ConfigurationError(f"style must be 'steps' or 'breakpoints', got {self.style!r}")
        for name in ("minimum_tokens", "step_tokens", "lookback"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must be >= 1, got {getattr(self, name)!r}")


_OPENAI_STEPS = CacheRule(
    style="steps",
    minimum_tokens=1024,
    step_tokens=128,
    lifetimes={"in_memory": 300.0, "24h": 86_400.0},
    bills_writes=False,
)
_OPENAI_BREAKPOINTS = CacheRule(style="breakpoints", minimum_tokens=1024, lifetimes={"30m": 1800.0}, lookback=80)


def _anthropic(minimum_tokens: int) -> CacheRule:
    return CacheRule(
        style="breakpoints",
        minimum_tokens=minimum_tokens,
        lifetimes={"5m": 300.0, "1h": 3600.0},
        lookback=20,
    )


CACHE_RULES: Mapping[str, CacheRule] = MappingProxyType(
    {
        "gpt-4o": _OPENAI_STEPS,
        "gpt-4.1": _OPENAI_STEPS,
        "gpt-5": _OPENAI_STEPS,
        "gpt-5.6": _OPENAI_BREAKPOINTS,
        "gpt-6": _OPENAI_BREAKPOINTS,
        "o1": _OPENAI_STEPS,
        "o3": _OPENAI_STEPS,
        "o4": _OPENAI_STEPS,
        "claude-": _anthropic(1024),
        "claude-3-5-haiku": _anthropic(2048),
        "claude-haiku-4-5": _anthropic(4096),
        "claude-sonnet-4-6": _anthropic(2048),
        "claude-opus-4-5": _anthropic(4096),
        "claude-opus-4-6": _anthropic(4096),
        "claude-opus-4-7": _anthropic(2048),
        "claude-opus-5": _anthropic(512),
        "claude-opus-5-5": _anthropic(512),
        "claude-fable-5": _anthropic(512),
    }
)
"""The longest name that a model starts with decides; other models are not cached."""


def find_rule(rules: Mapping[str, CacheRule], model: str) -> CacheRule | None:
    """The rule of the longest table name that ``model`` starts with, or None: not cached.

    >>> find_rule(CACHE_RULES, "claude-haiku-4-5-20251001").minimum_tokens
    4096
    """
    names = [name for name in rules if model.startswith(name)]
    return rules[max(names, key=len)] if names else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A stretch of the prompt, in the order the provider reads it."""

    kind: str
    """What it is (``system``, ``user text``, ``tool``): part of what must be equal for a match."""
    text: str
    tokens: int
    """All it is counted as, with what frames it."""
    lifetime: str | None = None
    """Set where a breakpoint stands after the block: the name of its lifetime."""


@dataclass(slots=True)
class _Entry:
    expires_at: float
    lifetime: float

    def renew(self, now: float) -> None:
        self.expires_at = now + self.lifetime


class PromptCache:
    """The prefixes a provider remembers; those of one model are never read for another.

    Args:
        rules: the table to go by.

    Raises:
        ConfigurationError: ``rules`` holds something that is not a ``CacheRule``.
    """

    def __init__(self, rules: Mapping[str, CacheRule]) -> None:
        for name, rule in rules.items():
            if not isinstance(rule, CacheRule):
                raise ConfigurationError(f"cache_rules[{name!r}] must be a CacheRule, got {rule!r}")
        self._rules = rules
        self._lock = threading.Lock()
        self._entries: dict[bytes, _Entry] = {}

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

    def meter(
        self, model: str, blocks: Sequence[Block], *, now: float, count: Count, retention: str | None = None
    ) -> Metered:
        """Split the tokens of a prompt into read, written and neither; remember what was written.

        Args:
            model: the model asked.
            blocks: the prompt.
            now: seconds, on the provider's clock.
            count: tokens of a text, for a prefix that ends inside a block.
            retention: the name of the lifetime, for models that cache without breakpoints.
        """
        total = sum(block.tokens for block in blocks)
        rule = find_rule(self._rules, model)
        if rule is None or total < rule.minimum_tokens:
            return Metered(uncached=total)
        with self._lock:
            if len(self._entries) > _SWEEP_ABOVE:
                self._entries = {key: entry for key, entry in self._entries.items() if entry.expires_at > now}
            if rule.style == "steps":
                read = self._read_steps(model, blocks, rule, now, count, retention)
                return Metered(uncached=total - read, cache_read=read)
            return self._meter_breakpoints(model, blocks, rule, now)

    def _read_steps(
        self, model: str, blocks: Sequence[Block], rule: CacheRule, now: float, count: Count, retention: str | None
    ) -> int:
        lifetime = rule.lifetimes.get(retention or "", min(rule.lifetimes.values()))
        chain = hashlib.sha256(model.encode())
        shared, matching = 0, True
        for block in blocks:
            chain.update(f"\0{block.kind}\0".encode())
            same = 0
            for at in range(0, max(1, len(block.text)), BLOCK_CHARACTERS):
                piece = block.text[at : at + BLOCK_CHARACTERS]
                chain.update(piece.encode("utf-8", "surrogatepass"))
                matching = self._touch(chain.digest(), now, lifetime) and matching
                same += len(piece) if matching else 0
            if same == len(block.text) and matching:
                shared += block.tokens
            elif same:
                frame = block.tokens - count(block.text)
                shared += min(block.tokens, frame + count(block.text[:same]))
        read = shared // rule.step_tokens * rule.step_tokens
        return read if read >= rule.minimum_tokens else 0

    def _touch(self, key: bytes, now: float, lifetime: float) -> bool:
        """Whether ``key`` is remembered; in any case it is from now on."""
        entry = self._entries.get(key)
        alive = entry is not None and entry.expires_at > now
        if entry is None or not alive:
            entry = self._entries[key] = _Entry(now, lifetime)
        entry.lifetime = max(entry.lifetime, lifetime)
        entry.renew(now)
        return alive

    def _meter_breakpoints(self, model: str, blocks: Sequence[Block], rule: CacheRule, now: float) -> Metered:
        keys = _prefix_keys(model, blocks)
        ends = list(accumulate(block.tokens for block in blocks))
        breakpoints = [
            at for at, block in enumerate(blocks) if block.lifetime is not None and ends[at] >= rule.minimum_tokens
        ]
        hit = self._longest_hit(keys, breakpoints, rule, now)
        read = ends[hit] if hit >= 0 else 0
        for at in range(hit + 1):
            entry = self._entries.get(keys[at])
            if entry is not None and entry.expires_at > now:
                entry.renew(now)
        done, written, written_1h = read, 0, 0
        for at in breakpoints:
            name = blocks[at].lifetime or ""
            lifetime = rule.lifetimes.get(name, min(rule.lifetimes.values()))
            self._touch(keys[at], now, lifetime)
            if at > hit:
                written_1h += ends[at] - done if name == "1h" else 0
                written += ends[at] - done if name != "1h" else 0
                done = ends[at]
        if not rule.bills_writes:
            written = written_1h = 0
        return Metered(
            uncached=ends[-1] - read - written - written_1h,
            cache_read=read,
            cache_write=written,
            cache_write_1h=written_1h,
        )

    def _longest_hit(self, keys: Sequence[bytes], breakpoints: Sequence[int], rule: CacheRule, now: float) -> int:
        """The last block of the longest remembered prefix within reach of a breakpoint, or -1."""
        for breakpoint_at in reversed(breakpoints):
            for at in range(breakpoint_at, max(-1, breakpoint_at - rule.lookback), -1):
                entry = self._entries.get(keys[at])
                if entry is not None and entry.expires_at > now:
                    return at
        return -1


_SWEEP_ABOVE = 200_000
"""Entries (about 150 bytes each) above which expired ones are dropped."""


def _prefix_keys(model: str, blocks: Sequence[Block]) -> list[bytes]:
    chain = hashlib.sha256(model.encode())
    keys = []
    for block in blocks:
        text = block.text.encode("utf-8", "surrogatepass")
        chain.update(f"\0{block.kind}\0{len(text)}\0".encode() + text)
        keys.append(chain.digest())
    return keys
