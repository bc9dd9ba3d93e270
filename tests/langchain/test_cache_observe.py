"""Does observing a stream of support questions tell which policy to take, and what it would have saved?"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from lc_costkit import SemanticCache
from lc_costkit.cache.judging import GreyZone, JudgeCase, Judgement, same_text
from lc_costkit.cache.policy import BALANCED, STRICT
from lc_costkit.cache.recommend import PRESENT, TIGHTER
from lc_costkit.cache.verify import Sampled
from lc_costkit.errors import ConfigurationError
from lc_costkit.testing import FakeProvider
from tests.conftest import chat_openai
from tests.support.stream import TOPIC_OF, stream

COMPARED = Sampled(rate=1.0, judge=same_text, seed=1)


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=lambda request: f"This is about the {TOPIC_OF[request.question]}.") as running:
        yield running


def observed(provider: FakeProvider, count: int, **options: Any) -> SemanticCache:
    cache = SemanticCache(**{"mode": "observe", "verify": COMPARED, **options})
    model = chat_openai(provider, cache=cache)
    for question in stream(count):
        model.invoke(question)
    assert cache.flush(60)
    return cache


@pytest.mark.parametrize("watching", ["strict", "balanced"])
def test_a_stream_is_judged_under_every_policy_whichever_watched(provider: FakeProvider, watching: str) -> None:
    count = 250
    with observed(provider, count, policy=watching) as cache:
        report = cache.recommend(0.05)
        pairs = cache.engine.near_hits(limit=10_000)
        assert provider.calls == count, "observing serves nothing"
        assert report.lookups == count
        assert report.decisions == len(pairs) > 50
        assert all(
            (TOPIC_OF[pair.cached] == TOPIC_OF[pair.new]) is pair.same for pair in pairs if pair.same is not None
        )
        by_name = {one.name: one for one in report.outcomes}
        assert set(by_name) == {BALANCED.name, STRICT.name, TIGHTER}
        served = [pair for pair in pairs if pair.refused_by is None]
        own = by_name[watching]
        assert own.served == len(served)
        assert own.labels == len(served)
        assert own.wrong == sum(TOPIC_OF[pair.cached] != TOPIC_OF[pair.new] for pair in served)
        assert own.hit_rate == pytest.approx(len(served) / count)
        assert by_name[TIGHTER].served <= by_name[STRICT.name].served
        assert by_name[TIGHTER].min_score > by_name[STRICT.name].min_score
        stats = cache.stats()
        assert own.saved_usd is not None
        assert float(own.saved_usd) == pytest.approx(float(stats.observed_usd)), "what was held back is what it saves"
        repeats = stats.observed_hits - len(served)
        assert report.exact_rate == pytest.approx(repeats / count)


def test_few_labels_recommend_nothing_and_say_how_many_are_missing(provider: FakeProvider) -> None:
    with observed(provider, 40) as cache:
        report = cache.recommend(0.02)
        assert report.recommended is None
        assert report.labels_needed is not None
        assert report.labels_needed > 100
        assert f"about {report.labels_needed:,} more" in repr(report)
        loose = cache.recommend(0.5, confidence=0.5)
        assert loose.recommended is not None


def test_without_a_judge_nothing_is_known_about_errors(provider: FakeProvider) -> None:
    with observed(provider, 60, verify=None) as cache:
        report = cache.recommend()
        assert {one.error_rate for one in report.outcomes} == {None}
        assert all(one.error_interval == (0.0, 1.0) for one in report.outcomes)
        assert "none are labelled" in report.advice


def test_enough_labels_recommend_a_policy(provider: FakeProvider) -> None:
    with observed(provider, 400) as cache:
        report = cache.recommend(0.1)
        chosen = {one.name: one for one in report.outcomes}.get(str(report.recommended))
        assert chosen is not None, report
        assert chosen.error_interval[1] <= 0.1
        better = [one for one in report.outcomes if one.error_interval[1] <= 0.1]
        assert chosen.hit_rate == max(one.hit_rate for one in better)
        assert chosen.saved_usd is not None
        assert chosen.saved_usd > Decimal(0)


def test_wrong_policies_are_not_recommended(provider: FakeProvider) -> None:
    blind = Sampled(rate=1.0, judge=lambda case: False)
    with observed(provider, 120, verify=blind) as cache:
        report = cache.recommend()
        assert (report.recommended, report.labels_needed) == (None, None)
        assert "above the 5.00% accepted" in report.advice


def test_settings_of_ones_own_are_a_row_of_their_own(provider: FakeProvider) -> None:
    with observed(provider, 120, gates=()) as cache:
        report = cache.recommend()
        outcomes = {one.name: one for one in report.outcomes}
        assert PRESENT in outcomes
        assert outcomes[PRESENT].served >= outcomes[STRICT.name].served


def test_a_judge_is_a_row_of_its_own_and_paid_for_there_alone(provider: FakeProvider) -> None:
    def judge(case: JudgeCase) -> Judgement:
        return Judgement(same=TOPIC_OF[case.cached] == TOPIC_OF[case.new], usd=Decimal("0.001"))

    zone = GreyZone(low=0.3, high=1.0, judge=judge)
    with observed(provider, 120, policy="balanced", judge=zone) as cache:
        report, stats = cache.recommend(), cache.stats()
        served = [pair for pair in cache.near_hits(limit=10_000) if pair.refused_by is None]
        outcomes = {one.name: one for one in report.outcomes}
        assert (stats.judge_yes, stats.judge_no > 0) == (len(served), True)
        own = outcomes[PRESENT]
        assert (own.served, own.labels, own.wrong) == (len(served), len(served), 0)
        assert own.saved_usd is not None
        assert float(own.saved_usd) == pytest.approx(float(stats.observed_usd - stats.judge_usd))
        for name in (BALANCED.name, STRICT.name):
            saved = outcomes[name].saved_usd
            assert saved is not None
            assert saved >= 0, "nobody asks a judge there"


def test_a_cache_that_serves_can_be_asked_too(provider: FakeProvider) -> None:
    with observed(provider, 150, mode="on") as cache:
        report = cache.recommend(0.3)
        strict = next(one for one in report.outcomes if one.name == STRICT.name)
        assert strict.labels == cache.stats().checks_right + cache.stats().checks_wrong > 0


def test_no_traffic_is_said_in_words(provider: FakeProvider) -> None:
    with SemanticCache(mode="observe") as cache:
        report = cache.recommend()
        assert report.recommended is None
        assert "no decisions are logged yet" in report.advice
        assert "<table>" in report._repr_html_()
        for wrong in ({"max_error_rate": 0}, {"max_error_rate": 0.6}, {"confidence": 1}, {"confidence": True}):
            with pytest.raises(ConfigurationError):
                cache.recommend(**wrong)


def test_the_report_is_drawn(provider: FakeProvider) -> None:
    pytest.importorskip("matplotlib").use("Agg")
    with observed(provider, 100) as cache:
        axes = cache.recommend().plot()
        assert axes.get_xlabel() == "share of lookups served by meaning"
        assert len(axes.containers) == 3
