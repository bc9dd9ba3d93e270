"""Which sentences is the token table fitted on? Writes them, one a line, each once.

    python scripts/embedding_corpus.py --data DATA --wordnet DIR --documents DIR... --out corpus.txt

Every source may be used for any purpose; the list with licences is in
``lc_costkit/embedding/TRAINING_TEXT.md``. What the benchmarks judge on (question
pairs, trap sets, the banking77 test split) is never read.
"""

from __future__ import annotations

import argparse
import gzip
import html
import json
import random
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

# Tasks of the nine-models queries whose text comes from sources that may be used
# for any purpose; natural_qa, arc_challenge and mgsm are share-alike and left out.
FREE_TASKS = {
    "math", "trivia_qa", "mmlu", "mbpp", "gsm8k", "commonsense_qa", "openbook_qa",
    "gpqa", "human_eval", "agentverse-logicgrid", "commongen",
}  # fmt: skip

QUESTIONS = (
    """
what is {n}?|what is the meaning of {n}?|what are {ns}?|what does {n} mean?|what is a {n} used for?
how does {n} work?|how do {ns} work?|why is {n} important?|why are {ns} so {a}?|is {n} {a}?|are {ns} {a}?
what is the difference between {n} and {m}?|which is better, {n} or {m}?|is {n} better than {m}?
how is {n} different from {m}?|what is the relationship between {n} and {m}?|what is similar to {n}?
how do i {v} {n}?|how can i {v} my {n}?|how do you {v} a {n}?|how to {v} {n}?|how should i {v} the {n}?
what is the best way to {v} {n}?|what is the easiest way to {v} a {n}?|what are the best ways to {v} {ns}?
what is the best {n}?|what are the best {ns} in {p}?|which {n} is the best for {m}?|who is the best {n}?
why do people {v} {ns}?|why can't i {v} my {n}?|why should i {v} {n}?|why don't {ns} {v}?|why did {p} {v} {n}?
can i {v} {n} without {m}?|can you {v} a {n} with a {m}?|is it possible to {v} {n}?|is it {a} to {v} {n}?
should i {v} {n} or {m}?|should {ns} be {a}?|do {ns} {v}?|does {n} {v} {m}?|did {p} ever {v} {n}?
what happens if you {v} {n}?|what would happen if {ns} were {a}?|what should i do if my {n} is {a}?
where can i {v} {n}?|where can i find {a} {ns}?|where is {p}?|when did {n} begin?|when should i {v} {n}?
how much does a {n} cost?|how much {n} is in {m}?|how many {ns} are there in {p}?|how long does it take to {v} {n}?
how long does {n} last?|how old is {p}?|how far is {p} from {q}?|what is it like to {v} in {p}?|what is {p} known for?
who invented {n}?|who is {p}?|what did {p} do?|what do you think about {n}?|what is your opinion of {p}?
what are some {a} {ns}?|what are examples of {n}?|what are the advantages of {n}?|what are the side effects of {n}?
what are the causes of {n}?|how can i get rid of {n}?|how do i become a {n}?|how do i learn {n}?|how do i start {n}?
how do i stop {n}?|how do i improve my {n}?|how do i choose a {n}?|can {n} cause {m}?|does {n} affect {m}?
i want to {v} my {n}|i can't {v} my {n}|my {n} is {a}|my {n} won't {v}|please {v} the {n}|tell me about {n}
tell me how to {v} {n}|explain {n}|explain {n} to a child|give me a list of {ns}|write about {n} and {m}
i need help with {n}|i have a question about my {n}|can you help me {v} {n}?|help me find a {n}|show me the {n}
do i need a {n} to {v} {m}?|do you have any {ns}?|is there a {n} in {p}?|is there a way to {v} {n}?
what is the {n} of {p}?|what is the {n} of a {m}?|what was the {n} in {p}?|what's the {a} {n}?|which {ns} {v} {m}?
how are {ns} made?|how is {n} made?|how big is a {n}?|how does {n} affect {m}?|how did {p} become {a}?
the {n} is not {a}|the {n} is {a}|the {a} {n} and the {m}|a {n} for {ns}|{n} vs {m}|{n} {m}|{a} {n}|{v} {n}|{v}|{n}
the {n} did not {v} the {m}|the {n} of the {m} is {a}|{p} and {q}|{n} in {p}|{a} or {b}?|from {p} to {q}|{ns}
""".replace("\n", "|")
    .strip("|")
    .split("|")
)


