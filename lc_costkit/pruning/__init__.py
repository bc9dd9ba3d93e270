"""Keep the sentences that matter for a question, verbatim and within a token budget."""

from lc_costkit.pruning.prune import DEFAULT_JOINER, PruneOptions, Pruner, prune
from lc_costkit.pruning.result import Passage, PrunedPassage, PruneResult, ScoredSentence
from lc_costkit.pruning.score import (
    BlendedScorer,
    EmbeddingScorer,
    LexicalScorer,
    PairScorer,
    Scorer,
    Sentence,
    as_scorer,
)
from lc_costkit.pruning.split import Span, split_sentences

__all__ = [
    "DEFAULT_JOINER",
    "BlendedScorer",
    "EmbeddingScorer",
    "LexicalScorer",
    "PairScorer",
    "Passage",
    "PruneOptions",
    "PruneResult",
    "PrunedPassage",
    "Pruner",
    "ScoredSentence",
    "Scorer",
    "Sentence",
    "Span",
    "as_scorer",
    "prune",
    "split_sentences",
]
