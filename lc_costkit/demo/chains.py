"""Which chain does the demo compare with which? A plain RAG chain, and the same with the kit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from lc_costkit.demo.data import Article
from lc_costkit.embedding import bundled_embedder
from lc_costkit.langchain.cache import SemanticCache
from lc_costkit.langchain.compressor import ContextPruner
from lc_costkit.langchain.retriever import PruningRetriever
from lc_costkit.langchain.router import ModelRouter

KNOWLEDGE_VERSION = "help-centre-1"
"""Names the state of the articles: with it, the same question may share an answer."""

ARTICLES = 6
"""Articles that the retriever puts into a prompt."""

CONTEXT_TOKENS = 400
"""Budget of the pruned context, in tokens; the six articles have about 900."""

SYSTEM = """\
You are the support assistant of a bank that lives in an app. Answer the customer's question from the help articles \
below and from nothing else. If they do not answer it, say so and offer to connect the customer with a colleague. \
Be friendly, name the menu entries of the app exactly as the articles do, and give fees, limits and times with their \
numbers. Never ask for a PIN, a passcode or a full card number. Do not promise refunds. Answer in the language of the \
question, in at most 120 words, without greeting and without signature."""

PROMPT = ChatPromptTemplate.from_messages(
    [("system", SYSTEM), ("human", "Help articles:\n\n{context}\n\nQuestion: {question}")]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where the models are, and which.

    Attributes:
        base_url: the endpoint; ``None`` is the provider's own.
        api_key: its key; never shown.
        cheap: the model that is enough for easy questions.
        strong: the model that the plain chain always asks.
        max_tokens: longest answer, tokens.
        retries: how often the client asks again by itself. Where a limit must hold it is 0: what a
            try that timed out costs is on the provider's bill, and nobody is told.
    """

    base_url: str | None
    api_key: str = field(repr=False)
    cheap: str = "gpt-4o-mini"
    strong: str = "gpt-4o"
    max_tokens: int = 220
    retries: int = 2

    def model(self, name: str, *, cache: SemanticCache | None = None) -> ChatOpenAI:
        """Return a client for ``name``; without ``cache`` none is used, not even a global one."""
        return ChatOpenAI(
            model=name,
            base_url=self.base_url,
            api_key=SecretStr(self.api_key),
            max_completion_tokens=self.max_tokens,
            max_retries=self.retries,
            cache=cache if cache is not None else False,
        )


class BundledEmbeddings(Embeddings):
    """The bundled embedder as LangChain embeddings, so that the demo's retriever needs no key."""

    def __init__(self) -> None:
        self._embedder = bundled_embedder()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed articles."""
        return [[float(x) for x in row] for row in self._embedder.embed(texts)]

    def embed_query(self, text: str) -> list[float]:
        """Embed a question."""
        return self.embed_documents([text])[0]


def article_retriever(articles: Sequence[Article], *, count: int = ARTICLES) -> BaseRetriever:
    """Return a vector-store retriever that finds ``count`` articles for a question."""
    store = InMemoryVectorStore(BundledEmbeddings())
    store.add_documents([Document(f"{a.title}\n{a.text}", metadata={"title": a.title}) for a in articles])
    return store.as_retriever(search_kwargs={"k": count})


def plain_chain(endpoint: Endpoint, retriever: BaseRetriever) -> Runnable[str, str]:
    """The chain as it stands in many applications: six articles, the strong model, no cache."""
    return _chain(retriever, endpoint.model(endpoint.strong))


def kit_chain(endpoint: Endpoint, retriever: BaseRetriever, cache: SemanticCache) -> Runnable[str, str]:
    """The same chain with a pruned context, a router and a semantic cache: one line each."""
    pruned = PruningRetriever(retriever, pruner=ContextPruner(max_tokens=CONTEXT_TOKENS))
    router = ModelRouter(
        {
            "cheap": endpoint.model(endpoint.cheap, cache=cache),
            "strong": endpoint.model(endpoint.strong, cache=cache),
        },
    )
    return _chain(pruned, router)


def _chain(retriever: BaseRetriever, model: Runnable) -> Runnable[str, str]:  # type: ignore[type-arg]
    inputs = {"context": retriever | _joined, "question": RunnablePassthrough()}
    return inputs | PROMPT | model | StrOutputParser()


def _joined(documents: Sequence[Document]) -> str:
    return "\n\n".join(document.page_content for document in documents)
