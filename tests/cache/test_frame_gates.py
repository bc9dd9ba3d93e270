"""Do the gates of sentence frames go by what words mean?"""

from __future__ import annotations

import pytest

from lc_costkit.cache.align import align
from lc_costkit.cache.frame_gates import SAME_FRAME, ask_gate, insert_gate, make_swap_gate, swap_gate
from lc_costkit.cache.gates import BALANCED_GATES, DEFAULT_GATES, Gate, prepare, run_gates
from lc_costkit.cache.thing_gates import thing_gate


@pytest.mark.parametrize(
    ("gate", "cached", "new"),
    [
        (swap_gate, "How do I roast carrots at home?", "How do I roast beets at home?"),
        (thing_gate, "Which vaccines does my puppy need?", "Which vaccines will my parrot need before we travel?"),
        (insert_gate, "How long does delivery take?", "How long does delivery take to Alaska?"),
        (insert_gate, "Is the keyboard covered?", "Is the keyboard covered when juice got into it?"),
        (ask_gate, "How do I get to the museum?", "Why do people get lost in the museum?"),
    ],
)
def test_another_thing_is_refused(gate: Gate, cached: str, new: str) -> None:
    assert gate(prepare(cached), prepare(new))


@pytest.mark.parametrize(
    ("gate", "cached", "new"),
    [
        (swap_gate, "Which film should I watch tonight?", "Which movie should I watch tonight?"),
        (insert_gate, "Where can I vote early?", "Which places offer early voting?"),
        (insert_gate, "Which fees do kids pay?", "Which fees do kids (children) pay?"),
        (ask_gate, "How do I see my data usage?", "Where can I check my data usage?"),
        (ask_gate, "How can I change my address?", "Where in the app can I change my address?"),
    ],
)
def test_another_name_of_the_thing_passes(gate: Gate, cached: str, new: str) -> None:
    assert gate(prepare(cached), prepare(new)) is None


def test_a_looser_sentence_is_refused_by_weighty_words_only() -> None:
    cached = prepare("Which vaccines does my puppy need?")
    heavy = prepare("Which vaccines will my parrot need before we travel?")
    light = prepare("Which vaccines will my puppy need in its first year?")
    for new in (heavy, light):
        assert align(cached, new).order < SAME_FRAME
    assert thing_gate(cached, heavy)
    assert thing_gate(cached, light) is None
    assert swap_gate(cached, heavy) is None
    assert thing_gate in DEFAULT_GATES
    assert thing_gate not in BALANCED_GATES


def test_a_likeness_of_ones_own_replaces_the_word_table() -> None:
    cached, new = prepare("How do I roast carrots at home?"), prepare("How do I roast beets at home?")
    assert make_swap_gate(lambda one, other: 1.0)(cached, new) is None
    assert make_swap_gate(lambda one, other: 0.0)(cached, prepare("How do I bake carrots at home?"))


def test_questions_without_a_common_word_are_refused_whatever_their_cosine() -> None:
    assert run_gates(DEFAULT_GATES, prepare("What is alpha?"), prepare("What is omega?")).gate is not None
