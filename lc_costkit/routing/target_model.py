"""Which model is a target, and what can it do?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

MEDIA = ("image", "audio", "video", "pdf")
"""Kinds of input besides text that a profile tells of."""


@dataclass(frozen=True, slots=True)
class TargetModel:
    """A target's model, as price lists name it, and what its profile says it can do; ``None`` for what is not known.

    Attributes:
        model: its name.
        provider: a genai-prices provider id, or anybody's spelling of one.
        max_input_tokens: the most it reads.
        max_output_tokens: the most it writes.
        tool_calling: it calls tools.
        structured_output: it answers in a schema of the provider's own.
        media: kinds of input it reads besides text (``image``, ``audio``, ``video``, ``pdf``).
    """

    model: str | None = None
    provider: str | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    tool_calling: bool | None = None
    structured_output: bool | None = None
    media: frozenset[str] | None = None

    @classmethod
    def of_profile(
        cls, profile: Mapping[str, Any] | None, *, model: str | None = None, provider: str | None = None
    ) -> Self:
        """Read a model's profile, a mapping such as LangChain's ``model.profile``."""
        if not profile:
            return cls(model, provider)
        told = [kind for kind in MEDIA if f"{kind}_inputs" in profile]
        return cls(
            model,
            provider,
            max_input_tokens=profile.get("max_input_tokens"),
            max_output_tokens=profile.get("max_output_tokens"),
            tool_calling=profile.get("tool_calling"),
            structured_output=profile.get("structured_output"),
            media=frozenset(kind for kind in told if profile[f"{kind}_inputs"]) if told else None,
        )
