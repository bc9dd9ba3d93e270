"""Which English words exclude, oppose or equal each other? Tables only; a row more is a case more.

Rows are running text. Words are compared by stem (see ``prepare.stem``), so one form of each is enough.
"""

from __future__ import annotations

from lc_costkit.cache.text import words


def rows(table: str) -> list[list[str]]:
    """Read a table written as running text: rows between commas, words between spaces."""
    return [row.split() for row in table.split(",")]


FUNCTION_WORDS = words(
    """a an the this that these those there here it its i me my mine myself we us our ours you your yours he him
    his she her hers they them their theirs one ones someone somebody anyone anybody everyone people person am is
    are was were be been being do does did doing done have has had having can could will would shall should may
    might must ought need get gets got getting go goes going let make makes of in on at to for from by with about
    into onto as than then so if or and but nor yet because while when where who whom whose which what why how
    whether via per up out off over under through during within between s t d ll re ve m please pls thanks thank
    hi hello hey dear ok okay just also too very really actually basically simply some any all each every such own
    same other another more most much many few less least lot lots kind kinds sort sorts type types way ways thing
    things something anything stuff exactly ever even still already again want wanted wants would_like like know
    tell show give help explain say said mean wonder wondering possible able try trying tried take takes took
    happen happens use used using called call etc eg ie not no never n't without find look looking provide
    remind contain different else along anyway actually offer provided chance describe ask question information
    info detail details list quick quickly easy easily"""
)
"""Words that carry no topic. Negations and question words are read elsewhere."""

WITHOUT_E = words(
    """car plan cap hop sit cut bar fin win not mat pin tub rob can hat mad fat tap bit kit spin strip slop
    star scar far
    rat par war ton bath cloth breath past stag hug her pan cod mod rod wok wir sal hug cub cop dim fir her hid
    kin lob
    man mil mol mop nod pal pip rip rud sag scrap sham slid snip sol sur tim tin twin wad wip"""
)
"""Words that another word with a closing e must not be cut to: "care" is no "car", "plane" no "plan"."""
IRREGULAR = """buy bought, send sent, pay paid, lose lost, make made, take took taken, bring brought, find
    found, sell sold,
    tell told, give gave given, come came, break broke broken, choose chose chosen, write wrote written, drive drove
    driven, eat ate eaten, keep kept, hold held, build built, spend spent, forget forgot forgotten, freeze
    froze frozen,
    grow grew grown, hear heard, hide hidden, know knew known, lend lent, ride rode ridden, run ran, say said,
    see seen,
    sleep slept, speak spoken, steal stolen, stand stood, swim swam swum, teach taught, think thought, throw
    threw thrown,
    wear wore worn, withdraw withdrew withdrawn, wake woke woken, feed fed, catch caught, draw drew drawn, fly
    flew flown,
    go went gone, begin began begun, become became, show shown, sign signed, understand understood, deal dealt,
    mean meant,
    leave leaving, rise risen, shake shaken, sing sang sung, sink sank sunk, sweep swept, swear sworn, tear torn, bend
    bent, bind bound, burn burnt, learn learnt, spell spelt, dream dreamt, seek sought, shine shone, shoot
    shot, shrink
    shrunk, stick stuck, strike struck, weave woven, child children, person people, foot feet, tooth teeth,
    mouse mice,
    wife wives, knife knives, leaf leaves, shelf shelves, life lives, half halves, woman women, man men, analysis
    analyses, criterion criteria, medium media, datum data, index indices, matrix matrices, vertex vertices"""
"""Forms that no ending is taken off from, after the word they are forms of."""

