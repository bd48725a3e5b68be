"""A word trigram language model: linear interpolation of unigram, bigram and trigram frequencies.

In: tokenised sentences.  Out: NgramModel, END.  Imports: numpy.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

START, END = "<s>", "</s>"


class NgramModel:
    """P(word | two words before) = sum over n of weights[n-1] * relative frequency of the n-gram.

    `words` is the vocabulary in a fixed order, END among it; a distribution is an array over it.
    Source: Jelinek and Mercer 1980, "Interpolated estimation of Markov source parameters from sparse data".
    """

    def __init__(self, sentences: Iterable[Sequence[str]], weights: tuple[float, float, float]) -> None:
        followers: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for sentence in sentences:
            padded = [START, START, *sentence, END]
            for first, second, word in zip(padded, padded[1:], padded[2:], strict=False):
                for context in ((), (second,), (first, second)):
                    followers[context][word] += 1
        self.words = sorted(followers[()])
        self.index = {word: position for position, word in enumerate(self.words)}
        self._weights = weights
        self._frequencies = {context: self._normalise(counts) for context, counts in followers.items()}

    def _normalise(self, counts: Counter[str]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        positions = np.array([self.index[word] for word in counts], dtype=np.intp)
        return positions, np.array(list(counts.values()), dtype=np.float64) / counts.total()

    def distribution(self, history: Sequence[str]) -> NDArray[np.float64]:
        """Probability of each of `words` after `history`, given that the sentence goes on: that of END is 0."""
        context = self._context(history)
        mass = np.zeros(len(self.words))
        for weight, known in zip(self._weights, ((), context[1:], context), strict=True):
            if known in self._frequencies:
                positions, frequencies = self._frequencies[known]
                mass[positions] += weight * frequencies
        mass[self.index[END]] = 0.0
        return mass / mass.sum()

    def may_end(self, history: Sequence[str]) -> bool:
        """Whether a sentence was seen to end with the last two words of `history`."""
        context = self._context(history)
        return context in self._frequencies and self.index[END] in self._frequencies[context][0]

    @staticmethod
    def _context(history: Sequence[str]) -> tuple[str, ...]:
        return (START, START, *history)[-2:]
