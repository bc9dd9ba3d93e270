"""How do routers that others ship score a prompt, as far as they are installed?

    pip install litellm==1.109.1 cascadeflow==1.2.0

LiteLLM's complexity router has a heuristic score (v1) and a success predictor trained on UltraFeedback (v2); its
tiers are the steps it acts on. Each is ranked by what it gives: a higher score asks for more.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

Score = Callable[[str], float]


def rivals() -> dict[str, Score]:
    """Return the scores of those that are installed, by name."""
    found: dict[str, Score] = {}
    if find_spec("litellm"):
        found |= _litellm()
    if find_spec("cascadeflow"):
        found |= _cascadeflow()
    return found


def _litellm() -> dict[str, Score]:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    logging.getLogger("LiteLLM").setLevel(logging.ERROR)
    home = "litellm.router_strategy.complexity_router"
    heuristic: Any = importlib.import_module(f"{home}.complexity_router")
    predictor: Any = importlib.import_module(f"{home}.tier_predictor")
    classifier: Any = importlib.import_module("litellm.router_strategy.adaptive_router.classifier")
    router = heuristic.ComplexityRouter("router", ctx=SimpleNamespace(), default_model="x")
    tiers = list(heuristic.ComplexityTier)
    model = predictor.TierSuccessPredictor(predictor.resolve_tier_artifact("ultrafeedback"))

    def predicted(prompt: str) -> Any:
        return model.predict(prompt, classifier.classify_prompt(prompt))

    return {
        "LiteLLM v1 score": lambda prompt: float(router.classify(prompt)[1]),
        "LiteLLM v1 tier": lambda prompt: float(tiers.index(router.classify(prompt)[0])),
        "LiteLLM v2 probability": lambda prompt: -float(predicted(prompt).probabilities[1]),
        "LiteLLM v2 tier": lambda prompt: float(predicted(prompt).required_tier),
    }


def _cascadeflow() -> dict[str, Score]:
    complexity: Any = importlib.import_module("cascadeflow.quality.complexity")
    detector, levels = complexity.ComplexityDetector(), list(complexity.QueryComplexity)
    return {"cascadeflow complexity": lambda prompt: float(levels.index(detector.detect(prompt)[0]))}
