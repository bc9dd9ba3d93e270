from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.scripts import _BLOCKS, runs, script_of


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("How do I cancel?", "Latn"),
        ("Où est ma carte?", "Latn"),
        ("카드를 잃어버렸어요", "Kore"),
        ("한글 ㅋㅋㅋ", "Kore"),
        ("カードを失くしました", "Jpan"),
        ("漢字ばかりの文", "Jpan"),
        ("我的卡丢了", "Hani"),
        ("Я потерял карту", "Cyrl"),
        ("Έχασα την κάρτα", "Grek"),
        ("فقدت بطاقتي", "Arab"),
        ("איבדתי את הכרטיס", "Hebr"),
        ("ฉันทำบัตรหาย", "Thai"),
        ("मेरा कार्ड खो गया", "Deva"),
        ("ＡＢＣ", "Latn"),
        ("12 + 30 = 42", "Zyyy"),
        ("", "Zyyy"),
        ("🙂", "Zyyy"),
        ("ꯃꯩꯇꯩ", "Zzzz"),
        ("iPhone 15 환불", "Latn"),
        ("iPhone 15 환불되나요", "Kore"),
    ],
)
def test_script_of(text: str, script: str) -> None:
    assert script_of(text) == script


def test_blocks_are_in_order_or_nested_after_the_wider_one() -> None:
    starts = [first for first, _, _ in _BLOCKS]
    assert starts == sorted(starts)
    assert all(last < following for (_, last, _), following in zip(_BLOCKS, starts[1:], strict=False))


def test_runs_join_korean_across_spaces_but_keep_words_of_alphabets() -> None:
    assert runs("비밀번호 변경") == runs("비밀번호변경") == [("Kore", "비밀번호변경")]
    assert runs("моя карта") == [("Cyrl", "моя"), ("Cyrl", "карта")]
    assert runs("खो गया") == [("Deva", "खो"), ("Deva", "गया")]


def test_composed_and_decomposed_forms_are_one() -> None:
    assert runs("각") == runs("각")
    assert runs("Ｓ２４") == [("Latn", "s24")]


@given(st.text())
def test_never_raises(text: str) -> None:
    assert len(script_of(text)) == 4
    assert all(run for _, run in runs(text))
