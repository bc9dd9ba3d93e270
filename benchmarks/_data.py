"""Where is the measurement data?"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "LC_COSTKIT_DATA"


def data_dir(argument: str | Path | None = None) -> Path | None:
    """Return the folder of ``--data``, of ``LC_COSTKIT_DATA``, or ``../shared/data`` beside the repository.

    ``None`` if the folder is not there.
    """
    named = argument or os.environ.get(VARIABLE)
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    return folder if folder.is_dir() else None


def missing(part: str) -> str:
    """Return what to tell the user when ``part`` of the data is absent."""
    return f"skipped: no measurement data ({part}); give its folder with --data or {VARIABLE}"
