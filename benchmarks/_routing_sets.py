"""Which prompts have outcomes of a cheap and of a strong model?"""

from __future__ import annotations

import gzip
import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

STRONG_OF_NINE = ("llama-3.3-nemotron-super-49b-v1", "llama-3.1-nemotron-51b-instruct")
WEAK_OF_NINE = ("qwen2.5-7b-instruct", "llama-3.1-8b-instruct", "gemma-2-9b-it", "mistral-7b-instruct-v0.3")
"""The pairing is ours: the means of the two largest chat models and of four small ones."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Prompts, their subject, and how well each model answered them, 0 to 1."""

    name: str
    prompts: list[str]
    subjects: NDArray[np.str_]
    weak: Numbers
    strong: Numbers

    @property
    def gains(self) -> Numbers:
        """What the strong model is better by."""
        return self.strong - self.weak

    def of(self, places: NDArray[np.int64], name: str = "") -> Outcomes:
        """Return some of them."""
        prompts = [self.prompts[place] for place in places]
        return Outcomes(name or self.name, prompts, self.subjects[places], self.weak[places], self.strong[places])


def gpt4_mixtral(folder: Path, benchmark: str) -> Outcomes:
    """Read ``mmlu`` or ``gsm8k``; prompts marked as contaminated are left out."""
    rows = [
        row
        for row in lines(folder / "gpt4_mixtral_eval.jsonl.gz")
        if row["benchmark"] == benchmark and row["contaminated"] == "0"
    ]
    return _outcomes(benchmark.upper(), rows, "prompt", "subject", "weak_correct", "strong_correct")


def nine_models(folder: Path) -> Outcomes:
    """Read fourteen tasks, answered by small and by large open models."""
    rows = [row for part in ("train", "test") for row in lines(folder / "nine_models" / f"dcrouter_{part}.jsonl.gz")]
    for row in rows:
        for name, models in (("strong", STRONG_OF_NINE), ("weak", WEAK_OF_NINE)):
            row[name] = statistics.mean(row["scores"].get(model, 0) for model in models)
    return _outcomes("fourteen tasks", rows, "question", "task_name", "weak", "strong")


def _outcomes(name: str, rows: Sequence[dict[str, Any]], prompt: str, subject: str, weak: str, strong: str) -> Outcomes:
    values = [np.array([float(row[key]) for row in rows]) for key in (weak, strong)]
    subjects = np.array([str(row.get(subject, "")) for row in rows])
    return Outcomes(name, [row[prompt] for row in rows], subjects, *values)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file."""
    with gzip.open(path, "rt", encoding="utf-8") as text:
        yield from map(json.loads, text)
