"""How many tokens is a text, without asking the network?

tiktoken downloads its vocabularies when it lacks them. Here only a vocabulary that is
already on the disk is used: in the folder of ``TIKTOKEN_CACHE_DIR`` or
``DATA_GYM_CACHE_DIR``, among the files that llama-index-core ships, or in tiktoken's own
cache. Where there is none, the count is an approximation and says so.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lc_costkit.errors import ConfigurationError
from lc_costkit.usage import Basis

if TYPE_CHECKING:
    import tiktoken

_logger = logging.getLogger(__name__)

EncodingName = Literal["o200k_base", "cl100k_base"]

_VOCABULARIES: dict[EncodingName, tuple[str, str]] = {
    "o200k_base": (
        "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
    "cl100k_base": (
        "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
}
"""Where each vocabulary comes from (tiktoken names the cached file after it) and its SHA-256, as in tiktoken_ext."""

_SAME_SPLIT: dict[str, EncodingName] = {
    "o200k_base": "o200k_base",
    "o200k_harmony": "o200k_base",
    "cl100k_base": "cl100k_base",
}
"""Encodings that split ordinary text as one of ours does (harmony differs in special tokens only)."""

_CACHE_VARIABLES = ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR")
_LOADING = threading.Lock()
_CHUNK_CHARACTERS = 100_000
"""tiktoken's regular expression overflows its stack on a run of a million spaces; 100,000 is safe (measured)."""

_SINGLE_SPACE = re.compile(r"(?<=\w) (?=\S)")


_RUNS = re.compile(
    r"(?P<latin>[A-Za-zÀ-ɏ]+)|(?P<digit>[0-9]+)|(?P<hangul>[가-힣ᄀ-ᇿㄱ-ㆎ]+)|(?P<han>[㐀-鿿豈-﫿]+)|(?P<kana>[぀-ヿ]+)"
    r"|(?P<line>[ \t]*[\r\n]\s*)|(?P<space>[ \t]+)|(?P<punctuation>[!-/:-@\[-`{-~]+)|(?P<script>[Ͱ-῿Ⰰ-ⷿꀀ-꿿ﬀ-﷿ﹰ-﻿]+)"
    r"|(?P<other>[\s\S])"
)

_WEIGHTS: dict[str, tuple[float, float]] = {
    "latin": (0.97, 0.0),
    "digit": (0.55, 0.55),
    "hangul": (0.29, 0.75),
    "han": (0.0, 0.78),
    "kana": (0.0, 0.55),
    "line": (0.6, 0.0),
    "space": (0.0, 0.0),
    "punctuation": (0.83, 0.11),
    "script": (0.0, 0.4),
    "other": (0.0, 1.5),
}
"""Tokens for a run of one kind of character and for each character in it, fitted to o200k_base counts."""

_LATIN_LONG, _LATIN_LONGER, _LATIN_ACCENT = 0.12, 0.10, 2.0
"""Extra tokens: a letter past the 6th of a word, past the 10th, and a letter outside ASCII."""


class TokenCounter:
    """Counts the tokens of a text as a model would.

    OpenAI models are counted with their own vocabulary when it is on this machine, and
    ``exact`` is then true: for the text alone, without the few tokens by which a provider
    frames each message. Claude, Gemini and unknown models keep their vocabularies to
    themselves: they get the ``o200k_base`` count as an estimate. With no vocabulary at
    all, characters are counted by script (see ``approximate_tokens`` for its error).

    Nothing is loaded until the first count, nothing is downloaded ever, and one counter
    may serve many threads.

    Args:
        model: a model name, with or without a provider prefix (``openai/gpt-4o``);
            ``None`` estimates for no model in particular.

    Raises:
        ConfigurationError: ``model`` is not a string or is empty.

    >>> counter = TokenCounter("gpt-4o-mini")
    >>> counter.count("How do I reset my card PIN?") > 5
    True
    >>> counter.count("")
    0
    """

    def __init__(self, model: str | None = None) -> None:
        if model is not None and (not isinstance(model, str) or not model.strip()):
            raise ConfigurationError(f"model must be a model name or None, not {model!r}")
        self._model = model
        self._encoding_name, self._is_models_own = _encoding_for(model)

    def __repr__(self) -> str:
        return f"TokenCounter({self._model!r}, basis={self.basis!r})"

    @property
    def exact(self) -> bool:
        """Whether the count is the provider's own for this model."""
        return self._is_models_own and _vocabulary_folder(self._encoding_name) is not None

    @property
    def basis(self) -> Basis:
        """``exact`` or ``estimated``, the basis of whatever is priced with these counts."""
        return "exact" if self.exact else "estimated"

    def count(self, text: str) -> int:
        """Return the number of tokens in ``text``; special-token text counts as plain text.

        Raises:
            ConfigurationError: ``text`` is not a string.
        """
        if not isinstance(text, str):
            raise ConfigurationError(f"can only count the tokens of a str, not of {type(text).__name__}")
        if not text:
            return 0
        encoding = _load(self._encoding_name)
        if encoding is None:
            return approximate_tokens(text)
        if len(text) <= _CHUNK_CHARACTERS:
            return len(encoding.encode_ordinary(text))
        return sum(len(encoding.encode_ordinary(chunk)) for chunk in _chunks(text))


