"""How much context can go, and does the answer stay?

    python benchmarks/pruning.py --data DATA

Each question comes with its documents; a method keeps a share of their tokens (o200k,
``page_content`` only). Columns: percentage of questions whose answer still stands in what
is kept of the gold document, with 95 % Wilson intervals, at 10, 20, 30 and 50 % of the
tokens; median milliseconds for one question (splitting, scoring, counting, selecting), on
one thread. HotpotQA: percentage of questions of which *every* supporting sentence is kept,
and in brackets the percentage of supporting sentences.

Beside the default stand textbook BM25 over the same sentences, the bundled embedder alone and
mixed in, and whole documents by BM25 at the same number of tokens: documents are taken in
the order of their score while they fit. If ``langchain-classic`` and ``langchain-community``
are installed, their ``EmbeddingsFilter`` runs with the bundled embedder at a few thresholds,
with the share of tokens it keeps and how often nothing is left.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import random
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from _data import data_dir, missing
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

from lc_costkit.embedding import bundled_embedder
from lc_costkit.intervals import wilson
from lc_costkit.pruning import (
    BlendedScorer,
    EmbeddingScorer,
    LexicalScorer,
    Passage,
    Pruner,
    Scorer,
    Sentence,
    Span,
)
from lc_costkit.tokens import TokenCounter

SHARES = (0.1, 0.2, 0.3, 0.5)
FILES = ("nq_20docs.jsonl.gz", "xquad10_en_300.jsonl.gz", "xquad10_de_300.jsonl.gz", "xquad10_zh_300.jsonl.gz")
HOTPOT = "hotpotqa_train100.json.gz"
COUNTER = TokenCounter("gpt-4o")

Kept = dict[int, Sequence[Span]]
Method = Callable[["Case", float], Kept]


@dataclass(frozen=True)
class Case:
    """A question with its passages and what must stay of them.

    ``answers``: texts of which one must stay in ``gold``; ``facts``: pieces that must all stay.
    """

    question: str
    passages: tuple[Passage, ...]
    gold: frozenset[int] = frozenset()
    answers: tuple[str, ...] = ()
    facts: tuple[tuple[int, Span], ...] = ()


def read_cases(folder: Path) -> Iterator[tuple[str, list[Case]]]:
    for file in FILES:
        with gzip.open(folder / file, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        groups: dict[str, list[Case]] = {}
        for row in rows:
            name = f"NQ {row['distractors']}" if "distractors" in row else f"XQuAD {row['lang']}"
            passages = tuple(Passage(doc["text"], doc["title"].replace("_", " ")) for doc in row["docs"])
            gold = frozenset(i for i, doc in enumerate(row["docs"]) if doc["isgold"])
            groups.setdefault(name, []).append(Case(row["question"], passages, gold, tuple(row["answers"])))
        yield from groups.items()
    with gzip.open(folder / HOTPOT, "rt", encoding="utf-8") as stream:
        yield "HotpotQA", [hotpot_case(row) for row in json.load(stream)]


def hotpot_case(row: dict[str, Any]) -> Case:
    wanted = {(title, number) for title, number in row["supporting_facts"]}
    passages, facts = [], []
    for index, (title, sentences) in enumerate(row["context"]):
        start = 0
        for number, sentence in enumerate(sentences):
            if (title, number) in wanted and sentence.strip():
                lead = len(sentence) - len(sentence.lstrip())
                facts.append((index, Span(start + lead, start + len(sentence.rstrip()))))
            start += len(sentence)
        passages.append(Passage("".join(sentences), title))
    return Case(row["question"], tuple(passages), facts=tuple(facts))


def share_kept(case: Case, kept: Kept) -> float:
    """Return 1 if the answer is kept, else 0; for supporting facts, the share of them that is."""
    if case.facts:
        found = sum(any(s.start <= fact.start and fact.end <= s.end for s in kept.get(i, ())) for i, fact in case.facts)
        return found / len(case.facts)
    texts = [" … ".join(s.of(case.passages[i].text) for s in kept.get(i, ())).lower() for i in case.gold]
    return float(any(answer.lower() in text for answer in case.answers for text in texts))


def sentences_by(scorer: Scorer | None) -> Method:
    def method(case: Case, share: float) -> Kept:
        result = Pruner(keep=share, scorer=scorer, counter=COUNTER).prune(case.passages, case.question)
        assert result.applied, result
        return {passage.index: passage.spans for passage in result.passages}

    return method


def whole_documents(case: Case, share: float) -> Kept:
    plain = LexicalScorer(length_normalisation=0.75, passage_weight=0, answer_weight=0)
    scores = plain(
        case.question, [Sentence(text=p.text, title=p.title, passage=i) for i, p in enumerate(case.passages)]
    )
    costs = [COUNTER.count(passage.text) for passage in case.passages]
    left, kept = int(share * sum(costs)), {}
    for index in np.argsort(-scores, kind="stable").tolist():
        if costs[index] <= left:
            left -= costs[index]
            kept[index] = [Span(0, len(case.passages[index].text))]
    return kept


def textbook_bm25(question: str, sentences: Sequence[Sentence]) -> list[float]:
    """BM25 as it is usually written: lower-case words, titles included, no stemming, no function words taken out."""
    bags = [Counter(re.findall(r"\w+", s.titled.lower())) for s in sentences]
    mean = sum(bag.total() for bag in bags) / len(bags)
    scores = [0.0] * len(bags)
    for word in set(re.findall(r"\w+", question.lower())):
        holding = sum(word in bag for bag in bags)
        idf = math.log(1 + (len(bags) - holding + 0.5) / (holding + 0.5))
        for i, bag in enumerate(bags):
            scores[i] += idf * bag[word] * 2.2 / (bag[word] + 1.2 * (0.25 + 0.75 * bag.total() / mean))
    return scores


METHODS: dict[str, Method] = {
    "lc_costkit (default)": sentences_by(None),
    "textbook sentence BM25": sentences_by(textbook_bm25),
    "bundled embedder": sentences_by(EmbeddingScorer(bundled_embedder())),
    "default + bundled embedder": sentences_by(
        BlendedScorer([(LexicalScorer(), 1.0), (EmbeddingScorer(bundled_embedder()), 1.0)])
    ),
    "whole documents, BM25": whole_documents,
}


def report(name: str, cases: Sequence[Case]) -> None:
    print(f"\n{name}, {len(cases)} questions")
    print(f"{'':28}" + "".join(f"{share:>19.0%}" for share in SHARES) + f"{'ms':>8}")
    for label, method in METHODS.items():
        cells, times = [], []
        for share in SHARES:
            found = []
            for case in cases:
                started = time.perf_counter()
                kept = method(case, share)
                times.append(time.perf_counter() - started)
                found.append(share_kept(case, kept))
            whole = sum(value == 1 for value in found)
            low, high = wilson(whole, len(found))
            facts = f" ({statistics.mean(found):.0%})" if cases[0].facts else ""
            cells.append(f"{whole / len(found):6.1%} {low * 100:3.0f}-{high * 100:.0f}{facts}")
        print(f"{label:28}" + "".join(f"{cell:>19}" for cell in cells) + f"{statistics.median(times) * 1e3:8.1f}")


class Bundled(Embeddings):
    """The bundled embedder as LangChain embeddings."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return bundled_embedder().embed(texts).tolist()

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def report_embeddings_filter(name: str, cases: Sequence[Case]) -> None:
    from langchain_classic.retrievers.document_compressors import EmbeddingsFilter

    print(f"\nLangChain EmbeddingsFilter with the bundled embedder, {name}")
    for threshold in (0.76, 0.8, 0.84, 0.88, 0.92):
        compressor = EmbeddingsFilter(embeddings=Bundled(), similarity_threshold=threshold, k=None)
        found, shares, empty = [], [], 0
        for case in cases:
            documents = [Document(p.text, metadata={"index": i}) for i, p in enumerate(case.passages)]
            left = compressor.compress_documents(documents, case.question)
            kept: Kept = {d.metadata["index"]: [Span(0, len(d.page_content))] for d in left}
            total = sum(COUNTER.count(p.text) for p in case.passages)
            shares.append(sum(COUNTER.count(d.page_content) for d in left) / total)
            found.append(share_kept(case, kept))
            empty += not left
        print(
            f"  threshold {threshold:.2f}: answer kept {statistics.mean(found):6.1%} at {statistics.mean(shares):4.0%} "
            f"of the tokens, nothing left in {empty / len(cases):4.0%}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of the measurement data")
    parser.add_argument("--questions", type=int, help="at most so many questions of each set, drawn at random")
    options = parser.parse_args()
    folder = data_dir(options.data)
    if folder is None or not (folder / "pruning").is_dir():
        print(missing("pruning"))
        return
    for name, cases in read_cases(folder / "pruning"):
        if options.questions is not None and options.questions < len(cases):
            cases = random.Random(0).sample(cases, options.questions)
        report(name, cases)
        if name.startswith("NQ") and all(map(find_spec, ("langchain_classic", "langchain_community"))):
            report_embeddings_filter(name, cases)


if __name__ == "__main__":
    main()
