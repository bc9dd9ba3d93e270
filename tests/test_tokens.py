"""Counting tokens: with a local vocabulary, without one, and with text that breaks tokenizers."""

from __future__ import annotations

import os
import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lc_costkit import tokens
from lc_costkit.errors import ConfigurationError
from lc_costkit.tokens import TokenCounter, approximate_tokens

HAS_VOCABULARY = tokens._vocabulary_folder("o200k_base") is not None
needs_vocabulary = pytest.mark.skipif(
    not HAS_VOCABULARY, reason="no local vocabulary (llama-index-core is not installed)"
)


@pytest.fixture
def no_vocabulary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without any vocabulary, and without a network to fetch one from."""
    monkeypatch.setattr(tokens, "_package_folders", lambda package: [])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in tokens._CACHE_VARIABLES:
        monkeypatch.setenv(name, str(tmp_path / name))
    tokens._find_vocabulary.cache_clear()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: pytest.fail("the network was asked"))
    yield
    tokens._find_vocabulary.cache_clear()


@needs_vocabulary
@pytest.mark.parametrize(
    ("model", "text", "expected"),
    [
        ("gpt-4o-mini", "hello world", 2),
        ("gpt-4o-mini", "카드 비밀번호를 어떻게 바꾸나요?", 10),
        ("gpt-4", "카드 비밀번호를 어떻게 바꾸나요?", 21),
        ("openai/gpt-5.6-sol", "hello world", 2),
        ("ft:gpt-4o-mini-2024-07-18:org::id", "hello world", 2),
        ("text-embedding-3-small", "hello world", 2),
    ],
)
def test_counts_openai_models_with_their_own_vocabulary(model: str, text: str, expected: int) -> None:
    counter = TokenCounter(model)
    assert counter.exact
    assert counter.basis == "exact"
    assert counter.count(text) == expected


@pytest.mark.parametrize("model", [None, "claude-sonnet-4-5", "gemini-2.5-flash", "my-private-llm", "text-davinci-003"])
def test_other_models_are_estimates(model: str | None) -> None:
    counter = TokenCounter(model)
    assert not counter.exact
    assert counter.basis == "estimated"
    assert counter.count("hello world") == 2


@needs_vocabulary
@pytest.mark.parametrize(
    "text",
    [
        "<|endoftext|>" * 10,
        "lone \ud800 and \udfff surrogates",
        "\x00" * 1000,
        "\r\n\t " * 500,
        "👨‍👩‍👧‍👦" * 100,
    ],
)
def test_odd_text_is_counted(text: str) -> None:
    assert TokenCounter("gpt-4o").count(text) > 0


@needs_vocabulary
@pytest.mark.parametrize("piece", [" ", "\n", "a", "가", "1", "!", "Ab", "\x00", "\ud800"])
def test_huge_runs_are_counted(piece: str) -> None:
    assert TokenCounter("gpt-4o").count(piece * 300_000) > 100


@needs_vocabulary
def test_cutting_a_long_text_does_not_change_its_count() -> None:
    text = "The card 4021 was declined (code 51), please don't retry.  Ask the bank:\n카드 번호를 확인하세요. " * 3000
    encoding = tokens._load("o200k_base")
    assert encoding is not None
    assert len(text) > 2 * tokens._CHUNK_CHARACTERS
    assert TokenCounter("gpt-4o").count(text) == len(encoding.encode_ordinary(text))


@needs_vocabulary
def test_counting_from_many_threads_agrees() -> None:
    tokens._load_from.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        counts = set(pool.map(lambda _: TokenCounter("gpt-4o").count("How do I reset my PIN?"), range(64)))
    assert len(counts) == 1


@needs_vocabulary
def test_loading_leaves_the_environment_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    tokens._load_from.cache_clear()
    TokenCounter("gpt-4o").count("hello")
    assert "TIKTOKEN_CACHE_DIR" not in os.environ


@needs_vocabulary
def test_a_folder_the_user_names_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    source = Path(str(tokens._vocabulary_folder("o200k_base")))
    request.getfixturevalue("no_vocabulary")
    folder = tmp_path / "TIKTOKEN_CACHE_DIR"
    folder.mkdir()
    for file in source.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    assert tokens._vocabulary_folder("o200k_base") == str(folder)
    assert TokenCounter("gpt-4o").exact


@pytest.mark.usefixtures("no_vocabulary")
def test_without_a_vocabulary_the_count_is_approximate() -> None:
    counter = TokenCounter("gpt-4o")
    assert not counter.exact
    assert counter.count("How do I reset my card PIN?") == approximate_tokens("How do I reset my card PIN?")


def test_a_machine_without_a_temporary_folder_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", none)
    monkeypatch.setattr(tokens, "_package_folders", lambda package: [])
    tokens._find_vocabulary.cache_clear()
    try:
        assert TokenCounter("gpt-4o").count("How do I reset my card PIN?") > 0
    finally:
        tokens._find_vocabulary.cache_clear()


@needs_vocabulary
def test_a_damaged_vocabulary_is_neither_used_nor_removed(
    tmp_path: Path, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    name = next(
        file.name
        for file in Path(str(tokens._vocabulary_folder("o200k_base"))).iterdir()
        if file.stat().st_size > 3_000_000
    )
    request.getfixturevalue("no_vocabulary")
    damaged = tmp_path / "TIKTOKEN_CACHE_DIR" / name
    damaged.parent.mkdir()
    damaged.write_bytes(b"IA== 220\n")
    assert not TokenCounter("gpt-4o").exact
    assert TokenCounter("gpt-4o").count("hello world") == 2
    assert damaged.exists()
    assert "damaged" in caplog.text


@pytest.mark.parametrize("text", ["", "a", " ", "\n", "\ud800", "😀", "ひらがな", "1" * 50, "Donaudampfschifffahrt"])
def test_approximation_of_single_pieces(text: str) -> None:
    assert approximate_tokens(text) >= (1 if text else 0)


@given(st.text(alphabet=st.characters(), max_size=300))
@settings(max_examples=200)
def test_approximation_never_fails_and_stays_within_the_bytes(text: str) -> None:
    count = approximate_tokens(text)
    assert 0 <= count <= 3 * len(text) + 1


@pytest.mark.parametrize("model", ["", "   ", 3])
def test_a_model_that_is_no_name_is_refused(model: object) -> None:
    with pytest.raises(ConfigurationError, match="model must be a model name or None"):
        TokenCounter(model)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [None, b"bytes", ["list"]])
def test_only_text_is_counted(text: object) -> None:
    with pytest.raises(ConfigurationError, match="can only count the tokens of a str"):
        TokenCounter().count(text)  # type: ignore[arg-type]
