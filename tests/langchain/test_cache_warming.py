"""Is the cache filled under the very key under which the chain will ask?"""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models.fake import FakeListLLM
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.output_parsers import JsonOutputParser, StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate
from langchain_core.runnables import RunnableBranch, RunnableLambda, RunnableParallel, RunnablePassthrough
from langchain_core.tools import tool

from lc_costkit import ModelRouter, SemanticCache
from lc_costkit.errors import ConfigurationError
from lc_costkit.testing import FakeProvider
from tests.conftest import chat_anthropic, chat_openai

PROMPT = ChatPromptTemplate([("system", "You work for {shop}."), ("human", "{question}")])
ASKED = {"shop": "Acme", "question": "How do I reset my password?"}
REWORDED = {"shop": "Acme", "question": "How can I reset my password?"}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.fixture
def cache() -> Iterator[SemanticCache]:
    with SemanticCache() as made:
        yield made


def test_a_warmed_pair_is_served_in_the_scope_of_its_chain_only(provider: FakeProvider, cache: SemanticCache) -> None:
    chain = PROMPT | chat_openai(provider, cache=cache) | StrOutputParser()
    progress: list[tuple[int, int]] = []
    warmed = cache.warm([(ASKED, "In the settings.")], like=chain, progress=lambda *step: progress.append(step))
    assert (warmed.asked, warmed.stored, warmed.refused) == (1, 1, 0)
    assert progress == [(1, 1)]
    assert provider.calls == 0
    assert chain.invoke(ASKED) == "In the settings."
    assert chain.invoke(REWORDED) == "In the settings."
    assert provider.calls == 0
    assert chain.invoke({**ASKED, "shop": "Other"}) != "In the settings."
    stats = cache.stats()
    assert stats.hits == 2
    assert stats.served_estimated_usd == stats.served_usd > 0


@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: model,
        lambda model: model.bind(stop=["x"]),
        lambda model: model.bind_tools([add]),
        lambda model: model.with_config(tags=["t"]),
        lambda model: model.with_retry(),
        lambda model: model.with_fallbacks([model]),
        lambda model: RunnableParallel(answer=model),
        lambda model: model | RunnablePassthrough(),
        lambda model: (
            {"messages": RunnablePassthrough()} | RunnablePassthrough.assign(out=itemgetter("messages") | model)
        ),
        lambda model: RunnableBranch((lambda _: True, model), model),
        lambda model: ModelRouter({"cheap": model, "strong": model}),
    ],
    ids=[
        "plain",
        "bind",
        "tools",
        "config",
        "retry",
        "fallbacks",
        "parallel",
        "sequence",
        "assign",
        "branch",
        "router",
    ],
)
def test_models_are_found_however_they_are_wrapped(provider: FakeProvider, cache: SemanticCache, wrap: Any) -> None:
    for make in (chat_openai, chat_anthropic):
        chain = PROMPT | wrap(make(provider, cache=cache))
        assert cache.warm([(ASKED, "In the settings.")], like=chain).stored == 1
        assert "In the settings." in str(chain.invoke(ASKED))
    assert provider.calls == 0


def test_a_model_alone_takes_text_and_messages(provider: FakeProvider, cache: SemanticCache) -> None:
    model = chat_openai(provider, cache=cache)
    pairs: list[tuple[Any, str]] = [
        ("How are refunds paid?", "To the card."),
        ([SystemMessage("Be short."), HumanMessage("How are refunds paid?")], "Card."),
    ]
    assert cache.warm(pairs, like=model).stored == 2
    assert [model.invoke(asked).content for asked, _ in pairs] == ["To the card.", "Card."]
    assert provider.calls == 0


def test_a_completion_model_gets_plain_generations(cache: SemanticCache) -> None:
    chain = PromptTemplate.from_template("{question}") | FakeListLLM(responses=["live"], cache=cache)
    cache.warm([("How are refunds paid?", "To the card.")], like=chain)
    assert chain.invoke("How are refunds paid?") == "To the card."


