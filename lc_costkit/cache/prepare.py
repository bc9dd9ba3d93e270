"""What can be read off one question, once, so that gates can compare two cheaply?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar, cast, overload

from lc_costkit.cache import lexicon, lexicon_ko
from lc_costkit.cache.courtesy import core_of
from lc_costkit.cache.quantities import Stated, read_stated
from lc_costkit.cache.stemming import stem, stems
from lc_costkit.cache.text import words
from lc_costkit.scripts import HAN, JAPANESE, KOREAN, script_of

__all__ = ["MAX_CHARACTERS", "MAX_TOKENS", "Prepared", "Token", "kept", "prepare", "stem", "stems"]

MAX_TOKENS = 160
"""Longer questions must be equal (``length_gate``); tokens. Alignment is quadratic in them."""
MAX_CHARACTERS = 4_000
"""The same in characters."""

_TOKEN = re.compile(r"[가-힣]+|[^\W_가-힣]+(?:['.@/_-][^\W_가-힣]+)*(?:\+\+|#(?!\w))?")
_CONTRACTED = re.compile(r"n't\b|'(?:s|re|m|ll|ve|d)\b")
_WHOLE = {
    "can't": "can n't",
    "won't": "will n't",
    "shan't": "shall n't",
    "cannot": "can not",
    "e-mail": "email",
    "wi-fi": "wifi",
}
_WHOLE_PATTERN = re.compile("|".join(map(re.escape, _WHOLE)))
_PAYLOAD = re.compile(
    r"```(.*?)```|`([^`\n]+)`|\"([^\"]+)\"|“([^”]+)”|«([^»]+)»|‘([^’]+)’|「([^」]+)」|(?<!\w)'([^'\n]+)'(?!\w)",
    re.DOTALL,
)
_LABELLED = re.compile(r"^[^:\n?]{1,80}:\s+(\S.*)$|\n.*?:\s*\n(.+)$", re.DOTALL)
_AFTER_QUESTION = re.compile(r"\?\s+((?=[^?]*[*{}()\[\]=<>;\\|`^])[^?]*)$")
_CODE = re.compile(
    r"(?<![\w.])[a-zA-Z_][\w.]*\((?!e?s\)|[^()\n]*[가-힣])[^()\n]{0,200}\)|(?<!\w)[^\W_]+(?:_+[^\W_]+)+"
    r"|(?<!\w)--?[a-zA-Z][\w-]+|[{}<>=|^\\]+|(?<![가-힣\d])~(?=[\w/])|!=|&&"
    r"|(?<=\w)\[[^\]]{0,200}\]|\$[a-zA-Z_]\w*|(?<![\w./])[\w.]*/[\w./-]+/[\w./-]*|\b[a-z]+[A-Z]\w+"
    r"|\(\s*-?\d[\d\s.*+/^-]*\)|(?<=[\w)])\s*[*+^]\s*(?=[\w(])|(?<=\d)\s+[-/]\s+(?=\d)|(?<=\s)[+*^](?=\s)"
    r"|(?<=\s)[-/](?=\s[\d(])|\d!"
)
_NAME = re.compile(r"[^\W\d_가-힣]+(?:['’.&-][^\W\d_가-힣]+)*")
_DOTTED = re.compile(r"\b(?:[a-z]\.){2,}(?:[a-z]\b)?")
_CODE_HINT = re.compile(r"[_(){}\[\]<>=|^~\\$/*+!&-]|[a-z][A-Z]")
_SHORTENED = re.compile(r"\b(?:a/c|w/o?|24/7)(?!\w)|(?<=[^\W\d_])/(?=[^\W\d_])(?![^\s]*/)", re.IGNORECASE)
_SLASHED_WORDS = re.compile(r"(?<=[A-Za-z])/(?=[A-Za-z])")
_SENTENCE_START = re.compile(r"(?:^|[.!?:]\s+|[\"“(]\s*)\W*$")
_IDIOMS = tuple((re.compile(pattern), replacement) for pattern, replacement in lexicon.IDIOMS)
_IDIOM_HINT = re.compile(
    # What starts a word stands in one group, so that most places of a text are passed over at once.
    r"\b(?:(?:or|if) no|not only|no (?:matter|doubt)|sure\b|i do|business |sign|log|set|check|pick|drop|turn"
    r"|switch|opt|rid\b|free (?:of|from)|2|[kila]1?[180]|keep|thr[oe]w|at no |without |meant\b|united|u\.|euro"
    r"|e\.u|what time|a/c|w/|round|around)"
    r"|why not|two[- ]|out of\b| off\b|phase out|24"
)
_KOREAN_NEGATION = re.compile(lexicon_ko.NEGATION_PATTERN)
_EAST_ASIAN = frozenset({JAPANESE, HAN})
_EAST_ASIAN_NEGATION = re.compile(r"ない|ません|なく|不|没|沒|别|非|无|無|未")


_FUNCTION = frozenset(lexicon.FUNCTION_WORDS) | frozenset(stem(word) for word in lexicon.FUNCTION_WORDS)
_KOREAN_FUNCTION = frozenset(lexicon_ko.FUNCTION_WORDS) | frozenset(map(stem, lexicon_ko.FUNCTION_WORDS))
_SPARED = lexicon.LESS_WORDS


def _denied_base(word: str) -> str:
    for prefix in lexicon.NEGATIVE_PREFIXES:
        if word.startswith(prefix):
            return word[len(prefix) :]
    return word


_PREFIXED = {word: _denied_base(word) for word in lexicon.NEGATIVE_PREFIXED}
_KOREAN_PREFIXED = dict(lexicon.rows(lexicon_ko.NEGATIVE_PREFIXED))


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a question.

    Attributes:
        word: lower-case.
        stem: what its forms share.
        content: it carries topic, so that its absence on the other side is a difference.
    """

    word: str
    stem: str
    content: bool


