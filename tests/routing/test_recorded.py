"""Can a policy be fitted from what the ledger holds?"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from lc_costkit.errors import ConfigurationError
from lc_costkit.ledger import Ledger
from lc_costkit.pricing import Cost
from lc_costkit.record import CallRecord
from lc_costkit.routing import LabelledPrompt, Learned, RouteRequest
from lc_costkit.routing.recorded import recorded_outcomes
from tests.routing.test_learned import EASY, HARD

TARGETS = ("small", "large")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db", record_text=True) as opened:
        yield opened


def keep(ledger: Ledger, question: str, score: float | None, **fields: object) -> str:
    record = CallRecord(
        **{"cost": Cost(usd=Decimal(0), basis="exact"), "question": question, "route": "small", **fields}
    )  # type: ignore[arg-type]
    ledger.record(record)
    if score is not None:
        ledger.score(record.call_id, score)
    return record.call_id


def test_scored_calls_become_outcomes_of_their_targets(ledger: Ledger) -> None:
    keep(ledger, "a", 1.0)
    keep(ledger, "a", 0.0)
    keep(ledger, "a", 1.0, route="large")
    keep(ledger, "b", 0.5, route=None, model_answered="gpt-4o")
    keep(ledger, "c", 0.5, route=None, model_asked="gpt-4o", model_answered="gpt-4o-2024-11-20")
    keep(ledger, "no score", None)
    keep(ledger, "served from the cache", 1.0, cache="hit")
    keep(ledger, "another target", 1.0, route="huge")
    keep(ledger, "no target", 1.0, route=None)
    keep(ledger, "asked to decide", 1.0, route=None, model_answered="gpt-4o", metadata={"route_aside": "route"})
    assert recorded_outcomes(ledger, targets=TARGETS, models={"gpt-4o": "large"}) == (
        LabelledPrompt(prompt="a", outcomes={"small": 0.5, "large": 1.0}),
        LabelledPrompt(prompt="b", outcomes={"large": 0.5}),
        LabelledPrompt(prompt="c", outcomes={"large": 0.5}),
    )


def test_the_last_score_of_a_call_counts(ledger: Ledger) -> None:
    call = keep(ledger, "a", 0.0)
    ledger.score(call, 1.0)
    assert recorded_outcomes(ledger, targets=TARGETS)[0].outcomes == {"small": 1.0}


def test_a_policy_is_fitted_in_one_call(ledger: Ledger) -> None:
    for number, question in enumerate(EASY + HARD):
        hard = question in HARD
        keep(ledger, question, 0.0 if hard else 1.0, feature="support")
        if number % 2:
            keep(ledger, question, 1.0, route="large", feature="support")
    learned = Learned.from_ledger(ledger, targets=TARGETS, threshold=0.6, feature="support")
    assert [one.labels for one in learned.qualities] == [120, 60]
    assert learned(RouteRequest(question="Prove that this theorem holds.", targets=TARGETS)).target == "large"
    with pytest.raises(ConfigurationError, match="'small' has outcomes for 0 prompts"):
        Learned.from_ledger(ledger, targets=TARGETS, feature="search")


def test_scores_of_another_scale_are_refused(ledger: Ledger) -> None:
    call = keep(ledger, "a", 5.0)
    with pytest.raises(ConfigurationError, match=f"call '{call}' has the score 5.0"):
        recorded_outcomes(ledger, targets=TARGETS)
    with pytest.raises(ConfigurationError, match=r"\['big'\], which are no targets"):
        recorded_outcomes(ledger, targets=TARGETS, models={"x": "big"})
