"""How does the cache call a LlamaIndex LLM for itself?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.dispatcher import active_instrument_tags, instrument_tags

from lc_costkit.cache.aside import current_aside
from lc_costkit.ledger import Ledger
from lc_costkit.llama_index.handler import CostEventHandler
from lc_costkit.llama_index.hits import PART_OF_LOOKUP
from lc_costkit.marks import MARK, VERIFICATION_FEATURE


@contextmanager
def made_aside() -> Iterator[bool]:
    """Tell meters whose calls these are; yields whether one of them records the calls for the check's ledger.

    For a check they are of the feature ``cache verification`` and nobody's user. Within a lookup no
    meter counts them: there the cost belongs to the call that waits.
    """
    aside = current_aside()
    active = {name: value for name, value in active_instrument_tags.get().items() if name != "user"}
    marks = active.get(MARK)
    in_lookup = aside is not None and aside.purpose != "verification"
    tags = {
        **active,
        "feature": VERIFICATION_FEATURE,
        MARK: {**(marks if isinstance(marks, dict) else {}), PART_OF_LOOKUP: in_lookup},
    }
    with instrument_tags(tags):
        yield aside is not None and not in_lookup and aside.ledger is not None and _is_metered(aside.ledger)


def _is_metered(ledger: Ledger) -> bool:
    """Tell whether an installed handler writes to this ledger."""
    handlers = get_dispatcher("root").event_handlers
    return any(isinstance(one, CostEventHandler) and one.ledger is ledger for one in handlers)