Value = TypeVar("Value", covariant=True)


class read_once(Generic[Value]):
    """A property that is read on first use and kept, like ``functools.cached_property``.

    That one, in Python 3.11, locks all threads out of a property while one reads it, for any question.
    """

    def __init__(self, read: Callable[[Any], Value]) -> None:
        self._read = read
        self._name = read.__name__
        self.__doc__ = read.__doc__

    @overload
    def __get__(self, owner: None, kind: type[Any]) -> Self: ...

    @overload
    def __get__(self, owner: object, kind: type[Any]) -> Value: ...

    def __get__(self, owner: object, kind: type[Any]) -> Value | Self:
        if owner is None:
            return self
        value = owner.__dict__[self._name] = self._read(owner)
        return value


class Prepared:
    """A question with what the gates read off it, each read on first use and kept.

    Safe to share between threads: two that read the same thing at once read the same value.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    @read_once
    def core(self) -> str:
        """It without greetings, excuses and thanks around it."""
        return core_of(self.text)

    @read_once
    def script(self) -> str:
        """The script most of it is written in."""
        return script_of(self.text)

    @read_once
    def lowered(self) -> str:
        """Lower case, contractions opened, phrases of several words read as one."""
        text = self.core[:MAX_CHARACTERS].lower().replace("’", "'")
        if "'" in text or "cannot" in text or "e-mail" in text or "wi-fi" in text:
            text = _WHOLE_PATTERN.sub(lambda found: _WHOLE[found[0]], text)
            text = _CONTRACTED.sub(lambda found: " n't" if found[0] == "n't" else "", text)
        if _IDIOM_HINT.search(text):
            for pattern, replacement in _IDIOMS:
                text = pattern.sub(replacement, text)
        if "." in text:
            text = _DOTTED.sub(lambda found: found[0].replace(".", "") + " ", text)
        return _SLASHED_WORDS.sub(" ", text)

    @read_once
    def tokens(self) -> tuple[Token, ...]:
        """Its words in order, a denied word ("ineligible") as the word it denies."""
        return self._read[0]

    @read_once
    def negations(self) -> tuple[int, ...]:
        """Where in ``tokens`` something is denied: the number of the token that follows."""
        return self._read[1]

    @read_once
    def _read(self) -> tuple[tuple[Token, ...], tuple[int, ...]]:
        if self.script in _EAST_ASIAN:
            return self._read_characters()
        tokens: list[Token] = []
        negations: list[int] = []
        for word in _TOKEN.findall(self.stated.words):
            if "가" <= word[0] <= "힣":
                _read_korean(word, tokens, negations)
            elif word in lexicon.HARD_NEGATIONS:
                negations.append(len(tokens))
            else:
                _read_word(word, tokens, negations)
        if self.script == KOREAN:
            # A Korean denial is often an ending, so it is counted on the text.
            negations.extend([len(tokens)] * len(_KOREAN_NEGATION.findall(self.lowered)))
        return tuple(tokens), tuple(negations)

    def _read_characters(self) -> tuple[tuple[Token, ...], tuple[int, ...]]:
        letters = [letter for letter in self.lowered if letter.isalnum()]
        tokens = tuple(Token(letter, letter, not "ぁ" <= letter <= "ゟ") for letter in letters)
        return tokens, (len(tokens),) * len(_EAST_ASIAN_NEGATION.findall(self.lowered))

    @read_once
    def frame(self) -> tuple[str, ...]:
        """The stems in order, function words included."""
        return tuple(token.stem for token in self.tokens)

    @read_once
    def stems(self) -> frozenset[str]:
        """All stems, and all words as they stand."""
        return frozenset(self.frame) | {token.word for token in self.tokens}

    @read_once
    def content(self) -> Counter[str]:
        """Stems of the words that carry topic."""
        return Counter(token.stem for token in self.tokens if token.content)

    @read_once
    def stated(self) -> Stated:
        """Numbers, dates and identifiers."""
        return read_stated(self.lowered)

    @read_once
    def names(self) -> frozenset[str]:
        """Lower-case forms of words written as names: a capital inside a sentence, or capitals throughout."""
        if self.core.isupper() or self.core.islower():
            return frozenset()
        found = set()
        capitals = plain = 0
        for match in _NAME.finditer(self.core[:MAX_CHARACTERS]):
            word = match[0]
            if word == word.lower():
                plain += len(word) > 3
                continue
            lower = word.lower().replace("’", "'").removesuffix("'s").removesuffix("'")
            lower = _WHOLE.get(lower, lower)
            if len(lower) < 2 or lower.startswith("i'") or (lower in lexicon.FUNCTION_WORDS and not word.isupper()):
                continue
            if lower in lexicon.HARD_NEGATIONS or lower in _EMPHASIS:
                continue
            if not word.isupper() and not any(letter.isupper() for letter in word[1:]):
                capitals += 1
                if _SENTENCE_START.search(self.core[max(0, match.start() - 6) : match.start()]):
                    continue
            found.add(lower)
        if capitals > max(3, plain):
            return frozenset()  # a title: every word has its capital
        return frozenset(found)

    @read_once
    def acronyms(self) -> frozenset[str]:
        """Words in capitals that are other words in small letters: "US", "IT", "WHO"."""
        if self.core.isupper():
            return frozenset()
        found = re.findall(
            r"\b(?:US|IT|WHO|AM|PM|OR|IN|AN|SO|ME|GO|AIDS|ACT|IS|MAY"
            r"|CAN)\b",
            self.core[:MAX_CHARACTERS],
        )
        return frozenset(found) - {"OR", "MAY", "CAN", "IS"} if len(found) < 3 else frozenset()

    @read_once
    def payload(self) -> tuple[str, ...]:
        """Quoted text, code and what follows a label, to be equal to the letter; in alphabetical order."""
        if not any(mark in self.core for mark in "\"'`“«‘「:\n?"):
            return ()
        quoted = [next(filter(None, groups), "").strip() for groups in _PAYLOAD.findall(self.core[:MAX_CHARACTERS])]
        labelled = _LABELLED.search(self.core[:MAX_CHARACTERS].strip())
        if labelled and not quoted and not _is_a_question(labelled):
            quoted = [(labelled[1] or labelled[2] or "").strip()]
        if not quoted and (asked := _AFTER_QUESTION.search(self.core[:MAX_CHARACTERS])) is not None:
            quoted = [asked[1].strip()]
        return tuple(sorted(quoted))

    @read_once
    def symbols(self) -> Counter[str]:
        """Code and operators outside words, without spaces."""
        text = self.core[:MAX_CHARACTERS]
        if _CODE_HINT.search(text) is None:
            return Counter()
        if "/" in text:
            text = _SHORTENED.sub(" ", text)
        return Counter("".join(found.split()) for found in _CODE.findall(text))


_INSTRUCTION = re.compile(
    r"\b(?:translat|summar|explain|convert|rewrit|rephras|fix|correct|proofread|print|mean|classif|extract"
    r"|count|format"
    r"|solve|calculate|evaluate|simplif|paraphras|debug|refactor|optimi|complete|continue|answer|read|spell"
    r"|review|scale"
    r"|analy|describe|identify|parse|decode|encode|error|output|query|code|text|sentence|following|this)|번역"
    r"|요약|설명|바꿔|고쳐|뜻|의미"
    r"|계산|교정|변환|에러|오류|코드|문장|다음|분석",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\W*(?:(?:i|we|my|can|could|do|does|did|is|are|how|what|when|where|why|who|which|should|will|would)\b)"
    r"|.*\bhow (?:to|do|can)\b",
    re.IGNORECASE,
)


def _is_a_question(labelled: re.Match[str]) -> bool:
    """Say whether what follows a colon is the question itself: "git: how do I move a commit?"."""
    label = labelled[0][: labelled.start(1) - labelled.start()] if labelled[1] else ""
    if not label or len(label.split()) > 8 or _INSTRUCTION.search(label):
        return False
    return len(label.split()) <= 2 or labelled[1].rstrip().endswith("?") or _ASKS.match(labelled[1]) is not None


_EMPHASIS = words(
    """ok okay asap faq diy all any only must always please help free new how what why when where and both very really
    yes"""
)


def prepare(text: str) -> Prepared:
    """Wrap a question for the gates; nothing is read before a gate asks."""
    return Prepared(text)


Read = TypeVar("Read")


def kept(text: Prepared, name: str, read: Callable[[Prepared], Read]) -> Read:
    """Read something off a question once and keep it with the question under a name."""
    found = text.__dict__.get(name)
    if found is None:
        found = text.__dict__[name] = read(text)
    return cast("Read", found)


def _read_korean(word: str, tokens: list[Token], negations: list[int]) -> None:
    cut = stem(word)
    base = _KOREAN_PREFIXED.get(cut) or _KOREAN_PREFIXED.get(word)
    if base is not None:
        negations.append(len(tokens))
        tokens.append(Token(base, base, True))
        return
    function = cut in _KOREAN_FUNCTION or word in _KOREAN_FUNCTION or word in lexicon_ko.NEGATIONS
    tokens.append(Token(word, cut, not function))


def _read_word(word: str, tokens: list[Token], negations: list[int]) -> None:
    base = _PREFIXED.get(word)
    if base is None and word.endswith("-free"):
        base = word[:-5]
    elif base is None and word.endswith("less") and len(word) > 6 and word not in _SPARED and "-" not in word:
        base = word[:-4]
    if base is not None:
        negations.append(len(tokens))
        tokens.append(Token(base, stem(base), base not in _FUNCTION))
        return
    if word.startswith("re-"):
        word = "re" + word[3:]
    if "-" in word and not any(map(str.isdigit, word)):
        for part in word.split("-"):
            tokens.append(_token(part))
        return
    tokens.append(_token(word))


def _token(word: str) -> Token:
    cut = stem(word)
    # Numbers and identifiers are compared by value, see quantities.py.
    content = word not in _FUNCTION and cut not in _FUNCTION and not any(map(str.isdigit, word))
    return Token(word, cut, content)
