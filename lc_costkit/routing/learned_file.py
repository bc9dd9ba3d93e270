"""How is a learned policy kept in a file?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lc_costkit.routing.arrays_file import expect_shape, read_arrays, write_arrays
from lc_costkit.routing.features import BUCKETS, FEATURE_VERSION, SURFACE, Scaling
from lc_costkit.routing.learned_model import QualityModel
from lc_costkit.routing.link import Link
from lc_costkit.routing.quality import TargetQuality

VERSION = {"format": "lc_costkit.routing.Learned/1", "features": FEATURE_VERSION}


def save_model(path: Path, model: QualityModel, threshold: float) -> None:
    """Write a model and its threshold.

    Raises:
        OSError: the file cannot be written.
    """
    about = {
        **VERSION,
        "targets": list(model.targets),
        "labels": model.labels,
        "threshold": threshold,
        "fitted_threshold": model.threshold,
        "qualities": [asdict(one) for one in model.qualities],
    }
    arrays: dict[str, NDArray[Any]] = {
        "weights": model.weights.astype(np.float32),
        "intercepts": model.intercepts,
        "levels": np.array([link.level for link in model.links]),
        "heights": np.array([link.height for link in model.links]),
        "mean": model.scaling.mean,
        "deviation": model.scaling.deviation,
    }
    write_arrays(path, about, arrays)


def load_model(path: Path) -> tuple[QualityModel, float]:
    """Read a model and its threshold.

    Raises:
        ConfigurationError: the file is missing, damaged, not a learned policy, or of another version.
    """
    about, arrays = read_arrays(path, VERSION, ("weights", "intercepts", "levels", "heights", "mean", "deviation"))
    targets = tuple(map(str, about["targets"]))
    wide = (len(SURFACE),)
    model = QualityModel(
        targets=targets,
        scaling=Scaling(
            expect_shape(path, "mean", arrays["mean"], wide),
            expect_shape(path, "deviation", arrays["deviation"], wide),
        ),
        weights=expect_shape(path, "weights", arrays["weights"], (len(targets), BUCKETS + len(SURFACE))),
        intercepts=expect_shape(path, "intercepts", arrays["intercepts"], (len(targets),)),
        links=tuple(
            Link(float(level), float(height))
            for level, height in zip(
                expect_shape(path, "levels", arrays["levels"], (len(targets),)),
                expect_shape(path, "heights", arrays["heights"], (len(targets),)),
                strict=True,
            )
        ),
        threshold=float(about["fitted_threshold"]),
        qualities=tuple(TargetQuality(**one) for one in about["qualities"]),
        labels=int(about["labels"]),
    )
    return model, float(about["threshold"])
