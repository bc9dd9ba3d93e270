"""What do tests of the gate need: calls that can be told to end in any way."""

from __future__ import annotations

from typing import Any

from lc_costkit.budget.claim import Claim
from lc_costkit.metering import OpenCall, Outcome
from lc_costkit.prompt import Prompt
from lc_costkit.usage import TokenUsage, UsageReading

MODEL = "gpt-4o-mini"
"""0.15 USD for a million input tokens, 0.60 for a million output tokens."""

PROMPT = Prompt(turns=(("human", "Why is the sky blue?"),))


def claim(model: str | None = MODEL, *, max_output: int | None = 1000, **more: Any) -> Claim:
    """A short question that may be answered with ``max_output`` tokens."""
    metadata = {name: more.pop(name) for name in ("user", "team", "feature") if name in more}
    return Claim(model=model, provider="openai", prompt=PROMPT, max_output_tokens=max_output, metadata=metadata, **more)


def call(model: str | None = MODEL) -> OpenCall:
    """The same call, as a meter opens it."""
    return OpenCall(prompt=PROMPT, model_asked=model, provider="openai")


def answered(input_tokens: int = 10, output_tokens: int = 100, *, model: str = MODEL) -> Outcome:
    """The provider answered and said what it used."""
    usage = TokenUsage(input_tokens=input_tokens, output_tokens=output_tokens)
    return Outcome(read=lambda: UsageReading(usage=usage, model=model, provider="openai"))
