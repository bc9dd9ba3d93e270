"""Which target answered which recorded question how well?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from lc_costkit.errors import ConfigurationError
from lc_costkit.record import CallRecord
from lc_costkit.routing.outcomes import LabelledPrompt

if TYPE_CHECKING:
    from lc_costkit.ledger import Ledger


def recorded_outcomes(
    ledger: Ledger,
    *,
    targets: Sequence[str],
    models: Mapping[str, str] | None = None,
    since: datetime | date | None = None,
    until: datetime | date | None = None,
    **equal: str,
) -> tuple[LabelledPrompt, ...]:
    """Return the questions whose answers were scored, one for each question, with the mean score by target.

    A call counts if it is recorded with its text, has a score, went to a provider and names a target: by its route,
    or by its model. Of several scores of one call the last counts. What was asked to decide (a classifier, a judge)
    answered nobody's question, and does not count.

    Args:
        ledger: opened with ``record_text=True`` when the calls were made.
        targets: names, cheapest first.
        models: the target of calls that no router sent, by the model's name, as it was asked for or as it answered.
        since: the earliest start (aware, or a UTC date).
        until: the first moment not included.
        **equal: ``feature="support"`` and the like, as in ``Ledger.records``.

    Raises:
        ConfigurationError: a score outside 0..1, an unknown filter, or a model's target that is not in ``targets``.
        StoreError: the ledger cannot be read.
    """
    strangers = sorted(set((models or {}).values()) - set(targets))
    if strangers:
        raise ConfigurationError(f"models leads to {strangers!r}, which are no targets; there are {list(targets)!r}")
    scores = {score.call_id: score.value for score in ledger.scores()}
    found: dict[str, dict[str, list[float]]] = {}
    for record in ledger.records(since=since, until=until, **equal):
        value = scores.get(record.call_id)
        target = record.route or target_of(record, models or {})
        if value is None or not record.question or record.cache == "hit" or record.aside:
            continue
        if target is None or target not in targets:
            continue
        if not 0.0 <= value <= 1.0:
            raise ConfigurationError(
                f"an outcome lies between 0 and 1; call {record.call_id!r} has the score {value!r}. "
                "Scale the scores, and fit on the scaled ones with Learned.fit(prompts, outcomes)"
            )
        found.setdefault(record.question, {}).setdefault(target, []).append(value)
    return tuple(
        LabelledPrompt(
            prompt=question,
            outcomes={name: sum(own[name]) / len(own[name]) for name in targets if name in own},
        )
        for question, own in found.items()
    )


def target_of(record: CallRecord, models: Mapping[str, str]) -> str | None:
    """Return the target of a call that no router sent: providers answer with dated names of the model asked for."""
    names = (record.model_answered, record.model_asked)
    return next((models[name] for name in names if name is not None and name in models), None)
