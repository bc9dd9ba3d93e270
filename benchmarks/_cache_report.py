"""How are the results of the caches shown?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from _cache_counts import (
    FALSE_RATES,
    NEVER,
    Counts,
    Decision,
    at_threshold,
    best_within,
    count,
    most_served,
    share,
    sweep,
)
from _cache_matchers import Matcher
from _cache_sets import Pair
from _cache_stores import MultiTurn, OneStore, Rival, Streamed

WRONG_SHARES = (0.01, 0.02, 0.05, 0.10)
GPTCACHE_WRONG = 25
"""Wrong answers in GPTCache's own strictest row of its own set."""
PUBLISHED = (("0.95", 425, 25, 549), ("0.9", 804, 77, 118), ("0.8", 904, 92, 3))
"""GPTCache's own figures (threshold, right, wrong, miss), from its benchmark with its own embedder and evaluator."""
_NAME = 24


def show_pairs(
    name: str, pairs: Sequence[Pair], exact: int, matchers: Sequence[Matcher], judged: Mapping[str, Sequence[Decision]]
) -> None:
    """Print one line per matcher, and the policies by language and kind where the set names them.

    Args:
        name: of the set.
        pairs: what was judged.
        exact: how many pairs were left out as exact repeats.
        matchers: who judged.
        judged: what each of them said, by name, in the order of the pairs.
    """
    same = sum(pair.same for pair in pairs)
    both = 0 < same < len(pairs)
    left_out = f" ({exact} exact repeats left out)" if exact else ""
    print(f"\n{name}: {same} may be served, {len(pairs) - same} must not{left_out}")
    print(f"{'':{_NAME}} {'right':>29} {'wrong, of those that must not':>31} {'wrong, of those served':>30}", end="")
    print("   right at 1 / 2 / 5 % false" if both else "")
    for matcher in matchers:
        decisions = judged[matcher.name]
        print(f"{matcher.name:{_NAME}} {_counts(count(decisions))}", end="")
        print(f"   {_curve(decisions)}" if both and matcher.ranks_as is None else "")
        refused = Counter(each.refused_by for each in decisions if each.right and each.refused_by is not None)
        if matcher.detailed and refused:
            print(f"{'':{_NAME}} right ones refused by: {', '.join(f'{by} {n}' for by, n in refused.most_common(14))}")
    detailed = {matcher.name: judged[matcher.name] for matcher in matchers if matcher.detailed}
    _show_parts("language", pairs, [pair.language for pair in pairs], detailed)
    _show_parts("kind", pairs, [pair.kind for pair in pairs], detailed)


def _counts(counts: Counts) -> str:
    return (
        f"{share(counts.right, counts.may_hit):>29} {share(counts.wrong, counts.must_miss):>31}"
        f" {share(counts.wrong, counts.served):>30}"
    )


def _curve(decisions: Sequence[Decision]) -> str:
    counts = count(decisions)
    found = [best_within(decisions, rate * counts.must_miss) for rate in FALSE_RATES]
    return " / ".join(f"{0 if point is None else point[1] / counts.may_hit:.3f}" for point in found)


def _show_parts(
    title: str, pairs: Sequence[Pair], parts: Sequence[str], judged: Mapping[str, Sequence[Decision]]
) -> None:
    found = sorted(set(parts))
    if len(found) < 2:
        return
    print(f"  {'by ' + title:22}" + "".join(f"{name:>36}" for name in judged))
    for same, word in ((True, "right"), (False, "wrong")):
        for part in found:
            chosen = [place for place, pair in enumerate(pairs) if parts[place] == part and pair.same == same]
            if not chosen:
                continue
            print(f"  {part:22}", end="")
            for decisions in judged.values():
                served = sum(decisions[place].refused_by is None for place in chosen)
                print(f"{word + ' ' + share(served, len(chosen)):>36}", end="")
            print()


def show_errors(pairs: Sequence[Pair], decisions: Sequence[Decision]) -> None:
    """Print every pair that was decided wrongly, with its score and what refused it."""
    for pair, each in zip(pairs, decisions, strict=True):
        if (each.refused_by is None) != pair.same:
            score = "    " if each.score == NEVER else f"{each.score:.2f}"
            by = "" if each.refused_by is None else f" [{each.refused_by}]"
            print(f"   {'MISS' if pair.same else 'FALSE'} {score}{by} {pair.cached} | {pair.new}")


