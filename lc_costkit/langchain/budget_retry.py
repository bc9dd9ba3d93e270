"""What is tried again when a model is held to budgets?"""

from __future__ import annotations

from typing import Any

from langchain_core.runnables.retry import RunnableRetry
from tenacity import retry_if_exception_type, retry_if_not_exception_type

from lc_costkit.errors import BudgetExceeded


class RetryWithinBudget(RunnableRetry[Any, Any]):
    """Tries again what another try can mend; a budget that is spent is none of it."""

    @property
    def _kwargs_retrying(self) -> dict[str, Any]:
        options: dict[str, Any] = super()._kwargs_retrying
        wanted = options.get("retry") or retry_if_exception_type()
        return {**options, "retry": wanted & retry_if_not_exception_type(BudgetExceeded)}


def within_budget(retry: RunnableRetry[Any, Any], **changed: Any) -> RunnableRetry[Any, Any]:
    """Return the same retry, of which a refusal by a budget is the end.

    Args:
        retry: as ``with_retry`` made it.
        changed: fields to change.
    """
    fields = {name: getattr(retry, name) for name in type(retry).model_fields}
    return RetryWithinBudget(**{**fields, **changed})
