"""What did a correction of prices change?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from lc_costkit.cost import EXACTLY
from lc_costkit.report import usd_text
from lc_costkit.tables import html_table, text_table


@dataclass(frozen=True, slots=True, kw_only=True)
class RepricedModel:
    """What a correction changed for one model.

    Attributes:
        model: as reports name it.
        calls: calls looked at.
        changed: calls whose cost or savings changed.
        before_usd: what those that had a price cost before (USD).
        after_usd: what those that have a price cost now (USD).
        unpriced_before: calls that had no price.
        unpriced_after: calls that have none now.
    """

    model: str
    calls: int
    changed: int
    before_usd: Decimal
    after_usd: Decimal
    unpriced_before: int
    unpriced_after: int

    @property
    def difference_usd(self) -> Decimal:
        """What they cost more than before (USD); negative where they cost less."""
        with localcontext(EXACTLY):
            return self.after_usd - self.before_usd


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Repricing:
    """What ``Ledger.reprice`` found, and wrote unless ``dry_run``. Prints as a table.

    Attributes:
        dry_run: nothing was written.
        by_model: one line for each model, the largest change first.
        total: over all of them.
        own_prices_kept: calls priced at a price of the user's own that the book does not have; left alone.
        unknown_kept: calls with a price for which the book knows none; left alone.
        given_kept: calls whose amount was written down without a price; left alone.
        savings_left: savings that depend on a price and could not be worked out again; left alone.
        unreadable: rows that cannot be read; left alone (see ``Ledger.check``).
    """

    dry_run: bool
    by_model: tuple[RepricedModel, ...]
    total: RepricedModel
    own_prices_kept: int = 0
    unknown_kept: int = 0
    given_kept: int = 0
    savings_left: int = 0
    unreadable: int = 0

    @property
    def calls(self) -> int:
        """Calls looked at."""
        return self.total.calls

    @property
    def changed(self) -> int:
        """Calls whose cost or savings changed."""
        return self.total.changed

    @property
    def before_usd(self) -> Decimal:
        """What the calls that had a price cost before (USD)."""
        return self.total.before_usd

    @property
    def after_usd(self) -> Decimal:
        """What the calls that have a price cost now (USD)."""
        return self.total.after_usd

    def __repr__(self) -> str:
        if not self.total.calls:
            return "no calls to price again"
        return "\n".join([text_table(*self._cells()), *self._notes()])

    def _repr_html_(self) -> str:
        if not self.total.calls:
            return "<p>no calls to price again</p>"
        return html_table(*self._cells(), notes=self._notes())

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        header = ["model", "calls", "changed", "USD before", "USD after", "difference", "unpriced"]
        return header, [_line(row) for row in (*self.by_model, self.total)]

    def _notes(self) -> list[str]:
        notes = [
            (self.own_prices_kept, "keep a price of your own, which the given prices do not have"),
            (self.unknown_kept, "keep their price: the given prices have none for their model"),
            (self.given_kept, "keep an amount that was written down without a price"),
            (self.unreadable, "cannot be read and were left alone; see `costkit check`"),
        ]
        said = [f"{count} call{'s' * (count != 1)}: {what}" for count, what in notes if count]
        if self.savings_left:
            said.append(f"{self.savings_left} savings were left: the ledger does not hold what they rest on")
        return [*said, *(["a dry run: nothing was written"] if self.dry_run else ())]


def _line(row: RepricedModel) -> list[str]:
    unpriced = f"{row.unpriced_before} -> {row.unpriced_after}" if row.unpriced_before else "0"
    amounts: Sequence[Decimal] = (row.before_usd, row.after_usd)
    sign = "+" if row.difference_usd > 0 else ""
    return [
        row.model,
        str(row.calls),
        str(row.changed),
        *map(usd_text, amounts),
        sign + usd_text(row.difference_usd),
        unpriced,
    ]
