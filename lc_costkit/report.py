"""How is what was spent and saved shown: as text, HTML, Markdown, a frame, a plot?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lc_costkit.cost import exact_sum
from lc_costkit.errors import MissingDependency
from lc_costkit.fixed_lines import FixedLine, Period
from lc_costkit.tables import html_table, markdown_table, text_table
from lc_costkit.tally import ReportRow

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

_EMPTY = "no calls recorded"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Report:
    """Sums over a ledger, by group, the dearest group first (days in order).

    Prints as a text table, shows as a table in a notebook.

    Attributes:
        by: what a row stands for; ``None`` for a total only. By ``route``, ``(decisions)`` is what was asked to
            decide, or to check (classifiers, judges, further samples), and ``(none)`` what no router saw.
        rows: one for each group. A call with two tags is in two rows.
        total: over all calls, each once; fixed lines are not in it.
        fixed: what is paid by the month, its share of ``period``; in no row and not in ``total``.
        period: from when to before when ``fixed`` counts (UTC); ``None`` where there is no time to count.
    """

    by: str | None
    rows: tuple[ReportRow, ...]
    total: ReportRow
    fixed: tuple[FixedLine, ...] = ()
    period: Period | None = None

    @property
    def fixed_usd(self) -> Decimal:
        """What fixed lines come to in the period (USD)."""
        return exact_sum(line.usd for line in self.fixed)

    @property
    def usd_with_fixed(self) -> Decimal:
        """All that was spent on calls, and the fixed lines (USD)."""
        return exact_sum((self.total.usd, self.fixed_usd))

    def __repr__(self) -> str:
        if self._is_empty():
            return _EMPTY
        return "\n".join([text_table(*self._cells(), footers=self._footers()), *self._notes()])

    def _repr_html_(self) -> str:
        if self._is_empty():
            return f"<p>{_EMPTY}</p>"
        return html_table(*self._cells(), notes=self._notes(), footers=self._footers())

    def to_markdown(self) -> str:
        """Return a Markdown table, with notes under it."""
        if self._is_empty():
            return _EMPTY
        table = markdown_table(*self._cells(), footers=self._footers())
        return table + "".join(f"\n\n{note}" for note in self._notes())

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values; USD as decimal text."""
        return {
            "by": self.by,
            "rows": [row.to_dict() for row in self.rows],
            "total": self.total.to_dict(),
            "fixed": [{"name": line.name, "usd": str(line.usd)} for line in self.fixed],
            "fixed_usd": str(self.fixed_usd),
            "usd_with_fixed": str(self.usd_with_fixed),
            "period": None if self.period is None else [moment.isoformat() for moment in self.period],
        }

    def to_frame(self) -> pandas.DataFrame:
        """Return one line for each group, the groups as index; USD columns hold ``Decimal``.

        Fixed lines come last, with their amount under ``fixed_usd`` alone: ``usd`` sums up to what
        was spent on calls.

        Raises:
            MissingDependency: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingDependency("Report.to_frame", "report") from error
        shown = self._shown()
        data = [{name: getattr(row, name) for name in _FRAME_COLUMNS} for row in shown]
        names = [row.group for row in shown]
        columns = list(_FRAME_COLUMNS)
        if self.fixed:
            columns.insert(columns.index("usd") + 1, "fixed_usd")
            data = [{**values, "fixed_usd": Decimal(0)} for values in data]
            nothing = {name: getattr(ReportRow(group=""), name) for name in _FRAME_COLUMNS}
            data += [{**nothing, "fixed_usd": line.usd} for line in self.fixed]
            names += [line.name for line in self.fixed]
        return pandas.DataFrame(data, index=pandas.Index(names, name=self.by or "total"), columns=columns)

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw what each group spent and saved (USD) as bars and return the axes.

        Args:
            ax: where to draw; a new figure by default.

        Raises:
            MissingDependency: matplotlib is not installed.
        """
        try:
            from matplotlib import pyplot
        except ImportError as error:
            raise MissingDependency("Report.plot", "report") from error
        shown = self._shown()[::-1]
        if ax is None:
            _, ax = pyplot.subplots(figsize=(7, 1.2 + 0.4 * len(shown)), layout="constrained")
        spent = [float(row.usd) for row in shown]
        saved = [float(row.saved_usd) for row in shown]
        positions = list(range(len(shown)))
        ax.barh(positions, spent, color="#3b6ea5", label="spent")
        ax.barh(positions, saved, left=[amount if more > 0 else 0 for amount, more in zip(spent, saved, strict=True)],
                color="#8fbf7f", label="saved, net")  # fmt: skip
        ax.set_yticks(positions, [plain_text(_shortened(row.group)) for row in shown])
        unpriced = self.total.unpriced_calls
        ax.set_xlabel(f"USD ({_calls_text(unpriced)} without a price not shown)" if unpriced else "USD")
        ax.spines[["top", "right"]].set_visible(False)
        if shown:
            ax.legend(frameon=False)
        return ax

    def _shown(self) -> tuple[ReportRow, ...]:
        return self.rows or ((self.total,) if self.total.requests else ())

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        header = [self.by or "", *(title for title, _ in _SHOWN)]
        lines = [[_shortened(row.group), *(show(row) for _, show in _SHOWN)] for row in self.rows]
        lines.append(["total", *(show(self.total) for _, show in _SHOWN)])
        for name, usd in self._fixed_lines():
            lines.append([_shortened(name), *(usd_text(usd) if title == "USD" else "" for title, _ in _SHOWN)])
        return header, lines

    def _fixed_lines(self) -> list[tuple[str, Decimal]]:
        if not self.fixed:
            return []
        return [*((line.name, line.usd) for line in self.fixed), ("total with fixed", self.usd_with_fixed)]

    def _footers(self) -> int:
        return 1 + len(self._fixed_lines())

    def _is_empty(self) -> bool:
        return not self.total.requests and not self.fixed

    def _notes(self) -> list[str]:
        total = self.total
        notes = []
        if self.fixed and self.period is not None:
            start, end = (f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" for moment in self.period)
            notes.append(f"fixed, paid by the month whatever is used: {start} to {end} UTC, in no sum over calls")
        if total.saved_by_part:
            notes.append(f"saved, net of the kit's own cost: {_parts_text(total.saved_by_part)}")
            notes += _losses(total)
        if _has_cascade(total):
            notes.append("requests: of a cascade, each draft, sample and judge's call is one of its own")
            if self.by in _BY_CALL:
                notes.append(
                    "rows of a cascade: what a draft seems to save is taken back in the row of the answer that took "
                    "its place, so that only their sum says what was saved"
                )
        if total.estimated_saved_usd:
            notes.append(f"of what was saved, estimated: {usd_text(total.estimated_saved_usd)}")
        if total.side_usd:
            notes.append(f"spent by the kit itself, included in USD: {usd_text(total.side_usd)}")
        if total.estimated_calls or total.estimated_usd:
            notes.append(f"of USD, estimated: {usd_text(total.estimated_usd)}, {_calls_text(total.estimated_calls)}")
        if total.unpriced_calls:
            notes.append(
                f"unpriced: {_calls_text(total.unpriced_calls)}, in no sum; give their models a price in a PriceBook"
            )
        if total.unpriced_lookups:
            notes.append(f"lookups whose own cost is unknown, in no sum: {total.unpriced_lookups}")
        if total.unpriced_savings:
            notes.append(f"saved on unpriced models, in no sum: {_calls_text(total.unpriced_savings)}")
        if total.hypothetical_by_part:
            notes.append(f"observe mode would have saved (in no sum): {_parts_text(total.hypothetical_by_part)}")
        if total.errors or total.interrupted:
            notes.append(f"errors: {total.errors}, interrupted: {total.interrupted}")
        return notes


def usd_text(amount: Decimal) -> str:
    """Write USD with six places, or as many as a smaller amount needs to show two digits.

    >>> usd_text(Decimal("1.5")), usd_text(Decimal("0.00000004321")), usd_text(Decimal(0))
    ('1.500000', '0.000000043', '0.000000')
    """
    places = 6
    if amount and abs(amount) < Decimal("0.00001"):
        places = 1 - amount.adjusted()
    return f"{amount:.{places}f}"


def plain_text(text: str) -> str:
    """Write a text for matplotlib that is not mathtext: a group may be named ``$x$``.

    >>> plain_text("$x$")
    '\\\\$x\\\\$'
    """
    return text.replace("$", r"\$")


_LOSSES = {
    "route": ("routing", "it cost {usd} more than the strong target alone"),
    "cascade": ("the cascade", "it cost {usd} more than the strong target alone"),
    "cache": ("the cache", "its lookups and checks cost {usd} more than its hits saved"),
    "prune": ("pruning", "it cost {usd} more than the whole context"),
}
"""What a report says of a part that cost more than it saved: its name, and against what."""


_BY_CALL = frozenset(
    {"route", "model", "model_answered", "model_asked", "provider", "cache", "operation", "error", "basis"}
)
"""What calls for one request may differ in."""


def _has_cascade(total: ReportRow) -> bool:
    return "cascade" in total.calls_by_part or "cascade" in total.unpriced_by_part


def _losses(total: ReportRow) -> list[str]:
    said = []
    for part, usd in sorted(total.saved_by_part.items()):
        if usd < 0:
            name, cost = _LOSSES.get(part, (part, "it cost {usd} more than it saved"))
            calls = _calls_text(total.calls_by_part.get(part, 0))
            unknown = total.unpriced_by_part.get(part)
            but = f" (and {_calls_text(unknown)} unpriced)" if unknown else ""
            said.append(f"{name} did not pay: over {calls}{but} {cost.format(usd=f'{usd_text(-usd)} USD')}")
    return said


def _parts_text(by_part: Any) -> str:
    return ", ".join(f"{part} {usd_text(usd)}" for part, usd in sorted(by_part.items()))


def _calls_text(count: int) -> str:
    return f"{count} call{'s' * (count != 1)}"


def _usd_cell(row: ReportRow) -> str:
    if not row.unpriced_calls:
        return usd_text(row.usd)
    unpriced = f"unpriced ({_calls_text(row.unpriced_calls)})"
    return f"{usd_text(row.usd)} + {unpriced}" if row.usd or row.unpriced_calls < row.requests else unpriced


def _saved_cell(row: ReportRow) -> str:
    if not row.unpriced_savings:
        return usd_text(row.saved_usd)
    unpriced = f"unpriced ({_calls_text(row.unpriced_savings)})"
    return f"{usd_text(row.saved_usd)} + {unpriced}" if row.saved_usd else unpriced


def _rate_cell(row: ReportRow) -> str:
    return "-" if row.hit_rate is None else f"{row.hit_rate:.1%}"


_SHOWN: tuple[tuple[str, Callable[[ReportRow], str]], ...] = (
    ("requests", lambda row: str(row.requests)),
    ("calls", lambda row: str(row.calls)),
    ("tokens in", lambda row: f"{row.input_tokens:,}"),
    ("cached", lambda row: f"{row.cached_tokens:,}"),
    ("tokens out", lambda row: f"{row.output_tokens:,}"),
    ("USD", _usd_cell),
    ("saved USD", _saved_cell),
    ("hit rate", _rate_cell),
)

_FRAME_COLUMNS = (
    "requests",
    "calls",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "usd",
    "provider_usd",
    "side_usd",
    "estimated_usd",
    "estimated_calls",
    "unpriced_calls",
    "saved_usd",
    "estimated_saved_usd",
    "unpriced_savings",
    "hypothetical_usd",
    "hits",
    "hit_rate",
    "errors",
    "interrupted",
    "mean_latency_seconds",
)


def _shortened(group: str) -> str:
    line = "".join(one if one.isprintable() else "?" for one in " ".join(group.split()))
    return line if len(line) <= 48 else line[:47] + "…"
