"""What becomes of a candidate whose score is neither high enough to serve nor low enough to refuse?"""

from __future__ import annotations

from dataclasses import replace

from lc_costkit.cache.accept import Acceptor
from lc_costkit.cache.aside import calling_aside
from lc_costkit.cache.counts import Tally
from lc_costkit.cache.judging import GreyZone, JudgeCase, Judgement, ask_judge
from lc_costkit.cache.results import AsText, Hit, Miss
from lc_costkit.cache.seen_pairs import REFUSED_BY_SCORE
from lc_costkit.faults import Faults
from lc_costkit.pricing import PriceBook

JUDGE = "judge"
"""``gate`` of a candidate that the judge did not let pass."""

SAID_NO = "the judge says that this answer is not right for this question"
FAILED = "the judge failed"
NO_VERDICT = f"{FAILED}: it said neither yes nor no"
_ADVICE = "Such candidates are not served; see that the judge works and answers in time"


class ZoneKeeper:
    """Puts candidates in the grey zone to the judge, and counts what it says. Never raises.

    Args:
        zone: the scores, and whom to ask.
        acceptor: whose operating point goes before the zone.
        tally: counts.
        faults: where failures of the judge go.
        prices: what a judge costs.
    """

    def __init__(self, zone: GreyZone, acceptor: Acceptor, tally: Tally, faults: Faults, prices: PriceBook) -> None:
        self._zone = zone
        self._acceptor = acceptor
        self._tally = tally
        self._faults = faults
        self._prices = prices

    def asks(self, outcome: Hit | Miss) -> bool:
        """Tell whether the judge has to be asked about this."""
        seen = outcome.seen
        if isinstance(outcome, Miss) or seen is None or seen.score is None:
            return False
        return seen.score < self._zone.sure(self._acceptor.point)

    def judged(self, outcome: Hit | Miss, as_text: AsText) -> Hit | Miss:
        """Return what the judge makes of a hit; everything else as it is.

        Args:
            outcome: what the semantic tier found; no lock may be held, since a judge is slow.
            as_text: reads the text of the stored answer.
        """
        seen = outcome.seen
        if isinstance(outcome, Miss) or seen is None or not self.asks(outcome):
            return outcome
        said, failure = self._ask(outcome, as_text)
        self._tally.judged(said)
        cost = outcome.cost if said is None else outcome.cost.plus(said.usd, said.basis)
        if said is not None and said.same:
            return replace(outcome, cost=cost)
        return Miss(
            verdict="miss",
            key=outcome.key,
            reason=failure or SAID_NO,
            gate=JUDGE if failure is None else None,
            candidate=outcome.entry,
            similarity=outcome.similarity,
            cost=cost,
            vector=outcome.vector,
            seen=replace(seen, refused_by=REFUSED_BY_SCORE),
        )

    def _ask(self, hit: Hit, as_text: AsText) -> tuple[Judgement | None, str | None]:
        """Return what the judge says, and why that is no verdict."""
        try:
            case = JudgeCase(cached=hit.entry.question, new=hit.key.question, answer=as_text(hit.entry.payload))
            with calling_aside("judging", prices=self._prices):
                said = ask_judge(self._zone.judge, case)
        except Exception as error:
            self._faults.record("the judge", error, _ADVICE, may_quote=True)
            return None, f"{FAILED}: {type(error).__name__}"
        # Not in the judge's words: a reason is counted and goes to the ledger, and a judge may quote.
        return said, NO_VERDICT if said.same is None else None
