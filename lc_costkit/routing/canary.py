"""How does a policy decide about a share of the conversations only?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.around import Around, ask, ask_async
from lc_costkit.routing.policy import Policy, RouteDecision, RouteRequest

KEYS = ("user", "user_id", "thread_id", "session_id", "conversation_id")
"""Metadata that says whose a request is, in the order it is looked for: ``user`` as the ledger knows it, then what
LangGraph and LangSmith call a conversation."""

Key = Callable[[RouteRequest], object]


def canary(
    policy: Policy,
    share: float = 0.05,
    *,
    otherwise: Policy | None = None,
    key: str | Key | None = None,
    seed: str = "",
) -> Canary:
    """Return a policy that lets another one decide about a stated share of users or conversations.

    Whether one is in the trial is a matter of its key and ``seed`` alone, by a digest: it stays the same from call to
    call, in all processes, and as the share is raised nobody leaves the trial. The key is, in this order: what ``key``
    says; the first of ``KEYS`` that the metadata of the call has; the first turn of the conversation. By the first
    turn, all that begin with the same words are in the trial or none is.

    In expectation the share of keys is exact; the share of calls is that of the calls these keys make.

    Args:
        policy: decides in the trial.
        share: part of the keys that is in the trial, 0 to 1.
        otherwise: decides about the rest; by default the router's strong target gets it.
        key: name of a metadata entry, or a function from the request to the key; where it gives ``None`` or an empty
            text, the order above goes on.
        seed: another one draws other keys: for a new trial, or one that is independent of another.

    Raises:
        ConfigurationError: a policy cannot be called, the share lies outside 0..1, ``key`` or ``seed`` is of another
            type.

    >>> policy = canary(lambda request: "small", 0.5)
    >>> request = RouteRequest(question="Hi", targets=("small", "large"), metadata={"user": "ann"})
    >>> policy(request).target, policy(request).reasons
    ('small', ('in the trial (user)',))
    """
    return Canary(policy, share, otherwise=otherwise, key=key, seed=seed)


class Canary(Around):
    """A policy on trial; see ``canary``, which makes it."""

    def __init__(
        self,
        policy: Policy,
        share: float = 0.05,
        *,
        otherwise: Policy | None = None,
        key: str | Key | None = None,
        seed: str = "",
    ) -> None:
        super().__init__(policy, *([] if otherwise is None else [otherwise]))
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0.0 <= share <= 1.0:
            raise ConfigurationError(f"share is a part of all conversations, 0 to 1, not {share!r}")
        if key is not None and not callable(key) and (not isinstance(key, str) or not key.strip()):
            raise ConfigurationError(f"key must name a metadata entry or be a function of a request, not {key!r}")
        if not isinstance(seed, str):
            raise ConfigurationError(f"seed must be a text, not {seed!r}")
        self.policy = policy
        self.share = float(share)
        self.otherwise = _strong if otherwise is None else otherwise
        self.key = key
        self.seed = seed

    def __call__(self, request: RouteRequest, /) -> RouteDecision:
        """Decide as the policy whose turn it is."""
        policy, reason = self._turn(request)
        return _with(reason, ask(policy, request))

    async def acall(self, request: RouteRequest, /) -> RouteDecision:
        """Do the same, by that policy's ``acall`` if it has one."""
        policy, reason = self._turn(request)
        return _with(reason, await ask_async(policy, request))

    def in_trial(self, request: RouteRequest) -> bool:
        """Tell whether a request is in the trial."""
        return self._drawn(self._key(request)[1])

    def __repr__(self) -> str:
        return f"canary({self.policy!r}, {self.share!r}, seed={self.seed!r})"

    def _turn(self, request: RouteRequest) -> tuple[Policy, str]:
        source, key = self._key(request)
        if self._drawn(key):
            return self.policy, f"in the trial ({source})"
        return self.otherwise, f"outside the trial ({source})"

    def _drawn(self, key: str) -> bool:
        digest = hashlib.blake2b(f"{self.seed}\0{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest) < self.share * 2.0**64

    def _key(self, request: RouteRequest) -> tuple[str, str]:
        """Return what a key is, and the key; with its name in front, so that no user is taken for a thread."""
        own = self.key
        if callable(own) and (found := _text(own(request))):
            return "key", f"key\0{found}"
        for name in (own, *KEYS) if isinstance(own, str) else KEYS:
            if found := _text(request.metadata.get(name)):
                return name, f"{name}\0{found}"
        first = request.turns[0].text if request.turns else request.question
        return "first turn", f"turn\0{first}"


def _strong(request: RouteRequest) -> str:
    return request.targets[-1]


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _with(reason: str, decision: RouteDecision) -> RouteDecision:
    return replace(decision, reasons=(reason, *decision.reasons))
