"""How does a LangChain application stop spending at a limit?"""

from __future__ import annotations

from typing import Any, TypeVar

from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.runnables import Runnable, RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.configurable import RunnableConfigurableAlternatives, RunnableConfigurableFields
from langchain_core.runnables.retry import RunnableRetry

from lc_costkit.budget.gate import Gate
from lc_costkit.budget.limits import Limits
from lc_costkit.errors import ConfigurationError, shown
from lc_costkit.langchain.budget_guard import BudgetGuard
from lc_costkit.langchain.budget_retry import within_budget
from lc_costkit.langchain.many_models import ManyModels
from lc_costkit.langchain.stand_ins import bare_model
from lc_costkit.langchain.wrapping import wrapped
from lc_costkit.ledger import Ledger
from lc_costkit.pricing import PriceBook

M = TypeVar("M", bound=Runnable[Any, Any])


def budgeted(
    model: M,
    budgets: Limits,
    ledger: Ledger,
    *,
    prices: PriceBook | None = None,
    cheapest: Runnable[Any, Any] | None = None,
) -> M:
    """Return a model of the same type that reserves the most each call can cost, and settles what it took.

    What does not fit raises ``BudgetExceeded`` before the provider is called. The gate is behind
    LangChain's cache: what a cache answers is free, and passes a spent budget. Whom a call is for
    comes from the metadata of the call (``user``, ``feature``, ``team``, any other key).

    The model itself is not changed, and not held to anything. ``dumps`` writes the model without its budgets.

    * Tools, structured output, ``bind``, ``with_config``, agents and graphs work as before.
    * ``with_retry`` does not try again what a budget refused; every try is a call of its own. A
      retry around a chain (``(prompt | model).with_retry()``) or in an agent's middleware does not know that, and
      waits and asks the gate again, which costs time and no money: put the retry on the model.
    * Tries that the client makes by itself after a timeout (``max_retries``) may each be billed, and are one call
      here: three requests were billed and one was counted in a test. Make that 0 and use ``with_retry``.
    * ``with_fallbacks`` goes on to the next model when a budget refuses one. A fallback that is added later
      is held to the budgets only if it is budgeted, too; those the given model has already are.
    * Of a ``ModelRouter`` or a ``Cascade`` all targets share one gate; its first target is the cheapest.
    * An answer that another model gave, or ``on_exceeded``, says so in
      ``response_metadata["lc_costkit"]["budget"]`` and is kept out of caches. Tools, tool choice and schema are put
      in the other provider's format; tools that a provider runs itself are left out there.

    Args:
        model: a chat model or a completion model, also with something bound, with retries or fallbacks, or
            a ``ModelRouter`` or a ``Cascade``. Not what ``init_chat_model(configurable_fields=...)`` returns, which makes a model
            anew for each call: budget what it is to choose from, with ``configurable_alternatives``.
        budgets: one or several ``Budget`` or ``RateLimit``.
        ledger: beside whose calls the accounts are kept. It records no calls by that: see ``CostCallbackHandler``.
        prices: how calls are priced; the public price list by default.
        cheapest: the model for calls that a budget sends to the cheapest one. It may be another provider's.

    Raises:
        ConfigurationError: ``model`` or ``cheapest`` is no model; budgets that contradict each other, or that
            want the cheapest model where there is none.
        StoreError: the ledger's store cannot be opened.

    >>> from langchain_core.language_models import FakeListChatModel
    >>> from lc_costkit.budget.budget import Budget
    >>> model = budgeted(FakeListChatModel(responses=["Yes.", "No."]), Budget(calls=1), Ledger())
    >>> model.invoke("Is it?").text
    'Yes.'
    >>> model.invoke("Is it not?")
    Traceback (most recent call last):
        ...
    lc_costkit.errors.BudgetExceeded: budget 'calls in total': 1 spent + 0 held + up to 1 for this call exceeds 1 calls; it never resets
    """  # noqa: E501
    if not isinstance(model, Runnable):
        raise ConfigurationError(f"budgeted needs a model, not {shown(model)}; pass the model object, not its name")
    found = cheapest if cheapest is not None else _first_target(model)
    if found is not None:
        bare_model(found)
    gate = Gate(budgets, ledger, prices=prices, can_degrade=found is not None)
    made: M = _guarded(model, BudgetGuard(gate, found))
    return made


def _guarded(model: Any, guard: BudgetGuard) -> Any:
    """Put a guard around every model in what is built around models."""
    if isinstance(model, (BaseChatModel, BaseLLM)):
        return wrapped(model, guard)
    if isinstance(model, ManyModels):
        return model.with_each_target(lambda target: _guarded(target, guard))
    if isinstance(model, RunnableRetry):
        return within_budget(model, bound=_guarded(model.bound, guard))
    if isinstance(model, RunnableBindingBase):
        return model.model_copy(update={"bound": _guarded(model.bound, guard)})
    if isinstance(model, RunnableWithFallbacks):
        fallbacks = [_guarded(one, guard) for one in model.fallbacks]
        return model.model_copy(update={"runnable": _guarded(model.runnable, guard), "fallbacks": fallbacks})
    if isinstance(model, RunnableConfigurableFields):
        return model.model_copy(update={"default": _guarded(model.default, guard)})
    if isinstance(model, RunnableConfigurableAlternatives):
        others = {name: _guarded_later(one, guard) for name, one in model.alternatives.items()}
        return model.model_copy(update={"default": _guarded(model.default, guard), "alternatives": others})
    raise ConfigurationError(
        f"budgeted needs a model, not a {type(model).__name__}; wrap the model before it is put into a chain "
        f"(prompt | budgeted(model, budgets, ledger)); what makes a model anew for each call cannot be held to anything"
    )


def _guarded_later(alternative: Any, guard: BudgetGuard) -> Any:
    if isinstance(alternative, Runnable) or not callable(alternative):
        return _guarded(alternative, guard)
    return lambda: _guarded(alternative(), guard)


def _first_target(model: Any) -> Any:
    while isinstance(model, RunnableBindingBase):
        model = model.bound
    if not isinstance(model, ManyModels):
        return None
    first = next(iter(model.targets.values()))
    try:
        bare_model(first)
    except ConfigurationError:
        return None  # a chain, which says nothing of where in it the model is
    return first