HARD_NEGATIONS = words("not no never none neither nor cannot without nobody nothing nowhere n't nt dont cant wont")
NEGATIVE_PREFIXED = words(
    """unavailable ineligible unable invalid inactive incomplete incorrect inaccessible unauthorized unauthorised
    unauthenticated unverified unpaid unlisted unsecured unsupported untaxed uninsured uncovered unused unread
    unknown unsafe unsaved unsigned unsubscribed unregistered unlocked unpublished unencrypted unopened
    undelivered unmarried unemployed unexpected unfinished unfair unhappy unhealthy unlikely unlawful unnecessary
    unofficial unpopular unrelated unrestricted unsuccessful untested unwanted unwell unwilling unusual uncommon
    uncertain uncomfortable unclear unapproved unchanged unconfirmed unprotected unshared unscheduled
    unconditional uncancellable unrefundable unreachable unreadable untracked unassigned unattended unaffected
    unbroken unbiased non-refundable nonrefundable non-transferable nontransferable non-taxable nontaxable
    non-residential non-resident nonresident non-smoking nonsmoking non-profit nonprofit non-member nonmember
    non-eu non-citizen non-student non-alcoholic non-vegetarian non-stop nonstop non-binding non-deductible
    nondeductible non-veg non-fiction non-essential non-exempt non-linear nonlinear non-toxic nontoxic non-native
    non-functional non-commercial insufficient insecure independent indirect indefinite infrequent ineffective
    inefficient inconsistent inadequate inappropriate incompatible incapable inedible infinite informal invisible
    involuntary irregular irrelevant irreversible irresponsible illegal illegible illogical impossible impatient
    imperfect improper impractical impermissible immature immortal immutable impolite dishonest disallowed
    disapproved disconnected discontinued disqualified disagree dissatisfied disrespectful disloyal noncompliant"""
)
"""Words whose prefix denies the rest; the rest is read as the word, the prefix as a negation."""
NEGATIVE_PREFIXES = ("non-", "non", "un", "in", "dis", "ir", "il", "im")
LESS_WORDS = words(
    """paperless wireless cashless contactless cordless careless endless homeless jobless painless useless
    fearless harmless hopeless limitless meaningless odorless seamless seedless sugarless tasteless touchless
    keyless passwordless serverless stateless sleeveless penniless worthless"""
)
SOFT_NEGATIVES = words(
    """avoid waive prevent lack deny refuse reject decline exclude exempt fail failure broken break stuck missing
    miss problem trouble issue error wrong forget forgot lose lost ban forbid prohibit block stop skip free excuse
    hate dislike cease quit reverse ignore omit except excluding instead rather bad hard difficult impossible
    unable pending delay late closed expired against optional hidden fix solve troubleshoot repair disable revoke
    zero only unless rid remove"""
)
"""Words that can stand for a negation in a rewording ("fee-free", "avoid the fee")."""

CONTRADICTORY = """available unavailable, enable disable, open close, open closed, on off, include exclude, allow
    forbid, allow prohibit, permit prohibit, permit forbid, legal illegal, true false, accept reject, accept
    refuse, accept decline, approve reject, approve decline, approve deny, keep lose, present absent, pass fail,
    succeed
    fail, success failure, safe dangerous, online offline, covered excluded, cover exclude, valid expired,
    optional mandatory, optional required, optional compulsory, same different, dead alive, remember forget, waive
    charge, taxable tax-free, eligible barred, keep discard, continue stop, guilty innocent, single married, full
    empty, avoid use, avoid take, avoid eat, avoid
    drink, temporary permanent, working broken, like hate, like dislike, love hate, agree disagree"""
"""Pairs where denying one states the other: "not enabled" is "disabled"."""

