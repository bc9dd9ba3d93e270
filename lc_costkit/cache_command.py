"""What can be done with a cache from a terminal? ``costkit cache ...``"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lc_costkit.errors import ConfigurationError, CostKitError

if TYPE_CHECKING:
    from lc_costkit.cache.labelling import LabelSession
    from lc_costkit.cache.pair_log import PairLog
    from lc_costkit.cache.points import PointStore
    from lc_costkit.cache.seen_pairs import LoggedPair
    from lc_costkit.cache.store import EntryStore

cache_app = typer.Typer(
    name="cache", help="Look into a cache, label its near-hits, calibrate it.", no_args_is_help=True
)

_Database = Annotated[str, typer.Argument(help="path or URL of a cache")]
_Namespace = Annotated[str, typer.Option(help="whose answers")]
_Policy = Annotated[
    str | None,
    typer.Option(help="strict or balanced, of a cache with the bundled embedder; else whatever decided last"),
]
_ErrorRate = Annotated[float, typer.Option(help="share of semantic hits that may be wrong, above 0 to 0.5")]

_JOINERS = "\u200c\u200d"
_MOST_CHARACTERS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A cache's store with the log of one namespace, and what decides there."""

    store: EntryStore
    log: PairLog
    points: PointStore
    namespace: str
    decider: str


@cache_app.command()
def stats(database: _Database, namespace: _Namespace = "default") -> None:
    """Show what a cache has served and saved, and what it has to label."""
    from lc_costkit.cache import Cache

    with _opened(database, namespace) as opened:
        deciders, learned = opened.log.deciders(), opened.points.load()
    named = _policy_of(opened.decider)
    with Cache(database, namespace=namespace, policy=named or "strict", near_hits=0) as cache:
        found = cache.stats()
    if named is None and deciders:
        # Of another embedder or other gates it is known only what was learned, not what was shipped.
        found = replace(found, point=None if learned is None else learned.point)
    typer.echo(repr(found))
    for decider in deciders:
        typer.echo(
            f"decisions by {decider.identity}: {decider.seen:,} kept, {decider.labelled:,} labelled, "
            f"last on {_date(decider.last_seen_at)}"
        )


@cache_app.command("near-hits")
def near_hits(
    database: _Database,
    namespace: _Namespace = "default",
    limit: Annotated[int, typer.Option(min=1, help="how many to show, the newest first")] = 20,
) -> None:
    """Show what the semantic tier decided last: served, refused by a gate, or scored too low."""
    with _opened(database, namespace) as opened:
        pairs = opened.log.newest(limit)
        for pair in pairs:
            label = "" if pair.same is None else f", labelled {'same' if pair.same else 'different'} ({pair.source})"
            typer.echo(f"#{pair.id}  {_date(pair.seen_at)}  {_numbers(pair)}: {_decided(pair)}{label}")
            typer.echo(f"    stored  {_clean(pair.cached)}\n    new     {_clean(pair.new)}")
        if not pairs:
            typer.echo("no decisions are kept yet: they come with traffic in which questions are reworded")


@cache_app.command()
def label(
    database: _Database,
    namespace: _Namespace = "default",
    labels: Annotated[int | None, typer.Option(min=1, help="how many labels to stop at, over all sessions")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="how many pairs to ask about now")] = None,
    policy: _Policy = None,
    max_error_rate: _ErrorRate = 0.05,
    min_score: Annotated[float, typer.Option(min=0, max=1, help="lowest score to draw from, and to certify")] = 0.0,
    seed: Annotated[int | None, typer.Option(help="makes the draw repeatable")] = None,
) -> None:
    """Say of pairs of questions whether the answer to one is right for the other; every answer is kept at once.

    How many labels it takes is fixed before the first, and what they certify is looked at when all are there:
    whoever looks after each, and stops when it suits, certifies what is not so.
    """
    from lc_costkit.cache.knobs import checked_error_rate
    from lc_costkit.cache.labelling import LabelSession
    from lc_costkit.cache.outlook import planned_labels

    rate = checked_error_rate(max_error_rate)
    planned = planned_labels(rate) if labels is None else labels
    with _opened(database, namespace, policy) as opened:
        held = _held(opened)
        typer.echo(f"the plan: {planned:,} labels for at most {rate * 100:g} % wrong; {held:,} are there")
        if held < planned:
            missing = planned - held if limit is None else min(limit, planned - held)
            session = LabelSession(opened.log, limit=missing, min_score=min_score, seed=seed)
            typer.echo("skip only what nobody could decide: labels say nothing of what was skipped")
            try:
                _ask(opened, session, _keys(), limit=missing)
            except (KeyboardInterrupt, EOFError):
                typer.echo("")
            shown = session.asked or session.current() is not None
            if not shown:
                typer.echo("nothing to label: no decision is kept that every gate let pass and nobody has labelled")
            held = _held(opened)
            left = f", {max(0, planned - held):,} of the plan left" if shown else ""
            typer.echo(f"{session.labelled:,} labelled now, {session.skipped:,} skipped{left}")
        if held >= planned:
            _outcome(opened, rate)
        else:
            typer.echo(
                f"{held:,} of {planned:,} labels are there; the same command goes on, and shows what they certify "
                "when all are"
            )