def main() -> None:
    arguments = _arguments()
    chance = random.Random(arguments.seed)
    sentences: dict[str, None] = {}
    sources = {
        "support questions": _support(arguments.data),
        "exam and assistant prompts": _prompts(arguments.data),
        "wordnet": _glosses(arguments.wordnet, chance),
        "documents": _sample(_documents(arguments.documents), chance, arguments.document_sentences),
    }
    asked: list[str] = []
    for name, source in sources.items():
        before = len(sentences)
        sentences.update(dict.fromkeys(source))
        print(f"{name}: {len(sentences) - before:,}")
        if name != "wordnet" and name != "documents":
            asked = list(sentences)
    templates = list(islice(_templates(arguments.wordnet, chance), arguments.templates))
    sentences.update(dict.fromkeys(templates))
    print(f"templates: {len(templates):,}")
    edits = list(_edits(asked, templates, chance, arguments.edits))
    sentences.update(dict.fromkeys(edits))
    print(f"edits: {len(edits):,}")
    lines = list(sentences)
    chance.shuffle(lines)
    arguments.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines):,} sentences in {arguments.out}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with cache/ and routing/")
    parser.add_argument("--wordnet", type=Path, required=True, help="folder with data.noun, cntlist.rev")
    parser.add_argument("--documents", type=Path, nargs="*", default=[], help="folders or files: html, yml, txt, rst")
    parser.add_argument("--document-sentences", type=int, default=80_000)
    parser.add_argument("--templates", type=int, default=160_000)
    parser.add_argument("--edits", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _clean(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()[:300]


def _support(data: Path) -> Iterator[str]:
    for row in _rows(data / "cache/banking77_train.jsonl.gz"):
        yield _clean(row["text"])
    for row in _rows(data / "cache/clinc150.jsonl.gz"):
        if row["split"] == "train":
            yield _clean(row["text"])
    for row in _rows(data / "cache/nlupp_banking.jsonl.gz"):
        yield _clean(row["text"])


def _prompts(data: Path) -> Iterator[str]:
    for row in _rows(data / "routing/gpt4_mixtral_eval.jsonl.gz"):
        yield from _pieces(row["prompt"])
    for split in ("train", "test"):
        for row in _rows(data / f"routing/nine_models/default_query_{split}.jsonl.gz"):
            if row["task_name"] in FREE_TASKS:
                yield from _pieces(row["query"])


def _pieces(text: str) -> Iterator[str]:
    """Whole sentences of a text, and its lines without the letter of an answer."""
    for line in text.split("\n"):
        for sentence in re.split(
            r"(?<=[.?!])\s+(?=[A-Z\"'(])", re.sub(r"^\s*(\(?[A-Ja-j][.)]|Answer:|Q:)\s*", "", line)
        ):
            cleaned = _clean(sentence)
            if len(cleaned) > 8 and re.search("[A-Za-z]{3}", cleaned):
                yield cleaned


def _synsets(wordnet: Path, kind: str) -> Iterator[tuple[list[str], str]]:
    for line in (wordnet / f"data.{kind}").read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):
            continue
        head, gloss = line.split(" | ", 1)
        fields = head.split(" ")
        words = [re.sub(r"\(.*\)", "", fields[4 + 2 * number]) for number in range(int(fields[3], 16))]
        yield [word.replace("_", " ") for word in words], gloss.strip()


def _glosses(wordnet: Path, chance: random.Random) -> Iterator[str]:
    counts = _uses(wordnet)
    for kind in ("noun", "verb", "adj", "adv"):
        for words, gloss in _synsets(wordnet, kind):
            used = [word for word in words if word.lower() in counts]
            if not used and chance.random() < 0.6:
                continue
            yield from used
            for part in re.findall(r"\"([^\"]{8,})\"", gloss):
                yield _clean(part)
            definition = _clean(re.sub(r"\"[^\"]*\"", "", gloss).strip("; "))
            if len(definition) > 8:
                yield definition if chance.random() < 0.5 else f"{words[0]}: {definition}"[:300]


def _uses(wordnet: Path) -> dict[str, int]:
    """How often each lemma was met in the texts WordNet's makers tagged."""
    counts: dict[str, int] = {}
    for line in (wordnet / "cntlist.rev").read_text(encoding="utf-8").splitlines():
        sense, _, count = line.split(" ")
        lemma = sense.split("%")[0].replace("_", " ")
        counts[lemma] = counts.get(lemma, 0) + int(count)
    return counts


def _sample(sentences: Iterable[str], chance: random.Random, amount: int) -> list[str]:
    distinct = list(dict.fromkeys(sentences))
    return chance.sample(distinct, min(amount, len(distinct)))


def _documents(places: Iterable[Path]) -> Iterator[str]:
    for place in places:
        files = [place] if place.is_file() else sorted(place.rglob("*"))
        for file in files:
            if file.suffix in (".html", ".yml", ".txt", ".rst", ".dict") and file.is_file():
                yield from _prose(file.read_text(encoding="utf-8", errors="ignore"), is_page=file.suffix == ".html")


def _prose(text: str, *, is_page: bool) -> Iterator[str]:
    if is_page:
        text = re.sub(r"(?s)<(script|style|pre|head)\b.*?</\1>", " ", text)
        text = re.sub(r"</(p|li|dd|dt|h\d|td|div|tr)>", "\n\n", text)
        text = html.unescape(re.sub(r"<[^>]+>", "", text))
    for paragraph in re.split(r"\n\s*\n|\n\s*-\s", text):
        for sentence in re.split(r"(?<=[.?!])\s+(?=[A-Z])", _clean_long(paragraph)):
            words = sentence.split()
            letters = sum(character.isalpha() or character == " " for character in sentence)
            if 4 <= len(words) <= 40 and letters > 0.88 * len(sentence) and sentence.isascii():
                yield _clean(sentence)


def _clean_long(text: str) -> str:
    return re.sub(r"\s+", " ", text.lstrip("- ")).strip()


class _Words:
    """Words of each kind, drawn about as often as they are used."""

    def __init__(self, wordnet: Path, chance: random.Random) -> None:
        self._chance = chance
        counts = _uses(wordnet)
        self._drawn: dict[str, tuple[list[str], list[float]]] = {}
        for kind, name in (("noun", "n"), ("verb", "v"), ("adj", "a")):
            plain: set[str] = set()
            names: set[str] = set()
            for words, _ in _synsets(wordnet, kind):
                for word in words:
                    (names if word[:1].isupper() else plain).add(word)
            self._drawn[name] = self._weighted(plain, counts)
            if kind == "noun":
                self._drawn["p"] = self._weighted(names, counts)

    def _weighted(self, words: set[str], counts: dict[str, int]) -> tuple[list[str], list[float]]:
        # Half-flattened: common words often, rare ones still seen.
        ordered = sorted(words)
        total, cumulative = 0.0, []
        for word in ordered:
            total += (counts.get(word.lower(), 0) + 0.05) ** 0.7
            cumulative.append(total)
        return ordered, cumulative

    def draw(self, kind: str, amount: int) -> list[str]:
        words, cumulative = self._drawn[kind]
        return self._chance.choices(words, cum_weights=cumulative, k=amount)


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def _templates(wordnet: Path, chance: random.Random) -> Iterator[str]:
    words = _Words(wordnet, chance)
    while True:
        size = 5_000
        nouns, others, plurals = (words.draw("n", size) for _ in range(3))
        places, further = words.draw("p", size), words.draw("p", size)
        verbs, adjectives, opposed = words.draw("v", size), words.draw("a", size), words.draw("a", size)
        for row in range(size):
            noun = places[row] if chance.random() < 0.12 else nouns[row]
            yield chance.choice(QUESTIONS).format(
                n=noun, m=others[row], ns=_plural(plurals[row]), p=places[row], q=further[row],
                v=verbs[row], a=adjectives[row], b=opposed[row],
            )  # fmt: skip


def _edits(asked: list[str], templates: list[str], chance: random.Random, amount: int) -> Iterator[str]:
    """Questions with words left out, swapped for another's, or joined to another question."""
    for _ in range(amount):
        words = chance.choice(asked).split()[:30]
        other = chance.choice(asked if chance.random() < 0.7 else templates).split()[:20]
        kind = chance.random()
        if kind < 0.4:
            words = [word for word in words if chance.random() > 0.3] or words
        elif kind < 0.75:
            for _ in range(chance.randint(1, 2)):
                words[chance.randrange(len(words))] = chance.choice(other)
        else:
            words = words + other
        yield _clean(" ".join(words))


if __name__ == "__main__":
    main()
