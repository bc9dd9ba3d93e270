from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from lc_costkit.embedding.wordpiece import WordPiece, fold, split_words

PIECES = WordPiece(["[UNK]", "play", "##ing", "##er", "player", "'", "s", "1", "##2"])


def test_longest_piece_wins() -> None:
    assert PIECES.rows("player") == (4,)
    assert PIECES.rows("playing") == (1, 2)
    assert PIECES.rows("12") == (7, 8)


def test_a_word_no_split_covers_is_unknown() -> None:
    assert PIECES.rows("playx") == (PIECES.unknown_row,)
    assert PIECES.rows("") == (PIECES.unknown_row,)
    assert PIECES.rows("play" * 50) == (PIECES.unknown_row,)


def test_words_are_split_as_the_teacher_splits_them() -> None:
    assert split_words("Don't   RE-read it.") == ["don", "'", "t", "re", "-", "read", "it", "."]
    assert split_words("a_b") == ["a", "_", "b"]
    assert fold("Žluťoučký") == "zlutoucky"


def test_remembering_words_is_bounded_and_shared_between_threads() -> None:
    pieces = WordPiece(["[UNK]", *(str(digit) for digit in range(10)), *(f"##{digit}" for digit in range(10))])

    def work(start: int) -> bool:
        return all(len(pieces.rows(str(number))) == len(str(number)) for number in range(start, start + 40_000))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(0, 160_000, 40_000)))
    assert len(pieces._remembered) <= 50_000 + 4
