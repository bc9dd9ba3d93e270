"""Are the demo's questions, articles and traffic what they are said to be?"""

from __future__ import annotations

from collections import Counter

import pytest

from lc_costkit.demo.data import load_articles, load_questions, traffic
from lc_costkit.errors import ConfigurationError


def test_questions_are_ten_of_each_of_77_intents_and_all_differ() -> None:
    questions = load_questions()
    assert set(Counter(q.intent for q in questions).values()) == {10}
    assert len({q.intent for q in questions}) == 77
    assert len({q.text for q in questions}) == len(questions) == 770


def test_articles_have_a_title_and_a_text() -> None:
    articles = load_articles()
    assert len(articles) == 30
    assert all(a.title and "\n" not in a.title and len(a.text) > 200 and not a.title.startswith("#") for a in articles)


def test_traffic_is_skewed_and_reproducible() -> None:
    questions = load_questions()
    first, again, other = traffic(questions, 2000), traffic(questions, 2000), traffic(questions, 2000, seed=1)
    assert first == again != other
    counts = [count for _, count in Counter(q.text for q in first).most_common()]
    assert counts[0] > 10 * counts[len(counts) // 2]
    # Zipf: the most asked question has about 1/H(770) of the traffic, H the harmonic number
    assert 0.09 < counts[0] / 2000 < 0.19


def test_no_requests_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least 1 request, not 0"):
        traffic(load_questions(), 0)
