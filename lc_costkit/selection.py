"""Which calls of a ledger are meant?"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, or_

from lc_costkit.errors import ConfigurationError
from lc_costkit.rows import CALLS, instant_text

_LANGCHAIN_ID = re.compile(r"(?:lc_)?run--?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:-\d+)?")
"""A message's ``id`` as LangChain makes it of a run's (``lc_run--``; ``run--`` and ``run-`` before version 1)."""


def call_id_of(name: str) -> str:
    """Return the id of the call that gave an answer, of that id or of the ``id`` of LangChain's message.

    >>> call_id_of("lc_run--019a3f6e-9d0c-7e11-8f44-5f1a0c1d2e3f-0")
    '019a3f6e-9d0c-7e11-8f44-5f1a0c1d2e3f'
    """
    found = _LANGCHAIN_ID.fullmatch(name) if isinstance(name, str) else None
    return name if found is None else found[1]


_FILTERS: dict[str, Callable[[str], ColumnElement[bool]]] = {
    "call_id": lambda value: CALLS.c.call_id == call_id_of(value),
    "trace_id": lambda value: CALLS.c.trace_id == value,
    "model": lambda value: or_(CALLS.c.model_answered == value, CALLS.c.model_asked == value),
    "provider": lambda value: CALLS.c.provider == value,
    "feature": lambda value: CALLS.c.feature == value,
    "user": lambda value: CALLS.c.user_id == value,
    "team": lambda value: CALLS.c.team == value,
    "route": lambda value: CALLS.c.route == value,
    "cache": lambda value: CALLS.c.cache == value,
    "framework": lambda value: CALLS.c.framework == value,
    "operation": lambda value: CALLS.c.operation == value,
    "error": lambda value: CALLS.c.error == value,
}


def narrowed(
    query: Select[Any], since: datetime | date | None, until: datetime | date | None, equal: Mapping[str, str]
) -> Select[Any]:
    """Narrow a query over calls; ``tag`` is left to ``has_tag``, since tags are stored as JSON.

    Args:
        query: over ``CALLS``.
        since: the earliest start (aware, or a UTC date).
        until: the first moment not included.
        equal: filters by name.

    Raises:
        ConfigurationError: an unknown filter, or a time without a zone.
    """
    if since is not None:
        query = query.where(CALLS.c.started_at >= instant_text(instant("since", since)))
    if until is not None:
        query = query.where(CALLS.c.started_at < instant_text(instant("until", until)))
    for name, value in equal.items():
        if name == "tag":
            continue
        if name not in _FILTERS:
            raise ConfigurationError(
                f"cannot filter calls by {name!r}; use since, until, tag, {', '.join(sorted(_FILTERS))}"
            )
        query = query.where(_FILTERS[name](value))
    return query


def has_tag(row: Mapping[str, Any], tag: str | None) -> bool:
    """Tell whether a row of the ledger is of a call with this tag; ``None`` is any call.

    Raises:
        ValueError: the row does not hold tags.
    """
    return tag is None or tag in json.loads(row["tags"] or "[]")


def instant(name: str, moment: datetime | date) -> datetime:
    """Return an aware time for what somebody gave as a bound; a date begins at midnight, UTC.

    Raises:
        ConfigurationError: a time without a zone, or something else.
    """
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise ConfigurationError(f"{name} needs a time zone: {moment!r}; use datetime(..., tzinfo=UTC)")
        return moment
    if isinstance(moment, date):
        return datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    raise ConfigurationError(f"{name} must be a datetime with a time zone or a date, not {moment!r}")
