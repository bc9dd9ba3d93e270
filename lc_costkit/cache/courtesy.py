"""What does a question ask, without its greetings, excuses, thanks and "could you tell me"?

"Hello dear team, could you kindly tell me how to use a gift card? Thanks!" asks what "how to use a
gift card" does. Only openings and closings are taken off, phrase by phrase, never the middle, and
never so much that nothing is left.
"""

from __future__ import annotations

import re
from functools import lru_cache

from lc_costkit.scripts import KOREAN, LATIN, script_of

_MOST = 8
"""Phrases taken off at each end; a longer preamble is kept."""
_LONGEST = 4_000
"""Longer texts are documents, not questions, and stay as they are; characters."""
_TAIL = 120
"""Characters at the end that a closing phrase can take."""

_TELL = (
    r"(?:tell(?:ing)? (?:me|us)|let(?:ting)? (?:me|us) know|inform(?:ing)? (?:me|us)|(?:explain"
    r"|clarify)(?:ing)?(?: to (?:me|us))?"
    r"|advis(?:e|ing)(?: (?:me|us))?|help(?:ing)? (?:me|us) (?:to )?(?:understand|figure out|find out|know|with)"
    r"|(?:confirm|check)(?: (?:for )?(?:me|us))?(?= (?:if|whether|that|how|what|when|where)\b)"
    r"|walk(?:ing)? me through|shed(?:ding)? (?:some )?light on|point(?:ing)? me to)"
)
_SOFT = r"(?:(?:please|pls|plz|kindly|possibly|perhaps|maybe|just|quickly|also|briefly tell)\s+)*"
_OPENINGS = (
    r"(?:hi|hello|hey|hiya|heya|howdy|greetings|yo|good (?:morning|afternoon|evening|day))"
    r"(?:[ ,]+(?:there|all|everyone|everybody|team|folks|guys|sir|madam|dear|support|friends?|again"
    r"|to you))*\s*(?:[,!.:;–-]+|\s(?=\S))",
    r"dear [^,!.?\n]{1,40}[,!:]",
    r"(?:i )?(?:really )?hope (?:you|this|all|everything|your)\b[^.!?\n]{0,60}[.!,]",
    r"how are you(?: doing)?(?: today)?\s*[?!.,]+",
    r"(?:i'?m |i am |so |very )*sorry\b(?:(?: to (?:bother|trouble|disturb|interrupt) you| to (?:bother|ask)"
    r"| for [^,.!?\n]{1,50}?| if [^,.!?\n]{1,40}?"
    r"| about (?:this|that))(?:again|once more)?)?(?:\s*[,.!:;–-]+\s*(?:but\b)?|\s+but\b)",
    r"(?:my )?apolog(?:ies|i[sz]e)\b[^,.!?\n]{0,50}[,.!](?:\s*but\b)?",
    r"(?:excuse|pardon) me\b\s*[,.!]?(?:\s*but\b)?",
    r"(?:just )?(?:an? )?(?:other |another )?(?:quick|silly|basic|dumb|stupid|simple|small"
    r"|random)(?: little)? (?:question|one|query|thing)"
    r"(?:,? if you (?:don'?t|do not) mind| for you| here| about this)?\s*[:,.;!–-]+(?:\s*but\b)?",
    r"(?:i (?:have|got|had)|i'?ve got|there'?s) (?:an? )?(?:quick |small |simple |basic "
    r"|general )?question(?: for you| about this)?\s*[:,.;–-]+",
    r"i(?:'d| would| could)? (?:really )?(?:love|appreciate|need|use|like) (?:some|your|a bit of"
    r"|a little)? ?help(?: (?:please|here|with (?:this|something)))?"
    r"\s*[:,.;!–-]+",
    r"(?:please )?help(?: me)?(?: please| out)?\s*[:,.;!–-]+",
    r"(?:if (?:you (?:don'?t|do not) mind|(?:it'?s|it is|that'?s) (?:ok|okay|alright|possible)|possible"
    r"|you could|i may)(?: me asking)?)\s*,",
    r"(?:thanks|thank you|thx)(?: (?:so much|very much|a lot|in advance|for [^,.!?\n]{1,40}))?\s*[.,!;–-]+",
    r"(?:i (?:was|am)|i'?m|just|was) (?:just )?(?:wondering|curious|asking)(?: about)?\s*[:,]?\s*(?:(?:if"
    r"|whether) (?:you|someone|anyone|somebody)"
    rf" (?:could|can|might|would|may) {_SOFT}(?:be able to )?{_TELL})?(?=\s)",
    rf"(?:could|can|would|will|might) (?:you|u|ya|someone|anyone|somebody|anybody) {_SOFT}(?:be (?:so "
    rf"|very )?kind (?:enough |as )?to "
    rf"|be able to |mind )?{_SOFT}{_TELL}(?=[\s,:?])",
    rf"(?:i|we)(?:'d| would| will|'ll) be (?:very |so |really |most )?(?:grateful|thankful|glad|happy"
    rf"|obliged) if you (?:could|would|can) {_SOFT}{_TELL}(?=\s)",
    rf"(?:i|we)(?:'d| would) (?:really |very much )?appreciate (?:it )?if you (?:could|would"
    rf"|can) {_SOFT}{_TELL}(?=\s)",
    rf"it would be (?:great|nice|helpful|lovely|wonderful) if (?:you|someone) (?:could|would) {_SOFT}{_TELL}(?=\s)",
    r"(?:may|might|can|could) i (?:please |just |kindly )?(?:ask|know|inquire|enquire"
    r"|check)(?: you)?(?: about)?(?=[\s,:])",
    r"(?:i|we) (?:just |really |only )?(?:want(?:ed)?|need(?:ed)?|would like|wish"
    r"|'d like)(?: to)? (?:to )?(?:know|ask|find out|inquire|enquire|understand|check)"
    r"(?: about)?(?=[\s,:])",
    r"i(?:'d| would) (?:just |really )?(?:like|love|want) to (?:know|ask|find out|inquire|enquire|understand"
    r"|check)(?: about)?(?=[\s,:])",
    rf"(?:please|pls|plz|kindly) {_SOFT}(?:(?:can|could) you )?{_TELL}(?=\s)",
    r"(?:pretty )?(?:please|pls|plz|kindly)[\s,]+(?=\S)",
    r"(?:can|could|may|might) i (?:please |just |kindly )?(?:ask (?:you )?for|get|have) (?:your |some |a bit of )?"
    r"(?:advice|help|opinion|tips)(?: (?:please|here|with (?:this|something)|on this))?\s*[:,.;!–-]+",
    r"for (?:your |some |a bit of )?(?:advice|help|opinion|tips)(?: (?:please|here|on this))?\s*[:,.;!–-]+",
    r"(?:is there )?any chance (?:that )?(?:you|someone|anyone) (?:could|can|would|might) "
    rf"{_SOFT}(?:be able to )?(?:{_TELL}|give (?:me|us)|share)(?=[\s,])",
    r"(?:tell me|let me know)(?=\s)",
    r"(?:do|does|would|did) (?:you|u|anyone|anybody|someone|somebody) (?:guys |here |happen to "
    r"|by (?:any )?chance )*know(?=\s(?:if|whether|what|how|when|where|which|why|who)\b)",
    r"(?:is there )?any(?:one|body)? (?:ideas?|clue|chance you know)(?: (?:about|of))?(?=\s(?:if|whether|what"
    r"|how|when|where|which|why|who)\b)",
    r"(?:so|well|ok|okay|um+|uh+|hmm+|right|alright|now|also|btw|by the way|actually|basically|um)\s*,\s*",
)
_OPENING = re.compile(rf"\W*(?:{'|'.join(_OPENINGS)})\s*", re.IGNORECASE)
_LEADING_IF = re.compile(r"\W*(?:if|whether|that|about)\s+(?=\w)", re.IGNORECASE)
_CLOSINGS = (
    r"(?:many |much |with |kind )?(?:thanks|thank (?:you|u)|thx|tnx|ty|cheers)(?: (?:so much|very much|a (?:lot"
    r"|bunch|million|ton)|in advance|again|kindly"
    r"|for (?:your|the|any) (?:help|time|support|assistance|reply|answer)|all|guys|everyone))*",
    r"(?:it(?:'s| is)? )?(?:much|greatly|really|highly|would be) ?(?:much |greatly |really )?appreciated?",
    r"(?:i|we)(?:'d| would|'ll| will)? (?:really |very much )?(?:appreciate|value) (?:it|any|your|the)[^.!?\n]{0,30}",
    r"(?:i|we)(?:'d| would|'ll| will) be (?:very |so |really |most )?(?:grateful|thankful)",
    r"any (?:help|advice|tips|info|ideas?)(?: (?:is|are|would be))?(?: (?:greatly|much|really))? (?:appreciated"
    r"|welcome)",
    r"(?:kind|best|warm)? ?(?:regards|wishes)(?:,? \w+)?|sincerely|yours(?: truly)?",
    r"have a (?:nice|great|good|lovely) (?:day|one|evening|weekend)",
    r"(?:please|pls|plz)(?: help(?: me)?| advise| let me know| and thank you)?|help(?: please)?"
    r"|let me know(?: please)?",
    r"if (?:you (?:don'?t|do not) mind(?: me asking)?|that'?s ok(?:ay)?|you could)",
    r"i (?:was|am) (?:just )?(?:wondering|curious)|(?:just )?(?:wondering|curious)",
    r"(?:can|could|would) (?:you|u|anyone|someone) (?:please )?(?:help(?: me)?|advise|tell me|explain)",
    r"do you (?:happen to )?know|any ideas?",
)
_CLOSING = re.compile(rf"(?P<mark>[\s,.!?;:–-]+)(?:{'|'.join(_CLOSINGS)})[\s.,!?)~:;-]*$", re.IGNORECASE)
_KOREAN_TITLE = r"[가-힣]{2,6}님(?:들)?"
_KOREAN_OPENINGS = (
    rf"(?:{_KOREAN_TITLE}[,!.~ ]+)?(?:안녕하(?:세요|십니까|신가요|심까)|안녕|하이|여보세요"
    rf"|반갑습니다)(?:\s*{_KOREAN_TITLE})?[!.,~?\s]*",
    rf"{_KOREAN_TITLE}\s*[,!.~]\s*",
    r"(?:항상 |늘 |정말 )?(?:수고|고생)(?:가|이)? ?(?:많으(?:십니다|세요|시네요|신데)|하(?:십니다|세요"
    r"|시네요))[!.,~\s]*",
    r"(?:정말 |너무 )?(?:실례|죄송|미안)(?:합니다만?|하지만|한데요?|지만|해요|해서 죄송한데요?|드립니다만)[!.,~\s]*",
    r"(?:갑자기 |자꾸 )?(?:번거롭|번거로우|귀찮|바쁘)(?:게 해드려|게 해서|시겠지만|시겠는데|신데|실 텐데|실텐데"
    r"|지만|신 와중에|신 중에)[,\s]*"
    r"(?:정말 )?(?:죄송(?:합니다만?|하지만|한데요?|해요))?[!.,~\s]*",
    r"(?:처음 |다름이 아니라 |다름 아니라 |하나 |한 가지 |한가지 |좀 |간단한 |뭐 (?:하나 |좀 )?)*(?:문의|질문"
    r"|여쭤|여쭙|물어)"
    r"(?:드립니다|드려요|드릴게요|드려봅니다|있습니다|있어요|이 있습니다|이 있어요|이요|이 있는데요?|볼게요"
    r"|봅니다|볼 게 있(?:습니다|어요|는데요?)|고 싶은 게 있(?:습니다|어요"
    r"|는데요?)|보고 싶은데요?)[!.,~\s]*",
    r"궁금한 (?:게|것이|점이) (?:하나 )?있(?:는데요?|어요|어서요|습니다|어서 그런데)[!.,~\s]*",
    r"(?:다름이 아니라|다름 아니라|저기요|저기|혹시나|혹시|아 |음+|그,)[,!.~\s]+",
    r"(?:제가 |저는 )?(?:아직 |완전 |왕 )?(?:초보|초보자|초짜|처음|컴맹|기계치|문외한)"
    r"(?:라서?|이라서?|여서|인데|이어서)"
    r"(?:[ ,]+(?:잘|하나도|아무것도|아예))?(?:[ ,]+(?:몰라서(?: ?그런데요?)?"
    r"|모르는데요?|모르겠어서|죄송한데요?|그런데요?))[,.\s]*",
    r"(?:제가 |저는 )?(?:이쪽은 |이런 건 |잘 )+(?:몰라서(?: ?그런데요?)?)[,.\s]*",
    r"(?:실례가? ?(?:안|되지 않는) ?(?:된다면|되면)|괜찮으시(?:면|다면)|가능하(?:시면|다면))[,\s]*",
    r"[가-힣]{2,8}(?:죠|이죠)\?\s*(?=죄송|실례|문의)",
)
_KOREAN_OPENING = re.compile(rf"\W*(?:{'|'.join(_KOREAN_OPENINGS)})\s*")
_KOREAN_ASK = (
    r"(?:알려|가르쳐|설명해|말씀해|안내해|답변해|답해|말해|이야기해|확인해)\s?"
    r"(?:주(?:세요|실래요|시겠어요|시겠습니까|십시오|시면 (?:정말 |너무 |매우 )?(?:감사|고맙|좋)\S*"
    r"|실 수 (?:있(?:을까요|나요|으실까요|으신가요|어요|습니까)|없(?:을까요|나요))"
    r"|시길 바랍니다|시기 바랍니다|시죠|셔요|셨으면 (?:합니다|해요|좋겠\S*)|라|면 (?:감사|고맙|좋)\S*)|줘요?"
    r"|줄래요?|주라|달라|드려요)"
)
_KOREAN_CLOSINGS = (
    r"(?:미리 |정말 |항상 |대단히 |너무 )*(?:감사(?:합니다|드립니다|해요|드려요|하겠습니다|용)|고맙습니다|고마워요?)",
    rf"(?:좀 |꼭 |간단히 |빠르게 |빨리 |자세한 )?{_KOREAN_ASK}",
    r"(?:안내|답변|설명|도움|확인|회신|조언|정보|팁)(?:을|를|좀)? ?(?:좀 )?(?:부탁(?:드립니다|드려요"
    r"|드리겠습니다|드릴게요|해요|합니다|드리며)|바랍니다|바라요|주세요"
    r"|주시면 감사\S*|요청드립니다|구합니다|요)",
    r"(?:좀 )?(?:여쭤봐도|여쭈어봐도|여쭤보아도|물어봐도|질문해도|문의해도) (?:될까요|되나요|괜찮을까요"
    r"|되겠습니까|돼요|될지요)",
    r"(?:여쭙고자|여쭤보고자|문의드리고자|문의하고자|여쭤보려고|문의하려고) (?:합니다|해요|연락드렸습니다"
    r"|연락드립니다)|(?:여쭙니다|여쭤봅니다|여쭤요|문의드립니다|문의드려요|문의합니다"
    r"|질문드립니다|질문이요|질문입니다|질문)",
    r"(?:이|가|은|는|도)? ?(?:너무 |좀 |정말 )?궁금(?:합니다|해요|해서요|한데요?|하네요|해|하구요"
    r"|하여 문의드립니다|해서 (?:문의|연락|여쭤)\S*)",
    r"(?:을|를|이|가|도)? ?(?:좀 )?알고 ?싶(?:습니다|어요|은데요?|어서요|다|어)|(?:을|를|이|가"
    r"|도)? ?알 수 ?있(?:을까요|나요|을지요|습니까|으면 좋겠\S*)",
    r"(?:좀|요|좀요|제발|플리즈|ㅠ+|ㅜ+|ㅎ+|ㅋ+|\^\^)",
)
_KOREAN_CLOSING = re.compile(
    r"(?P<mark>[\s,.!?~]+|(?<=지)|(?<=법)|(?<=는)|(?<=[ㅠㅜ]))"
    rf"(?:{'|'.join(_KOREAN_CLOSINGS)})[\s.,!?~^ㅠㅜㅎㅋ;:)]*$"
)
_LETTERS_LEFT = 3


