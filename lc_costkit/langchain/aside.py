"""How does the cache call a LangChain model for itself?"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseLanguageModel
from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable, RunnableBinding
from langchain_core.runnables.config import var_child_runnable_config

from lc_costkit.cache.aside import calling_aside, current_aside
from lc_costkit.langchain.callbacks import CostCallbackHandler
from lc_costkit.langchain.payload import message_text
from lc_costkit.ledger import Ledger
from lc_costkit.marks import VERIFICATION_FEATURE
from lc_costkit.readers import read_langchain
from lc_costkit.usage import UsageReading


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a model said.

    Attributes:
        text: its answer.
        reading: what the provider reported.
        metered: a ledger has recorded the call.
    """

    text: str
    reading: UsageReading | None
    metered: bool


def ask_aside(model: Runnable[Any, Any], what: Any) -> Said:
    """Ask a model, past every cache.

    For a check, its own callbacks hear of the call, under the feature ``cache verification``, and so does the
    ledger of the check. Within a lookup no meter does: there the cost belongs to the call that waits.

    Raises:
        Exception: what the model raised.
    """
    aside = current_aside()
    ledger = aside.ledger if aside is not None and aside.purpose == "verification" else None
    own = _for_itself(model)
    callbacks: list[BaseCallbackHandler] = []
    if aside is not None and ledger is not None and not _meters_to(own, ledger):
        callbacks.append(CostCallbackHandler(ledger, prices=aside.prices))
    judging = aside is not None and aside.purpose != "verification"
    # A lookup inside a chain would hand the chain's callbacks down to a judge.
    around = var_child_runnable_config.set(None)
    try:
        with calling_aside("lookup", prices=aside.prices) if aside is not None and judging else nullcontext():
            answer = own.invoke(what, config={"callbacks": callbacks, "metadata": {"feature": VERIFICATION_FEATURE}})
    finally:
        var_child_runnable_config.reset(around)
    if not isinstance(answer, BaseMessage):
        return Said(text=answer if isinstance(answer, str) else "", reading=None, metered=ledger is not None)
    usage = getattr(answer, "usage_metadata", None)
    reading = read_langchain(usage, answer.response_metadata, start_metadata=None) if usage else None
    return Said(text=message_text(answer), reading=reading, metered=ledger is not None)


def _for_itself(model: Runnable[Any, Any]) -> Runnable[Any, Any]:
    """Return a copy of a model that asks no cache and is nobody's feature or user."""
    if isinstance(model, RunnableBinding):
        return model.model_copy(update={"bound": _for_itself(model.bound)})
    if not isinstance(model, BaseLanguageModel):
        return model
    metadata = {name: value for name, value in (model.metadata or {}).items() if name not in ("user", "feature")}
    return model.model_copy(update={"cache": False, "metadata": {**metadata, "feature": VERIFICATION_FEATURE}})


def _meters_to(model: Runnable[Any, Any], ledger: Ledger) -> bool:
    """Tell whether a model's own handler writes to a ledger; what one inside a chain does, it finds out as it hears."""
    while isinstance(model, RunnableBinding):
        model = model.bound
    return any(isinstance(one, CostCallbackHandler) and one.ledger is ledger for one in _handlers(model))


def _handlers(model: Runnable[Any, Any]) -> list[Any]:
    callbacks = getattr(model, "callbacks", None)
    return list(getattr(callbacks, "handlers", callbacks) or ())
