"""Does an LLM that answers through another one keep what it has when it is copied, or say that it cannot?"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import LLM

from lc_costkit.budget.budget import Budget
from lc_costkit.cache import Cache
from lc_costkit.errors import BudgetExceeded
from lc_costkit.ledger import Ledger
from lc_costkit.llama_index import budgeted_llm, cached_llm, cascade_llm, routed_llm
from lc_costkit.testing import FakeProvider
from tests.support.llama_openai import OpenAIFunctionLLM

HELLO = [ChatMessage("Hello")]

Make = Callable[..., OpenAIFunctionLLM]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "costs.db") as opened:
        yield opened


@pytest.fixture
def llm(make_llama_llm: Make) -> LLM:
    return make_llama_llm()


def test_what_would_be_lost_cannot_be_pickled(llm: LLM, ledger: Ledger) -> None:
    cached, held = cached_llm(llm, Cache()), budgeted_llm(llm, Budget(calls=1), ledger)
    for one, lost in ((cached, "cache"), (held, "gate"), (cached_llm(held, Cache()), "llm")):
        with pytest.raises(TypeError, match=f"cannot be pickled: its {lost} cannot"):
            pickle.dumps(one)
    for make in (routed_llm, cascade_llm):
        with pytest.raises(TypeError, match="its targets cannot"):
            pickle.dumps(make({"only": cached}))


def test_a_deep_copy_has_the_same_cache_and_budgets(llm: LLM, ledger: Ledger, provider: FakeProvider) -> None:
    cached = cached_llm(llm, Cache())
    cached.chat(HELLO)
    copy.deepcopy(cached).chat(HELLO)
    assert provider.calls == 1
    held = budgeted_llm(routed_llm({"only": llm}, only), Budget(calls=1), ledger)
    held.chat(HELLO)
    with pytest.raises(BudgetExceeded):
        copy.deepcopy([held])[0].chat(HELLO)
    assert provider.calls == 2


def only(request: Any) -> str:
    return "only"
