"""By which words does a question ask for the present moment, for somebody's own data, or for an act?

Rows of patterns only; ``admit.py`` makes rules of them. Each language has rows of its own.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class Row(NamedTuple):
    """A rule as data, see ``AdmissionRule.from_pattern``."""

    name: str
    verdict: Literal["exact_only", "refuse"]
    reason: str
    pattern: str
    unless: str | None = None


_LIVE = "asks for the present moment, so that its answer goes out of date"
_PERSONAL = "asks for the state of somebody's own account"
_ACT = "asks to act on the account: only the same words may be the same act"

# A question about the words, or about how to do it, has the same answer tomorrow.
_ABOUT_WORDS = (
    r"\btranslat|\bhow (?:do|would) (?:you|i) say\b|\bspell\b|\bsynonym|\bgrammar\b|\bwhat does .{1,60} mean\b"
)
_HOW_TO = (
    r"\bhow (?:do|can|could|would|should|might|does|may|shall) (?:i|we|you|one|a|an|the|my|someone|customers|users)\b"
    r"|\bhow to\b|\bwhere (?:do|can|could|should) (?:i|we|you)\b|\bways? to\b|\bsteps to\b|\bis it possible\b"
    r"|\bwhat do i (?:need|do)\b|\bwhat should i do\b"
    r"|^\W*(?:why|can i|could i|am i able|do i|should i|may i|will i)\b"
)
_VALUES = (
    r"balances?|prices?|rates?|weather|temperature|status|time|location|position|values?|score|scores|news|stock"
    r"|apy|apr|yield|traffic|forecast|version|release|events?|standings|ranking|inventory|availability|wait|promotions?"
    r"|offers?|deals?|transactions?|credit|usage|spending|location|queue|level|exchange|bill|president|ceo|minister"
)
_OWN_VALUES = (
    r"balance|transactions?|spending|credit score|score|account number|order status|status|points|miles|rewards"
    r"|bill|payslip|paycheck|salary|due date|payment due|usage|data usage|statement|available credit|debt|portfolio"
    r"|appointments?|reservations?|bookings?|meetings?|schedule|calendar|inbox|emails?|messages|reminders?|alarms?"
    r"|to-?do list|shopping list|tracking|location|grades?|gpa|test results|prescriptions?|vacation days|pto|income"
    r"|insurance|net worth|payday|order history|purchase history|orders?|claims?"
)
_PARCEL = r"orders?|packages?|parcels?|deliver(?:y|ies)|shipments?|luggage|baggage|driver|flight|uber|pizza|food"
_OPENING = (
    r"(?:^|[.!?;,]\s*)\W*(?:(?:hi|hello|hey|ok|okay|so|then|now|yes|please|pls|kindly|just|go ahead and)[\s,]+)*"
    r"(?:(?:can|could|will|would) (?:you|u)(?: please| just| kindly)? "
    r"|i(?:'d| would)? (?:want|need|like|wish) (?:you )?to "
    r"|i'm (?:trying|looking) to |i am (?:trying|looking) to |let'?s |help me (?:to )?|you (?:must|should|need to) )?"
    r"(?:please |just |immediately |quickly )?"
)
_ACTS = (
    r"cancel|close|shut|open|block|freeze|lock|unlock|unblock|unfreeze|transfer|send|wire|pay|buy|purchase|order|book"
    r"|reserve|refund|return|dispute|file|submit|update|change|reset|activate|deactivate|delete|remove|add|increase"
    r"|raise|lower|decrease|reduce|upgrade|downgrade|renew|stop|start|schedule|reschedule|move|withdraw|deposit|set"
    r"|turn|enable|disable|switch|subscribe|unsubscribe|register|sign|enroll|report|approve|deny|reject|confirm|apply"
    r"|replace|redeem|claim|ship|email|e-mail|call|text|message|notify|remind|invite|create|extend|pause|resume|make|put"
    r"|take|issue|log|charge|waive|merge|assign|grant|revoke|donate|top|load|rent|sell|trade|exchange|convert|postpone"
    r"|forward|reply|share|upload|archive|restart|reboot|shutdown|terminate|suspend|reinstate|escalate|credit|link"
    r"|unlink|connect|disconnect|edit|modify|correct|fix|check me|place|process|track|play|dim|drop|void|reverse"
)
_ON_ACCOUNT = (
    r"my|our|me|us|mine|[$€£₩¥]\s?\d+|account|card|payment|transfer|charge|dispute|subscription|membership|reservation"
    r"|booking|appointment|meeting|alarm|reminder|timer|refund|ticket|flight|invoice|order number|order #"
    r"|order [a-z]*-?\d+|claim|policy|autopay|direct deposit|the (?:order|limit|plan|alerts?|notifications?|lights?)"
    r"|dollars|bucks|euros|pounds"
)

ROWS: tuple[Row, ...] = (
    Row(
        "live",
        "refuse",
        _LIVE,
        r"\b(?:right now|at (?:the|this) moment|at present|as of (?:now|today|this)|up[- ]to[- ]date|real[- ]?time"
        r"|just now|at this time|nowadays|today|todays|tonight|this (?:morning|afternoon|evening|week|weekend)"
        r"|so far this|what time is it|what day is it|what(?:'s| is) the (?:date|time)\W*$)\b"
        r"|\btoday's\b"
        r"|\b(?:current|currently|live|latest|newest|most recent|recent|up-to-the-minute)\b"
        rf"(?:\s+\S+){{0,4}}?\s+(?:{_VALUES})\b"
        rf"|\b(?:what|which|how much|how many|who|is|are)\b.{{0,60}}\b(?:currently|now)\b\W*$"
        r"|\b(?:is|are|what|who)\b.{0,30}\bcurrently\b",
        rf"{_HOW_TO}|{_ABOUT_WORDS}",
    ),
    Row(
        "live topic",
        "refuse",
        _LIVE,
        r"\b(?:what(?:'s|s| is| are| was)|how(?:'s| is)|check|tell me|show|give me|is it|will it|what will)\b"
        r"(?: \S+){0,5}? (?:weather|forecast|raining|snowing|rain|snow|traffic|news|headlines|stock price|share price"
        r"|price of (?:bitcoin|btc|eth|gold|oil|\S+ stock)|exchange rate|conversion rate|temperature (?:in|outside))\b",
        rf"{_HOW_TO}|{_ABOUT_WORDS}|\bexchange rates? (?:work|calculated|determined|policy|fee|mean)|\bmean\b",
    ),
    Row(
        "own state",
        "refuse",
        _PERSONAL,
        r"\b(?:what(?:'s|s| is| are| was| were)|when(?:'s| is| are| was)|where(?:'s| is| are)|tell me|show(?: me)?"
        r"|give me"
        r"|list|check|display|pull up|read(?: me)?|see|view|look up|find|do i have any|how(?:'s| is))"
        rf"(?: \S+){{0,2}}? my (?:\S+ ){{0,3}}?(?:{_OWN_VALUES})\b"
        r"|\bhow (?:much|many)\b(?: [\w-]+){0,4} (?:do|did|have|am) i (?:have|owe|owed|got|spend|spent|paid|made|earned"
        r"|earn|used|left|owing|still)\b"
        r"|\bhow (?:much|many)\b(?: [\w-]+){0,4} (?:is|are|was) (?:left )?(?:in|on) my\b"
        rf"|\b(?:where(?:'s| is| are)|track|when (?:is|will)|has|have|did|is|are) my (?:\S+ )?(?:{_PARCEL})\b"
        r"|\b(?:did|has|have|was|were) my (?:\S+ )?(?:payment|transfer|refund|deposit|application|salary|paycheck)"
        r" (?:gone|go|been|come|arrive|clear|post|process|accepted|approved)"
        r"|\bmy (?:account )?balance\W*$",
        rf"{_HOW_TO}|{_ABOUT_WORDS}",
    ),
    Row(
        "act",
        "exact_only",
        _ACT,
        rf"{_OPENING}(?:{_ACTS})\b(?! (?:is|are|was|does|do|can|will|would|not|status|types?|fees?|limits?)\b)"
        rf"(?:\W+\S+){{0,7}}?\W*(?<!\w)(?:{_ON_ACCOUNT})\b",
        rf"{_HOW_TO}|{_ABOUT_WORDS}|\b(?:code|function|python|sql|javascript|regex|script|html|css|essay|poem|story"
        r"|sentence|paragraph|recipe)\b",
    ),
    Row(
        "live, Korean",
        "refuse",
        _LIVE,
        r"지금|현재|오늘|실시간|방금|최신 ?(?:뉴스|소식|가격|시세|버전|정보)|요즘|이번 ?주말?|날씨|미세먼지"
        r"|환율|주가|시세|몇 ?시(?:야|예요|인가요|니)\W*$|뉴스",
        r"번역|영어로|뜻|의미|방법|어떻게|하는 ?법|맞춤법|원리|차이|이유|왜",
    ),
    Row(
        "own state, Korean",
        "refuse",
        _PERSONAL,
        r"(?:(?:^|\s)(?:내|제|나의|저의|우리|저희) ?(?:\S+ ){0,2}?)"
        r"(?:\S*(?:잔액|잔고|거래 ?내역|주문 ?내역|포인트|신용 ?점수|점수|배송|택배|주문|한도"
        r"|사용 ?금액|청구 ?금액|결제 ?금액|요금|월급|급여|예약|일정|성적|마일리지|적립금))\S* ?(?:이|가|은|는)? ?\S*"
        r"(?:얼마|어디|언제|몇|보여|알려|확인|조회|어때|뭐|무엇|있|남)"
        r"|(?:잔액|잔고|포인트|마일리지|적립금)\S* (?:얼마|몇|조회해|알려|보여|확인해)|(?:잔액|잔고) ?(?:\?|$)"
        r"|(?:주문한|시킨|보낸) \S+ (?:어디|언제)",
        r"번역|영어로|뜻|방법|어떻게|하는 ?법|맞춤법|어디서|어디에서",
    ),
    Row(
        "act, Korean",
        "exact_only",
        _ACT,
        r"(?:취소|해지|정지|잠금|잠가|이체|송금|변경|환불|예약|주문|삭제|등록|신청|결제|발급|재발급|차단|해제"
        r"|탈퇴|연장|증액|입금|출금|충전|구매|반품|교환|올려|내려|높여|낮춰|보내|바꿔|닫아|막아|꺼|켜|추가|신고"
        r"|접수|가입|개설|중지|중단|갱신|수정|업그레이드)"
        r"(?:을|를)? ?(?:해|시켜|처리해|진행해|좀)? ?(?:주세요|줘|줘요|줄래|줄래요|주실래요|주실 수|주시겠|주십시오"
        r"|주시기|줄 수|할게|할게요|바랍니다|부탁|해라|하겠습니다|하고 ?싶(?:어요|습니다|다))",
        r"번역|영어로|뜻|방법|어떻게|하는 ?법|알려|설명|맞춤법|요약",
    ),
)
