"""How does any retriever return pruned documents?"""

from __future__ import annotations

import inspect
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable

from lc_costkit.errors import ConfigurationError, refuse_unknown


class PruningRetriever(BaseRetriever):
    """Drop-in for the retriever it wraps: the same documents, cut down to what the question needs.

    Args:
        retriever: any retriever, or a runnable from a question to documents.
        pruner: a ``ContextPruner``, or any other compressor.
        k: how many documents to retrieve at most, before pruning; ``invoke(question, k=...)`` goes
            before it. Handed on to a retriever that takes ``k`` in ``invoke``, else the first ``k``
            of its documents are used.

    Raises:
        ConfigurationError: ``retriever`` or ``pruner`` is not one, or ``k`` is below 1.

    >>> from langchain_core.runnables import RunnableLambda
    >>> from lc_costkit.langchain.compressor import ContextPruner
    >>> found = RunnableLambda(lambda question: [Document("Bread is brown. Water boils at 100 degrees.")])
    >>> PruningRetriever(found, pruner=ContextPruner(keep=0.7)).invoke("When does water boil?")[0].page_content
    'Water boils at 100 degrees.'
    """

    retriever: Runnable[str, list[Document]]
    pruner: BaseDocumentCompressor
    k: int | None = None

    def __init__(
        self,
        retriever: Runnable[str, list[Document]],
        *,
        pruner: BaseDocumentCompressor,
        k: int | None = None,
        **fields: Any,
    ) -> None:
        refuse_unknown("PruningRetriever", fields, type(self).model_fields)
        if not isinstance(retriever, Runnable):
            raise ConfigurationError(
                f"retriever is {retriever!r}; give a retriever (vectorstore.as_retriever()) or another runnable, "
                "and wrap a function in RunnableLambda"
            )
        if not isinstance(pruner, BaseDocumentCompressor):
            raise ConfigurationError(f"pruner is {pruner!r}; give ContextPruner(max_tokens=...) or another compressor")
        if k is not None and (isinstance(k, bool) or not isinstance(k, int) or k < 1):
            raise ConfigurationError(f"k must be a whole number of at least 1 or None, not {k!r}")
        super().__init__(**{"retriever": retriever, "pruner": pruner, "k": k, **fields})

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **kwargs: Any
    ) -> list[Document]:
        callbacks = run_manager.get_child()
        wanted, passed_on = self._wanted(kwargs)
        documents = self.retriever.invoke(query, {"callbacks": callbacks}, **passed_on)[:wanted]
        if not documents:
            return documents
        return list(self.pruner.compress_documents(documents, query, callbacks=callbacks))

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **kwargs: Any
    ) -> list[Document]:
        callbacks = run_manager.get_child()
        wanted, passed_on = self._wanted(kwargs)
        documents = (await self.retriever.ainvoke(query, {"callbacks": callbacks}, **passed_on))[:wanted]
        if not documents:
            return documents
        return list(await self.pruner.acompress_documents(documents, query, callbacks=callbacks))

    def _wanted(self, kwargs: dict[str, Any]) -> tuple[int | None, dict[str, Any]]:
        """Return how many documents are wanted, and the arguments for the wrapped retriever."""
        wanted = kwargs.get("k", self.k)
        if wanted is None or not _takes_k(self.retriever):
            return wanted, {name: value for name, value in kwargs.items() if name != "k"}
        return wanted, {**kwargs, "k": wanted}


def _takes_k(retriever: Runnable[str, list[Document]]) -> bool:
    if not isinstance(retriever, BaseRetriever):
        return False
    parameters = inspect.signature(retriever._get_relevant_documents).parameters.values()
    return any(p.name == "k" or p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
