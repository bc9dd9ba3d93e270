"""Do the steps work that the README names, from an evaluation to a trial?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lc_costkit import CostCallbackHandler, LabelledPrompt, Learned, Ledger, ModelRouter, canary
from lc_costkit.routing import calibrate
from lc_costkit.testing import FakeProvider, FakeRequest
from tests.conftest import chat_openai

USERS = 60


def answered(request: FakeRequest) -> str:
    """Let the cheap model fail where a proof is asked for."""
    return "I think so." if "mini" in request.model and "Prove" in request.question else "Done."


def test_evaluate_score_fit_try_and_check(tmp_path: Path) -> None:
    questions = [f"{'Prove that' if n % 2 else 'Say whether'} {n} is a number." for n in range(160)]
    with FakeProvider(answer=answered) as provider, Ledger(tmp_path / "costkit.db", record_text=True) as ledger:
        targets = {"cheap": chat_openai(provider), "strong": chat_openai(provider, "gpt-4o")}
        config: Any = {"callbacks": [CostCallbackHandler(ledger)]}
        outcomes: dict[str, list[float]] = {name: [] for name in targets}
        for name, model in targets.items():
            for answer in model.batch(questions, config):
                outcomes[name].append(float(answer.text == "Done."))
                ledger.score(answer.id, outcomes[name][-1])
        learned = Learned.from_ledger(
            ledger, targets=list(targets), models={"gpt-4o-mini": "cheap", "gpt-4o": "strong"}
        )
        held_back = [
            LabelledPrompt(prompt=question, outcomes={name: outcomes[name][n] for name in targets})
            for n, question in enumerate(questions)
        ]
        calibrated = calibrate(learned, held_back, min_quality=0.8)
        router = ModelRouter(targets, policy=canary(calibrated, share=0.5, seed="a trial"))
        asked = [
            router.invoke("Say whether 7 is a number.", {**config, "metadata": {"user": f"user {n}"}})
            for n in range(USERS)
        ]
        tried = [answer.response_metadata["lc_costkit"]["route"]["target"] == "cheap" for answer in asked]
        assert 0 < sum(tried) < USERS
        rows = {row.group: row.requests for row in ledger.report(by="route").rows}
        assert rows == {"cheap": sum(tried), "strong": USERS - sum(tried), "(none)": 2 * len(questions)}
        assert calibrated.drift().decisions == sum(tried)
        assert ledger.report(route="cheap").total.saved_usd > 0
