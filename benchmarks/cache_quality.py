"""How often does the cache serve a right answer, and how often a wrong one?

    python benchmarks/cache_quality.py --data DATA [--sets ...] [--limit 4000] [--pairs FILE ...] [--plot FILE.png]

Sets of pairs (stored question, new question, may be served): the trap suite of one bank, question pairs
(QQP), sentences with another value in a slot (NLU++), Korean pairs, and hand-written pairs (benchmarks/pairs,
or ``--pairs``), each pair judged alone; exact repeats are another tier and left out. Whole stores, nearest
entry: GPTCache's own set; 1,500 stored support questions and 1,200 others; 10 and 40 stored ones, when most of what
is asked is not there; a stream of support questions with Zipf repeats; and conversations. Beside the two policies
stand a bare cosine, which is what other caches do; all-MiniLM-L6-v2 in place of the bundled embedder and GPTCache
itself run where they are installed.

Intervals are Wilson's, 95 %. "right at 1 / 2 / 5 % false" is the curve: most right answers with at most that share
of the pairs that must miss served, over every threshold; that threshold is
chosen on the same pairs, so it says how well a score ranks, not what a threshold will keep.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import _cache_report as report
import _cache_sets as sets
from _cache_counts import Decision
from _cache_matchers import Matcher, by_cosine, by_policy, key_of, semantic_pairs
from _cache_sets import Asked, Pair
from _cache_stores import CosineStore, MultiTurn, PolicyStore, Rival, multi_turn, nearest_entry, one_store, run_streams
from _data import data_dir, missing
from _gptcache import INSTALL as INSTALL_GPTCACHE
from _gptcache import THRESHOLDS, Folders, GPTCacheStore, by_gptcache, gptcache_is_there, gptcache_multi_turn
from _minilm import INSTALL as INSTALL_MINILM
from _minilm import MiniLM, find_minilm

from lc_costkit.cache.accept import Acceptor
from lc_costkit.cache.admit import DEFAULT_ADMISSION, admit
from lc_costkit.cache.courtesy import core_of
from lc_costkit.cache.gates import prepare, run_gates
from lc_costkit.cache.policy import BALANCED, STRICT
from lc_costkit.embedding import Embedder
from lc_costkit.embedding.bundled import bundled_embedder

BUNDLED = "bundled"
BARE = 0.85
BARE_STORE = (0.85, 0.95)
POLICY_THRESHOLDS = (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
COSINE_THRESHOLDS = (0.7, 0.8, 0.85, 0.9, 0.95)
DENSE_STORED, SPARSE_STORED, NEW = 1_500, (10, 40), 1_200
STREAMS, STREAM_QUESTIONS, STREAM_REQUESTS = 4, 2_000, 1_500
GPTCACHE_CONVERSATIONS = 40
"""Its lookups take milliseconds, and conversations are asked in pairs."""


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    data = data_dir(arguments.data)
    if data is None or not (data / "cache").is_dir():
        print(missing("cache/"))
        return
    run = Run(
        folder=data / "cache",
        limit=arguments.limit,
        systems=systems_of(arguments.minilm, arguments.keep),
        show_errors=arguments.show_errors,
    )
    sections = sections_of(run, arguments.pairs or [sets.PAIRS_FOLDER])
    wanted = arguments.sets or list(sections)
    unknown = [name for name in wanted if not any(name in (each, each.partition(":")[0]) for each in sections)]
    if unknown:
        raise SystemExit(f"no such sets: {', '.join(unknown)}; there are {', '.join(sections)}")
    for name, section in sections.items():
        if name in wanted or name.partition(":")[0] in wanted:
            started = time.perf_counter()
            section()
            run.systems.save()
            print(f"({time.perf_counter() - started:.1f} s)", flush=True)
    if arguments.plot is not None:
        report.draw(run.curves, arguments.plot)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--limit", type=int, default=4_000, help="pairs of each large set")
    parser.add_argument("--pairs", type=Path, nargs="+", help="files or folders of pairs; benchmarks/pairs by default")
    parser.add_argument("--sets", nargs="+", help="names of sets, as they are printed; all by default")
    parser.add_argument("--show-errors", action="store_true", help="print what strict and balanced decided wrongly")
    parser.add_argument("--minilm", type=Path, help="folder of all-MiniLM-L6-v2; the installed package by default")
    parser.add_argument(
        "--keep",
        type=Path,
        default=Path(tempfile.gettempdir()) / "lc_costkit_benchmarks",
        help="folder in which MiniLM's vectors are kept between runs",
    )
    parser.add_argument("--plot", type=Path, help="draw the curves into this file")
    return parser.parse_args()


@dataclass(frozen=True, slots=True, kw_only=True)
class Systems:
    """What is measured.

    Attributes:
        embedders: by name.
        folders: where GPTCache may write; ``None`` where it is not installed.
    """

    embedders: Mapping[str, Embedder]
    folders: Folders | None

    def read(self, texts: Iterable[str]) -> None:
        """Make the vectors of MiniLM in one go, which is faster than one by one."""
        wanted = [each for text in texts for each in (text, core_of(text))]
        for embedder in self.embedders.values():
            if isinstance(embedder, MiniLM):
                embedder.embed(wanted)

    def save(self) -> None:
        """Keep vectors that took long to make."""
        for embedder in self.embedders.values():
            if isinstance(embedder, MiniLM):
                embedder.save()


def systems_of(minilm: Path | None, keep: Path) -> Systems:
    """Return what can run here, and say what cannot."""
    embedders: dict[str, Embedder] = {BUNDLED: bundled_embedder()}
    model = find_minilm(minilm)
    if model is None:
        print(f"MiniLM skipped: {INSTALL_MINILM}")
    else:
        embedders["MiniLM"] = MiniLM(model, keep / "minilm.npz")
    there = gptcache_is_there()
    if not there:
        print(f"GPTCache skipped: {INSTALL_GPTCACHE}")
    return Systems(embedders=embedders, folders=Folders() if there else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run is about.

    Attributes:
        folder: holds the data.
        limit: pairs of each large set.
        systems: what is measured.
        show_errors: print what was decided wrongly.
        curves: what was decided about pairs, by set and matcher; filled on the way.
    """

    folder: Path
    limit: int
    systems: Systems
    show_errors: bool
    curves: dict[str, dict[str, list[Decision]]] = field(default_factory=dict)


