"""Which questions are the caches measured on?

Two kinds of sets: pairs (a stored question, a new one, whether the stored answer is right for it) and
labelled questions (a text and its intent), of which stores and streams are made. Large sets are sampled
with one fixed seed.
"""

from __future__ import annotations

import gzip
import json
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lc_costkit.cache.text import normalise

SEED = 7
PAIRS_FOLDER = Path(__file__).resolve().parent / "pairs"
ENDINGS = (".jsonl", ".jsonl.gz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A stored and a new question, and whether the stored answer is right for the new one."""

    cached: str
    new: str
    same: bool
    language: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question and what it asks for."""

    text: str
    intent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A question, its answer, and a question that follows from them."""

    main: str
    answer: str
    follow_up: str


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Read a file of JSON lines, packed or not."""
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text("utf-8")
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def traps(folder: Path) -> list[Pair]:
    """Return the trap suite: 27 rewordings and 67 traps of one bank."""
    return [
        Pair(cached=row["cached_query"], new=row["query"], same=row["should_hit"], kind=row["category"].lower())
        for row in rows_of(folder / "banking_traps_94.jsonl")
    ]


def labelled_pairs(path: Path, limit: int) -> list[Pair]:
    """Return a sample of a file of ``{a, b, same}``."""
    pairs = [Pair(cached=row["a"], new=row["b"], same=row["same"]) for row in rows_of(path)]
    return random.Random(SEED).sample(pairs, min(limit, len(pairs)))


def slot_swaps(path: Path, limit: int) -> list[Pair]:
    """Put another value of the same slot into each sentence: what was said is another thing then."""
    chance = random.Random(SEED)
    rows = [row for row in rows_of(path) if row.get("slots")]
    values: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        for slot, said in row["slots"].items():
            values[slot].append(said["text"])
    pairs = []
    for row in rows:
        for slot, said in row["slots"].items():
            start, end = said["span"]
            other = chance.choice(values[slot])
            if row["text"][start:end] != said["text"] or _letters(other) == _letters(said["text"]):
                continue
            swapped = row["text"][:start] + other + row["text"][end:]
            pairs.append(Pair(cached=row["text"], new=swapped, same=False, kind=slot))
    chance.shuffle(pairs)
    return pairs[:limit]


def _letters(text: str) -> str:
    return "".join(sign for sign in text.lower() if sign.isalnum())


def written_pairs(paths: Sequence[Path]) -> dict[str, list[Pair]]:
    """Read files of hand-written pairs, ``{domain, lang, cached, query, same, kind}`` a line, by file name.

    A folder stands for the files in it; more than one file are also there together, as ``all``.

    Raises:
        SystemExit: a file that was named is not there, or is no file of JSON lines.
    """
    files = []
    for path in paths:
        if path.is_dir():
            files.extend(file for file in sorted(path.iterdir()) if file.name.endswith(ENDINGS))
        elif path.is_file() and path.name.endswith(ENDINGS):
            files.append(path)
        elif path != PAIRS_FOLDER:
            raise SystemExit(f"no file of pairs: {path}; it must exist and end in {' or '.join(ENDINGS)}")
    found = {file.name.partition(".")[0]: [_written(row) for row in rows_of(file)] for file in files}
    if len(found) > 1:
        found["all"] = [pair for pairs in found.values() for pair in pairs]
    return found


def _written(row: dict[str, Any]) -> Pair:
    return Pair(
        cached=row["cached"],
        new=row["query"],
        same=row["same"],
        language=row.get("lang", ""),
        kind=row.get("kind", ""),
    )


def banking(folder: Path) -> list[Asked]:
    """Return the questions of banking77, each text once."""
    rows = [row for split in ("train", "test") for row in rows_of(folder / f"banking77_{split}.jsonl.gz")]
    return _distinct([Asked(text=row["text"].strip(), intent=row["intent"]) for row in rows])


def clinc(folder: Path) -> list[Asked]:
    """Return the questions of CLINC150, each text once. Those out of scope have an intent of their own each."""
    rows = rows_of(folder / "clinc150.jsonl.gz")
    return _distinct(
        [
            Asked(text=row["text"].strip(), intent=f"oos {number}" if row["intent"] == "oos" else row["intent"])
            for number, row in enumerate(rows)
        ]
    )


def _distinct(asked: Sequence[Asked]) -> list[Asked]:
    # As the exact tier sees them: "How do I ...?" and "how do I ..." are one text to it.
    found: dict[str, Asked] = {}
    for each in asked:
        found.setdefault(normalise(each.text).lower(), each)
    return list(found.values())


def dense_store(asked: Sequence[Asked], *, stored: int, new: int) -> tuple[list[Asked], list[Asked]]:
    """Draw questions to store and other ones to ask."""
    drawn = random.Random(SEED).sample(list(asked), min(stored + new, len(asked)))
    return drawn[:stored], drawn[stored:]


def sparse_store(asked: Sequence[Asked], *, stored: int, new: int) -> tuple[list[Asked], list[Asked]]:
    """Draw one question to store of each of ``stored`` intents, and questions of every intent to ask."""
    chance = random.Random(SEED)
    drawn = chance.sample(list(asked), len(asked))
    kept: dict[str, Asked] = {}
    for each in drawn:
        if len(kept) == stored:
            break
        kept.setdefault(each.intent, each)
    there = set(kept.values())
    return list(kept.values()), [each for each in drawn if each not in there][:new]


def stream(asked: Sequence[Asked], *, questions: int, requests: int, number: int = 0) -> list[Asked]:
    """Draw requests with repeats as people make them: how often each question comes goes with one over its rank.

    Args:
        asked: where questions are drawn from.
        questions: how many of them come at all.
        requests: how many requests to draw.
        number: of the stream; each has its own questions and ranks.
    """
    chance = random.Random(SEED + number)
    known = chance.sample(list(asked), min(questions, len(asked)))
    return chance.choices(known, [1 / rank for rank in range(1, len(known) + 1)], k=requests)


def mock(folder: Path) -> list[Pair]:
    """Return GPTCache's own set: 999 sentences and a rewording of each."""
    rows = rows_of(folder / "gptcache_mock.jsonl.gz")
    return [Pair(cached=row["origin"], new=row["similar"], same=True) for row in rows]


def conversations(folder: Path) -> list[Conversation]:
    """Return the conversations of MeanCache."""
    rows = json.loads((folder / "multi_turn_128.json").read_text("utf-8"))
    return [
        Conversation(main=row["Main Query"], answer=row["Main Query Response"], follow_up=row["Follow-Up Query"])
        for row in rows
    ]
