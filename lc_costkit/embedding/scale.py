"""What does a cosine of somebody's embedder mean, in cosines of the bundled one?

One model calls two questions that have nothing in common .05, another .75; one gives a rewording .8,
another .93. So a foreign embedder is asked once for a few questions of which we know which are rewordings
of each other, and its cosines are laid linearly onto the bundled embedder's, whose the score was chosen on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from lc_costkit.embedding.bundled import IDENTITY, bundled_embedder
from lc_costkit.embedding.protocol import Embedder
from lc_costkit.scripts import LATIN, NONE, script_of

LATIN_PROBES = (
    ("How do I change the address on my account?", "Where can I update my home address?"),
    ("What time does the library close on Sundays?", "Until when is the library open on a Sunday?"),
    ("Can I bring my dog on the train?", "Are dogs allowed on trains?"),
    ("How long should I boil an egg?", "How many minutes does it take to cook an egg?"),
    ("Why does my laptop get so hot?", "What makes my notebook computer overheat?"),
    ("How can I learn to play the guitar by myself?", "What is the best way to teach myself guitar?"),
    ("Is it possible to return shoes that I have already worn?", "Can worn shoes be sent back?"),
    ("What are the side effects of this medicine?", "Which unwanted effects can this drug have?"),
    ("How do I remove a coffee stain from a white shirt?", "What gets coffee spots out of white clothes?"),
    ("Who pays for the repair of a broken heating?", "Who has to cover the costs when the heating needs fixing?"),
    ("How do I merge two branches in git?", "What is the command to join one git branch into another?"),
    ("When should tomatoes be planted outside?", "What month is right for putting tomato plants outdoors?"),
)
KOREAN_PROBES = (
    ("비밀번호를 잊어버렸는데 어떻게 하나요?", "비밀번호가 기억나지 않을 때는 어떻게 해야 하나요?"),
    ("일요일에 도서관은 몇 시에 문을 닫나요?", "도서관 일요일 마감 시간이 언제예요?"),
    ("기차에 강아지를 데리고 타도 되나요?", "반려견과 함께 열차를 이용할 수 있나요?"),
    ("달걀은 몇 분 동안 삶아야 하나요?", "계란 삶는 시간은 얼마나 되나요?"),
    ("흰 셔츠에 묻은 커피 얼룩을 어떻게 지우나요?", "하얀 옷에 커피를 쏟았는데 얼룩 빼는 법 알려 주세요"),
    ("신었던 신발도 반품할 수 있나요?", "이미 신은 신발을 환불받는 게 가능한가요?"),
)
"""Rewordings as people write them, about things that have nothing to do with each other: 24 and 12 questions."""

PROBES = (*chain.from_iterable(LATIN_PROBES), *chain.from_iterable(KOREAN_PROBES))

TELLS_APART = 0.95
"""Share of all comparisons of a rewording with an unrelated pair in which the rewording is nearer, from which on an
embedder has a scale. all-MiniLM-L6-v2 and the bundled one have 1 in English; in Korean, which MiniLM cannot read,
it has .74; 64 hashed words have .76, random vectors .5."""

LEAST_SPREAD = 0.05
"""Between unrelated pairs and rewordings; a smaller one would be blown up to what it cannot carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Where an embedder's cosines lie, and where the bundled one's do on the same questions.

    Attributes:
        background: mean cosine of questions that have nothing to do with each other, -1 to 1.
        top: mean cosine of rewordings, above ``background`` and below 1.
        common_background: the same of the bundled embedder.
        common_top: the same of the bundled embedder.
    """

    background: float
    top: float
    common_background: float
    common_top: float

    def to_common(self, cosine: float) -> float:
        """Return what the bundled embedder would say of such a pair, 0 to 1.

        Straight from ``background`` to ``top`` and on down to 0, and straight from ``top`` to 1, which
        means the same everywhere.

        >>> scale = Scale(background=0.7, top=0.9, common_background=0.1, common_top=0.7)
        >>> [round(scale.to_common(cosine), 2) for cosine in (0.5, 0.7, 0.8, 0.9, 0.95, 1.0)]
        [0.0, 0.1, 0.4, 0.7, 0.85, 1.0]
        """
        return float(np.interp(cosine, *self._points()))

    def all_to_common(self, cosines: NDArray[np.float32]) -> NDArray[np.float32]:
        """Do the same for many."""
        return np.interp(cosines, *self._points()).astype(np.float32)

    def from_common(self, cosine: float) -> float:
        """Return the cosine of the embedder that the bundled one's stands for.

        >>> scale = Scale(background=0.7, top=0.9, common_background=0.1, common_top=0.7)
        >>> round(scale.from_common(0.4), 2)
        0.8
        """
        own, common = self._points()
        return float(np.interp(cosine, common, own))

    def _points(self) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        steps = (self.top - self.background) / (self.common_top - self.common_background)
        return (self.top - steps * self.common_top, self.top, 1.0), (0.0, self.common_top, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """The scales of an embedder by script; ``None`` where it cannot tell rewordings from unrelated questions.

    Attributes:
        latin: for English and everything else in Latin letters.
        other: for every other script, measured on Korean.
    """

    latin: Scale | None
    other: Scale | None

    def of(self, text: str) -> Scale | None:
        """Return the scale for a text."""
        return self.of_script(script_of(text))

    def of_script(self, script: str) -> Scale | None:
        """Return the scale for texts of a script."""
        return self.latin if script in (LATIN, NONE) else self.other


def measure(vectors: NDArray[np.float32]) -> Scales:
    """Read the scales off the vectors of ``PROBES``."""
    split = 2 * len(LATIN_PROBES)
    latin, other = _bundled()
    return Scales(latin=_scale(vectors[:split], latin), other=_scale(vectors[split:], other))


def scales_of(embedder: Embedder) -> Scales | None:
    """Return the scales of an embedder, in one call unless it knows them; ``None`` for the bundled one.

    Raises:
        EmbedderError: the embedder breaks its contract. What it raises itself passes through.
    """
    if embedder.identity == IDENTITY:
        return None
    own = getattr(embedder, "scales", None)
    if callable(own):
        found = own()
        if isinstance(found, Scales):
            return found
    return measure(embedder.embed(PROBES))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Means:
    background: float
    top: float
    tells_apart: float


def _means(vectors: NDArray[np.float32]) -> _Means:
    """Compare questions that stand in pairs: the first two are rewordings, the next two, and so on."""
    cosines = vectors @ vectors.T
    pairs = np.arange(len(vectors)) // 2
    first, second = np.triu_indices(len(vectors), 1)
    reworded = pairs[first] == pairs[second]
    found = cosines[first, second]
    near, far = found[reworded], found[~reworded]
    return _Means(
        background=float(far.mean()),
        top=float(near.mean()),
        tells_apart=float((near[:, None] > far[None, :]).mean()),
    )


def _scale(vectors: NDArray[np.float32], common: _Means) -> Scale | None:
    means = _means(vectors)
    if means.tells_apart < TELLS_APART or means.top - means.background < LEAST_SPREAD or means.top >= 1:
        return None
    # Providers' vectors differ a little from call to call; scores should not.
    return Scale(
        background=round(means.background, 2),
        top=round(means.top, 2),
        common_background=common.background,
        common_top=common.top,
    )


@lru_cache(maxsize=1)
def _bundled() -> tuple[_Means, _Means]:
    vectors = bundled_embedder().embed(PROBES)
    split = 2 * len(LATIN_PROBES)
    return _means(vectors[:split]), _means(vectors[split:])