def sections_of(run: Run, pair_files: Sequence[Path]) -> dict[str, Callable[[], None]]:
    """Return what can be measured, by name, in order."""
    folder, limit = run.folder, run.limit
    questions = partial(sets.labelled_pairs, folder / "qqp_pairs.jsonl.gz", limit)
    sections: dict[str, Callable[[], None]] = {
        "traps": partial(pair_section, run, "traps", partial(sets.traps, folder), store=True),
        "questions": partial(pair_section, run, "questions", questions),
        "slots": partial(
            pair_section, run, "slots", partial(sets.slot_swaps, folder / "nlupp_banking.jsonl.gz", limit)
        ),
        "korean": partial(
            pair_section, run, "korean", partial(sets.labelled_pairs, folder / "ko_pairs.jsonl.gz", limit)
        ),
    }
    for name, pairs in sets.written_pairs(pair_files).items():
        sections[f"pairs:{name}"] = partial(pair_section, run, f"pairs:{name}", partial(list, pairs), store=True)
    sections["mock"] = partial(mock_section, run)
    for name, read in (("banking77", sets.banking), ("clinc", sets.clinc)):
        dense = partial(sets.dense_store, stored=DENSE_STORED, new=NEW)
        sections[f"dense:{name}"] = partial(store_section, run, f"dense:{name}", partial(read, folder), dense)
        for stored in SPARSE_STORED:
            sparse = partial(sets.sparse_store, stored=stored, new=NEW)
            sections[f"sparse-{stored}:{name}"] = partial(
                store_section, run, f"sparse-{stored}:{name}", partial(read, folder), sparse
            )
        sections[f"stream:{name}"] = partial(stream_section, run, name, partial(read, folder))
    sections["multi-turn"] = partial(multi_turn_section, run)
    sections["cost"] = lambda: decision_cost(questions()[:1_000])
    return sections


def pair_section(run: Run, name: str, load: Callable[[], list[Pair]], *, store: bool = False) -> None:
    """Judge pairs, each alone, and where asked also with all stored questions in one store."""
    given = load()
    pairs, exact = semantic_pairs(given)
    matchers = matchers_of(run.systems)
    judged = {matcher.name: matcher.decide(pairs) for matcher in matchers}
    report.show_pairs(name, pairs, exact, matchers, judged)
    if store:
        report.show_one_store({rival.name: one_store(rival.open(), given) for rival in rivals_of(run.systems)})
    if run.show_errors:
        for matcher in matchers[:2]:
            print(f"  {matcher.name} decided wrongly:")
            report.show_errors(pairs, judged[matcher.name])
    run.curves[name] = {matcher.name: judged[matcher.name] for matcher in matchers if matcher.ranks_as is None}


def mock_section(run: Run) -> None:
    """Ask for the originals of GPTCache's own set."""
    pairs = sets.mock(run.folder)
    run.systems.read(text for pair in pairs for text in (pair.cached, pair.new))
    stored, asked = [(pair.cached, pair.cached) for pair in pairs], [(pair.new, pair.cached) for pair in pairs]
    report.show_mock({rival.name: nearest_entry(rival.open(), stored, asked) for rival in rivals_of(run.systems)})