def _encoding_for(model: str | None) -> tuple[EncodingName, bool]:
    """Return the encoding to count with and whether it is the model's own."""
    if model is None:
        return "o200k_base", False
    from tiktoken.model import encoding_name_for_model

    name = model.strip().lower().rpartition("/")[2]
    try:
        wanted = encoding_name_for_model(name)
    except KeyError:
        return "o200k_base", False
    if wanted in _SAME_SPLIT:
        return _SAME_SPLIT[wanted], True
    return "cl100k_base", False


def _vocabulary_folder(encoding: EncodingName) -> str | None:
    """Return a folder that holds the intact vocabulary, or ``None``."""
    return _find_vocabulary(encoding, tuple(os.environ.get(name) for name in _CACHE_VARIABLES))


@lru_cache(maxsize=64)
def _find_vocabulary(encoding: EncodingName, named: tuple[str | None, ...]) -> str | None:
    url, digest = _VOCABULARIES[encoding]
    file_name = hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()
    for folder in _candidate_folders(named):
        try:
            content = (folder / file_name).read_bytes()
        except (OSError, ValueError):
            continue
        # tiktoken deletes and downloads again what does not match, so it must never see such a file.
        if hashlib.sha256(content).hexdigest() == digest:
            return str(folder)
        _logger.warning("the vocabulary %s in %s is damaged and is not used", encoding, folder)
    return None


def _candidate_folders(named: tuple[str | None, ...]) -> Iterator[Path]:
    for folder in named:
        if folder:
            yield Path(folder)
    for location in _package_folders("llama_index"):
        yield Path(location) / "core" / "_static" / "tiktoken_cache"
    try:
        yield Path(tempfile.gettempdir()) / "data-gym-cache"
    except FileNotFoundError:  # a read-only machine has no temporary folder
        return


def _package_folders(package: str) -> list[str]:
    """Return where a package lies, without importing it."""
    try:
        spec = importlib.util.find_spec(package)
    except ValueError:  # a module that was put into sys.modules by hand has no spec
        return []
    return list(spec.submodule_search_locations or ()) if spec else []


def _load(encoding: EncodingName) -> tiktoken.Encoding | None:
    folder = _vocabulary_folder(encoding)
    return None if folder is None else _load_from(encoding, folder)


@lru_cache(maxsize=8)
def _load_from(encoding: EncodingName, folder: str) -> tiktoken.Encoding | None:
    import tiktoken

    try:
        with _LOADING, _environment(_CACHE_VARIABLES[0], folder):
            return tiktoken.get_encoding(encoding)
    except Exception as error:  # whatever tiktoken cannot do must not fail a model call
        _logger.warning("tiktoken cannot load %s from %s (%s); counts are approximate", encoding, folder, error)
        return None


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


def _chunks(text: str) -> Iterator[str]:
    """Cut before a lone space after a word where there is one: there the count does not change."""
    start = 0
    while len(text) - start > _CHUNK_CHARACTERS:
        end = start + _CHUNK_CHARACTERS
        cuts = [match.start() for match in _SINGLE_SPACE.finditer(text, end - 1000, end)]
        end = cuts[-1] if cuts else end
        yield text[start:end]
        start = end
    yield text[start:]


def approximate_tokens(text: str) -> int:
    """Estimate the tokens of ``text`` from its scripts, in time linear in its length.

    Error against ``o200k_base``, median of one text (and of all texts together): English
    questions 0 % (+3.4 %), English passages 3.8 % (-0.6 %), Korean questions 12.5 %
    (-2.5 %), German passages 4.8 % (-3.9 %), Chinese passages 5.2 % (+2.1 %), JSON 2.2 %
    (-2.3 %), Python 4.5 % (+0.6 %). One short question in twenty is off by over 22 %
    (English) or 33 % (Korean). Other scripts rest on one sentence each.
    ``benchmarks/tokens.py`` measures it again.

    >>> approximate_tokens("How do I reset my card PIN?")
    8
    >>> approximate_tokens("카드 비밀번호를 어떻게 바꾸나요?")
    13
    """
    if not text:
        return 0
    total = 0.0
    for match in _RUNS.finditer(text):
        kind = match.lastgroup or "other"
        length = match.end() - match.start()
        per_run, per_character = _WEIGHTS[kind]
        total += per_run + per_character * length
        if kind == "latin":
            run = match.group()
            if length > 6:
                total += _LATIN_LONG * (length - 6) + _LATIN_LONGER * max(0, length - 10)
            if not run.isascii():
                total += _LATIN_ACCENT * sum(character > "\x7f" for character in run)
    return max(1, round(total))