@cache_app.command()
def calibrate(
    database: _Database,
    max_error_rate: Annotated[float, typer.Option(help="share of semantic hits that may be wrong, above 0 to 0.5")],
    namespace: _Namespace = "default",
    policy: _Policy = None,
    confidence: Annotated[float, typer.Option(help="how sure that is to be, above 0.5 and below 1")] = 0.95,
    learn: Annotated[bool, typer.Option("--learn", help="also fit a veto on half of the labels")] = False,
) -> None:
    """Find the score from which labels certify the error rate; every process serves from it from then on.

    A cache that was opened with a lower max_error_rate does not take it up.
    Exits with 1 where nothing can be certified yet; then everything stays as it was.
    """
    from lc_costkit.cache import Cache

    with _opened(database, namespace, policy) as opened:
        named = _policy_of(opened.decider)
    if named is None:
        raise ConfigurationError(
            "this cache decides by another embedder, a similarity_threshold, gates or a policy of its own, which no "
            "command can make; call calibrate() on the cache in your program"
        )
    with Cache(database, namespace=namespace, policy=named, max_error_rate=max_error_rate, near_hits=0) as cache:
        found = cache.calibrate(confidence=confidence, learn=learn)
        typer.echo(repr(found))
    if not found.certified:
        raise typer.Exit(1)


def _policy_of(decider: str) -> str | None:
    """Return the policy with which the bundled embedder decides as this log says, if there is one."""
    from lc_costkit.cache.policy import POLICIES

    return next((name for name in POLICIES if _identity(name) == decider), None)


def _outcome(opened: _Opened, rate: float) -> None:
    """Show what calibrating would say now."""
    from lc_costkit.cache.calibrating import drawn, scored
    from lc_costkit.cache.calibration import calibrate as certify

    try:
        found = certify(scored(drawn(opened.log)), max_error_rate=rate)
    except ConfigurationError as error:
        typer.echo(f"not certifiable yet: {error}")
        return
    typer.echo(repr(found))
    if not found.certified:
        typer.echo(
            "more labels take another plan (--labels), and each further look is one more chance of luck: where two are "
            "to be sure together, calibrate --confidence 0.975 at each"
        )


def _held(opened: _Opened) -> int:
    """Return how many labels there are that may certify something."""
    from lc_costkit.cache.calibrating import drawn

    return len(drawn(opened.log, labelled_only=True))


def _ask(opened: _Opened, session: LabelSession, keys: Iterator[str], *, limit: int) -> None:
    """Put pairs to the person until there are no more, or no more is said."""
    shown: LoggedPair | None = None
    while (pair := session.current()) is not None:
        if pair is not shown:
            typer.echo(f"\n[{session.asked + 1:,} of {limit:,}]")
            _show(opened, pair)
            shown = pair
        typer.echo("Is the stored answer right for the new question? y(es) n(o) s(kip) u(ndo) q(uit) ", nl=False)
        key = next(keys, "q")
        typer.echo(key if key.isprintable() else "")
        if key == "q":
            return
        if key in ("y", "n"):
            if not session.answer(same=key == "y"):
                typer.echo("not kept: this pair was deleted meanwhile, or too old to be kept any longer")
        elif key == "s":
            session.skip()
        elif key == "u" and not session.undo():
            typer.echo("nothing to undo")


