"""How are arrays, and what they mean, kept in one file?

One ``.npz``: the arrays, and the rest as JSON text in an array of its own. It is read without pickle.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lc_costkit.errors import ConfigurationError

ADVICE = "fit again and save, or name a file that save wrote"


def write_arrays(path: Path, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write beside ``path`` and move it there, so that no reader sees half of it.

    Raises:
        OSError: the file cannot be written.
    """
    named: dict[str, Any] = {"about": np.array(json.dumps(about)), **arrays}
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            np.savez_compressed(file, **named)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            with suppress(OSError):
                os.unlink(file.name)  # noqa: PTH108
            raise
    os.replace(file.name, path)  # noqa: PTH105


def read_arrays(
    path: Path, version: Mapping[str, object], names: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
    """Return what was written.

    Args:
        path: of the file.
        version: entries of ``about`` that must be as given.
        names: of the arrays.

    Raises:
        ConfigurationError: the file is missing, damaged, of another kind or of another version.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            about: dict[str, Any] = json.loads(str(kept["about"]))
            arrays = {name: np.asarray(kept[name], dtype=np.float64) for name in names}
    except FileNotFoundError as error:
        raise ConfigurationError(f"there is no file {str(path)!r}; {ADVICE}") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigurationError(f"{str(path)!r} is not such a file ({type(error).__name__}); {ADVICE}") from error
    found = {name: about.get(name) for name in version}
    if found != dict(version):
        raise ConfigurationError(f"{str(path)!r} has version {found!r}, not {dict(version)!r}; {ADVICE}")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ConfigurationError(f"{str(path)!r} is damaged: {name} is not finite; {ADVICE}")
    return about, arrays


def expect_shape(path: Path, name: str, array: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return an array of the right shape.

    Raises:
        ConfigurationError: it has another.
    """
    if array.shape != shape:
        raise ConfigurationError(f"{str(path)!r} is damaged: {name} has shape {array.shape}, not {shape}; {ADVICE}")
    return array