OPPOSITES = """buy sell, purchase sell, purchase return, lend borrow, send receive, send get, sent received, give
    take, give receive, push pull, deposit withdraw, deposit withdrawal, credit debit, import export, upload
    download, install uninstall, login logout, signin signout, subscribe unsubscribe, follow unfollow, mute
    unmute, pin unpin, archive unarchive, lock unlock, block unblock, freeze unfreeze, link unlink, pair unpair,
    mount unmount, pack unpack, zip unzip, hide show, hide unhide, hide display, add remove, add delete, add
    subtract, insert delete, insert remove, create delete, create remove, open cancel, activate deactivate,
    activate cancel, activate close, register deregister, register cancel, enroll withdraw, join leave, start
    stop, start end, start finish, begin end, begin stop, begin finish, pause resume, pause cancel, cancel renew,
    cancel reinstate, cancel confirm, cancel change, cancel reschedule, cancel book, cancel order, cancel track,
    cancel return, cancel pause, cancel upgrade, renew expire, return exchange, return replace, refund exchange,
    refund replace, refund replacement, refund credit, increase decrease, increase reduce, increase lower, raise
    lower, raise reduce, raise cut, rise fall, grow shrink, gain lose, gain loss, win lose, profit loss, upgrade
    downgrade, expand shrink, expand collapse, accelerate slow, minimum maximum, min max, least most, lowest
    highest, low high, lower higher, lower upper, smallest largest, smallest biggest, small large, small big,
    shortest longest, short long, short tall, cheap expensive, cheapest expensive, fast slow, fastest slowest,
    quick slow, early late, earlier later, earliest latest, oldest newest, old new, old young, first last, hot
    cold, warm cold, heat cool, heating cooling, wet dry, heavy light, dark light, hard soft, hard easy, strong
    weak, strength weakness, good bad, best worst, better worse, advantage disadvantage, advantage drawback,
    benefit drawback, benefit risk, benefit harm, pro con, positive negative, plus minus, multiply divide, encrypt
    decrypt, encode decode, compress decompress, serialize deserialize, ascending descending, horizontal vertical,
    left right, top bottom, front back, front rear, inside outside, indoor outdoor, interior exterior, internal
    external, input output, inbound outbound, incoming outgoing, arrive depart, arrival departure, pickup dropoff,
    pickup delivery, checkin checkout, enter exit, entry exit, domestic international, local international, local
    global, national international, public private, personal business, individual group, manual automatic,
    physical virtual, physical digital, paper digital, fixed variable, gross net, before after, past future,
    previous next, former current, asset liability, income expense, employer employee, landlord tenant, buyer
    seller, lender borrower, sender recipient, sender receiver, payer payee, teacher student, doctor patient,
    parent child, host guest, admin user, male female, man woman, boy girl, cause cure, cause prevent, cause
    treat, cause effect, cause symptom, symptom treatment, symptom cure, prevent treat, gain burn, save spend,
    save delete, rent buy, rent own, lease buy, hire fire, attack defend, attract repel, love hate, sync unsync,
    merge split, combine separate, attach detach, connect disconnect, backup restore, commit revert, undo redo,
    cut paste, read write, grant revoke, invite remove, accept send, publish unpublish, apply cancel, apply
    withdraw, book cancel, change cancel, dispute pay, claim cancel, report request, order return, track return,
    view delete, view edit, edit delete, update delete, reset delete, reset change, ship receive, recover delete,
    restore delete, transfer close, transfer withdraw, withdraw transfer, deposit transfer, more less, more
    fewer, most fewest, born die, birth death, emergency routine,
    urgent routine, promote demote, admit discharge, board disembark, thicken thin, tighten loosen, inflate
    deflate, fill
    empty, load unload, wake sleep, assemble disassemble, build demolish, earn redeem, earn spend, plant
    harvest, freeze
    thaw, arrest release, raw cooked, fresh frozen, sweet savory, indoors outdoors, upstairs downstairs, uphill
    downhill,
    acid alkaline, acidic alkaline, wholesale retail, amateur professional, offense defense, home away,
    singular plural,
    formal informal, literal figurative, odd even, prime composite, sync async, synchronous asynchronous, public
    protected, mutable immutable, allow deny, allowlist blocklist, whitelist blacklist, enroll drop, enroll
    leave, join
    quit, hide reveal, sign decline, melt freeze, expand contract, ascend descend, rise set, sunrise sunset,
    inhale exhale,
    sit stand, win draw, hit miss, ripe unripe, screw unscrew, subscribe cancel, hold release, lend return,
    borrow return,
    rent return, charge discharge, charge drain, dilute concentrate, hydrate dehydrate, tighten relax, appreciate
    depreciate, vest forfeit, accrue forfeit, evict rent, exempt liable, ally enemy, ancestor descendant,
    predator prey,
    inward outward, inwards outwards, forward backward, forwards backwards, clockwise counterclockwise, clockwise
    anticlockwise, upward downward, northern southern, eastern western, odd even, major minor, maximal minimal, rich
    poor, deep shallow, thick thin, wide narrow, tight loose, smooth rough, sharp dull, loud quiet, noisy quiet, clean
    dirty, sick healthy, sober drunk, awake asleep, cooked raw, alive dead, friend enemy, hero villain, ancient
    modern,
    rural urban, introvert extrovert, optimist pessimist, introduce withdraw, nominate oppose, optional compulsory,
    sweet bitter, sweet sour, dusk dawn, sunrise sunset, north south, east west, child adult, junior senior, rookie
    veteran, first-time returning, single-sided double-sided, one-way round-trip, one-way return, overweight
    underweight, overpay underpay, overwater underwater, overcook undercook, overestimate underestimate, overcharge
    undercharge, oversleep wake, hyper hypo, hyperthyroidism hypothyroidism, hypertension hypotension, hyperglycemia
    hypoglycemia, intro outro, prologue epilogue, prefix suffix, superscript subscript, uppercase lowercase, encoder
    decoder, producer consumer, client server, sender receiver, victim offender, winner loser, supply demand, waive
    keep, waive retain, waive include, waive enforce, waive impose, keep cancel, keep sell, keep
    return, protect unprotect, protect
    remove, protect expose, hire resign, stay leave, stay go, arrive leave, add waive, raise waive, insert extract,
    attach remove, mount remove, wear remove, put remove, apply remove, impose lift, ban lift, accuse defend, praise
    criticize, reward punish, win forfeit, shorten lengthen, shorten extend, widen narrow, deepen lighten, brighten
    darken, strengthen weaken, soften harden, tighten loose, sharpen blunt, sharpen blur, focus blur, mix separate,
    enlarge reduce, enlarge shrink, zoom shrink, stretch compress, swell shrink, whiten darken, sweeten sour,
    moisten dry, soak dry, wet dry, boil freeze, heat freeze, remember forget, teach learn, ask answer, lend owe,
    insure cancel, admit deny, admit expel, invite exclude, welcome ban, marry divorce, wed divorce, adopt abandon,
    immigrate emigrate, dock undock, plug unplug, tag untag, mark unmark, star unstar, check uncheck, select deselect,
    hire dismiss, bookmark remove, subscribe leave, enroll cancel, buckle unbuckle, zip open, wrap unwrap, fold
    unfold,
    bind unbind, subscribe mute, sow reap, sow harvest, pump drain, fill drain, fill empty, supply demand, new
    used, new secondhand, rest transit, motion rest, idle active, puppy dog, kitten cat, puppy adult"""
