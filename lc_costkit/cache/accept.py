"""May the answer to this stored question stand for the new one?

Three things are asked of the nearest entry. It must be near at all. No gate may refuse it: they know
what is close in every way but one, a number, a negation, a direction and so on. And its score must
reach the operating point: it says how much speaks for "same answer" where no gate knows a difference.
Only the nearest entry is judged: trying the second nearest after the first was refused multiplied
wrong answers by eight.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from lc_costkit.cache.gates import (
    GATES_VERSION,
    Gate,
    GateOpinion,
    Prepared,
    gate_name,
    gate_opinions,
    prepare,
    run_gates,
)
from lc_costkit.cache.judging import GreyZone
from lc_costkit.cache.point import OperatingPoint
from lc_costkit.cache.policy import STRICT, Policy
from lc_costkit.cache.score import SCORE_VERSION, CosinesOf, PairReading, read_pair
from lc_costkit.embedding import Embedder
from lc_costkit.embedding.bundled import candidate_threshold
from lc_costkit.embedding.scale import Scale, Scales, scales_of
from lc_costkit.faults import Faults

FOREIGN_FLOOR = 0.4
"""Cosine from which an entry is a candidate of an embedder without a scale: the floor of the bundled one in
English. It only spares reading entries; the score decides."""

Threshold = Callable[[str], float]
"""The cosine from which a stored question is a candidate for this new one."""

Veto = Callable[[str, str, PairReading], str | None]
"""Given the stored question, the new one and what the score was made of, refuses a pair that
everything else let pass, with a reason, or passes it with ``None``."""

_KEPT = 4_096
"""Stored questions whose reading is kept: 3 kB each, 11 kB for one of 60 words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """What was decided about a candidate.

    Attributes:
        accepted: its answer may be served.
        reason: why not.
        gate: the gate that refused it, ``"veto"`` for the learned one, ``"twin"`` where another entry is as near;
            ``None`` where the score was too low.
        score: how much speaks for "same answer", 0 to 1; ``None`` where the pair was not scored.
        point: the operating point that held.
    """

    accepted: bool
    reason: str | None = None
    gate: str | None = None
    score: float | None = None
    point: OperatingPoint | None = None


BELOW_THRESHOLD = Acceptance(accepted=False, reason="the nearest question is below the similarity threshold")
VETO = "veto"
TWIN = "twin"
"""``gate`` of a candidate beside which another stored question is as near: the two were stored apart for a reason."""


def threshold_of(embedder: Embedder, fixed: float | None, scales: Scales | None = None) -> Threshold:
    """Return the user's threshold, else what the embedder says is worth a look, else what its scale says."""
    if fixed is not None:
        return lambda _question: fixed
    own = getattr(embedder, "threshold", None)
    if callable(own):
        return own  # type: ignore[no-any-return]

    def by_scale(question: str) -> float:
        scale = None if scales is None else scales.of(question)
        return FOREIGN_FLOOR if scale is None else scale.from_common(candidate_threshold(question))

    return by_scale


