"""May the answer to this stored question stand for the new one?

The threshold leaves out what is another subject. The gates refuse what is close in every
way but one: a number, a negation, a direction and so on. They judge the nearest entry only:
trying the second nearest after the first was refused multiplied wrong answers by eight.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from lc_costkit.cache.gates import Gate, GateOpinion, Prepared, gate_opinions, prepare, run_gates
from lc_costkit.embedding import Embedder

CAUTIOUS_THRESHOLD = 0.9
"""Cosine asked for where an embedder does not say how high its cosines run. MiniLM at .9 takes
43 % of rewordings and 7.5 % of different questions for the same, before the gates (3,000 pairs
of questions that were chosen to be alike)."""

Threshold = Callable[[str], float]
"""The cosine from which a stored question is a candidate for this new one."""

_KEPT = 4_096
"""Stored questions whose reading is kept: 3 kB each, 11 kB for one of 60 words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """What was decided about a candidate.

    Attributes:
        accepted: its answer may be served.
        reason: why not.
        gate: the gate that refused it.
    """

    accepted: bool
    reason: str | None = None
    gate: str | None = None


BELOW_THRESHOLD = Acceptance(accepted=False, reason="the nearest question is below the similarity threshold")


def threshold_of(embedder: Embedder, fixed: float | None) -> Threshold:
    """Return the user's threshold, else what the embedder says fits its cosines, else a cautious one."""
    if fixed is not None:
        return lambda _question: fixed
    own = getattr(embedder, "threshold", None)
    return own if callable(own) else lambda _question: CAUTIOUS_THRESHOLD


class Acceptor:
    """Decides about the nearest entry.

    Args:
        threshold: similarity from which an entry is a candidate, 0 to 1, for each new question.
        gates: what may refuse it, in order; none is legal and unsafe.
    """

    def __init__(self, threshold: Threshold, gates: tuple[Gate, ...]) -> None:
        self.threshold = threshold
        self.gates = gates
        self._lock = threading.Lock()
        self._prepared: OrderedDict[str, Prepared] = OrderedDict()

    def near_enough(self, similarity: float, new: str) -> bool:
        """Tell whether an entry is a candidate at all; its payload is read only then."""
        return similarity >= self.threshold(new)

    def judge(self, cached: str, new: str) -> Acceptance:
        """Ask the gates about a candidate."""
        if not self.gates:
            return Acceptance(accepted=True)
        verdict = run_gates(self.gates, self._prepare(cached), prepare(new))
        return Acceptance(accepted=verdict.accepted, reason=verdict.reason, gate=verdict.gate)

    def opinions(self, cached: str, new: str) -> tuple[GateOpinion, ...]:
        """Ask every gate, for an explanation."""
        return gate_opinions(self.gates, self._prepare(cached), prepare(new))

    def _prepare(self, text: str) -> Prepared:
        # The stored side of a popular question is read again and again.
        with self._lock:
            found = self._prepared.get(text)
            if found is not None:
                self._prepared.move_to_end(text)
                return found
        made = prepare(text)
        with self._lock:
            self._prepared[text] = made
            while len(self._prepared) > _KEPT:
                self._prepared.popitem(last=False)
        return made
