"""By which words does a question ask for a fact about the asker, or about a thing of the asker's?

The answer to "When does my subscription renew?" holds for one person, and the next one who asks in the
same words is another person: it is neither stored nor served. How to do something with one's own thing,
and what holds under a condition, has one answer for all.
"""

from __future__ import annotations

from lc_costkit.cache.admission_rows import Row
from lc_costkit.cache.text import words

_REASON = "asks for a fact about the asker or a thing of theirs: it is another fact for the next one who asks"
_OWNER = r"(?:my|our)"
_GREETING = (
    r"^\W*(?:(?:hi|hello|hey|ok|okay|so|and|but|please|now|sorry|(?:can|could) you (?:tell|check|say)"
    r" ?(?:me|us)?(?: if| whether)?|tell (?:me|us)|i(?:'d| would) like to know|do you know)\b[\s,!.]*){0,6}"
)
_WORDS = r"(?:[\w'-]+ ){1,4}?"
_COMES = (
    r"(?:(?:up|set|scheduled|going|supposed) (?:for|to) )?(?:be )?(?:renew(?:ed|al|ing|s)?|expir(?:e[ds]?|ing|y)"
    r"|end(?:s|ed|ing)?|run(?:s|ning)? out|lapses?d?|due|start(?:s|ed|ing)?|begins?|reset|over|payable|finish(?:es|ed)?"
    r"|available again|unlocked|unblocked|reactivated|billed|invoiced|issued|opened)"
)
_NEXT = (
    r"(?:next|last|latest|newest|most recent|recent|previous|upcoming|current|outstanding|remaining|total|unpaid"
    r"|overdue|first)"
)
_RECORDS = (
    r"(?:invoices?|bills?|payments?|transactions?|orders?|statements?|charges?|receipts?|bookings?|reservations?"
    r"|tickets|cases|messages|emails|appointments?|subscriptions?|contracts?|deliveries|shipments?|claims?|purchases?"
    r"|transfers?|withdrawals?|deposits?|instal?lments?|payslips?|debts?|fines?)"
)
_SHOW = r"(?:show|list|display|pull up|give|send|get|fetch|read|print|open|view|see|find|check)"
_DATES = (
    r"(?:(?:in|on|by|before|until|at|from|since) )?(?:the )?(?:january|february|march|april|may|june|july|august"
    r"|september|october|november|december|(?:mon|tues|wednes|thurs|fri|satur|sun)day|\d+|this|next|tomorrow|today"
    r"|soon|end of (?:the|this)|beginning of|1st)\b"
)
# What all who ask have alike: "What rights do I have?"
_OF_EVERYBODY = (
    r"(?:rights?|options?|choices?|recourse|alternatives?|obligations?|duties|duty|responsibilit(?:y|ies)|remed(?:y"
    r"|ies)"
    r"|chances?|ways?|time|reasons?|steps?|say|protections?|legal \w+)"
)
_STATE = (
    r"(?:blocked|locked|frozen|active|inactive|expired|expiring|overdue|due|unpaid|paid|pending|open|closed|cancell?ed"
    r"|suspended|registered|linked|verified|confirmed|delayed|late|approved|rejected|declined|enabled|disabled|used"
    r"|shipped|delivered|booked|charged|renewed|on file|still|already|about to|set to|being|been|expires?|ends?"
    r"|renews?|left|cheapest|largest|biggest|oldest|newest|default|primary)"
)
_ABOUT_WORDS = r"\btranslat|\bhow (?:do|would) (?:you|i) say\b|\bspell\b|\bsynonym|\bgrammar\b"
_GENERAL = (
    rf"{_ABOUT_WORDS}|\bwhat happens\b|\bwhat if\b|\bhow (?:do|can|to|should|could|would) |\bwhy\b"
    r"|\bwhere (?:can|do|could|should) (?:i|we)\b|\bwhat does .{1,60} mean\b"
)
_SUPPOSED = r"\b(?:if|whenever|suppose|in case|unless)\b|\b(?:after|once|when) (?:i|we|you|my|our|the)\b"
_TOLD = r"\b(?:tell (?:me|us)|check|know|say|see|confirm|find out|remember|forgot|wondering|wonder|sure|unsure)"
_ELIGIBLE = (
    rf"{_GREETING}(?:am i|are we) (?:\w+ )?(?:eligible|qualified|covered|insured|entitled|owed)\b"
    rf"|{_GREETING}(?:do|would) (?:i|we) (?:\w+ )?qualify\b"
)
_WHEN_IT_COMES = (
    rf"\bwhen(?:'s| (?:does|do|will|would|did|is|are|was|were)) {_OWNER} {_WORDS}{_COMES}\b"
    rf"|\b(?:on )?(?:what|which) (?:date|day|month|year|time) (?:does|do|will|did|is|are|was|were) {_OWNER} "
    rf"{_WORDS}{_COMES}\b"
)

