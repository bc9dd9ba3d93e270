"""Does a message only make sense with what was said before it?"""

from __future__ import annotations

import re

_AGREEMENT_ENGLISH = (
    "yes|yep|yeah|ok|okay|sure|right|correct|fine|great|perfect|please|go|ahead|on|do|it|that|this|them|all|so|and|then"
    "|now|again|more|continue|proceed|keep|going|next|why|how|no|nope|try|retry|same|one|other|another|the|first|second"
    "|last|instead|too|also|run|apply|fix|commit|send|show|me"
)
_AGREEMENT_KOREAN = (
    "네|넵|예|응|어|그래|그래요|좋아|좋아요|좋습니다|맞아|맞아요|오케이|그럼|그렇게|그거|그걸|그것|이거|이걸|계속|계속해"
    "|진행|진행해|시작해|다시|더|왜|왜요|어떻게|아니|아니요|해|해줘|해주세요|해봐|해볼래|줘|주세요|부탁해|부탁해요"
    "|부탁드려요|부탁드립니다|보여줘|고쳐줘|이어서|다음|하나|또|또요|적용해|실행해|커밋해"
)
_ONLY_AGREEMENT = re.compile(rf"(?:(?:{_AGREEMENT_ENGLISH}|{_AGREEMENT_KOREAN})\b[\s,.!?~…]*)+", re.IGNORECASE)
_REFERS_BACK = re.compile(
    r"\b(?:it|that|this|those|these|them)\b|그거|그걸|그것|이거|이걸|이것|저거|그렇게|아까|방금", re.IGNORECASE
)

MOST_WORDS = 5
"""A message of more words is judged by what it says."""


def is_follow_up(text: str) -> bool:
    """Tell whether ``text`` leans on the conversation: a short reply, or a few words that point back.

    >>> is_follow_up("yes, do it"), is_follow_up("commit that please"), is_follow_up("그래 해줘")
    (True, True, True)
    >>> is_follow_up("What is the capital of France?"), is_follow_up("prove the theorem")
    (False, False)
    """
    words = text.split()
    if not words or len(words) > MOST_WORDS:
        return False
    return bool(_ONLY_AGREEMENT.fullmatch(text.strip()) or _REFERS_BACK.search(text))