def core_of(text: str) -> str:
    """Return a question without the courtesies around it, or the text itself where there are none.

    >>> core_of("Hi team, sorry to bother you. Could you tell me how to use a gift card, please? Thanks!")
    'how to use a gift card'
    >>> core_of("안녕하세요! 요금제를 어떻게 바꾸는지 알려주시면 감사하겠습니다.")
    '요금제를 어떻게 바꾸는지'
    >>> core_of("Please"), core_of("Can you ship to Oslo?")
    ('Please', 'Can you ship to Oslo?')
    """
    if len(text) > _LONGEST:
        return text
    made = _core_of(text)
    return text if made == text else made


@lru_cache(maxsize=64)
def _core_of(text: str) -> str:
    # One lookup asks for it several times.
    script = script_of(text)
    if script == LATIN:
        made = _without(text.replace("’", "'") if "’" in text else text, _OPENING, _CLOSING)
        if made is not text and (opened := _LEADING_IF.match(made)) and not text.lstrip().startswith(made[:8]):
            made = made[opened.end() :]
        return made
    if script == KOREAN:
        return _without(text, _KOREAN_OPENING, _KOREAN_CLOSING)
    return text


def _without(text: str, opening: re.Pattern[str], closing: re.Pattern[str]) -> str:
    start, end = 0, len(text)
    for _ in range(_MOST):
        found = opening.match(text, start, end)
        if found is None or found.end() == start or not _says_something(text[found.end() : end]):
            break
        start = found.end()
    for _ in range(_MOST):
        found = closing.search(text, max(start, end - _TAIL), end)
        if found is None or not _says_something(text[start : found.start()]):
            break
        end = found.end("mark") if "?" in found["mark"] else found.start()
        if found.end("mark") == found.end():
            break
    return text[start:end].strip() if start or end < len(text) else text


def _says_something(text: str) -> bool:
    return sum(map(str.isalnum, text)) > _LETTERS_LEFT
