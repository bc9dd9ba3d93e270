"""Does a query engine of many steps answer the same with a declared scope as without?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from llama_index.core import PromptHelper, SummaryIndex, get_response_synthesizer
from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.response_synthesizers import ResponseMode
from llama_index.core.schema import TextNode

from lc_costkit import question
from lc_costkit.cache import Cache
from lc_costkit.llama_index.llm import cached_llm
from lc_costkit.testing import FakeProvider, FakeRequest
from tests.support.llama_openai import OpenAIFunctionLLM

ASKED = "What does a new PIN cost?"
FACTS = 6
MODES = [
    ResponseMode.REFINE,
    ResponseMode.COMPACT,
    ResponseMode.TREE_SUMMARIZE,
    ResponseMode.ACCUMULATE,
    ResponseMode.COMPACT_ACCUMULATE,
]


def facts(request: FakeRequest) -> str:
    """Answer with the facts that the prompt holds, so that an answer of another step is seen."""
    return " ".join(sorted(set(re.findall(r"FACT\d+", request.question)))) or "no facts"


@pytest.fixture
def facts_provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=facts) as running:
        yield running


def engine(provider: FakeProvider, cache: Cache, mode: ResponseMode, *, use_async: bool = False) -> BaseQueryEngine:
    llm = cached_llm(OpenAIFunctionLLM(base_url=provider.openai_base_url), cache)
    helper = PromptHelper(context_window=700, num_output=50, chunk_overlap_ratio=0.0)
    nodes = [
        TextNode(text=f"FACT{number} is about cards. " + "Cards are sent by post. " * 30) for number in range(FACTS)
    ]
    synthesizer = get_response_synthesizer(llm=llm, response_mode=mode, prompt_helper=helper, use_async=use_async)
    return SummaryIndex(nodes).as_query_engine(llm=llm, response_synthesizer=synthesizer)


@pytest.mark.parametrize("mode", MODES)
async def test_each_step_gets_its_own_answer_and_a_second_run_is_served(
    facts_provider: FakeProvider, mode: ResponseMode
) -> None:
    answers, calls = [], []
    for declared in (False, True):
        with Cache() as cache:
            asking = engine(facts_provider, cache, mode)
            before = facts_provider.calls
            for _ in range(2):
                with question(ASKED, scope="kb-1") if declared else nullcontext():
                    answers.append(str(await asking.aquery(ASKED)))
                calls.append(facts_provider.calls - before)
            assert cache.stats().faults == {}
    assert len(set(answers)) == 1
    assert all(f"FACT{number}" in answers[0] for number in range(FACTS))
    assert calls[0] > 1, "it has several steps"
    assert calls == [calls[0]] * 4, "every step is a call the first time and none the second"


async def test_steps_at_the_same_time_get_their_own_answers(facts_provider: FakeProvider) -> None:
    with Cache() as cache:
        asking = engine(facts_provider, cache, ResponseMode.ACCUMULATE, use_async=True)
        answers = []
        for _ in range(2):
            with question(ASKED, scope="kb-1"):
                answers.append(str(await asking.aquery(ASKED)))
        assert facts_provider.calls == FACTS
    assert answers[0] == answers[1]
    assert re.findall(r"FACT\d+", answers[0]) == [f"FACT{number}" for number in range(FACTS)]
