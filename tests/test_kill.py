"""Does a killed process lose a call that its ledger had returned?"""

from __future__ import annotations

from pathlib import Path

import pytest

from lc_costkit.ledger import Ledger
from tests.support.kill import killed_while_writing

RECORDING = """
import sys
from decimal import Decimal
from lc_costkit.ledger import Ledger
from lc_costkit.pricing import Cost
from lc_costkit.record import CallRecord

ledger = Ledger(sys.argv[1])
print("ready", flush=True)
while True:
    call = CallRecord(cost=Cost(usd=Decimal("0.001"), basis="exact"), feature="x" * 200)
    ledger.record(call)
    print(call.call_id, flush=True)
    ledger.score(call.call_id, 1)
"""


def kill_and_look(path: Path, seeds: range) -> int:
    returned: set[str] = set()
    for seed in seeds:
        returned.update(killed_while_writing(RECORDING, path, seed=seed))
        with Ledger(path) as ledger:
            assert ledger.check() == []
            assert returned <= {call.call_id for call in ledger.records()}
    return len(returned)


def test_no_returned_call_is_lost(tmp_path: Path) -> None:
    assert kill_and_look(tmp_path / "l.db", range(4)) > 0


@pytest.mark.soak
def test_no_returned_call_is_lost_in_a_hundred_kills(tmp_path: Path) -> None:
    assert kill_and_look(tmp_path / "l.db", range(100, 200)) > 0