"""Actions and qualities of which an answer about one is wrong for the other, whatever is denied."""

RESTRICTING = words(
    """platinum gold silver bronze diamond enterprise business student corporate professional family
    senior junior military veteran joint minor teen international overseas abroad foreign domestic prepaid gift
    trial nonprofit vip secondary refurbished second-hand wholesale commercial weekend holiday yesterday
    tomorrow tonight"""
)
"""Words that narrow a question to a special case, so that one side alone having it is a difference."""

ASPECTS = words(
    """advantage disadvantage benefit drawback risk symptom treatment cure prevention definition meaning history
    origin example difference alternative requirement eligibility deadline penalty limit fee cost price ingredient
    dosage warranty size weight height age population capital salary"""
)

PERSONS = """husband wife spouse partner fiance girlfriend boyfriend, son daughter child kid children baby toddler
    teenager minor grandchild, mother father mom dad mum parent grandmother grandfather grandparent, brother
    sister sibling cousin aunt uncle nephew niece, friend roommate neighbor neighbour colleague coworker, company
    business employer employee staff team organization organisation, boss manager landlord tenant client patient
    teacher, dog cat pet"""

IDIOMS = (
    (r"\ba/c\b", "ac"),
    (r"\bw/o\b", "without"),
    (r"\bw/(?= ?\w)", "with "),
    (
        r"\b24/7\b|\b24 ?x ?7\b|\baround[- ]the[- ]clock(?:,? (?:every|each) day of the week|,? (?:seven"
        r"|7) days a week|,? every day)?"
        r"|\bround[- ]the[- ]clock\b|\b(?:24|twenty[- ]four) hours (?:a|per) day(?:,? (?:seven|7) days a week)?",
        "aroundtheclock",
    ),
    # what looks like a negation, a number or a plan and is none
    (r"\b(?:or|if) (?:not|no)\b(?= *[?.!]|$)", " "),
    (r"\bnot only\b|\bno matter\b|\bno doubt\b|\bwhy not\b", " "),
    (r"\bi (?:do not|don't|dont) (?:know|understand|get) (?=how|what|why|where|when|if|which)", " "),
    (r"\b(?:i am|i'm|im) not sure (?=how|what|why|where|when|if|which)", " "),
    (r"\bbusiness (?=days?\b|hours?\b)", " "),
    (r"\bsign(?:ing|ed)? (?:up|on)\b", "signup"),
    (r"\blog(?:ging|ged)? ?in(?:to)?\b|\bsign(?:ing|ed)? ?in(?:to)?\b", "login"),
    (r"\blog(?:ging|ged)? ?(?:out|off)\b|\bsign(?:ing|ed)? ?(?:out|off)\b", "logout"),
    (r"\bset(?:ting)? up\b", "setup"),
    (r"\bchecking (?=in\b)|\bcheck[- ]in\b", "checkin "),
    (r"\bchecking (?=out\b)|\bcheck[- ]out\b", "checkout "),
    (r"\bpick(?:ing|ed)?[- ]up\b", "pickup"),
    (r"\bdrop(?:ping|ped)?[- ]off\b", "dropoff"),
    (r"\bturn(?:ing|ed)? on\b|\bswitch(?:ing|ed)? on\b", "enable"),
    (r"\bturn(?:ing|ed)? off\b|\bswitch(?:ing|ed)? off\b", "disable"),
    (r"\bturn(?:ing|ed)? (\w+(?: \w+){0,3}?) on\b", r"enable \1"),
    (r"\bturn(?:ing|ed)? (\w+(?: \w+){0,3}?) off\b", r"disable \1"),
    (r"\bopt(?:ing|ed)?[- ]in\b", "subscribe"),
    (r"\bopt(?:ing|ed)?[- ]out\b", "unsubscribe"),
    (r"\bget rid of\b", "remove"),
    (
        r"\b(?:completely |totally |entirely )?free of (?:charge|cost)\b"
        r"|\bat no (?:extra |additional )?(?:cost|charge)\b",
        "free",
    ),
    (r"\bfree (?:of|from) (?=\w)", "without "),
    (r"\bthr(?:ow|owing|ew|own) ((?:\w+ ){0,3}?)(?:away|out)\b", r"discard \1"),
    (r"\bkeep(?:ing)? ((?:\w+ ){1,3}?)from (?=\w+ing\b)", r"stop \1"),
    (r"\bget(?:ting)? ((?:\w+ ){1,4}?)out of\b", r"remove \1from"),
    (r"\b(?:two[- ]factor|two[- ]step|2[- ]?step|2[- ]factor)(?: (?:authentication|verification))?\b|\b2fa\b", "2fa"),
    (r"\bk8s\b", "kubernetes"),
    (r"\bi18n\b", "internationalization"),
    (r"\bl10n\b", "localization"),
    (r"\ba11y\b", "accessibility"),
    (r"\bwithout (?:having to )?pay(?:ing)? (?:any )?(?=[a-z])", "without "),
    (r"\b(?:get(?:ting)?|got(?:ten)?|want(?:ing|s)?) out of\b", "leave"),
    (r"\b(?:take|taken|taking|took) off(?= *(?:[?.!,]|$|of\b|from\b|my\b|the\b|it\b))", "remove"),
    (r"\bwhat is meant by\b", "what is"),
    (r"\bunited states(?: of america)?\b|\bu\.s\.a?\.?", "usa"),
    (r"\bunited kingdom\b|\bu\.k\.", "uk"),
    (r"\beuropean union\b|\be\.u\.", "eu"),
    (r"\bphase out\b", "remove"),
    (r"\bwhat time\b", "when"),
)
"""Phrases read as one word, tried in this order on lower-case text."""
