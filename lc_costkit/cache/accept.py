"""May the answer to this stored question stand for the new one?

The threshold is for recall: it only has to leave out what is plainly another subject.
Safety is in the gates, which refuse a candidate that differs in a number, a negation, a
direction and so on. They judge the nearest entry only: trying the second nearest after
the first was refused multiplied wrong answers by eight.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from lc_costkit.cache.gates import Gate, GateOpinion, Prepared, gate_opinions, prepare, run_gates

DEFAULT_THRESHOLD = 0.7
"""Cosine from which a question is a candidate. Measured on banking traps with all gates on: no
wrong answer at .7 with the bundled table or with MiniLM, and 20 and 21 of 27 rewordings served."""

_KEPT = 20_000


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


class Acceptor:
    """Decides about the nearest entry.

    Args:
        threshold: similarity from which an entry is a candidate, 0 to 1.
        gates: what may refuse it, in order; none is legal and unsafe.
    """

    def __init__(self, threshold: float, gates: tuple[Gate, ...]) -> None:
        self.threshold = threshold
        self.gates = gates
        self._lock = threading.Lock()
        self._prepared: OrderedDict[str, Prepared] = OrderedDict()

    def near_enough(self, similarity: float) -> bool:
        """Tell whether an entry is a candidate at all; its payload is read only then."""
        return similarity >= self.threshold

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
