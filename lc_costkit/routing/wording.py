"""Does an answer refuse, or doubt itself, in English or in Korean?

Phrases in which assistants decline and waver. They are matched as phrases of the first person or of the answer about
itself: a text that is about doubt or about rules is not caught by a single word.
"""

from __future__ import annotations

import re

_REFUSALS = (
    r"\bI(?:'m| am) (?:sorry|unable|not able)\b",
    r"\bI (?:can(?:no|')t|can not|could(?: no|n')t|won't|will not) (?:help|assist|answer"
    r"|provide|do that|comply|fulfil|complete|access|browse|determine|find|give|calculate)",
    r"\b(?:I|we) (?:do not|don't) (?:have (?:access|enough|the (?:ability|information|data))|know)\b",
    r"\bas an (?:AI|artificial intelligence|language model)\b",
    r"\bI must decline\b",
    r"\bI apologi[sz]e\b",
    r"\b(?:it is|it's) (?:not possible|impossible) to (?:determine|answer|say|know|calculate|tell)\b",
    r"\b(?:can(?:no|')t|can not) be (?:determined|answered|calculated|known)\b",
    r"\b(?:not|n't) (?:enough|sufficient) (?:information|data|context)\b",
    r"\binsufficient (?:information|data|context)\b",
    r"죄송(?:합니다|하지만|해요)|미안합니다",
    r"(?:답변|도움|도와|제공|말씀|대답|처리)[가-힣 ]{0,8}(?:드릴 )?수 없(?:습니다|어요|네요)",
    r"알 수 없(?:습니다|어요|네요)",
    r"(?:정보|자료|데이터|내용)가 (?:부족|없|충분하지 않)",
    r"할 수 없(?:습니다|어요)",
    r"(?:AI|인공지능|언어 모델)(?:로서|이기 때문에|이라서|입니다만)",
    r"(?:잘 )?모르겠(?:습니다|어요|네요)",
)

_HEDGES = (
    r"\bI(?:'m| am) not (?:sure|certain|confident)\b",
    r"\bI (?:think|believe|guess|assume|suppose)\b",
    r"\b(?:wait|hold on|oops)\b[,.!…-]",
    r"\bactually, (?:no|that|this|wait|I|we|it)\b",
    r"\bon second thoughts?\b",
    r"\blet(?:'s| us| me) (?:re-?(?:check|calculate|consider|evaluate|think|do|start|try)"
    r"|correct|start over|try again)\b",
    r"\b(?:this|that|which) (?:is|seems|looks) (?:not (?:right|correct|possible)|wrong"
    r"|incorrect|impossible|odd)\b",
    r"\b(?:does not|doesn't|do not|don't|cannot|can't) (?:seem|appear|look|be) (?:right|correct|possible)\b",
    r"\b(?:I|we|there) (?:made|is|was|must be|may be|might be|seems to be) (?:a|an"
    r"|some) (?:mistake|error|confusion)\b",
    r"\b(?:we|I) (?:should not|shouldn't|must also|also need to|need to re|have to re|forgot|overlooked)\b",
    r"\bhowever, (?:we|I|since|the (?:question|problem)|this|it|there)\b",
    r"\b(?:it is|it's) (?:unclear|ambiguous|not clear)\b",
    r"\b(?:the )?(?:question|problem) (?:is|seems|appears) (?:unclear|ambiguous|incomplete|flawed)\b",
    r"\b(?:probably|presumably|approximately speaking|if I (?:recall|remember) correctly"
    r"|to the best of my knowledge)\b",
    r"확실(?:하지|치) 않|확신할 수 없|불분명|명확하지 않|분명하지 않|모호",
    r"(?:인|일|한|할|된|될) ?(?:것|거) ?같(?:습니다|아요|네요)",
    r"아마(?:도)? |추측(?:하건대|입니다|됩니다)|잠깐[,만]|다시 (?:계산|생각|확인|검토)(?:해|하)",
    r"(?:실수|오류|착오)(?:가 있|를 했|입니다|였)",
    r"정확하지 않을 수|틀릴 수|다를 수 있(?:습니다|어요|으니)",
)


def refusal(text: str) -> str | None:
    """Return the words in which an answer declines, or ``None``.

    >>> refusal("I'm sorry, but I cannot help with that."), refusal("죄송합니다만 알 수 없습니다.")
    ("I'm sorry", '죄송합니다')
    >>> refusal("The court cannot refuse to hear the case.") is None
    True
    """
    return _found(_REFUSAL, text)


def hedge(text: str) -> str | None:
    """Return the words in which an answer doubts or corrects itself, or ``None``.

    >>> hedge("So 12. Wait, that is wrong: let me recalculate."), hedge("아마도 12일 것 같습니다.")
    ('Wait,', '아마도 ')
    >>> hedge("The answer is 12.") is None
    True
    """
    return _found(_HEDGE, text)


_REFUSAL = re.compile("|".join(_REFUSALS), re.IGNORECASE)
_HEDGE = re.compile("|".join(_HEDGES), re.IGNORECASE)


def _found(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text.replace("\u2019", "'"))
    return match.group() if match else None
