"""Is the target that counts as the cheapest dearer than the strongest one?"""

from __future__ import annotations

import logging
from decimal import Decimal
from functools import lru_cache

from lc_costkit.routing.target_model import TargetModel

logger = logging.getLogger(__name__)


@lru_cache(maxsize=256)
def warn_if_dear_first(first: str, first_model: TargetModel, last: str, last_model: TargetModel) -> None:
    """Warn where input and output of the first target both cost more than the last's, by the public price list.

    It is no error: what is strong may be cheap. Of the same models it is said once in a process, however often a
    configured router is made anew. The first price that is read takes some 0.1 s, as the list is loaded for it.

    Args:
        first: name of the target that counts as the cheapest.
        first_model: what it is.
        last: name of the strong target.
        last_model: what that is.
    """
    if first == last or not first_model.model or not last_model.model:
        return
    dear, cheap = _rates(first_model), _rates(last_model)
    if dear is None or cheap is None or dear[0] <= cheap[0] or dear[1] <= cheap[1]:
        return
    logger.warning(
        "lc_costkit routing: the first target, %r (%s), costs %s USD per million tokens of input and %s of output, "
        "more than the last, %r (%s): %s and %s. The first counts as the cheapest; the last as the strongest, which is "
        "called in doubt and is what savings are counted against. If it is the other way round, list them so, or name "
        "the strong one: strong=%r.",
        first, first_model.model, f"{dear[0]:f}", f"{dear[1]:f}",
        last, last_model.model, f"{cheap[0]:f}", f"{cheap[1]:f}", first,
    )  # fmt: skip


def _rates(model: TargetModel) -> tuple[Decimal, Decimal] | None:
    """Return USD per million tokens of input and of output; ``None`` where the list does not say."""
    from lc_costkit.pricing import PriceBook
    from lc_costkit.usage import TokenUsage

    prices = PriceBook()
    # A thousand of each: the price of a short prompt, where long ones have another.
    used = (TokenUsage(input_tokens=1000), TokenUsage(output_tokens=1000))
    found = [prices.cost(model.model or "", one, provider=model.provider).usd for one in used]
    if found[0] is None or found[1] is None:
        return None
    return (found[0] * 1000).normalize(), (found[1] * 1000).normalize()
