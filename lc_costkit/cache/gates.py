"""Does anything a question states differ from what the cached one states?

A gate is a callable ``(cached, new) -> str | None``: ``None`` lets the pair pass, a string
refuses it and says why. Similarity cannot tell "#D-7781" from "#D-7718" or "waived" from "not
waived"; each gate looks at one such thing and nothing else. A plain function is a legal gate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lc_costkit.cache.answer_gates import degree_gate, outcome_gate, style_gate, which_gate
from lc_costkit.cache.condition_gates import condition_gate, extreme_gate, tense_gate
from lc_costkit.cache.direction_gates import direction_gate
from lc_costkit.cache.frame_gates import (
    ask_gate,
    capitals_gate,
    form_gate,
    insert_gate,
    length_gate,
    swap_gate,
)
from lc_costkit.cache.korean_gates import count_gate, korean_thing_gate, moment_gate, owner_gate, receiver_gate
from lc_costkit.cache.korean_swap import korean_swap_gate
from lc_costkit.cache.own_gates import make_kind_gate, make_opposite_gate
from lc_costkit.cache.prepare import Prepared, prepare
from lc_costkit.cache.role_gates import clause_gate, letter_gate, role_gate
from lc_costkit.cache.sense_gates import act_gate, facet_gate, place_gate, quantifier_gate, self_gate
from lc_costkit.cache.thing_gates import thing_gate
from lc_costkit.cache.word_gates import (
    aspect_gate,
    kind_gate,
    language_gate,
    name_gate,
    negation_gate,
    number_gate,
    opposite_gate,
    payload_gate,
    person_gate,
    restriction_gate,
    script_gate,
    symbol_gate,
)
from lc_costkit.faults import Faults

__all__ = [
    "BALANCED_GATES",
    "DEFAULT_GATES",
    "Gate",
    "GateOpinion",
    "GateVerdict",
    "Prepared",
    "gate_name",
    "gate_opinions",
    "make_kind_gate",
    "make_opposite_gate",
    "prepare",
    "run_gates",
]

GATES_VERSION = 1
"""Changes whenever a gate of the kit decides otherwise: what labels certified holds for one version."""

Gate = Callable[[Prepared, Prepared], str | None]
"""Refuses a pair with a reason, or passes it with ``None``."""

BALANCED_GATES: tuple[Gate, ...] = (
    script_gate,
    length_gate,
    number_gate,
    payload_gate,
    symbol_gate,
    negation_gate,
    opposite_gate,
    kind_gate,
    name_gate,
    capitals_gate,
    person_gate,
    restriction_gate,
    ask_gate,
    aspect_gate,
    direction_gate,
    form_gate,
    language_gate,
    letter_gate,
    outcome_gate,
    which_gate,
    degree_gate,
    style_gate,
    clause_gate,
    role_gate,
    quantifier_gate,
    self_gate,
    facet_gate,
    act_gate,
    place_gate,
    tense_gate,
    extreme_gate,
    condition_gate,
    owner_gate,
    receiver_gate,
    moment_gate,
    count_gate,
)
"""All gates but the swap and insert rules, which cost a third of the right hits on plain paraphrases."""

DEFAULT_GATES: tuple[Gate, ...] = (
    *BALANCED_GATES,
    swap_gate,
    korean_swap_gate,
    insert_gate,
    thing_gate,
    korean_thing_gate,
)
"""All gates, the cheap ones first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateVerdict:
    """What the gates decided.

    Attributes:
        accepted: no gate refused.
        gate: the name of the one that did.
        reason: its reason.
    """

    accepted: bool
    gate: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOpinion:
    """What one gate says of a pair; ``reason`` is ``None`` where it lets the pair pass."""

    gate: str
    reason: str | None


_ACCEPTED = GateVerdict(accepted=True)
_ADVICE = (
    "The pair was refused; have the gate return None where a pair passes, else its reason, or leave it out of gates="
)


def gate_name(gate: Gate) -> str:
    """Return the name of a gate as shown to users.

    >>> gate_name(number_gate)
    'number'
    """
    name = getattr(gate, "__name__", None) or type(gate).__name__
    return str(name).removesuffix("_gate")


def run_gates(gates: Iterable[Gate], cached: Prepared, new: Prepared, *, faults: Faults | None = None) -> GateVerdict:
    """Ask the gates in order and stop at the first refusal. One that fails counts as a refusal.

    A gate fails that raises, or returns something else than ``None`` or a reason that is not empty.

    Args:
        gates: what may refuse.
        cached: the stored question.
        new: the new one.
        faults: where a gate that fails is counted and told of.

    >>> run_gates(DEFAULT_GATES, prepare("Is it taxable?"), prepare("Is it tax-free?")).gate
    'negation'
    """
    for gate in gates:
        reason = _ask(gate, cached, new, faults)
        if reason is not None:
            return GateVerdict(accepted=False, gate=gate_name(gate), reason=reason)
    return _ACCEPTED


def gate_opinions(gates: Iterable[Gate], cached: Prepared, new: Prepared) -> tuple[GateOpinion, ...]:
    """Ask every gate, whatever the others say."""
    return tuple(GateOpinion(gate=gate_name(gate), reason=_ask(gate, cached, new)) for gate in gates)


def _ask(gate: Gate, cached: Prepared, new: Prepared, faults: Faults | None = None) -> str | None:
    name = gate_name(gate)
    try:
        reason: object = gate(cached, new)
    except Exception as error:
        if faults is not None:
            faults.record(f"gate {name}", error, _ADVICE, may_quote=True)
        return f"gate {name} raised {type(error).__name__}: {error}"
    if reason is None or (isinstance(reason, str) and reason.strip()):
        return reason
    got = "an empty text" if isinstance(reason, str) else type(reason).__name__
    if faults is not None:
        faults.record(f"gate {name}", TypeError(f"it returned {got}, not a reason or None"), _ADVICE)
    return f"gate {name} returned {got}, not a reason or None"