ROWS: tuple[Row, ...] = (
    Row(
        "fact about the asker",
        "refuse",
        _REASON,
        rf"{_ELIGIBLE}|{_WHEN_IT_COMES}",
        rf"{_GENERAL}|{_SUPPOSED}",
        needs=words("i we my our"),
    ),
    Row(
        "depends on the asker",
        "exact_only",
        "may depend on who asks: only the same words may have the same answer",
        rf"{_ELIGIBLE}|{_WHEN_IT_COMES}",
        rf"{_ABOUT_WORDS}|\bwhat happens\b",
        needs=words("i we my our"),
    ),
    Row(
        "fact about a thing of the asker",
        "refuse",
        _REASON,
        rf"(?:\b(?:which|what|how many)|{_GREETING}(?:is|are|was|were|has|have|did|do|does) (?:any|one|some"
        rf"|all)) of {_OWNER} (?:[\w'-]+ ){{1,3}}?(?:is|are|was|were|has|have|did|do"
        rf"|does|will)? ?(?:\w+ )?{_STATE}\b"
        rf"|{_GREETING}(?:does|do|will|did|is|are|was|were) {_OWNER} {_WORDS}{_COMES} {_DATES}"
        rf"|\b(?:what|which) (?!{_OF_EVERYBODY} )(?:[\w'-]+ ){{1,3}}?(?<!many )(?<!much )(?:do|did|have) (?:i|we) "
        rf"(?:still |currently |already |even )?(?:have|got|own|pay for|subscribe to|(?<=currently )use|(?<=still )use)"
        rf"(?: (?:now|currently|here|on file|with you|at the moment|left|at present|again|active))?\W*$"
        rf"|\b(?:what|when|where|who|which|how (?:much|high|big|large|low|old|long|many))(?:'s|s| is| are| was| were"
        rf"| will be| did) {_OWNER} (?:very )?{_NEXT} (?!steps?\b|moves?\b|options?\b)[\w-]+"
        rf"|\bhow (?:much|high|big|large) (?:is|are|was|were|will|did) {_OWNER} [\w-]+"
        rf"|\b{_SHOW}(?: (?:me|us))?(?: (?:the|all|all the|any|all my|my|our|a list of))* {_NEXT} (?:\w+ )?{_RECORDS}\b"
        rf"|\b(?:which|what) (?!(?:this|these|that|those|the|extra)\b)(?:[\w'-]+ ){{1,3}}?(?:is|are|was"
        rf"|were) (?:\w+ )?(?:linked|connected|attached|registered"
        rf"|assigned|tied|saved|stored|active|on|enabled) (?:(?:to|on|in|as|for|with|under) )?{_OWNER}\b"
        rf"|\bwhen (?:am|are|will|do|did) (?:i|we) (?:be )?(?:next|last|due)\b",
        rf"{_GENERAL}|\b(?:if|suppose|in case|unless)\b",
        needs=words("my our i we me us show list display pull give send get fetch read print open view see find check"),
    ),
    Row(
        "asks to be told a fact about the asker",
        "refuse",
        _REASON,
        rf"{_TOLD} (?:when|(?:on )?(?:what|which) (?:date|day|month|year)) {_OWNER} {_WORDS}(?:(?:is|are|was|were|will"
        rf"|has"
        rf"|have) )?{_COMES}\b"
        rf"|{_TOLD} (?:if|whether) (?:i am|i'm|we are|we're|i|we) (?:\w+ )?(?:eligible|qualify|qualified|covered"
        rf"|insured"
        rf"|entitled)\b",
        _GENERAL,
        needs=words("i we my our"),
    ),
    Row(
        "fact about the asker, Korean",
        "refuse",
        _REASON,
        # "제 구독은 언제 갱신되나요?", "제 계약이 5월에 끝나나요?"
        r"(?:^|[\s,.])(?:내|제|나의|저의|우리|저희)가? (?!아이|애|아기|강아지|고양이|나라|사회"
        r"|몸)(?:[^\s?]{1,12} ){0,4}?[^\s?]{0,12}(?:언제|며칠|몇 ?월|몇 ?일"
        r"|\d+ ?월|\d+ ?일|내일|다음 ?[주달]|내년|올해|연말)[^?]{0,16}?(?:만료|갱신|끝나|종료|시작|만기|청구|결제|납부"
        r"|출금"
        r"|마감|까지|해지|풀리|연장|소멸|없어지|인가요|이에요|예요|이야)"
        # "내 카드 중 어느 것이 정지됐나요?"
        r"|(?:^|[\s,.])(?:내|제|나의|저의|우리|저희) (?:[^\s?]{1,12} ){0,2}?중(?:에|에서)? ?(?:어느|어떤|무슨|뭐|몇)"
        r"[^?]{0,20}?(?:정지|차단|막|만료|연체|활성|등록|남|취소|해지|승인)"
        # "제 마지막 결제는 얼마였나요?", "최근 청구서 보여 주세요"
        r"|(?:^|[\s,.])(?:내|제|나의|저의|우리|저희) (?:마지막|최근|다음|지난|이번|직전)[^?]{1,20}?(?:언제|얼마|뭐|뭔"
        r"|무엇|어디|몇|누구|보여|알려|조회)"
        r"|(?:^|[\s,.])(?:마지막|최근|최신|미납|지난(?: ?달)?|다음(?: ?달)?|이번(?: ?달)?) ?(?:\S{1,6} )?(?:청구서|결제"
        r"|주문|거래|송금|인보이스|예약|명세서|영수증|고지서|이체)[^?]{0,10}?(?:보여|알려|조회|확인해)"
        # "우리 요금제는 뭐예요?", "저희는 무슨 플랜을 쓰고 있나요?"
        r"|(?:^|[\s,.])(?:우리|저희) (?:[^\s?]{1,12} ){0,2}?(?:요금제|플랜|등급|계약|구독|담당자|계좌|한도|회원 ?번호)"
        r"[^\s?]{0,4} (?:[^\s?]{1,12} )?(?:뭐|뭔|무엇|어디|언제|얼마|몇|누구)"
        r"|(?:^|[\s,.])(?:제가|내가|저는|나는|우리는?|저희는?|저희가|우리가) (?:지금 )?(?:무슨|어떤|어느|몇)[^?]{1,16}?"
        r"(?:쓰고|사용하고|이용하고|쓰는|사용 ?중|이용 ?중|가입(?:되어|돼|했))"
        # "제가 지원금 대상인가요?"
        r"|(?:^|[\s,.])(?:제가|저는|저도|내가|나는|나도|우리는|우리가|우리도|저희는|저희가|저희도)[^?]{1,24}?(?:자격"
        r"|대상"
        r"|대상자|해당)(?:이|에|자)? ?(?:되|돼|인가|인지|있나|있는|있어|하나|하는지|될까)",
        r"번역|영어로|뜻|방법|어떻게|하는 ?법|맞춤법|어디서|어디에서|왜|이유|(?:다면|하면|되면|으면|나면|라면) |경우"
        r"|어야|해야"
        r"|수 ?있|좋",
        korean=True,
    ),
)
