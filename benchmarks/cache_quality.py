"""How often does the cache serve a right answer, and how often a wrong one?

    python benchmarks/cache_quality.py --data DATA [--sets ...] [--limit 4000] [--pairs FILE ...] [--plot FILE.png]

Sets of pairs (stored question, new question, may be served): the trap suite of one bank, question pairs
(QQP), sentences with another value in a slot (NLU++), Korean pairs, and hand-written pairs (benchmarks/pairs,
or ``--pairs``), each pair judged alone; exact repeats are another tier and left out. Whole stores, nearest
entry: GPTCache's own set, 1,500 stored support questions and 1,200 others, a stream of support questions with
Zipf repeats, and conversations. Beside the two policies stand a bare cosine, which is what other caches do;
all-MiniLM-L6-v2 in place of the bundled embedder and GPTCache itself run where they are installed.

Intervals are Wilson's, 95 %. "hits at 1/2/5 % false" is the curve: most right answers with at most that share
of the pairs that must miss served, over every threshold; that threshold is chosen on the same pairs.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from _cache_counts import FALSE_RATES, Counts, Decision, best_within, count, most_served, share, sweep
from _cache_matchers import Matcher, by_cosine, by_policy, key_of, semantic_pairs
from _cache_sets import (
    PAIRS_FOLDER,
    Asked,
    Pair,
    banking,
    clinc,
    conversations,
    dense_store,
    labelled_pairs,
    mock,
    slot_swaps,
    stream,
    traps,
    written_pairs,
)
from _cache_stores import CosineStore, PolicyStore, Rival, multi_turn, nearest_entry, one_store, run_stream
from _data import data_dir, missing

from lc_costkit.cache.accept import Acceptor
from lc_costkit.cache.admit import DEFAULT_ADMISSION, admit
from lc_costkit.cache.gates import prepare, run_gates
from lc_costkit.cache.policy import BALANCED, STRICT
from lc_costkit.embedding import Embedder
from lc_costkit.embedding.bundled import bundled_embedder

BARE = 0.85
BARE_STORE = (0.85, 0.95)
DENSE_STORED, DENSE_NEW = 1_500, 1_200
STREAM_QUESTIONS, STREAM_REQUESTS = 2_000, 4_000
WRONG_SHARES = (0.01, 0.02, 0.05, 0.10)
GPTCACHE_WRONG = 25
"""Wrong answers in GPTCache's own best row of its own set."""
PUBLISHED = (("0.95", 425, 25, 549), ("0.9", 804, 77, 118), ("0.8", 904, 92, 3))
"""GPTCache's own figures (threshold, right, wrong, miss), from its benchmark with its own embedder and evaluator."""


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    data = data_dir(arguments.data)
    if data is None or not (data / "cache").is_dir():
        print(missing("cache/"))
        return
    folder, limit = data / "cache", arguments.limit
    embedders: dict[str, Embedder] = {"bundled": bundled_embedder()}
    sections: dict[str, Callable[[], None]] = {}
    curves: dict[str, dict[str, list[Decision]]] = {}

    def pair_section(name: str, load: Callable[[], list[Pair]], *, store: bool = False) -> None:
        def run() -> None:
            pairs = load()
            curves[name] = report_pairs(name, pairs, matchers_of(embedders), show=arguments.show_errors)
            if store:
                report_one_store(pairs, rivals_of(embedders))

        sections[name] = run

    pair_section("traps", lambda: traps(folder), store=True)
    pair_section("questions", lambda: labelled_pairs(folder / "qqp_pairs.jsonl.gz", limit))
    pair_section("slots", lambda: slot_swaps(folder / "nlupp_banking.jsonl.gz", limit))
    pair_section("korean", lambda: labelled_pairs(folder / "ko_pairs.jsonl.gz", limit))
    for name, pairs in written_pairs(arguments.pairs or [PAIRS_FOLDER]).items():
        pair_section(f"pairs:{name}", partial(list, pairs), store=True)
    sections["mock"] = lambda: report_mock(mock(folder), rivals_of(embedders))
    for name, read in (("banking77", banking), ("clinc", clinc)):
        sections[f"dense:{name}"] = partial(report_dense, name, read, folder, embedders)
        sections[f"stream:{name}"] = partial(report_stream, name, read, folder, embedders)
    sections["multi-turn"] = lambda: report_multi_turn(folder, embedders)
    sections["cost"] = lambda: decision_cost(labelled_pairs(folder / "qqp_pairs.jsonl.gz", min(limit, 1_000)))
    wanted = arguments.sets or list(sections)
    for name, run in sections.items():
        if name in wanted or name.partition(":")[0] in wanted:
            started = time.perf_counter()
            run()
            print(f"({time.perf_counter() - started:.1f} s)", flush=True)
    if arguments.plot is not None:
        draw(curves, arguments.plot)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--limit", type=int, default=4_000, help="pairs of each large set")
    parser.add_argument("--pairs", type=Path, nargs="+", help="files or folders of pairs; benchmarks/pairs by default")
    parser.add_argument("--sets", nargs="+", help="names of sets, as they are printed; all by default")
    parser.add_argument("--show-errors", action="store_true", help="print what the first setting decided wrongly")
    parser.add_argument("--plot", type=Path, help="draw the curves into this file")
    return parser.parse_args()


