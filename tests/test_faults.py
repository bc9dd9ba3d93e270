"""Is what failed counted, and shown?"""

from __future__ import annotations

import logging

from lc_costkit.faults import Faults


def test_they_show_their_counts() -> None:
    faults = Faults(logging.getLogger(__name__))
    assert repr(faults) == "Faults(none)"
    for error in (ValueError("a"), ValueError("b"), KeyError("c")):
        faults.record("the routing policy", error, "mend it")
    assert repr(faults) == "Faults(the routing policy: ValueError x2, the routing policy: KeyError x1)"