def _show(opened: _Opened, pair: LoggedPair) -> None:
    typer.echo(f"  stored   {_clean(pair.cached)}")
    typer.echo(f"  new      {_clean(pair.new)}")
    typer.echo(f"  answer   {_answer(opened, pair)}")
    typer.echo(f"  {_numbers(pair)}: {_decided(pair)}")


def _answer(opened: _Opened, pair: LoggedPair) -> str:
    from lc_costkit.cache.labelling import answer_text

    held = [] if pair.entry_id is None else opened.store.held(opened.namespace, [pair.entry_id])
    return _clean(answer_text(held[0].payload)) if held else "(no longer held)"


def _keys() -> Iterator[str]:
    """Yield what the person types: keys at once in a terminal, else the first character of each line."""
    if sys.stdin.isatty():
        while True:
            yield typer.getchar().lower()
    for line in sys.stdin:
        if line.strip():
            yield line.strip()[0].lower()


def _numbers(pair: LoggedPair) -> str:
    parts = [("similarity", pair.similarity), ("score", pair.score)]
    return ", ".join(f"{name} {value:.2f}" for name, value in parts if value is not None) or "not compared"


def _decided(pair: LoggedPair) -> str:
    from lc_costkit.cache.seen_pairs import REFUSED_BY_SCORE

    if pair.served:
        return "served"
    if pair.refused_by is None:
        return "would have been served (observe mode)"
    return (
        "score too low to be served" if pair.refused_by == REFUSED_BY_SCORE else f"refused by {_clean(pair.refused_by)}"
    )


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")


def _clean(text: str) -> str:
    """Return a text on one line, shortened, in which nothing can steer the terminal.

    >>> _clean("red \\x1b[31malert and\\n  more")
    'red \\\\x1b[31malert and more'
    """
    flat = " ".join(text.split())
    if len(flat) > _MOST_CHARACTERS:
        flat = f"{flat[: _MOST_CHARACTERS - 40]} ... ({len(flat):,} characters)"
    return "".join(
        one if one.isprintable() or one in _JOINERS else one.encode("unicode_escape").decode("ascii") for one in flat
    )


@contextmanager
def _opened(database: str, namespace: str, policy: str | None = None) -> Iterator[_Opened]:
    """Open the store of a cache that is there; its embedder is not needed."""
    from lc_costkit.cache.pair_log import PairLog
    from lc_costkit.cache.points import PointStore
    from lc_costkit.cache.store import EntryStore

    if "://" not in database:
        _must_be_a_cache(database)
    store = EntryStore(database)
    try:
        spaces = store.namespaces()
        if namespace not in spaces:
            known = ", ".join(map(repr, spaces)) or "none"
            raise ConfigurationError(f"{store.name} holds no namespace {namespace!r}; it holds {known}")
        decider = _decider(store, namespace, policy)
        yield _Opened(
            store=store,
            log=PairLog(store, namespace=namespace, decider=decider),
            points=PointStore(store, namespace=namespace, decider=decider),
            namespace=namespace,
            decider=decider,
        )
    finally:
        store.close()


def _decider(store: EntryStore, namespace: str, policy: str | None) -> str:
    from lc_costkit.cache.pair_log import PairLog

    if policy is not None:
        return _identity(policy)
    deciders = PairLog(store, namespace=namespace, decider="").deciders()
    return deciders[0].identity if deciders else ""


def _identity(policy: str) -> str:
    from lc_costkit.cache.accept import Acceptor
    from lc_costkit.cache.policy import policy_of
    from lc_costkit.embedding import bundled_embedder

    return Acceptor(bundled_embedder(), policy=policy_of(policy)).identity


def _must_be_a_cache(database: str) -> None:
    from lc_costkit.versions import components

    if not Path(database).expanduser().is_file():
        raise CostKitError(f"there is no database at {database}")
    if "cache" not in components(database):
        raise CostKitError(f"{database} holds no cache")