def matchers_of(embedders: dict[str, Embedder]) -> list[Matcher]:
    """Return the ways to decide about pairs."""
    made = []
    for name, embedder in embedders.items():
        made.append(by_policy(f"strict, {name}", embedder, STRICT))
        made.append(by_policy(f"balanced, {name}", embedder, BALANCED))
        made.append(by_cosine(f"cosine {BARE}, {name}", embedder, BARE))
    return made


def rivals_of(embedders: dict[str, Embedder]) -> list[Rival]:
    """Return the caches to fill and ask."""
    made = []
    for name, embedder in embedders.items():
        for policy in (STRICT, BALANCED):
            made.append(Rival(name=f"{policy.name}, {name}", open=partial(PolicyStore, embedder, policy)))
        for bare in BARE_STORE:
            made.append(Rival(name=f"cosine {bare}, {name}", open=partial(CosineStore, embedder, bare)))
    return made


def report_pairs(
    name: str, given: Sequence[Pair], matchers: Sequence[Matcher], *, show: bool
) -> dict[str, list[Decision]]:
    """Print one line per matcher, and lines per language and kind where the set names them."""
    pairs, exact = semantic_pairs(given)
    same = sum(pair.same for pair in pairs)
    left_out = f" ({exact} exact repeats left out)" if exact else ""
    print(f"\n{name}: {same} may be served, {len(pairs) - same} must not{left_out}")
    print(f"{'':24} {'right':>29} {'wrong, of those that must not':>32} {'wrong, of those served':>29}", end="")
    print("   right at 1 / 2 / 5 % false" if 0 < same < len(pairs) else "")
    judged = {}
    for matcher in matchers:
        decisions = judged[matcher.name] = matcher.decide(pairs)
        print(f"{matcher.name:24} {_counts(count(decisions))}", end="")
        print(f"   {_curve(decisions)}" if 0 < same < len(pairs) and matcher.ranks_as is None else "")
        refused = Counter(
            each.refused_by for each in decisions if each.right and each.refused_by not in (None, "similarity")
        )
        if refused:
            print(f"{'':24} right ones refused by: {', '.join(f'{by} {n}' for by, n in refused.most_common(12))}")
    if show:
        _show_errors(pairs, judged[matchers[0].name])
    for title, part in (("language", "language"), ("kind", "kind")):
        _print_parts(title, pairs, [getattr(pair, part) for pair in pairs], judged)
    return {matcher.name: judged[matcher.name] for matcher in matchers if matcher.ranks_as is None}


