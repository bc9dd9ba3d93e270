"""By which words does a question ask for the present moment, for somebody's own data, or for an act?

Rows of patterns only; ``admit.py`` makes rules of them. Each language has rows of its own.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from lc_costkit.cache.text import words


class Row(NamedTuple):
    """A rule as data, see ``AdmissionRule.from_pattern``."""

    name: str
    verdict: Literal["exact_only", "refuse"]
    reason: str
    pattern: str
    unless: str | None = None
    needs: frozenset[str] = frozenset()
    """Words of which every match has one, so that a text without any need not be searched; none: always searched."""
    korean: bool = False
    """Whether every match has Korean letters in it, so that a text without any need not be searched."""


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
    r"|apy|apr|yield|traffic|forecast|version|release|events?|standings|ranking|inventory|availability|wait"
    r"|promotions?"
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
_OF_THE_ASKER = frozenset(("i", "my", "me", "mine", "we", "our", "us", "file"))
_OF_THE_MOMENT = words(
    """now moment present today todays tonight this up real realtime nowadays time day date current currently live
    latest newest recent minute"""
)
_LIVE_TOPICS = words(
    "weather forecast raining snowing rain snow traffic news headlines stock share price rate temperature"
)
_OPENING = (
    r"(?:^|[.!?;,]\s*)\W*(?:(?:hi|hello|hey|ok|okay|so|then|now|yes|please|pls|kindly|just|go ahead and)[\s,]+){0,6}"
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
    r"|replace|redeem|claim|ship|email|e-mail|call|text|message|notify|remind|invite|create|extend|pause|resume"
    r"|make|put"
    r"|take|issue|log|charge|waive|merge|assign|grant|revoke|donate|top|load|rent|sell|trade|exchange|convert"
    r"|postpone"
    r"|forward|reply|share|upload|archive|restart|reboot|shutdown|terminate|suspend|reinstate|escalate|credit|link"
    r"|unlink|connect|disconnect|edit|modify|correct|fix|check me|place|process|track|play|dim|drop|void|reverse"
)
_ON_ACCOUNT = (
    r"my|our|me|us|mine|[$€£₩¥]\s?\d+|account|card|payment|transfer|charge|dispute|subscription|membership"
    r"|reservation"
    r"|booking|appointment|meeting|alarm|reminder|timer|refund|ticket|flight|invoice|order number|order #"
    r"|order [a-z]*-?\d+|claim|policy|autopay|direct deposit|the (?:order|limit|plan|alerts?|notifications?|lights?)"
    r"|dollars|bucks|euros|pounds"
)
_GREETING = (
    r"^\W*(?:(?:hi|hello|hey|ok|okay|so|and|but|please|now|sorry|can you (?:tell|check) (?:me )?if)\b[\s,!.]*){0,6}"
)
_SUPPOSING = r"\b(?:if|whenever|suppose|in case)\b"
_STATES = (
    r"resolved|solved|open|closed|active|activated|approved|ready|paid|late|overdue|confirmed|verified|processed"
    r"|shipped"
    r"|dispatched|delivered|received|completed?|done|finished|expired|locked|blocked|suspended|deactivated|frozen|cancell?ed|refunded|arrived"
    r"|cleared"
    r"|posted|pending|accepted(?! (?:any|every|at|in|by|abroad|world))|rejected|declined|booked|scheduled"
    r"|up to date|on time|on (?:its|the) way|delayed"
    r"|here yet"
    r"|connected|enabled|turned on|set up|renewed|submitted|sent|registered|linked|working again|in progress"
)
_STATE_OF_ASKER = (
    r"(?:still |currently |already |now |really )?(?:on (?:the|a|an|my|plan)\b|on \S+ plan\b|in (?:the|a"
    r"|an) (?:\S+ )?(?:plan"
    r"|tier|program|programme|group|course|list|trial|queue)|enrol?led|registered|subscribed|signed (?:up|in)"
    r"|logged in"
    r"|an? (?:\S+ ){0,2}?(?:member|subscriber|customer|admin|user)\b|verified|approved|booked|scheduled|overdue"
    r"|behind on"
    r"|past due|banned|locked out|up to date|due (?:for|to))"
)
_THINGS_OF_ASKER = (
    r"name|[\w-]+ (?:number|id|code|status|date|grade)|(?:e-?mail|home|billing|shipping|delivery)(?: address)?"
    r"|address|phone(?: number)?|number|plan|age|birthday"
    r"|user ?name|user ?id|id|tier|membership|subscription|(?:policy|customer|member|booking|reference|account"
    r"|order|ticket"
    r"|case|tracking|confirmation) (?:number|id|status)|deductible|quota|seat|gate|room|boarding group|password|pin"
    r"|account details|details|role|team|(?:\S+ )?manager|doctor|agent|advisor|teacher|renewal date"
    r"|next (?:payment|bill|appointment|class|flight|meeting|shift"
    r"|invoice|instal?lment|delivery)"
)
_COUNTED = (
    r"seats?|tickets?|spots?|places?|rooms?|tables?|items?|units?|slots?|people|persons?|customers?|users?"
    r"|players?|calls?"
    r"|cars?|copies|pieces|vacancies|appointments?|bikes?|beds?"
)

ROWS: tuple[Row, ...] = (
    Row(
        "live",
        "refuse",
        _LIVE,
        r"\b(?:right now|at (?:the|this) moment|at present|as of (?:now|today|this)|up[- ]to[- ]date|real[- ]?time"
        r"|just now|at this time|nowadays|today|todays|tonight|this (?:morning|afternoon|evening|week|weekend)"
        r"|so far this|what time is it|what day is it|what(?:'s| is) the (?:date|time)(?=\W*$))\b"
        r"|\btoday's\b"
        r"|\b(?:current|currently|live|latest|newest|most recent|recent|up-to-the-minute)\b"
        rf"(?:\s+\S+){{0,4}}?\s+(?:{_VALUES})\b"
        rf"|\b(?:what|which|how much|how many|who|is"
        rf"|are)\b(?! (?:do i do )?now\b).{{0,60}}(?<!what )\b(?:currently|now)\b\W*$"
        r"|\b(?:is|are|what|who)\b.{0,30}\bcurrently\b",
        rf"{_HOW_TO}|{_ABOUT_WORDS}",
        needs=_OF_THE_MOMENT,
    ),
    Row(
        "live topic",
        "refuse",
        _LIVE,
        r"\b(?:what(?:'s|s| is| are| was)|how(?:'s| is)|check|tell me|show|give me|is it|will it|what will)\b"
        r"(?: \S+){0,5}? (?:weather|forecast|raining|snowing|rain|snow|traffic|news|headlines|stock price|share price"
        r"|price of (?:bitcoin|btc|eth|gold|oil|\S+ stock)|exchange rate|conversion rate|temperature (?:in"
        r"|outside))\b",
        rf"{_HOW_TO}|{_ABOUT_WORDS}|\bexchange rates? (?:work|calculated|determined|policy|fee|mean)|\bmean\b",
        needs=_LIVE_TOPICS,
    ),
    Row(
        "own state",
        "refuse",
        _PERSONAL,
        r"\b(?:what(?:'s|s| is| are| was| were)|when(?:'s| is| are| was)|where(?:'s| is| are)|tell me|show(?: me)?"
        r"|give me"
        r"|list|check|display|pull up|read(?: me)?|see|view|look up|find|do i have any|how(?:'s| is))"
        rf"(?: \S+){{0,2}}? (?:my|our) (?:\S+ ){{0,3}}?(?:{_OWN_VALUES})\b"
        r"|\bhow (?:much|many)\b(?: [\w-]+){0,4} (?:do|did|have|am) i (?:have(?! to\b)|owe|owed|got|spend|spent|paid"
        r"|made|earned"
        r"|earn|used|left|owing|still)\b"
        r"|\bhow (?:much|many)\b(?: [\w-]+){0,4} (?:is|are|was) (?:left )?(?:in|on) my\b"
        rf"|\b(?:where(?:'s| is| are)|track|when (?:is|will)|has|have|did|is|are) my (?:\S+ )?(?:{_PARCEL})\b"
        r"|\b(?:did|has|have|was|were) my (?:\S+ )?(?:payment|transfer|refund|deposit|application|salary|paycheck)"
        r" (?:gone|go|been|come|arrive|clear|post|process|accepted|approved)"
        r"|\bmy (?:account )?balance\W*$",
        rf"{_HOW_TO}|{_ABOUT_WORDS}|\bwhat (?:if|happens)\b",
        needs=_OF_THE_ASKER,
    ),
    Row(
        "state of the asker",
        "refuse",
        _PERSONAL,
        rf"{_GREETING}(?:am i|are we) {_STATE_OF_ASKER}"
        r"|\b(?:which|what) (?:[\w-]+ ){1,3}(?:am i|are we) (?:\w+ )?(?:on|in|using|subscribed|enrolled|signed"
        r"|registered"
        r"|paying|assigned)\b"
        rf"|{_GREETING}(?:do|did) (?:i|we) (?:still |currently |already )?(?:have|got) (?:(?:any|an|a|some|enough)\b"
        r"(?! (?:\w+ )?(?:rights?|options?|recourse|alternatives?|choice|chance|say|time|other|way|right|obligation))"
        r"(?: [\w-]+){0,3} ?)?(?:outstanding|unpaid|pending|open|active|overdue|unread|upcoming|remaining|due"
        r"|left|invoices?"
        r"|bills?|messages?|tickets?|orders?|bookings?|appointments?|debts?|points|vouchers?|credits?|refunds?"
        r"|claims?"
        r"|payments?|meetings?|tasks?|fines?|deliver(?:y|ies)|subscriptions?|devices?|loans?|coverage)\b"
        rf"|{_GREETING}do (?:i|we) (?:still |currently )?owe (?:you|anything|money|any)\b|{_GREETING}(?:have"
        rf"|did) (?:i|we) (?:already |just "
        rf"|ever |been )?"
        r"(?:pay|paid|order|book|register|sign|submit|receive|send|sent|buy|bought|win|won|pass|miss|charged|billed"
        r"|enrol|used?|complete|approved|verified|subscribed|spent|earned|reached|exceeded|renewed|cancell?ed?)"
        r"|\b(?:what|where|when|which \w+|how (?:much|many)(?: \w+)?) (?:did|have) (?:i|we) (?:last )?(?:order|buy|book"
        r"|pay|spend"
        r"|park|leave|put|save|purchase|send|watch|submit|sign|bought|ordered|paid|spent|booked|register|join"
        r"|subscribe)"
        rf"|{_GREETING}(?:is|are|was|were|has|have|did|does) (?:my|our) (?:[\w-]+ ){{1,3}}?(?:now |still |already "
        rf"|been |yet )?"
        rf"(?:{_STATES})\b"
        r"|\b(?:did|have|has) (?:you|they|anyone|the \w+|it)(?: guys| already)? (?:receiv|g[oe]t|process|se[en]"
        r"|review|approv"
        r"|refund|charg|shipp?|fix|look)\w*(?: \w+)? (?:my|me)\b"
        rf"|\b(?:what|which|who)(?:'s|s| is| are|'re) (?:my|our) (?:current |own )?(?:{_THINGS_OF_ASKER})\W*$"
        r"|\b(?:which|what) (?:[\w-]+ ){1,4}(?:do|did|have) you (?:have|got|use|keep|hold"
        r"|know)?[\w ]{0,20}\b(?:for|on|about)"
        r" (?:me|file)\b|\bdo you (?:have|know) my\b|\bi have on file\b|^\W*was i (?:charged|billed|refunded|paid"
        r"|approved|accepted)\b"
        r"|\b(?:what"
        r"|which) (?:[\w-]+ ){1,3}did i (?:get|receive|earn"
        r"|score|win|choose|pick|select)\b"
        rf"|{_GREETING}(?:(?:can|could) you )?(?:list|show|display|pull up|read|fetch)(?: me)?(?: all)?(?: of)? my\b"
        r"(?! (?:rights?|options?|how))",
        rf"{_ABOUT_WORDS}|{_SUPPOSING}|\bhow (?:do|can|to|should)\b|\bwhy\b|^\W*can i\b",
        needs=_OF_THE_ASKER,
    ),
    Row(
        "live count",
        "refuse",
        _LIVE,
        rf"\bhow many (?:[\w-]+ ){{0,3}}?(?:{_COUNTED}) (?:[\w-]+ ){{0,3}}?(?:left|remain\w*|available|in (?:the "
        rf"|my )?(?:queue"
        r"|line|stock|store|waiting list)|ahead|waiting|online|free|open|sold)\b"
        r"|\bhow many (?:[\w-]+ ){1,4}(?:in (?:the |my )?(?:queue|line|waiting list)|on hold|ahead of me)\b"
        r"|\b(?:in|out of|back in) stock\b|\bsold out\b|\bhow (?:long|busy) (?:is|are) (?:the "
        r"|your )?(?:\w+ )?(?:wait(?! for)|queue"
        r"|line|lines|store|gym|branch|hold)\b|\b(?:is|are) there (?:still )?(?:any |an? )?(?:\w+ )?"
        r"(?:seats?|tickets?|spots?|rooms?|slots?|vacanc(?:y|ies)|tables?) (?:left|available|free|remaining|open)\b"
        r"|\b(?:any|are there) (?:\w+ )?(?:seats?|tickets?|spots?|rooms?|slots?) left\b",
        rf"{_ABOUT_WORDS}|{_SUPPOSING}|\bhow (?:do|can|to|often|will)\b|\bwhat happens\b|\bwhen (?:an?|the|you"
        rf"|something)\b"
        r"|\bpolicy\b|\bwhy\b",
    ),
    Row(
        "live state",
        "refuse",
        _LIVE,
        rf"{_GREETING}(?:is|are|was|has|did|will) (?:the |your |flight |train "
        rf"|bus )?(?:[\w:#-]+ ){{1,5}}?(?:on time|running late"
        r"|delayed|landed|departed|boarding|on sale|on offer|out yet|open yet|back up|still (?:available|open|on"
        r"|running|closed|down|broken|live)|available yet|(?<=site )down|(?<=server )down|(?<=service )down"
        r"|(?<=system )down"
        r"|(?<=app )down|(?<=network )down|(?<=servers )down|(?<=api )down)\b"
        rf"|{_GREETING}(?:what(?:'s|s| is)|(?:is there )?anything) (?:new|on sale|on offer|trending|playing"
        rf"|showing|happening|going on|on)"
        r"(?: (?:now|here|at|this|tonight|lately|in (?:the )?\w+))?\W*$"
        r"|\bany (?:\w+ )?(?:news|updates?|outages|delays)\b(?: \w+){0,4}\W*$"
        r"|\bwho(?:'s| is)? (?:won|winning|wins|leading|ahead|scored|playing)\b(?: (?:the|in|at|this|last"
        r"|next) ?(?:\w+ ?){0,3})?"
        r"\W*$|\bwhat(?:'s|s| is| was) the (?:final )?(?:score\b|results? (?:of|from) (?:the"
        r"|last) (?:\w+ )?(?:game|match|election|race|draw|vote|fight))"
        r"|\bdid (?:the )?\w+(?: \w+)? win\W*$"
        r"|\bwhat are the (?:\w+ )?(?:winning|lottery) numbers\b",
        rf"{_ABOUT_WORDS}|{_SUPPOSING}|\bhow (?:do|can|to|often)\b|\b\d{{4}}\b|\bwars?\b|\bwho won the \w+ of\b"
        rf"|\bwhat happens\b"
        rf"|\b(?:usually|ever|always|generally)\b"
        r"|\b(?:on|during|over) (?:\w+ )?(?:weekends?|holidays?|\w+days)\b",
    ),
    Row(
        "act",
        "exact_only",
        _ACT,
        rf"{_OPENING}(?:{_ACTS})\b(?! (?:is|are|was|does|do|can|will|would|not|status|types?|fees?|limits?)\b)"
        rf"(?:\W+\S+){{0,7}}?\W*(?<!\w)(?:{_ON_ACCOUNT})\b",
        rf"{_HOW_TO}|{_ABOUT_WORDS}|\b(?:code|function|python|sql|javascript|regex|script|html|css|essay|poem|story"
        r"|sentence|paragraph|recipe)\b|\bremind (?:me|us) (?:of|what|how|why|which|who|where|when)\b",
    ),
    Row(
        "own progress",
        "refuse",
        _PERSONAL,
        rf"{_GREETING}(?:has|have|is|are|was|were|did) (?:my|our) (?:[\w'-]+ ){{1,6}}?(?:been \w+ (?:yet"
        rf"|already)|yet|done|ready|finished"
        r"|fixed|repaired|graded|(?:back|in|through|up|here)(?=\W*$))\b"
        rf"|{_GREETING}(?:are|is) (?:you|they|he|she|the \w+) (?:done|finished|ready|through"
        rf"|almost done) (?:with|for|repairing|fixing)\b.{{0,40}}"
        r"\b(?:my|our|me|us)\b"
        rf"|{_GREETING}(?:have|did|has) (?:you|they|anyone|anybody|someone|the \w+|my \w+"
        rf"|your \w+)(?: \w+)? (?:repl|respond|answer|call|contact"
        r"|approv|accept|review|receiv|process|ship|deliver|fix|se[en]|pa[iy]|refund|charg|finish|start|read"
        r"|g[eo]t|look|decid)\w*"
        r"(?: [\w'-]+){0,4} (?:my|me|us|our)\b"
        rf"|{_GREETING}did (?:i|we) (?:get (?:in|into|it|the|accepted|approved|hired|selected|picked)|pass|win"
        rf"|qualify|make it|make the)\b"
        r"|\bwhere(?:'s|s| is| are) (?:my|our) (?:\w+ )?(?:refund|money|payment|paycheck|pay ?check|card|driver"
        r"|technician|courier"
        r"|tickets?|prescription|luggage|bags?|suitcase|check|cheque|deposit|bonus|voucher|reward|results?"
        r"|documents?|certificate|passport)\W*(?:$|[?.!])"
        r"|\bhow (?:long|much longer|many (?:days|minutes|hours|stops|weeks)) (?:until|till|before|left until"
        r"|is it until) (?:my|our)\b"
        r"|\bhow (?:much|many) (?:[\w-]+ ){0,4}?(?:are|do|did|have|am) (?:we|i) (?:using|used|have left"
        r"|got left|consum\w+|spent|still have|currently)\b"
        r"|\bhow (?:much|many) (?:[\w-]+ ){1,4}?(?:do|have) (?:we|i) (?:have|got|left|used)\W*$"
        r"|\bwhat(?:'s|s| is| are)(?: left| still| currently| now)? (?:in|on) (?:my|our) (?:cart|basket|bag"
        r"|account|wallet|list"
        r"|calendar|schedule|order|profile|inbox|watchlist|queue|plate)\b"
        r"|\bhow(?:'s|s| is| are) (?:my|our) [\w -]{2,40}\b(?:doing|going|coming along|performing|looking)\b",
        rf"{_ABOUT_WORDS}|{_SUPPOSING}|\bhow (?:do|can|to|should)\b|\bwhy\b|\bwhat happens\b",
        needs=_OF_THE_ASKER,
    ),
    Row(
        "own progress, Korean",
        "refuse",
        _PERSONAL,
        r"(?:^|[\s,.])(?:제|내|저희|우리|저의|나의|나|저)(?:는|도|한테)? .{1,30}?(?:[았었였했됐났졌왔갔]|되었"
        r"|끝났|붙었|떨어졌)"
        r"(?:나요|습니까|는지|을까요|는가요|니\W*$|냐\W*$|나\W*$|(?:어요|어|지|죠)\?)"
        r"|(?:^|[\s,.])(?:제|내|저희|우리|저|나)(?:가|는|도|한테|의)? .{0,30}?(?:얼마나?"
        r"|몇 ?[가-힣]{1,3}) ?(?:더 )?(?:남|썼|쓴|쌓|모았|모였|밀렸|냈|빠졌)",
        r"번역|영어로|뜻|방법|어떻게|하는 ?법|맞춤법|왜|이유|면 |는데 |은데 |어디서|어디에서",
        korean=True,
    ),
    Row(
        "live, Korean",
        "refuse",
        _LIVE,
        r"지금|현재|오늘|실시간|방금|최신 ?(?:뉴스|소식|가격|시세|버전|정보)|요즘|이번 ?주말?|날씨|미세먼지"
        r"|환율|주가|시세|몇 ?시(?:야|예요|인가요|니)\W*$|뉴스",
        r"번역|영어로|뜻|의미|방법|어떻게|하는 ?법|맞춤법|원리|차이|이유|왜",
        korean=True,
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
        korean=True,
    ),
    Row(
        "live count or state, Korean",
        "refuse",
        _LIVE,
        r"재고|품절|(?:남은|잔여) ?(?:좌석|자리|티켓|수량|표|객실|인원)|(?:좌석|자리|티켓|객실"
        r"|방)\S{0,12} (?:몇 ?\S{1,12} )?남(?:았|아|은)"
        r"|대기 ?(?:인원|시간|자|줄|번호)|(?:정시|제시간)에 (?:출발|도착|운행)|연착|지연(?:됐|되었|되고|중)"
        r"|(?:할인|세일|행사|이벤트) ?(?:중|하나요|하고 ?있)|누가 ?이겼|이겼(?:나|어|니|습)|몇 ?대 ?몇|경기 ?결과"
        r"|새로운 ?(?:소식|것|게)|뭐가 ?새로",
        r"번역|영어로|뜻|의미|방법|어떻게|하는 ?법|원리|차이|이유|왜|규정|정책|면 ",
        korean=True,
    ),
    Row(
        "state of the asker, Korean",
        "refuse",
        _PERSONAL,
        r"(?:미납|연체|미결제|미수령|밀린|안 ?읽은|읽지 ?않은|처리 ?중인|진행 ?중인|예약된"
        r"|남은)\S{0,12} (?:\S{1,12} ){0,2}?\S{0,12}(?:있나요|있어요?|있습니까"
        r"|있는지)|(?:미납된|연체된|밀린|안 ?읽은|남은) (?:\S{1,12} ){0,2}?\S{0,12}(?:얼마|몇|알려|보여)"
        r"|(?:^|\s)(?:제|내|저의|나의) ?(?:\S{1,12} )?\S{0,12}(?:이름|주소|전화 ?번호|이메일|등급|요금제|플랜|아이디"
        r"|계좌 ?번호|회원 ?번호|좌석"
        r"|담당자)\S{0,12} (?:\S{1,12} )?(?:뭐|뭔|무엇|어디|알려|보여|누구|몇)"
        r"|(?:^|\s)(?:제|내)가 (?:\S{1,12} )?(?:쓰|사용|가입|주문|신청|이용|예약|구매"
        r"|결제)\S{0,12} (?:\S{1,12} )?(?:뭐|뭔|무엇"
        r"|언제|어디|얼마|몇)"
        r"|(?:^|\s)(?:제|내|저의) (?:\S{1,12} )?\S{1,12} ?(?:처리|승인|해결|완료|접수|확인|발송|도착|취소|환불|등록"
        r"|결제)(?:이|가)? ?(?:됐|되었|된"
        r"|했)|(?:서류|입금|문의|신청서?|환불|결제|메일)\S{0,12} ?(?:잘 )?(?:받으셨|받았|확인하셨|확인됐|확인되었"
        r"|처리됐|처리되었|접수됐"
        r"|접수되었|도착했|완료됐|완료되었)(?:나|어|습|는지)"
        r"|(?:^|\s)(?:저|나)(?:는|도|한테)? (?:\S{1,12} )?(?:회원|가입자|대상자?|가입되어"
        r"|등록되어)\S{0,12}(?:인가요|인지"
        r"|있나요|맞나요|인가)"
        r"|(?:^|\s)(?:제|내) \S{1,12} (?:목록|내역|리스트)\S{0,12} ?(?:보여|알려|조회)",
        r"번역|영어로|뜻|방법|어떻게|하는 ?법|맞춤법|왜|이유|면 ",
        korean=True,
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
        korean=True,
    ),
)
