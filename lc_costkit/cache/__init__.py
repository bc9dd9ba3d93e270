"""When may a stored answer stand for a new call?"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lc_costkit.cache.admit import AdmissionRule
    from lc_costkit.cache.calibration import Calibration
    from lc_costkit.cache.declared import DeclaredQuestion, question
    from lc_costkit.cache.engine import Cache
    from lc_costkit.cache.explain import Explanation
    from lc_costkit.cache.gates import Gate, Prepared, make_kind_gate, make_opposite_gate
    from lc_costkit.cache.judging import AlikeAnswers, GreyZone, JudgeCase, Judgement, same_text
    from lc_costkit.cache.key import CacheKey, CacheRequest, Turn
    from lc_costkit.cache.pairs import LabelledPair
    from lc_costkit.cache.point import OperatingPoint
    from lc_costkit.cache.policy import Policy
    from lc_costkit.cache.policy_report import PolicyReport
    from lc_costkit.cache.results import Hit, LookupCost, Miss
    from lc_costkit.cache.seen_pairs import LoggedPair
    from lc_costkit.cache.stats import CacheStats
    from lc_costkit.cache.verify import FreshAnswer, Sampled
else:
    _HOMES = {
        "AdmissionRule": "admit",
        "AlikeAnswers": "judging",
        "Cache": "engine",
        "CacheKey": "key",
        "CacheRequest": "key",
        "CacheStats": "stats",
        "Calibration": "calibration",
        "DeclaredQuestion": "declared",
        "Explanation": "explain",
        "FreshAnswer": "verify",
        "Gate": "gates",
        "GreyZone": "judging",
        "Hit": "results",
        "JudgeCase": "judging",
        "Judgement": "judging",
        "LabelledPair": "pairs",
        "LoggedPair": "seen_pairs",
        "LookupCost": "results",
        "Miss": "results",
        "OperatingPoint": "point",
        "Policy": "policy",
        "PolicyReport": "policy_report",
        "Prepared": "gates",
        "Sampled": "verify",
        "Turn": "key",
        "make_kind_gate": "gates",
        "make_opposite_gate": "gates",
        "question": "declared",
        "same_text": "judging",
    }

    def __getattr__(name: str) -> object:
        # Lazy, so that key.py can be used without the store and the embedder behind the engine.
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


__all__ = [
    "AdmissionRule",
    "AlikeAnswers",
    "Cache",
    "CacheKey",
    "CacheRequest",
    "CacheStats",
    "Calibration",
    "DeclaredQuestion",
    "Explanation",
    "FreshAnswer",
    "Gate",
    "GreyZone",
    "Hit",
    "JudgeCase",
    "Judgement",
    "LabelledPair",
    "LoggedPair",
    "LookupCost",
    "Miss",
    "OperatingPoint",
    "Policy",
    "PolicyReport",
    "Prepared",
    "Sampled",
    "Turn",
    "make_kind_gate",
    "make_opposite_gate",
    "question",
    "same_text",
]
