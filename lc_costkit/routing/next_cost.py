"""What will it cost to ask one more target, now that there is an answer?"""

from __future__ import annotations

import json
from decimal import Decimal

from lc_costkit.pricing import PriceBook
from lc_costkit.routing.answer import Answer
from lc_costkit.routing.policy import RouteRequest
from lc_costkit.tokens import approximate_tokens
from lc_costkit.usage import TokenUsage


def next_cost(
    request: RouteRequest, target: str, *, draft: Answer, prices: PriceBook, shown: bool = False
) -> Decimal | None:
    """Estimate the cost of a call (USD): the request's text, and an answer as long as the one there is.

    Args:
        request: what is asked; text alone is counted.
        target: whom.
        draft: the answer there is.
        prices: of models.
        shown: the draft is sent along.

    Returns:
        ``None`` where the target's model has no price, or is not known.
    """
    model = request.models.get(target)
    if model is None or not model.model:
        return None
    said = approximate_tokens(_text(draft))
    turns = [turn.text for turn in request.turns] or [request.question]
    asked = sum(approximate_tokens(text) for text in (request.system, request.tool_text, *turns))
    usage = TokenUsage(input_tokens=asked + (said if shown else 0), output_tokens=said)
    return prices.cost(model.model, usage, provider=model.provider).usd


def _text(answer: Answer) -> str:
    calls = [{"name": call.name, "arguments": call.arguments} for call in answer.tool_calls]
    return answer.text + (json.dumps(calls, ensure_ascii=False, default=str) if calls else "")