def _counts(counts: Counts) -> str:
    return (
        f"{share(counts.right, counts.may_hit):>29} {share(counts.wrong, counts.must_miss):>32}"
        f" {share(counts.wrong, counts.served):>29}"
    )


def _curve(decisions: Sequence[Decision]) -> str:
    counts = count(decisions)
    found = [best_within(decisions, rate * counts.must_miss) for rate in FALSE_RATES]
    return " / ".join("0" if point is None else f"{point[1] / counts.may_hit:.3f}" for point in found)


def _print_parts(title: str, pairs: Sequence[Pair], parts: Sequence[str], judged: dict[str, list[Decision]]) -> None:
    found = sorted(set(parts))
    if len(found) < 2:
        return
    for name, decisions in judged.items():
        print(f"  {name}, by {title}:")
        for part in found:
            counts = count([each for each, its in zip(decisions, parts, strict=True) if its == part])
            right = f"right {share(counts.right, counts.may_hit)}" if counts.may_hit else ""
            wrong = f"wrong {share(counts.wrong, counts.must_miss)}" if counts.must_miss else ""
            print(f"    {part:24} {right:36} {wrong}".rstrip())


def _show_errors(pairs: Sequence[Pair], decisions: Sequence[Decision]) -> None:
    for pair, each in zip(pairs, decisions, strict=True):
        if (each.refused_by is None) != pair.same:
            by = "" if each.refused_by is None else f" [{each.refused_by}]"
            print(f"   {'MISS' if pair.same else 'FALSE'} {each.score:.2f}{by} {pair.cached} | {pair.new}")


def report_one_store(pairs: Sequence[Pair], rivals: Sequence[Rival]) -> None:
    """Print what happens where all stored questions of the set are in one store."""
    print("  all in one store (elsewhere: the answer of another pair's question, right or not, nobody labelled those)")
    for rival in rivals:
        found = one_store(rival.open(), pairs)
        print(
            f"  {rival.name:24} right {share(found.right, found.may_hit)}   "
            f"wrong {share(found.wrong, found.must_miss)}   elsewhere {found.elsewhere}"
        )


def report_mock(pairs: Sequence[Pair], rivals: Sequence[Rival]) -> None:
    """Print GPTCache's own set as GPTCache does: nearest entry in one store of all 999."""
    print(f"\nmock (GPTCache's own set): {len(pairs)} rewordings, one store; right is the answer of its own original")
    stored = [(pair.cached, pair.cached) for pair in pairs]
    asked = [(pair.new, pair.cached) for pair in pairs]
    print(f"{'':24} right / wrong / miss   most right with at most {GPTCACHE_WRONG} wrong, at any threshold")
    for threshold, right, wrong, missed in PUBLISHED:
        print(f"{'published, ' + threshold:24} {right} / {wrong} / {missed}")
    for rival in rivals:
        decisions = nearest_entry(rival.open(), stored, asked)
        counts, best = count(decisions), best_within(decisions, GPTCACHE_WRONG)
        at_best = "-" if best is None else f"{best[1]} right, {best[2]} wrong (from {best[0]:.3f} on)"
        print(
            f"{rival.name:24} {counts.right} / {counts.wrong} / {len(pairs) - counts.served}   {at_best}   "
            f"right {share(counts.right, len(pairs))}, wrong of served {share(counts.wrong, counts.served)}"
        )


