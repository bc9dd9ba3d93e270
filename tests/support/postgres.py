"""How does a test get a PostgreSQL server, also on a busy machine?"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

PATIENCE_SECONDS = 120.0
"""pgserver gives a server ten seconds to start, and then trips over the log that is not there yet."""


def start_postgres(folder: Path, *, cleanup_mode: str = "delete") -> Any:
    """Start a server that keeps its data in ``folder``; skips the test where there is no ``pgserver``."""
    pgserver = pytest.importorskip("pgserver", reason="pgserver has no wheel for this Python")
    from pgserver import postgres_server

    pg_ctl = postgres_server.pg_ctl

    def patient(*arguments: Any, **options: Any) -> Any:
        return pg_ctl(*arguments, **{**options, "timeout": PATIENCE_SECONDS})

    with warnings.catch_warnings(), mock.patch.object(postgres_server, "pg_ctl", patient):
        warnings.simplefilter("ignore")  # the server's own, about where it keeps its socket
        return pgserver.get_server(folder, cleanup_mode=cleanup_mode)
