"""Sentences that hide a secret (stego) among sentences that do not (cover), both of the same language model.

In: number of texts, seed.  Out: LABELS, generate(), decode(), secret().  Imports: numpy.
"""

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

import numpy as np

from pipeline.corpus.generated import emotion, thematic
from pipeline.corpus.generated.ngram import NgramModel
from pipeline.corpus.generated.stegano import Steganographer

LABELS = ("cover", "stego")
SHORTEST, LONGEST = 9, 16  # words; about 11 on the average, as the paper's Table 1 has it
# The fewer candidates, the easier to detect: among 4,000 texts, TF-IDF with logistic regression tells stego from cover
# with accuracy 0.88 at 8 candidates, 0.85 at 10, 0.81 at 12, 0.78 at 16 and 0.68 at 32 (mean of seeds 1 and 2).
CANDIDATES = 10
WEIGHTS = (0.02, 0.18, 0.80)  # of unigrams, bigrams, trigrams
MODEL_TEXTS, MODEL_SEED = 3000, 0  # texts of each task that the model is fitted on


@cache
def load_steganographer() -> Steganographer:
    """The steganographer that sender and receiver share: its model is fitted on texts of the other two tasks."""
    texts = [text for task in (emotion, thematic) for text, _ in task.generate(MODEL_TEXTS, MODEL_SEED)]
    model = NgramModel([sentence for text in texts for sentence in split_sentences(text)], WEIGHTS)
    return Steganographer(model, CANDIDATES, SHORTEST, LONGEST)


def split_sentences(text: str) -> list[list[str]]:
    """Every two neighbouring clauses of `text`, which marks end, as one sentence of words."""
    clauses = [clause.split() for clause in re.split(r"[.,:]", text)]
    return [first + second for first, second in pairwise(clauses)]


def secret(seed: int) -> Iterator[str]:
    """An endless random message, "0" and "1"."""
    random = np.random.default_rng((seed, 1))
    while True:
        yield from (str(bit) for bit in random.integers(2, size=4096))


def generate(rows: int, seed: int) -> Iterator[tuple[str, str]]:
    """`rows` pairs (text, label), the classes taking turns; the stego texts carry secret(seed) from its beginning."""
    steganographer, random, bits = load_steganographer(), np.random.default_rng((seed, 0)), secret(seed)
    for index in range(rows):
        yield (steganographer.hide(bits), "stego") if index % 2 else (steganographer.sample(random), "cover")


def decode(text: str) -> str:
    """The bits that a stego `text` carries."""
    return load_steganographer().reveal(text)
