"""Which evidence do the default rules look for, and what is each worth?

The weights were set on published outcomes of a strong and a weak model (``benchmarks/routing.py``
measures them) and rounded; length carries most of the ranking, as it does in every such data set.
The word lists are general vocabulary: none of them comes from a benchmark's wording.
"""

from __future__ import annotations

from lc_costkit.routing import signals
from lc_costkit.routing.signals import Rule

NOTHING_FOUND = -3.2
"""Log-odds of a question without any evidence: a greeting scores 0.01, any other twenty letters 0.04."""

DEFAULT_RULES: tuple[Rule, ...] = (
    Rule(name="length", signal=signals.length, weight=5.0, enough=4000),
    Rule(name="clauses", signal=signals.clauses, weight=0.6, enough=20),
    Rule(name="structure", signal=signals.structure, weight=0.6, enough=12),
    Rule(name="several questions", signal=signals.questions, weight=1.0, enough=3),
    Rule(name="code", signal=signals.code, weight=1.6, enough=8),
    Rule(name="formulas", signal=signals.formulas, weight=0.1, enough=8),
    Rule(
        name="proportions",
        signal=signals.words,
        weight=0.9,
        enough=3,
        english=(
            "half", "third", "quarter", "fraction", "percent*", "ratio*", "proportion*", "average",
            "twice", "thrice", "double*", "triple*", "times as", "times more", "times the",
        ),
        korean=("절반", "두 배", "세 배", "네 배", "배로", "분의", "퍼센트", "비율", "평균"),
    ),
    Rule(
        name="comparison",
        signal=signals.words,
        weight=0.6,
        enough=4,
        english=(
            "than", "more", "less", "most", "fewer", "greater", "larger", "smaller", "higher", "lower", "better",
            "worse", "rather", "relative", "compar*", "differ*", "versus", "vs",
        ),
        korean=(
            "보다", "가장", "비교", "차이", "다른 점", "대비", "더 많", "더 적", "더 큰", "더 작", "더 높", "더 낮",
            "더 나은", "더 좋",
        ),
    ),
    Rule(
        name="negation",
        signal=signals.words,
        weight=0.9,
        enough=3,
        english=(
            "not", "except", "never", "without", "neither", "nor", "none", "false", "incorrect", "cannot", "unless",
            "can't", "don't", "doesn't", "didn't", "isn't", "aren't", "wasn't", "weren't", "won't", "wouldn't",
            "shouldn't", "couldn't", "hasn't", "haven't",
        ),
        korean=("않", "없", "아닌", "아니", "못 ", "못하", "제외", "말고", "틀린", "빼고"),
    ),
    Rule(
        name="argument",
        signal=signals.words,
        weight=0.7,
        enough=4,
        english=(
            "because", "therefore", "thus", "hence", "since", "argu*", "conclu*", "infer*", "implies", "imply",
            "reason", "reasons", "reasoning", "cause", "causes", "caused", "consequence*", "assumption*", "statement*",
            "both", "explain*", "why",
        ),
        korean=(
            "때문", "따라서", "그러므로", "왜냐", "이유", "결론", "추론", "주장", "논증", "명제", "진술", "원인",
            "설명", "둘 다", "왜 ",
        ),
    ),
    Rule(
        name="conditions",
        signal=signals.words,
        weight=0.3,
        enough=4,
        english=(
            "if", "suppose*", "assum*", "given that", "provided that", "otherwise", "whether", "only if", "must",
            "at least", "at most", "exactly", "no more than", "as long as", "constraint*",
        ),
        korean=(
            "만약", "만일", "라면", "다면", "경우", "반드시", "적어도", "최소", "최대", "이상", "이하", "정확히",
            "조건", "가정", "제약", "하되",
        ),
    ),
    Rule(
        name="sequence",
        signal=signals.words,
        weight=0.8,
        enough=4,
        english=(
            "first", "second", "next", "then", "finally", "last", "previous", "previously", "later", "earlier",
            "afterwards", "before", "after", "until",
        ),
        korean=(
            "먼저", "첫째", "첫 번째", "둘째", "두 번째", "그다음", "그 다음", "마지막", "이전", "나중", "이후",
            "까지",
        ),
    ),
    Rule(
        name="given material",
        signal=signals.words,
        weight=0.8,
        enough=3,
        english=(
            "following", "according to", "passage", "excerpt", "text", "author*", "above", "below", "described",
            "refers to", "based on",
        ),
        korean=(
            "다음 중", "다음의", "다음 글", "아래", "위의", "위에", "본문", "지문", "발췌", "저자", "에 따르면",
            "바탕으로", "근거로",
        ),
    ),
    Rule(
        name="hard task",
        signal=signals.words,
        weight=3.2,
        enough=1,
        english=(
            "prove", "derive", "derivation", "analyse", "analyze", "critique", "justify", "trade-off*",
            "pros and cons", "debug*", "refactor*", "optimise", "optimize", "diagnose",
            "design a", "design an", "design the", "architect", "implement", "write a function", "write a * function",
            "write a program", "write a script", "write code", "write an essay", "write a report",
        ),
        korean=(
            "증명", "유도하", "유도해", "분석해", "분석하", "비판", "논증", "장단점", "디버그", "디버깅", "리팩터",
            "리팩토링", "최적화", "진단해", "설계해", "설계하", "구현해", "구현하", "함수를 작성", "프로그램을 작성",
            "코드를 작성", "스크립트를 작성", "에세이를", "보고서를 작성",
        ),
    ),
    Rule(
        name="thoroughness",
        signal=signals.words,
        weight=1.2,
        enough=3,
        english=(
            "evaluate", "assess", "compare", "contrast", "recommend*", "investigate", "algorithm*", "root cause",
            "step by step", "in detail", "detailed", "comprehensive", "thorough*", "strategy for", "review this",
            "review the",
        ),
        korean=(
            "평가", "비교해", "비교하", "추천", "조사해", "알고리즘", "근본 원인", "단계별", "자세히", "상세히",
            "상세한", "포괄적", "철저", "전략", "검토해",
        ),
    ),
    Rule(
        name="small talk",
        signal=signals.words,
        weight=-1.2,
        english=("hello", "hi", "hey", "thanks", "thank you", "good morning", "good evening", "bye", "goodbye"),
        korean=("안녕", "고마워", "고맙습니다", "감사합니다", "감사해요", "반가"),
    ),
    Rule(
        name="look-up",
        signal=signals.words,
        weight=-0.8,
        english=(
            "opening hours", "business hours", "open today", "phone number", "what time", "address", "where is",
            "where can i", "how do i", "can i", "capital of", "translate", "spell", "meaning of",
            "what does", "define", "who is", "who was",
        ),
        korean=(
            "영업시간", "운영시간", "영업 시간", "운영 시간", "전화번호", "몇 시", "주소", "얼마예요", "얼마인가요",
            "얼마야", "어디서", "어디에", "어디예요", "번역", "철자", "뜻이", "무슨 뜻", "수도는", "누구",
            "할 수 있나요", "어떻게 하나요",
        ),
    ),
)  # fmt: skip
"""The rules of ``Rules()``, one row for each kind of evidence."""
