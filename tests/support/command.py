"""Runs the ``costkit`` command as a user's shell would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def run_command(
    *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, typed: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m lc_costkit``, with ``typed`` piped into it, and return what it printed."""
    return subprocess.run(
        [sys.executable, "-m", "lc_costkit", *arguments],
        cwd=cwd,
        env=os.environ | {"COLUMNS": "200", "NO_COLOR": "1"} | dict(env or {}),
        capture_output=True,
        input=typed,
        text=True,
        timeout=300,
    )
