"""Are policies told apart by what is set in them, and by nothing that changes from call to call?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.llms import MockLLM

from lc_costkit.llama_index import AnswerJudge, LLMClassifier
from lc_costkit.llama_index.cache_request import canonical
from lc_costkit.llama_index.deciding import how_it_decides
from lc_costkit.routing import RouteRequest, Rules, Turn, canary, first_sure, sticky
from lc_costkit.routing.checks import SelfConsistent, complete, no_refusal

SMALL, LARGE = MockLLM(max_tokens=1), MockLLM(max_tokens=2)


class Named:
    """Names a target."""

    def __init__(self, name: str) -> None:
        self.name = name

    def choose(self, request: RouteRequest) -> str:
        return self.name


def closed_over(name: str) -> Callable[[RouteRequest], str]:
    return lambda request: name


DIFFERENT: list[tuple[Callable[[], Any], Callable[[], Any]]] = [
    (Rules, lambda: Rules(threshold=0.7)),
    (lambda: sticky(Rules()), lambda: sticky(Rules(), expected_calls=3)),
    (lambda: canary(Rules(), 0.1), lambda: canary(Rules(threshold=0.7), 0.1)),
    (lambda: first_sure(Rules(), LLMClassifier(SMALL)), lambda: first_sure(Rules(), LLMClassifier(LARGE))),
    (lambda: AnswerJudge(SMALL), lambda: AnswerJudge(SMALL, least=7)),
    (lambda: SelfConsistent(samples=2), lambda: SelfConsistent(samples=3)),
    (lambda: complete, lambda: no_refusal),
    (lambda: closed_over("a"), lambda: closed_over("b")),
    (lambda: Named("a").choose, lambda: Named("b").choose),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_settings_tell_policies_and_checks_apart(one: Callable[[], Any], other: Callable[[], Any]) -> None:
    assert canonical(how_it_decides(one())) == canonical(how_it_decides(one()))
    assert canonical(how_it_decides(one())) != canonical(how_it_decides(other()))


def test_a_decision_changes_nothing() -> None:
    for policy in (Rules(), sticky(Rules()), canary(Rules(), 0.5), LLMClassifier(SMALL)):
        before = canonical(how_it_decides(policy))
        policy(RouteRequest(question="Hi", turns=(Turn("human", "Hi"),), targets=("cheap", "strong")))
        assert canonical(how_it_decides(policy)) == before