def report_dense(name: str, read: Callable[[Path], list[Asked]], folder: Path, embedders: dict[str, Embedder]) -> None:
    """Print what the nearest of many entries gives, by intent."""
    stored, new = dense_store(read(folder), stored=DENSE_STORED, new=DENSE_NEW)
    matched = sum(not (key_of(each.text).exact_only or key_of(each.text).refused) for each in new)
    print(f"\ndense:{name}: {len(stored)} stored, {len(new)} asked, by intent; admission lets {matched} be matched")
    print(f"{'':24} served / wrong   most served with at most 1 / 2 / 5 / 10 % of those wrong (threshold)")
    for rival in rivals_of(embedders):
        decisions = nearest_entry(
            rival.open(), [(each.text, each.intent) for each in stored], [(each.text, each.intent) for each in new]
        )
        counts = count(decisions)
        best = [most_served(decisions, wrong_share) for wrong_share in WRONG_SHARES]
        print(
            f"{rival.name:24} {counts.served:4} / {share(counts.wrong, counts.served):28} "
            + "  ".join("0" if each is None else f"{each[1] + each[2]} ({each[0]:.2f})" for each in best)
        )


def report_stream(name: str, read: Callable[[Path], list[Asked]], folder: Path, embedders: dict[str, Embedder]) -> None:
    """Print what a stream of requests with repeats meets."""
    requests = stream(read(folder), questions=STREAM_QUESTIONS, requests=STREAM_REQUESTS)
    texts = len({each.text for each in requests})
    print(f"\nstream:{name}: {len(requests)} requests, {texts} texts, how often goes with 1/rank; stored on a miss")
    for rival in rivals_of(embedders):
        found = run_stream(rival.open(), [(each.text, each.intent) for each in requests])
        print(
            f"{rival.name:24} exact {found.exact / found.requests:.3f}, "
            f"by meaning {share(found.semantic, found.requests)}, wrong of those {share(found.wrong, found.semantic)}, "
            f"not to be matched {found.not_matched}"
        )


def report_multi_turn(folder: Path, embedders: dict[str, Embedder]) -> None:
    """Print what follow-up questions meet."""
    rows = conversations(folder)
    print(f"\nmulti-turn: {len(rows)} conversations")
    for name, embedder in embedders.items():
        for policy in (STRICT, BALANCED):
            for context in ("history", "last"):
                found = multi_turn(embedder, policy, context, rows)
                print(
                    f"{policy.name + ', ' + name:24} context={context!r:10} follow-ups served under another main "
                    f"question {share(found.served_to_strangers, found.strangers)}, exact repeats under the same "
                    f"{share(found.served_repeats, found.repeats)}; "
                    f"{found.own_like} served a like follow-up of this main question"
                )


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


def draw(curves: dict[str, dict[str, list[Decision]]], path: Path) -> None:
    """Draw hit rate against false-hit rate, one panel a set."""
    from matplotlib.figure import Figure

    drawable = {name: found for name, found in curves.items() if _has_both(next(iter(found.values())))}
    if not drawable:
        print("nothing to draw: no chosen set has both pairs that may be served and pairs that must not")
        return
    figure = Figure(figsize=(6 * len(drawable), 5), layout="constrained")
    for place, (name, found) in enumerate(drawable.items(), start=1):
        axes = figure.add_subplot(1, len(drawable), place)
        for matcher, decisions in found.items():
            counts = count(decisions)
            points = sweep(decisions)
            false = [0.0, *(wrong / counts.must_miss for _, _, wrong in points)]
            hits = [0.0, *(right / counts.may_hit for _, right, _ in points)]
            (line,) = axes.plot(false, hits, label=matcher, drawstyle="steps-post")
            axes.plot(
                counts.wrong / counts.must_miss, counts.right / counts.may_hit, marker="o", color=line.get_color()
            )
        axes.set(title=name, xlabel="share of must-miss pairs served", ylabel="share of may-hit pairs served")
        axes.set(xlim=(0, 0.2), ylim=(0, 1))
        axes.legend()
    figure.savefig(path, dpi=120)
    print(f"curves drawn into {path}; a dot is the setting's own threshold")


def _has_both(decisions: Sequence[Decision]) -> bool:
    return 0 < sum(each.must_miss for each in decisions) < len(decisions)


if __name__ == "__main__":
    main()
