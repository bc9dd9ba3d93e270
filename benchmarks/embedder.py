"""How well do embedders tell same questions from different ones, and what does a question cost?

    python benchmarks/embedder.py --data DATA

Columns: AUC on English question pairs (QQP) and Korean pairs; share of held-out
banking77 questions whose nearest of 10,003 others has the same intent; share of
rewordings whose original is the nearest (GPTCache's own set); 99th percentile of
the similarity of unrelated questions, English and German (a threshold has to stand
well above it); microseconds for one question asked alone; bytes on disk; seconds to load.
Beside the bundled embedder stands a plain baseline, hashed words and n-grams without
any learning, and, if ``sentence-transformers`` is installed, the teacher
all-MiniLM-L6-v2 (``--teacher FOLDER`` reads it from a folder).
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import time
import zlib
from collections.abc import Callable, Sequence
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from _data import data_dir, missing
from numpy.typing import NDArray

from lc_costkit.embedding import Embedder, as_embedder
from lc_costkit.embedding.bundled import BundledEmbedder
from lc_costkit.embedding.glossary import korean_glossary
from lc_costkit.embedding.hashed import HashedText
from lc_costkit.embedding.table import load_table


def auc(scores: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """Chance that a pair of same questions scores above a pair of different ones, ties counted half."""
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    positives = int(same.sum())
    return float((ranks[same].sum() - positives * (positives + 1) / 2) / (positives * (len(same) - positives)))


def hashed_words(texts: Sequence[str]) -> NDArray[np.float32]:
    """The baseline: words and character trigrams in 384 signed buckets."""
    made = np.zeros((len(texts), 384), np.float32)
    for row, text in enumerate(texts):
        for word in re.findall(r"\w+", text.lower()):
            marked = f"<{word}>"
            for feature in (marked, *(marked[place : place + 3] for place in range(len(marked) - 2))):
                number = zlib.crc32(feature.encode("utf-8", "replace"))
                made[row, (number >> 1) % 384] += 1 if number & 1 else -1
    return made


def fresh_bundled() -> Embedder:
    table, rarity = load_table()
    return BundledEmbedder(table, HashedText(rarity), korean_glossary())


def embedders(teacher: Path | None) -> dict[str, Callable[[], Embedder]]:
    """Those that can be loaded here, by name."""
    found: dict[str, Callable[[], Embedder]] = {
        "bundled": fresh_bundled,
        "hashed n-grams": lambda: as_embedder(hashed_words, dimensions=384, identity="hashed n-grams"),
    }
    if find_spec("sentence_transformers") is not None:

        def load() -> Embedder:
            from sentence_transformers import SentenceTransformer

            model = SentenceTransformer(str(teacher or "sentence-transformers/all-MiniLM-L6-v2"), device="cpu")
            return as_embedder(model, dimensions=384, identity="all-MiniLM-L6-v2")

        found["MiniLM (teacher)"] = load
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with cache/ and pruning/")
    parser.add_argument("--teacher", type=Path, help="folder of all-MiniLM-L6-v2")
    arguments = parser.parse_args()
    data = data_dir(arguments.data)
    if data is None:
        print(missing("cache/, pruning/"))
        return
    columns = ("QQP AUC", "Korean AUC", "banking77 1-NN", "GPTCache 1-NN", "en p99", "de p99", "us", "MB", "load s")
    print(f"{'':18}" + "".join(f"{column:>16}" for column in columns))
    for name, load in embedders(arguments.teacher).items():
        started = time.perf_counter()
        embedder = load()
        embedder.embed(["ready?"])
        loading = time.perf_counter() - started
        figures = (*_quality(embedder, data), _microseconds(embedder, data), _size(name), loading)
        print(f"{name:18}" + "".join(f"{figure:16.3f}" for figure in figures), flush=True)


def _quality(embedder: Embedder, data: Path) -> tuple[float, ...]:
    banking = [_rows(data / f"cache/banking77_{split}.jsonl.gz") for split in ("train", "test")]
    rewordings = _rows(data / "cache/gptcache_mock.jsonl.gz")
    return (
        _pair_auc(embedder, data / "cache/qqp_pairs.jsonl.gz"),
        _pair_auc(embedder, data / "cache/ko_pairs.jsonl.gz"),
        _nearest_share(embedder, *([(row["text"], row["intent"]) for row in rows] for rows in banking)),
        _nearest_share(
            embedder,
            [(row["origin"], row["origin"]) for row in rewordings],
            [(row["similar"], row["origin"]) for row in rewordings],
        ),
        _unrelated(embedder, data / "pruning/xquad10_en_300.jsonl.gz"),
        _unrelated(embedder, data / "pruning/xquad10_de_300.jsonl.gz"),
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _pair_auc(embedder: Embedder, path: Path) -> float:
    rows = _rows(path)
    first, second = (embedder.embed([row[side] for row in rows]) for side in ("a", "b"))
    similarity = np.einsum("nd,nd->n", first, second).astype(np.float64)
    return auc(similarity, np.array([bool(row["same"]) for row in rows]))


def _nearest_share(embedder: Embedder, known: Sequence[tuple[str, str]], asked: Sequence[tuple[str, str]]) -> float:
    store = embedder.embed([text for text, _ in known])
    nearest = (embedder.embed([text for text, _ in asked]) @ store.T).argmax(axis=1)
    return float(np.mean([known[place][1] == label for place, (_, label) in zip(nearest, asked, strict=True)]))


def _unrelated(embedder: Embedder, path: Path) -> float:
    # A question with one from another article: far enough apart in the file.
    questions = list(dict.fromkeys(row["question"] for row in _rows(path)))
    vectors = embedder.embed(questions)
    similarity = vectors @ vectors.T
    return float(np.percentile(similarity[np.triu_indices(len(questions), k=30)], 99))


def _microseconds(embedder: Embedder, data: Path) -> float:
    questions = [row["a"] for row in _rows(data / "cache/qqp_pairs.jsonl.gz")]
    sample = random.Random(1).sample(questions, 300)
    embedder.embed(sample[:50])
    took = []
    for question in sample[50:]:
        started = time.perf_counter()
        embedder.embed([question])
        took.append(time.perf_counter() - started)
    return float(np.median(took)) * 1e6


def _size(name: str) -> float:
    if name != "bundled":
        return float("nan")
    folder = Path(str(files("lc_costkit.embedding") / "data"))
    return sum(file.stat().st_size for file in folder.iterdir()) / 1e6


if __name__ == "__main__":
    main()
