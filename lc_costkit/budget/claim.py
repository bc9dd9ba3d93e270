"""What is known of a call before it is made?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lc_costkit.prompt import Prompt

LIMITS = (
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens_to_sample",
    "max_new_tokens",
    "num_predict",
)
"""What clients call the most tokens that a model may answer with."""

CHOICES = ("n", "best_of", "candidate_count", "num_return_sequences")
"""What clients call the number of answers that are asked for."""

THINKING = ("thinking", "thinking_dict", "reasoning", "reasoning_effort", "effort")
"""What clients call the settings by which a model is asked to think."""


def asks_to_think(settings: Mapping[str, Any]) -> bool:
    """Tell whether the settings of a call, or of a model, ask it to think.

    >>> asks_to_think({"thinking": {"type": "enabled"}}), asks_to_think({"thinking": {"type": "disabled"}})
    (True, False)
    """
    said = [value for name in THINKING if (value := settings.get(name))]
    return any(not isinstance(value, Mapping) or value.get("type") != "disabled" for value in said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A call that is about to be made.

    Attributes:
        model: as the application names it; ``None`` where nobody says.
        provider: a genai-prices provider id, or anybody's spelling of one.
        prompt: what will be sent, as far as it is text.
        max_output_tokens: the limit that the request sets, reasoning included; ``None`` where it sets none.
        output_limit: the most the model can answer with, as the framework knows it; ``None`` if it does not.
        choices: how many answers are asked for.
        thinks: the request asks the model to think before it answers; of that a stream may show a summary only.
        other_input_tokens: the most that images, audio and files in the prompt can take.
        cache_ttl: the longest lifetime that the request asks the prompt cache for (``5m`` or ``1h``).
        service_tier: asked for; ``None`` or ``auto`` for none in particular.
        processing: ``batch`` for a batch API.
        speed: asked for.
        inference_geo: asked for.
        paid_tools: the most requests of each paid tool, by name; see ``TokenUsage.tool_requests``.
        metadata: whom the call is for (``user``, ``feature``, ``team``) and whatever else the application says.
    """

    model: str | None
    provider: str | None = None
    prompt: Prompt = field(default_factory=lambda: Prompt(turns=()))
    max_output_tokens: int | None = None
    output_limit: int | None = None
    choices: int = 1
    thinks: bool = False
    other_input_tokens: int = 0
    cache_ttl: str | None = None
    service_tier: str | None = None
    processing: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    paid_tools: Mapping[str, int] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
