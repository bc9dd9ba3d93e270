"""How is a learned policy kept in a file?

One ``.npz``: the arrays, and the rest as JSON text in an array of its own. It is read without pickle.
"""

from __future__ import annotations

import json
import os
import zipfile
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np

from lc_costkit.errors import ConfigurationError
from lc_costkit.routing.features import BUCKETS, FEATURE_VERSION, SURFACE, Scaling
from lc_costkit.routing.learned_model import QualityModel
from lc_costkit.routing.quality import TargetQuality

FORMAT = "lc_costkit.routing.Learned/1"


def save_model(path: Path, model: QualityModel, threshold: float) -> None:
    """Write a model beside ``path`` and move it there, so that no reader sees half of it.

    Raises:
        OSError: the file cannot be written.
    """
    about = {
        "format": FORMAT,
        "features": FEATURE_VERSION,
        "targets": list(model.targets),
        "labels": model.labels,
        "threshold": threshold,
        "fitted_threshold": model.threshold,
        "qualities": [asdict(one) for one in model.qualities],
    }
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            np.savez_compressed(
                file,
                about=np.array(json.dumps(about)),
                weights=model.weights.astype(np.float32),
                intercepts=model.intercepts,
                mean=model.scaling.mean,
                deviation=model.scaling.deviation,
            )
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            with suppress(OSError):
                os.unlink(file.name)  # noqa: PTH108
            raise
    os.replace(file.name, path)  # noqa: PTH105


def load_model(path: Path) -> tuple[QualityModel, float]:
    """Read a model and its threshold.

    Raises:
        ConfigurationError: the file is missing, damaged, not a learned policy, or of another version.
    """
    advice = "fit again and save, or name a file that Learned.save wrote"
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            about: dict[str, Any] = json.loads(str(arrays["about"]))
            kept = {name: np.asarray(arrays[name], dtype=np.float64) for name in _ARRAYS}
    except FileNotFoundError as error:
        raise ConfigurationError(f"there is no file {str(path)!r}; {advice}") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigurationError(f"{str(path)!r} is no learned policy ({type(error).__name__}); {advice}") from error
    version = (about.get("format"), about.get("features"))
    if version != (FORMAT, FEATURE_VERSION):
        raise ConfigurationError(f"{str(path)!r} has version {version!r}, not {(FORMAT, FEATURE_VERSION)!r}; {advice}")
    targets = tuple(map(str, about["targets"]))
    shapes = {
        "weights": (len(targets), BUCKETS + len(SURFACE)),
        "intercepts": (len(targets),),
        "mean": (len(SURFACE),),
        "deviation": (len(SURFACE),),
    }
    for name, shape in shapes.items():
        if kept[name].shape != shape or not np.isfinite(kept[name]).all():
            raise ConfigurationError(f"{str(path)!r} is damaged: {name} has shape {kept[name].shape}; {advice}")
    model = QualityModel(
        targets=targets,
        scaling=Scaling(kept["mean"], kept["deviation"]),
        weights=kept["weights"],
        intercepts=kept["intercepts"],
        threshold=float(about["fitted_threshold"]),
        qualities=tuple(TargetQuality(**one) for one in about["qualities"]),
        labels=int(about["labels"]),
    )
    return model, float(about["threshold"])


_ARRAYS = ("weights", "intercepts", "mean", "deviation")
