"""Which applications do the whole-path tests run: plain, and with every part of the kit?"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from operator import itemgetter
from typing import Any

from langchain_core.documents import Document
from langchain_core.messages import BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable
from langchain_core.vectorstores import InMemoryVectorStore

from lc_costkit import (
    CallRecord,
    ContextPruner,
    CostCallbackHandler,
    Ledger,
    ModelRouter,
    PruningRetriever,
    SemanticCache,
)
from lc_costkit.demo.chains import BundledEmbeddings
from lc_costkit.testing import FakeProvider
from tests.conftest import chat_openai

CHEAP, STRONG = "gpt-4o-mini", "gpt-4o"
MILLION = Decimal(1_000_000)
PER_TOKEN = {
    CHEAP: (Decimal("0.15") / MILLION, Decimal("0.60") / MILLION),
    STRONG: (Decimal("2.50") / MILLION, Decimal("10.00") / MILLION),
}
"""USD for a token in and out, by hand: the savings are checked against it."""

EASY = "How long do refunds take?"
EASY_TOO = "What does a replacement card cost?"
HARD = "Analyse how refunds work and justify every step in detail."
QUESTIONS = [EASY, HARD, EASY_TOO, "Where can I see my PIN?", "Prove that transfers are free of charge."]

_MADE_UP = re.compile(r"\b(?:call|toolu|msg|chatcmpl|lc_run)[_-][\w-]+")
"""Ids that are new in every answer and are sent back with it."""

ARTICLES = {
    "Refunds": "Refunds take five working days. They go to the card that was charged. A merchant may need longer "
    "to send one. Pending payments cannot be refunded. You see a refund in the app as soon as it has come.",
    "Cards": "A replacement card costs five euros. It comes by post within a week. Your PIN is shown in the app under "
    "Card settings. Virtual cards are free of charge. A lost card can be frozen at once.",
    "Transfers": "Transfers within the country are free of charge. Transfers abroad cost half a percent. A transfer "
    "that was sent cannot be recalled. Weekends and holidays delay a transfer by a day.",
}

INSTRUCTIONS = "You are the support assistant of a bank. Answer from the articles."
APART = ChatPromptTemplate.from_messages([("system", INSTRUCTIONS + "\n\n{context}"), ("human", "{question}")])
TOGETHER = ChatPromptTemplate.from_messages(
    [("system", INSTRUCTIONS), ("human", "Articles:\n\n{context}\n\nQuestion: {question}")]
)
"""Where documents and question share a message, the kit has to be told which part is the question."""


def help_centre() -> BaseRetriever:
    """A vector store that finds the two nearest articles."""
    store = InMemoryVectorStore(BundledEmbeddings())
    store.add_documents([Document(text, metadata={"title": title}) for title, text in ARTICLES.items()])
    return store.as_retriever(search_kwargs={"k": 2})


def rag(retriever: BaseRetriever, model: Runnable[Any, Any], prompt: Any = APART) -> Runnable[Mapping[str, str], str]:
    """Retrieve, ask, parse."""
    inputs = {"context": itemgetter("question") | retriever | _joined, "question": itemgetter("question")}
    return inputs | prompt | model | StrOutputParser()


def plain_rag(provider: FakeProvider) -> Runnable[Mapping[str, str], str]:
    """The application without the kit: the strong model for everything."""
    return rag(help_centre(), chat_openai(provider, STRONG, cache=False))


def kit_rag(
    provider: FakeProvider, cache: SemanticCache, *, mode: Any = "on", max_tokens: int = 45, prompt: Any = APART
) -> Runnable[Mapping[str, str], str]:
    """The same with a pruner, a router and a cache; the cache brings its own mode."""
    retriever = PruningRetriever(help_centre(), pruner=ContextPruner(max_tokens=max_tokens, mode=mode))
    targets = {name: chat_openai(provider, name, cache=cache) for name in (CHEAP, STRONG)}
    return rag(retriever, ModelRouter({"cheap": targets[CHEAP], "strong": targets[STRONG]}, mode=mode), prompt)


def metered(ledger: Ledger, **metadata: Any) -> Any:
    """A config with a handler of its own, two tags and metadata."""
    return {"callbacks": [CostCallbackHandler(ledger)], "metadata": metadata, "tags": ["web", "beta"]}


def ask(question: str) -> dict[str, str]:
    """The input of a RAG chain."""
    return {"question": question}


def calls(ledger: Ledger) -> list[CallRecord]:
    """Every record, where nothing went wrong in keeping them."""
    assert ledger.faults.counts == {}
    assert ledger.check() == []
    return list(ledger.records())


def assert_agrees(ledger: Ledger, provider: FakeProvider, **equal: str) -> None:
    """The ledger's total is the bill, to the last digit, and nothing in it is guessed."""
    assert provider.wait_idle()
    assert ledger.report().total.usd == provider.billed_usd
    total = ledger.report(**equal).total
    assert total.usd == total.provider_usd == provider.billed_usd
    assert (total.unpriced_calls, total.estimated_calls) == (0, 0)
    assert provider.unpriced_calls == 0


def saved(record: CallRecord, part: str, *, hypothetical: bool = False) -> Decimal | None:
    """What one part saved on a call; ``None`` where it claims nothing."""
    amounts = [one.usd for one in record.saved if one.part == part and one.hypothetical == hypothetical]
    assert len(amounts) < 2
    return amounts[0] if amounts else None


def without_kit(record: CallRecord) -> Decimal:
    """What a call would have cost without the kit: what it cost, and what was saved on it."""
    return (record.cost.usd or Decimal(0)) + sum((one.usd or Decimal(0) for one in record.saved), Decimal(0))


def sent(provider: FakeProvider) -> list[str]:
    """Every request body, as JSON, in an order that does not depend on which thread was first."""
    return sorted(_MADE_UP.sub("ID", json.dumps([call.path, call.body], sort_keys=True)) for call in provider.log)


def substance(message: BaseMessage) -> tuple[Any, ...]:
    """What an application can see of an answer, without the ids a provider makes up anew."""
    seen = {name: value for name, value in message.model_dump().items() if name != "id"}
    return type(message), _MADE_UP.sub("ID", json.dumps(seen, sort_keys=True, default=str))


def _joined(documents: Sequence[Document]) -> str:
    return "\n\n".join(document.page_content for document in documents)
