from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_costkit.embedding import Embedder, ReadyEmbedder, bundled_embedder
from lc_costkit.embedding.bundled import MAX_CHARACTERS

TEXTS = [
    "How do I reset my password?",
    "Where is order A-99321-X?",
    "비밀번호를 어떻게 재설정하나요?",
    "パスワードを忘れました",
    "我的卡丢了怎么办",
    "Я потерял карту",
    "فقدت بطاقتي",
    "ฉันทำบัตรหาย",
    "🙂🙃",
]


def test_is_an_embedder_with_unit_rows() -> None:
    embedder = bundled_embedder()
    assert isinstance(embedder, Embedder)
    assert isinstance(embedder, ReadyEmbedder)
    made = embedder.embed(TEXTS)
    assert made.shape == (len(TEXTS), embedder.dimensions)
    assert made.dtype == np.float32
    assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)
    assert embedder.priced_model is None
    assert bundled_embedder() is embedder


def test_no_texts() -> None:
    assert bundled_embedder().embed([]).shape == (0, bundled_embedder().dimensions)


@pytest.mark.parametrize("text", ["", " ", "\n\t ", "\ud800", "\x00", "\u200b", "\ufeff"])
def test_nothing_to_read_is_a_row_of_zeros(text: str) -> None:
    assert not bundled_embedder().embed([text, "card"])[0].any()
    assert bundled_embedder().embed([text, "card"])[1].any()


@pytest.mark.parametrize(
    "text",
    ["a\ud83dquestion", "card\x00lost", "e" + "\u0301" * 5000, "?" * 9, "\U000e0001", "ﷺ", "١٢٣", "½", "_", "a \u0308"],
)
def test_odd_text_is_finite_and_of_length_one(text: str) -> None:
    row = bundled_embedder().embed([text])[0]
    assert np.isfinite(row).all()
    assert np.linalg.norm(row) == pytest.approx(1, abs=1e-5) or not row.any()


@given(st.lists(st.text(), max_size=5))
def test_never_raises_and_a_batch_equals_one_by_one(texts: list[str]) -> None:
    embedder = bundled_embedder()
    together = embedder.embed(texts)
    for row, text in zip(together, texts, strict=True):
        assert np.allclose(row, embedder.embed([text])[0], atol=1e-6)
        assert np.linalg.norm(row) == pytest.approx(1, abs=1e-4) or not row.any()


def test_a_long_text_is_read_at_both_ends() -> None:
    embedder = bundled_embedder()
    filler = "word " * 200_000
    first, last, middle, neither = embedder.embed(
        [f"invoice {filler}", f"{filler} invoice", f"{filler} invoice {filler}", filler]
    )
    assert not np.array_equal(first, neither)
    assert not np.array_equal(last, neither)
    assert np.allclose(middle, neither, atol=1e-3)
    assert len(filler) > MAX_CHARACTERS


def test_scripts_do_not_meet() -> None:
    english, russian = bundled_embedder().embed(["How do I reset my password?", "Как сбросить пароль?"])
    assert english @ russian == 0
    others = bundled_embedder().embed(TEXTS[2:8])
    similarity = others @ others.T - np.eye(len(others))
    assert np.abs(similarity).max() < 0.4
    assert not (bundled_embedder().embed(TEXTS[:1]) @ others.T)[:, 1:].any()


@pytest.mark.parametrize(
    ("question", "same", "other"),
    [
        ("How do I reset my password?", "I forgot my password, how can I change it?", "How do I bake bread?"),
        ("비밀번호를 어떻게 바꾸나요?", "비밀번호 바꾸는 방법", "배송은 언제 오나요?"),
        ("怎么修改密码？", "如何修改我的密码", "什么时候发货？"),
        ("パスワードを変更したい", "パスワードの変更方法", "配送はいつですか"),
        ("Как изменить пароль?", "Изменить мой пароль", "Когда придёт заказ?"),
        ("كيف أغير كلمة المرور", "تغيير كلمة المرور", "متى يصل الطلب"),
        ("เปลี่ยนรหัสผ่านอย่างไร", "วิธีเปลี่ยนรหัสผ่าน", "สินค้าจะมาถึงเมื่อไหร่"),
        ("Wie ändere ich mein Passwort?", "Mein Passwort ändern", "Wann kommt die Lieferung an?"),
    ],
)
def test_alike_questions_are_nearer(question: str, same: str, other: str) -> None:
    asked, near, far = bundled_embedder().embed([question, same, other])
    assert asked @ near > asked @ far + 0.1


def test_spelling_of_the_same_text_does_not_matter() -> None:
    rows = bundled_embedder().embed(["카드 분실", "카드분실", "카드 분실", "RESET  My password", "reset my password"])
    assert rows[0] @ rows[1] == pytest.approx(1, abs=1e-5)
    assert rows[0] @ rows[2] == pytest.approx(1, abs=1e-5)
    assert rows[3] @ rows[4] == pytest.approx(1, abs=1e-5)


def _digest() -> str:
    return hashlib.sha256(bundled_embedder().embed(TEXTS).tobytes()).hexdigest()


def test_equal_in_every_process() -> None:
    code = "from tests.embedding.test_bundled import _digest; print(_digest())"
    for seed in ("0", "12345"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        assert told.stdout.strip() == _digest()


def test_shared_between_threads() -> None:
    embedder = bundled_embedder()
    expected = embedder.embed(TEXTS)
    with ThreadPoolExecutor(8) as pool:
        assert all(np.array_equal(made, expected) for made in pool.map(lambda _: embedder.embed(TEXTS), range(200)))


async def test_async_few_and_many() -> None:
    embedder = bundled_embedder()
    assert np.array_equal(await embedder.aembed(TEXTS), embedder.embed(TEXTS))
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    many = await embedder.aembed(TEXTS * 100)
    ticking.cancel()
    assert many.shape[0] == len(TEXTS) * 100
    assert ticks > 1


def test_what_ships_stays_under_eight_megabytes() -> None:
    folder = Path(str(files("lc_costkit.embedding") / "data"))
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 8_000_000


def test_korean_words_of_one_meaning_are_near_although_they_share_no_syllable() -> None:
    said, reworded, other = bundled_embedder().embed(
        ["구독을 해지하고 싶어요", "정기결제 취소는 어떻게 하나요?", "배송지를 바꿀 수 있나요?"]
    )
    assert said @ reworded > said @ other + 0.1