class Acceptor:
    """Decides about the nearest entry; safe to share between threads.

    Args:
        embedder: whose cosines it is given; one that is not known yet is asked for a few questions to
            learn what they mean, see ``lc_costkit.embedding.scale``.
        policy: its gates, and the score from which candidates are served.
        gates: what may refuse a candidate, in order, in place of the policy's; none is legal and unsafe.
        similarity_threshold: a bare cosine in place of the score, 0 to 1: it is the score then.
        zone: the scores between which a judge decides afterwards about what is accepted here.
        faults: where gates that fail are counted and told of.

    Attributes:
        point: from which score on candidates are served; see ``move``.
        veto: what may refuse at last, fitted on the user's own labels.
        identity: names all that a score and an operating point depend on; those of another identity mean
            something else here.
    """

    def __init__(
        self,
        embedder: Embedder,
        *,
        policy: Policy = STRICT,
        gates: tuple[Gate, ...] | None = None,
        similarity_threshold: float | None = None,
        zone: GreyZone | None = None,
        faults: Faults | None = None,
    ) -> None:
        self._faults = faults
        self.gates = policy.gates if gates is None else gates
        self._scales = scales_of(embedder)
        self.threshold = threshold_of(embedder, similarity_threshold, self._scales)
        self.point = (
            OperatingPoint(min_score=policy.min_score)
            if similarity_threshold is None
            else OperatingPoint(min_score=similarity_threshold, source="threshold")
        )
        self.veto: Veto | None = None
        self._zone = zone
        self._bare = similarity_threshold is not None
        self._crowd_weight = policy.crowd_weight
        self._refuses_twins = policy.refuses_twins and not self._bare
        self.identity = _identity(embedder, self.gates, None if self._bare else policy)
        self._lock = threading.Lock()
        self._prepared: OrderedDict[str, Prepared] = OrderedDict()

    def move(self, point: OperatingPoint) -> None:
        """Serve from another score on."""
        self.point = point

    @property
    def lowest(self) -> float:
        """Lowest score that is let through, to be served or to be judged."""
        return self.point.min_score if self._zone is None else self._zone.lowest(self.point)

    @property
    def sure(self) -> float:
        """Score from which no judge is asked."""
        return self.point.min_score if self._zone is None else self._zone.sure(self.point)

    @property
    def minds_neighbours(self) -> bool:
        """Whether what else is stored may lower a score or refuse a pair."""
        return self._refuses_twins or (self._crowd_weight > 0 and not self._bare)

    def scale(self, new: str) -> Scale | None:
        """Return what cosines with this question mean; ``None`` where they are taken as they are."""
        return None if self._scales is None else self._scales.of(new)

    def near_enough(self, similarity: float, new: str) -> bool:
        """Tell whether an entry is a candidate at all; its payload is read only then."""
        return similarity >= self.threshold(new)

    def judge(self, cached: str, new: str, similarity: float, *, crowd: float = 0.0, twins: bool = False) -> Acceptance:
        """Decide about a candidate.

        Args:
            cached: the stored question.
            new: the new one.
            similarity: cosine between them.
            crowd: mean cosine between the new one and the ten next nearest stored questions, 0 for each that
                is missing: 0 for a pair without a store.
            twins: another stored question is as near and can hardly be told from this one.
        """
        one, other = self._prepare(cached), prepare(new)
        verdict = run_gates(self.gates, one, other, faults=self._faults)
        reading = self.read(one, other, similarity, crowd=crowd)
        point = self.point
        decided = Acceptance(accepted=False, score=reading.score, point=point)
        if not verdict.accepted:
            # Scored all the same: whoever labels the pair sees how near it was.
            return replace(decided, reason=verdict.reason, gate=verdict.gate)
        if twins and self._refuses_twins:
            return replace(decided, reason="two stored questions that differ little are equally near", gate=TWIN)
        lowest = self.lowest
        if reading.score < lowest:
            return replace(decided, reason=f"score {reading.score:.2f} is below {lowest:.2f}")
        refusal = self._refusal_of_veto(cached, new, reading)
        if refusal is not None:
            return replace(decided, reason=refusal, gate=VETO)
        return replace(decided, accepted=True)

    def read(self, cached: Prepared, new: Prepared, similarity: float, *, crowd: float = 0.0) -> PairReading:
        """Score a pair; with a bare threshold, its cosine is its score."""
        scale = None if self._scales is None else self._scales.of_script(new.script)
        cosines: CosinesOf = "bundled" if self._scales is None else "unknown" if scale is None else "measured"
        reading = read_pair(
            cached,
            new,
            similarity if scale is None else scale.to_common(similarity),
            crowd=crowd,
            crowd_weight=self._crowd_weight,
            cosines=cosines,
        )
        return replace(reading, score=min(1.0, max(0.0, similarity))) if self._bare else reading

    def opinions(self, cached: str, new: str) -> tuple[GateOpinion, ...]:
        """Ask every gate, for an explanation."""
        return gate_opinions(self.gates, self._prepare(cached), prepare(new))

    def _refusal_of_veto(self, cached: str, new: str, reading: PairReading) -> str | None:
        veto = self.veto
        if veto is None:
            return None
        try:
            return veto(cached, new, reading)
        except Exception as error:
            return f"the veto raised {type(error).__name__}: {error}"

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


def _identity(embedder: Embedder, gates: tuple[Gate, ...], policy: Policy | None) -> str:
    by = ("cosine",) if policy is None else (policy.name, str(policy.crowd_weight), str(policy.refuses_twins))
    names = (f"{getattr(gate, '__module__', '')}.{gate_name(gate)}" for gate in gates)
    parts = (embedder.identity, *names, *by, str(SCORE_VERSION), str(GATES_VERSION))
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
