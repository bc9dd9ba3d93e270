"""What does OpenAI's embeddings endpoint send back?"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lc_costkit.testing.endpoints import Outcome, State
from lc_costkit.testing.rates import Metered
from lc_costkit.testing.records import FakeRequest, Provider
from lc_costkit.testing.wire import Prepared, WireError, required

_DIMENSIONS = {"text-embedding-3-large": 3072}
_DEFAULT_DIMENSIONS = 1536
_MAX_INPUTS = 2048
_FEATURES_PER_PART = 8
"""Signed entries by which one word or word part shows in a vector."""


class Embeddings:
    """``POST /v1/embeddings``: texts that share words get similar vectors, the same ones each time."""

    provider: Provider = "openai"

    def prepare(self, state: State, body: Mapping[str, Any], *, number: int, path: str) -> Prepared:
        """Understand the request; see ``Endpoint``."""
        model = required(body, "model", str, lambda _: "you must provide a model parameter")
        inputs = _inputs(body)
        text = "\n".join(one for one in inputs if isinstance(one, str))
        request = FakeRequest(number=number, provider="openai", path=path, model=model, body=body, question=text)
        return Prepared(request=request, blocks=())

    def answer(self, state: State, prepared: Prepared) -> Outcome:
        """One vector of length 1 for each text; see ``Endpoint``."""
        request = prepared.request
        inputs = _inputs(request.body)
        count = state.count_for(request.model)
        tokens = sum(count(one) if isinstance(one, str) else len(one) for one in inputs)
        dimensions = _dimensions(request.body)
        as_base64 = request.body.get("encoding_format") == "base64"
        data = [
            {"object": "embedding", "index": at, "embedding": _encoded(_vector(one, dimensions), as_base64)}
            for at, one in enumerate(inputs)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return Outcome(
            payload={"object": "list", "data": data, "model": request.model, "usage": usage},
            metered=Metered(uncached=tokens),
            usage_of=lambda counts: dict(usage),
            model=request.model,
        )


def _inputs(body: Mapping[str, Any]) -> list[str | list[int]]:
    """The texts, or lists of token ids, to embed."""
    given = body.get("input")
    inputs = [given] if isinstance(given, str) or (isinstance(given, list) and _is_tokens(given)) else given
    if not isinstance(inputs, list) or not inputs:
        raise WireError("'input' must be a non-empty string or a list of strings or tokens.", parameter="input")
    if len(inputs) > _MAX_INPUTS:
        raise WireError(f"'input' may hold at most {_MAX_INPUTS} texts, got {len(inputs)}.", parameter="input")
    for one in inputs:
        if not one or not (isinstance(one, str) or (isinstance(one, list) and _is_tokens(one))):
            raise WireError("'$.input' is invalid. Please check the API reference.", parameter="input")
    return inputs


def _is_tokens(value: Sequence[Any]) -> bool:
    return bool(value) and all(isinstance(one, int) and not isinstance(one, bool) for one in value)


def _dimensions(body: Mapping[str, Any]) -> int:
    most = _DIMENSIONS.get(str(body["model"]), _DEFAULT_DIMENSIONS)
    wanted = body.get("dimensions")
    if wanted is None:
        return most
    if isinstance(wanted, bool) or not isinstance(wanted, int) or not 1 <= wanted <= most:
        raise WireError(f"'dimensions' must be from 1 to {most}, got {wanted}.", parameter="dimensions")
    return wanted


def _encoded(vector: NDArray[np.float32], as_base64: bool) -> str | list[float]:
    if as_base64:
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return [float(value) for value in vector]


def _vector(text: str | list[int], dimensions: int) -> NDArray[np.float32]:
    vector = np.zeros(dimensions, dtype=np.float64)
    for part, weight in _weighted_parts(text):
        places, signs = _places(part)
        np.add.at(vector, places % dimensions, signs * weight)
    length = float(np.linalg.norm(vector)) or 1.0
    return (vector / length).astype(np.float32)


def _weighted_parts(text: str | list[int]) -> list[tuple[str, float]]:
    if not isinstance(text, str):
        return [(f"token {token}", 1.0) for token in text]
    words = re.findall(r"\w+", text.lower()) or [text]
    parts = [(word, 1.0) for word in words]
    for word in words:
        padded = f" {word} "
        parts.extend((padded[at : at + 3], 0.3) for at in range(len(padded) - 2))
    return parts


@lru_cache(maxsize=50_000)
def _places(part: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    digest = hashlib.blake2b(part.encode("utf-8", "replace"), digest_size=_FEATURES_PER_PART * 4).digest()
    numbers = np.frombuffer(digest, dtype="<u4").astype(np.int64)
    return numbers >> 1, np.where(numbers & 1, 1.0, -1.0)
