"""Does another Korean noun stand with the same particle?"""

from __future__ import annotations

import re

from lc_costkit.cache.align import align, unsaid
from lc_costkit.cache.prepare import Prepared
from lc_costkit.cache.text import words
from lc_costkit.scripts import KOREAN

_KOREAN_ENDING = re.compile(r"(?:으?로|에서|에게|한테|께|까지|[은는이가을를에도])$")
_KOREAN_SAME = {
    **dict.fromkeys(("로", "으로"), "로"),
    **dict.fromkeys(("에게", "한테", "께"), "에게"),
    **dict.fromkeys(("은", "는", "이", "가", "도"), "이"),
    **dict.fromkeys(("을", "를"), "를"),
}
_KOREAN_FRAME = 0.4
"""Share of words in the same order from which a Korean sentence is the same sentence."""
_OF_A_TOPIC = words("이 를 로")
_LIGHT = words(
    """사용처 절차 기간 시간 상태 정도 부분 방법 경우 문제 내용 사항 답변 정보 이유 생각 도움 시점 날짜 금액 비용 개념
    명칭 이름 종류 숫자 기한 한도 주기 표기 기준 규정"""
)
"""Korean nouns that narrow nothing where they stand on one side only."""
_FEW = 1
"""Words left over on a side up to which they answer to each other in any sentence."""
_KOREAN_VERB = re.compile(r"(?:[하되있없같많좋싫]|때)$")
_LIGHT_ENDINGS = ("일", "비", "료", "액", "법", "처", "시간", "날짜", "절차")


def _light(word: str) -> bool:
    return word in _LIGHT or (len(word) > 2 and word.endswith(_LIGHT_ENDINGS))


def korean_swap_gate(cached: Prepared, new: Prepared) -> str | None:
    """Refuse another Korean word with the same particle: to Canada, to Mexico."""
    if new.script != KOREAN or cached.script != KOREAN:
        return None
    laid = align(cached, new)
    if not laid.only_cached or not laid.only_new:
        for alone, text, against in ((laid.only_cached, cached, new), (laid.only_new, new, cached)):
            named = [
                word
                for particle, word in _marked(text, unsaid(alone, text, against))
                if particle in _OF_A_TOPIC and not _light(word)
            ]
            if named:
                return f"only one of them is about {named[0]}"
        return None
    if laid.order < _KOREAN_FRAME and max(len(laid.only_cached), len(laid.only_new)) > _FEW:
        return None  # told in other words: nouns change their parts with the verbs
    theirs = dict(_marked(new, unsaid(laid.only_new, new, cached)))
    for ending, one in _marked(cached, unsaid(laid.only_cached, cached, new)):
        other = theirs.get(ending)
        if other is not None:
            return f"{one} and {other} take the same part"
    return None


def _marked(text: Prepared, alone: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the particle and the stem of each noun that only this side has."""
    found = []
    for token in text.tokens:
        ending = _KOREAN_ENDING.search(token.word) if token.stem in alone and len(token.stem) > 1 else None
        if ending is not None and not _KOREAN_VERB.search(token.stem):
            found.append((_KOREAN_SAME.get(ending[0], ending[0]), token.stem))
    return found