def store_section(
    run: Run,
    name: str,
    read: Callable[[], list[Asked]],
    draw: Callable[[list[Asked]], tuple[list[Asked], list[Asked]]],
) -> None:
    """Ask a store that holds many questions of the same kind, or few of them while others are asked, too."""
    stored, new = draw(read())
    run.systems.read(each.text for each in (*stored, *new))
    keys = [key_of(each.text) for each in new]
    there, asked = [(each.text, each.intent) for each in stored], [(each.text, each.intent) for each in new]
    rivals = rivals_of(run.systems)
    report.show_store(
        name,
        stored=len(stored),
        asked=len(new),
        matched=sum(key.refused is None and not key.exact_only for key in keys),
        rivals=rivals,
        found={rival.name: nearest_entry(rival.open(), there, asked) for rival in rivals},
    )


def stream_section(run: Run, name: str, read: Callable[[], list[Asked]]) -> None:
    """Ask requests with repeats, one after the other."""
    asked = read()
    streams = [
        [
            (each.text, each.intent)
            for each in sets.stream(asked, questions=STREAM_QUESTIONS, requests=STREAM_REQUESTS, number=number)
        ]
        for number in range(STREAMS)
    ]
    run.systems.read({text for requests in streams for text, _ in requests})
    report.show_streams(
        name,
        streams=STREAMS,
        questions=min(STREAM_QUESTIONS, len(asked)),
        found={rival.name: run_streams(rival.open, streams) for rival in rivals_of(run.systems)},
    )


def multi_turn_section(run: Run) -> None:
    """Ask follow-up questions under their own main question and under others."""
    rows = sets.conversations(run.folder)
    settings: dict[str, Callable[[], MultiTurn]] = {}
    for name, embedder in run.systems.embedders.items():
        for policy in (STRICT, BALANCED):
            settings[f"{policy.name}, {name}"] = partial(multi_turn, embedder, policy, "history", rows)
    bundled = run.systems.embedders[BUNDLED]
    settings["strict, context='last'"] = partial(multi_turn, bundled, STRICT, "last", rows)
    if run.systems.folders is not None:
        few, threshold = rows[:GPTCACHE_CONVERSATIONS], THRESHOLDS[0]
        settings[f"GPTCache {threshold}, {len(few)} of them"] = partial(
            gptcache_multi_turn, bundled, threshold, few, run.systems.folders
        )
    report.show_multi_turn(len(rows), {name: measure() for name, measure in settings.items()})


def matchers_of(systems: Systems) -> list[Matcher]:
    """Return the ways to decide about pairs."""
    made = []
    for name, embedder in systems.embedders.items():
        made.append(by_policy(f"strict, {name}", embedder, STRICT))
        made.append(by_policy(f"balanced, {name}", embedder, BALANCED))
        cosine = by_cosine(f"cosine {BARE}, {name}", embedder, BARE)
        made.append(cosine)
        if systems.folders is not None:
            made.extend(
                by_gptcache(f"GPTCache {threshold}, {name}", embedder, threshold, ranks_as=cosine.name)
                for threshold in THRESHOLDS
            )
    return made


def rivals_of(systems: Systems) -> list[Rival]:
    """Return the caches to fill and ask."""
    made = []
    for name, embedder in systems.embedders.items():
        for policy in (STRICT, BALANCED):
            made.append(
                Rival(
                    name=f"{policy.name}, {name}",
                    open=partial(PolicyStore, embedder, policy),
                    thresholds=POLICY_THRESHOLDS,
                )
            )
        for number, bare in enumerate(BARE_STORE):
            shown = () if number else COSINE_THRESHOLDS
            made.append(
                Rival(name=f"cosine {bare}, {name}", open=partial(CosineStore, embedder, bare), thresholds=shown)
            )
        if systems.folders is not None:
            for threshold in THRESHOLDS:
                open_rival = partial(GPTCacheStore, embedder, threshold, systems.folders)
                made.append(Rival(name=f"GPTCache {threshold}, {name}", open=open_rival))
    return made


def decision_cost(pairs: Sequence[Pair]) -> None:
    """Time what a lookup spends on deciding about the winner, with the stored side read before."""
    embedder = bundled_embedder()
    acceptor = Acceptor(embedder, policy=STRICT)
    gating, whole = [], []
    for pair in pairs:
        cached = prepare(pair.cached)
        run_gates(STRICT.gates, cached, prepare(pair.cached))
        acceptor.judge(pair.cached, pair.cached, 0.9)
        started = time.perf_counter()
        admit(pair.new, DEFAULT_ADMISSION)
        run_gates(STRICT.gates, cached, prepare(pair.new))
        gating.append(time.perf_counter() - started)
        started = time.perf_counter()
        admit(pair.new, DEFAULT_ADMISSION)
        acceptor.judge(pair.cached, pair.new, 0.9)
        whole.append(time.perf_counter() - started)
    print(f"\ncost, {len(pairs)} pairs of questions, the stored side read before:")
    for what, taken in (("admission and gates", gating), ("with the score", whole)):
        taken.sort()
        half, high = taken[len(taken) // 2] * 1e6, taken[int(len(taken) * 0.99)] * 1e6
        print(f"{what:24} p50 {half:.0f} us, p99 {high:.0f} us")


if __name__ == "__main__":
    main()