def test_running_a_chain_fills_the_cache_once(provider: FakeProvider, cache: SemanticCache) -> None:
    chain = PROMPT | chat_openai(provider) | StrOutputParser()
    questions = [ASKED, REWORDED, {"shop": "Acme", "question": "What is the weather right now?"}]
    warmed = cache.warm(chain, questions)
    assert (warmed.asked, warmed.stored, warmed.present, warmed.refused) == (3, 1, 1, 1)
    assert provider.calls == 2
    assert cache.warm(chain, questions[:2]).present == 2
    assert provider.calls == 2


def test_explain_asks_no_model_and_leaves_no_trace(provider: FakeProvider, cache: SemanticCache) -> None:
    events: list[str] = []

    class Watch(BaseCallbackHandler):
        def on_chat_model_start(self, *_: Any, **__: Any) -> None:
            events.append("start")

    model = chat_openai(provider, cache=cache, callbacks=[Watch()])
    chain = PROMPT | model | JsonOutputParser()
    explanation = cache.explain(ASKED, like=chain)
    assert not explanation.served
    assert explanation.question == ASKED["question"]
    assert explanation.model == "gpt-4o-mini"
    cache.warm([(ASKED, "{}")], like=chain)
    assert cache.explain(REWORDED, like=chain).tier == "semantic"
    assert cache.explain(ASKED["question"], like=model).tier is None, "without the system prompt"
    assert events == []
    assert provider.calls == 0
    assert cache.stats().lookups == 0


def test_a_fallback_is_not_asked_because_the_probe_has_no_answer(provider: FakeProvider, cache: SemanticCache) -> None:
    first, second = (
        PROMPT | chat_openai(provider, model=name) | JsonOutputParser() for name in ("gpt-4o", "gpt-4o-mini")
    )
    chain = first.with_fallbacks([second])
    assert cache.explain(ASKED, like=chain).model == "gpt-4o"
    assert cache.warm([(ASKED, "{}")], like=chain).stored == 1
    assert provider.calls == 0


def test_an_answer_is_not_stored_as_that_of_an_earlier_step(provider: FakeProvider, cache: SemanticCache) -> None:
    rewrite = ChatPromptTemplate([("system", "Rewrite the question."), ("human", "{question}")])
    model = chat_openai(provider, cache=cache)
    chain = RunnablePassthrough.assign(question=rewrite | model | StrOutputParser()) | PROMPT | model
    with pytest.raises(ConfigurationError, match="asks 2 times"):
        cache.warm([(ASKED, "In the settings.")], like=chain)
    assert (provider.calls, cache.stats().stored) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda chain: (([("q", "a")],), {}), "like="),
        (lambda chain: (([("q", "a")], ["q"]), {"like": chain}), "no questions"),
        (lambda chain: ((chain,), {}), "inputs to run"),
        (lambda chain: ((chain, "one question"), {}), "not one text"),
        (lambda chain: ((chain, ["q"]), {"like": chain}), "no like="),
        (lambda chain: ((["q"],), {"like": chain}), "pairs"),
        (lambda chain: (([("q", "")],), {"like": chain}), "pairs"),
        (lambda chain: (([("q", 3)],), {"like": chain}), "pairs"),
        (lambda chain: (([(ASKED, "a")],), {"like": PROMPT}), "no model found"),
        (lambda chain: (([(ASKED, "a")],), {"like": RunnableLambda(lambda x: x)}), "no model found"),
        (lambda chain: (([(ASKED, "a")],), {"like": "gpt-4o"}), "not str"),
        (lambda chain: (([({"shop": "Acme"}, "a")],), {"like": chain}), "before it asks a model"),
    ],
)
def test_what_does_not_fit_together_is_said(
    provider: FakeProvider, cache: SemanticCache, arguments: Any, message: str
) -> None:
    chain = PROMPT | chat_openai(provider, cache=cache)
    positional, named = arguments(chain)
    with pytest.raises(ConfigurationError, match=message):
        cache.warm(*positional, **named)
    assert provider.calls == 0
