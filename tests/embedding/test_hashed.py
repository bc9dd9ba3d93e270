from __future__ import annotations

import numpy as np

from lc_costkit.embedding.hashed import HashedText, features_of, hash_of

COMMON = np.full(1024, 255, np.uint8)


def test_each_script_has_its_own_hash() -> None:
    assert len({hash_of(script, "a") for script in ("Latn", "Cyrl", "Kore", "Hani")}) == 4


def test_features_by_kind_of_script() -> None:
    assert features_of("Hani", "退款吗") == ("退", "款", "吗", "退款", "款吗")
    assert features_of("Cyrl", "он") == ("<он>",)
    assert "<ка" in features_of("Cyrl", "карта")
    assert features_of("Thai", "กข") == ("กข",)


def test_a_long_blob_is_compared_for_equality_only() -> None:
    assert len(features_of("Latn", "x" * 5000)) == 1
    assert features_of("Latn", "x" * 5000) != features_of("Latn", "x" * 5001)


def test_rarity_weighs_korean_only() -> None:
    silent = HashedText(np.zeros(1024, np.uint8), dimensions=16)
    assert not any(silent.vector([("Kore", "카드")]))
    assert any(silent.vector([("Hani", "卡片")]))


def test_dimensions_and_empty_text() -> None:
    assert HashedText(COMMON, dimensions=7).vector([]).tolist() == [0.0] * 7