def show_one_store(found: Mapping[str, OneStore]) -> None:
    """Print what happens where all stored questions of a set are in one store."""
    print("  all in one store (elsewhere: the answer to another pair's question, which nobody labelled)")
    for name, each in found.items():
        print(
            f"  {name:{_NAME}} right {share(each.right, each.may_hit)}   "
            f"wrong {share(each.wrong, each.must_miss)}   elsewhere {each.elsewhere}"
        )


def show_mock(found: Mapping[str, Sequence[Decision]]) -> None:
    """Print GPTCache's own set as GPTCache does: right, wrong, miss."""
    asked = len(next(iter(found.values())))
    print(f"\nmock (GPTCache's own set): {asked} rewordings, one store; right is the answer to its own original")
    print(f"{'':{_NAME}} right / wrong / miss   most right with at most {GPTCACHE_WRONG} wrong, at any threshold")
    for threshold, right, wrong, missed in PUBLISHED:
        print(f"{'published, ' + threshold:{_NAME}} {right} / {wrong} / {missed}")
    for name, decisions in found.items():
        counts, best = count(decisions), best_within(decisions, GPTCACHE_WRONG)
        at_best = "-" if best is None else f"{best[1]} and {best[2]} from {best[0]:.3f} on"
        print(
            f"{name:{_NAME}} {f'{counts.right} / {counts.wrong} / {asked - counts.served}':20}   {at_best:26} "
            f"right {share(counts.right, asked)}, wrong of served {share(counts.wrong, counts.served)}"
        )


def show_store(
    name: str,
    *,
    stored: int,
    asked: int,
    matched: int,
    rivals: Sequence[Rival],
    found: Mapping[str, Sequence[Decision]],
) -> None:
    """Print what the nearest of many entries gives, by intent.

    Args:
        name: of the set.
        stored: entries in the store.
        asked: new questions.
        matched: how many of those the admission lets be matched by meaning.
        rivals: who was asked.
        found: what they said, by name.
    """
    print(f"\n{name}: {stored} stored, {asked} asked, by intent; admission lets {matched} be matched")
    print(f"{'':{_NAME}} served / wrong of those            most served with at most 1 / 2 / 5 / 10 % wrong (from)")
    for rival in rivals:
        decisions = found[rival.name]
        counts = count(decisions)
        best = [most_served(decisions, wrong_share) for wrong_share in WRONG_SHARES]
        line = "   ".join("0" if each is None else f"{each[1] + each[2]} ({each[0]:.2f})" for each in best)
        print(f"{rival.name:{_NAME}} {counts.served:4} / {share(counts.wrong, counts.served):29} {line}")
        if rival.thresholds:
            print(f"{'':{_NAME}} from ", end="")
            at = [(threshold, at_threshold(decisions, threshold)) for threshold in rival.thresholds]
            print("   ".join(f"{threshold:.2f}: {right + wrong}/{wrong}" for threshold, (right, wrong) in at))


def show_streams(name: str, *, streams: int, questions: int, found: Mapping[str, Streamed]) -> None:
    """Print what streams of requests with repeats meet; intervals over texts, as a text asked again is no new draw."""
    requests = next(iter(found.values())).requests
    print(
        f"\nstream:{name}: {streams} streams of {requests // streams} requests, {questions} questions, how often "
        "each comes goes with 1/rank; stored on a miss"
    )
    print(
        f"{'':{_NAME}} of requests: exact, by meaning, not to be matched   wrong of those by meaning: requests, texts"
    )
    for rival, each in found.items():
        print(
            f"{rival:{_NAME}} {each.exact / requests:18.3f} {each.semantic / requests:11.3f} "
            f"{each.not_matched / requests:19.3f}   {f'{each.wrong}/{each.semantic}':>34}, "
            f"{share(each.wrong_texts, each.texts)}"
        )


def show_multi_turn(conversations: int, found: Mapping[str, MultiTurn]) -> None:
    """Print what follow-up questions meet."""
    print(f"\nmulti-turn: {conversations} conversations, each follow-up also asked under every other main question")
    for name, each in found.items():
        print(
            f"{name:26} served under another main question {share(each.served_to_strangers, each.strangers)} "
            f"({each.from_elsewhere} of them stored elsewhere), exact repeats served under the same "
            f"{share(each.served_repeats, each.repeats)}"
        )


def draw(curves: Mapping[str, Mapping[str, Sequence[Decision]]], path: Path) -> None:
    """Draw hit rate against false-hit rate, one panel a set, into a file."""
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
            (line,) = axes.plot(false, hits, label=matcher)
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
