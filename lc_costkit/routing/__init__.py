"""Which model is enough for a request? Policies and the choice among targets, free of any framework."""

from __future__ import annotations

from lc_costkit.routing.answer import Answer, Check, ToolCall, Verdict
from lc_costkit.routing.answer_score import AnswerScore
from lc_costkit.routing.calibrate import calibrate
from lc_costkit.routing.calibrated import CalibratedPolicy
from lc_costkit.routing.canary import Canary, canary
from lc_costkit.routing.cheapest import Cheapest
from lc_costkit.routing.classifier import Classifier
from lc_costkit.routing.experience import Experience, experience
from lc_costkit.routing.first_sure import FirstSure, first_sure
from lc_costkit.routing.learned import Learned
from lc_costkit.routing.outcomes import LabelledPrompt, labelled_prompts
from lc_costkit.routing.policy import Policy, RouteDecision, RouteRequest, Turn
from lc_costkit.routing.report import RoutingReport
from lc_costkit.routing.rule_table import DEFAULT_RULES
from lc_costkit.routing.rules import Rules
from lc_costkit.routing.signals import Finding, Rule
from lc_costkit.routing.sticky import Sticky, sticky
from lc_costkit.routing.target_model import TargetModel
from lc_costkit.routing.unsure import unsure_band

__all__ = [
    "DEFAULT_RULES",
    "Answer",
    "AnswerScore",
    "CalibratedPolicy",
    "Canary",
    "Cheapest",
    "Check",
    "Classifier",
    "Experience",
    "Finding",
    "FirstSure",
    "LabelledPrompt",
    "Learned",
    "Policy",
    "RouteDecision",
    "RouteRequest",
    "RoutingReport",
    "Rule",
    "Rules",
    "Sticky",
    "TargetModel",
    "ToolCall",
    "Turn",
    "Verdict",
    "calibrate",
    "canary",
    "experience",
    "first_sure",
    "labelled_prompts",
    "sticky",
    "unsure_band",
]
