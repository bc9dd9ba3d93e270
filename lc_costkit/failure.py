"""Is a call that failed on the bill?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from lc_costkit.errors import BudgetExceeded

_NOT_SENT = ("ConnectTimeout", "PoolTimeout", "ConnectError", "ConnectionRefused", "gaierror", "RateLimiter")
"""Parts of type names: the request never reached the provider."""

_CUT = (
    "GeneratorExit",
    "Cancelled",
    "KeyboardInterrupt",
    "SystemExit",
    "Timeout",
    "RemoteProtocolError",
    "ReadError",
    "IncompleteRead",
    "ConnectionReset",
    "JSONDecodeError",
    "ResponseValidation",
    "AnswerLost",
)
"""Parts of type names: the request was sent, and how it went for the provider is not known."""

_DEPTH = 8


class AnswerLost(Exception):
    """A call was answered, but the answer was thrown away before anybody could read what it cost."""


def may_be_billed(error: BaseException) -> bool:
    """Tell whether a provider may charge for a call that ended in ``error`` before any answer came.

    A provider that answers with an error status does not charge; neither does one that was
    never reached. A timeout, a cancelled task, a closed stream, a connection that broke or
    an answer that cannot be parsed leave it open: the prompt may have been processed.

    >>> may_be_billed(TimeoutError()), may_be_billed(ConnectionRefusedError()), may_be_billed(ValueError())
    (True, False, False)
    """
    if isinstance(error, BudgetExceeded):
        return False  # raised before the call, perhaps while another one's timeout was being handled
    # Behind an error status there may be another call, after whose failure this one was made.
    names = [type(cause).__name__ for cause in takewhile(lambda cause: _status(cause) is None, _causes(error))]
    if any(part in name for name in names for part in _NOT_SENT):
        return False
    return any(part in name for name in names for part in _CUT)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    for _ in range(_DEPTH):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _status(error: BaseException) -> int | None:
    """Return the HTTP status of an error answer, as the clients of openai, anthropic, httpx and boto keep it."""
    status = getattr(error, "status_code", None)
    if status is None:
        response = getattr(error, "response", None)
        status = getattr(response, "status_code", None)
        if status is None and isinstance(response, dict):
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status if isinstance(status, int) and status >= 400 else None
