"""Does an answer refuse, or doubt itself, in English or in Korean?

Phrases in which assistants decline and waver. They are matched as phrases of the first person or of the answer about
itself: a text that is about doubt or about rules is not caught by a single word.
"""

from __future__ import annotations

import re

_REFUSALS = (
    r"\bI(?:'m| am) (?:unable|not able) to\b",
    r"\b(?:sorry|I apologi[sz]e|my apologies),? (?:but |however |that )?"
    r"(?:I(?: can(?:no|')t| can not| could(?:n't| not)| am unable|'m unable| was unable)\b"
    r"|we(?:'re| are| were) unable\b"
    r"|we (?:can(?:no|')t|can not|could(?:n't| not)) (?:help|assist|answer|find|tell|provide|do that|give|say))\b",
    r"\b(?:sorry|I apologi[sz]e|my apologies),? (?:but |however |that )?I"
    r"(?: do(?:n't| not)| won't| will not| am not|'m not| was(?:n't| not))\b",
    r"\bI (?:can(?:no|')t|can not|could(?: no|n')t|won't|will not) (?:help|assist|answer"
    r"|provide|do that|comply|fulfil|complete|access|browse|determine|find|give|calculate)",
    r"\b(?:I|we) (?:do not|don't) have (?:access|enough|the (?:ability|information|data))\b",
    r"\bI (?:do not|don't) know\b(?! (?:your|which|whether you|if you|what you))",
    r"\bas an? (?:AI|artificial intelligence|(?:AI )?language model)(?: (?:language )?(?:model|assistant))?,",
    r"\bI must decline\b",
    r"\b(?:it is|it's) (?:not possible|impossible) to (?:determine|answer|say|calculate|tell)\b",
    r"\b(?:can(?:no|')t|can not) be (?:determined|answered|calculated)\b",
    r"\b(?:not|n't) (?:enough|sufficient) (?:information|data|context)\b",
    r"\binsufficient (?:information|context) to\b",
    r"(?:죄송|미안)(?:합니다만|하지만|한데|합니다마는) (?:[^\s.!?]{1,10} ){0,3}"
    r"(?:도와|도움|답|말씀|알려|안내|확인|제공|작성|이해|찾)[가-힣 ]{0,10}(?:수 없|어렵|어려울|불가능|못)",
    r"(?:죄송|미안)(?:합니다만|하지만|한데|합니다마는) (?:[^\s.!?]{1,10} )?(?:어렵|불가능|모르|할 수 없)",
    r"(?:답변|도움|도와|제공|말씀|대답|안내|알려)[가-힣 ]{0,8}(?:드릴 )?수 없(?:습니다|어요|네요)",
    r"(?<!이유는 )(?<!원인은 )(?<!사유는 )알 수 없(?:습니다|어요|네요)",
    r"(?:정보|자료|데이터|내용)가 (?:부족(?:하여|해|합)|없어|없습니다|충분하지 않)",
    r"(?:답변|대답|확인|판단|결정|계산|예측|추측)할 수 없(?:습니다|어요)",
    r"(?:저는|제가|실시간|외부|인터넷)[가-힣 ]{0,20}(?:접근|제공|수행|검색)할 수 없",
    r"(?:AI|인공지능|언어 모델)(?:로서|이기 때문에|이라서|입니다만)",
    r"(?:잘 )?모르겠(?:습니다|어요|네요)",
)

_HEDGES = (
    r"\bI(?:'m| am) not (?:\w+ )?(?:sure|certain|confident)\b",
    r"\bI (?:guess|assume|suppose)\b|\bI think (?:it(?:'s| is| was)|that(?:'s| is)|the answer|so\b)",
    r"(?:^|[.!?…] |\n)(?:no, )?(?:wait|hold on|oops)(?:[.!…]|, (?:no|I|that|this|we|it|let|actually))",
    r"\bactually, (?:no|that's|that is|this is|wait|I|we|it's|it is)\b",
    r"\bon second thoughts?\b",
    r"\blet(?:'s| us| me) (?:re-?(?:check|calculate|consider|evaluate|think|do)|correct (?:that|this|my|the mistake)"
    r"|start over\b(?! the)|try (?:that |this |it )?again)\b",
    r"\b(?:this|that|which) seems (?:wrong|incorrect|impossible|odd|not right)\b",
    r"\b(?:that|this) (?:is not|isn't|can't be|cannot be) (?:right|possible)\b",
    r"\b(?:does not|doesn't|do not|don't) (?:seem|appear|look) (?:to be )?(?:right|correct|possible)\b",
    r"\b(?:I|we) (?:have )?made (?:a|an|some) (?:mistake|error)\b"
    r"(?! (?:when|while|with|on|in|to|by) \w+ing\b| with your)",
    r"\bthere (?:must|may|might|seems to) (?:be|have been) (?:a|an|some) (?:mistake|error|confusion)\b",
    r"\bit seems (?:that )?there (?:is|was) (?:a|an|some) (?:mistake|error|confusion)\b",
    r"\b(?:which|it|this|that)(?: is|'s) not possible (?:if|to have|for|since|because|as)\b",
    r"\b(?:we|I) (?:forgot|overlooked)\b",
    r"\bhowever, (?:we|I) (?:must|should|need to|forgot|made|have to|did not|didn't|are not|cannot|can't|don't)\b",
    r"\bhowever, (?:since )?the (?:question|problem) (?:asks|says|states|is|does|did|we)\b",
    r"\b(?:the )?(?:question|problem) (?:is|seems|appears) (?:unclear|ambiguous|incomplete|flawed)\b",
    r"\b(?:if I (?:recall|remember) correctly|to the best of my knowledge)\b",
    r"확실(?:하지|치) 않(?:지만|습니다|아요|네요)|확신할 수 없|(?:분명|명확)하지 않(?:지만|습니다|아요|네요)",
    r"(?:답|결과|값|개수|금액|합계)[은는이가] [^.!?\n]{0,30}"
    r"(?:인|일|한|할|된|될) ?(?:것|거) ?같(?:습니다(?!는)|아요|네요)",
    r"\d ?(?:[가-힣]{1,3})?(?:인|일) ?(?:것|거) ?같(?:습니다(?!는)|아요|네요)",
    r"아마(?:도)? |(?:제|저의|내) 추측|추측하건대|다시 (?:계산|생각|확인|검토)(?:해|하)(?: ?보|면|겠)",
    r"(?:실수|착오)(?:가 있었|를 했|였)|제가 (?:틀렸|잘못)",
    r"(?:답|답변|정보|설명)[이가은는] (?:정확하지 않을|틀릴) 수",
)


def refusal(text: str) -> str | None:
    """Return the words in which an answer declines, or ``None``.

    >>> refusal("I'm sorry, but I cannot help with that."), refusal("죄송합니다만 알 수 없습니다.")
    ('sorry, but I cannot', '알 수 없습니다')
    >>> refusal("The court cannot refuse to hear the case.") is None
    True
    """
    return _found(_REFUSAL, text)


def hedge(text: str) -> str | None:
    """Return the words in which an answer doubts or corrects itself, or ``None``.

    >>> hedge("So 12. Wait, that is wrong: let me recalculate."), hedge("아마도 12일 것 같습니다.")
    ('Wait, that', '아마도')
    >>> hedge("The answer is 12.") is None
    True
    """
    return _found(_HEDGE, text)


_REFUSAL = re.compile("|".join(_REFUSALS), re.IGNORECASE)
_HEDGE = re.compile("|".join(_HEDGES), re.IGNORECASE)


def _found(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text.replace("\u2019", "'"))
    return match.group().strip(" .!?…\n") if match else None
