"""What will it cost to ask one more target, now that there is an answer?"""

from __future__ import annotations

import json
from decimal import Decimal

from lc_costkit.pricing import PriceBook
from lc_costkit.routing.answer import Answer
from lc_costkit.routing.expected_cost import ExpectedCall, expected_cost
from lc_costkit.routing.policy import RouteRequest
from lc_costkit.routing.prompt_tokens import prompt_tokens, tokens_of


def next_cost(
    request: RouteRequest, target: str, *, draft: Answer, prices: PriceBook, shown: bool = False
) -> Decimal | None:
    """Estimate the cost of a call (USD): the request's text, and an answer as long as the one there is.

    What the target's provider may have of the prompt in its cache is not taken off: a limit is better kept.

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
    said = tokens_of(_text(draft))
    tokens = prompt_tokens(request) + (said if shown else 0)
    call = ExpectedCall.of(request, model, input_tokens=tokens, output_tokens=said)
    return expected_cost(prices, model, call).usd


def _text(answer: Answer) -> str:
    calls = [{"name": call.name, "arguments": call.arguments} for call in answer.tool_calls]
    return answer.text + (json.dumps(calls, ensure_ascii=False, default=str) if calls else "")
