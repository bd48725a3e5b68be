"""Linguistic steganography: bits written as the words that a language model might say next.

In: a language model, bits.  Out: Embedder: sample(), hide(), reveal().  Imports: numpy.

At each step the likeliest `candidates` words get a Huffman code by their probabilities; the next bits of the secret
choose the word. Who has the same model reads the bits back. Cutting the tail off and rounding probabilities to powers
of two is what makes such text detectable.
Source: Yang et al. 2019, "RNN-Stega: linguistic steganography based on recurrent neural networks", variable-length coding.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import count

import numpy as np

from pipeline.corpus.embedded.ngram import END, NgramModel


class Embedder:
    """Cover and stego sentences of `shortest` to `longest` words from the same `model`."""

    def __init__(self, model: NgramModel, candidates: int, shortest: int, longest: int) -> None:
        self.model, self.candidates, self.shortest, self.longest = model, candidates, shortest, longest
        self._books: dict[tuple[str, ...], dict[str, str]] = {}

    def sample(self, random: np.random.Generator) -> str:
        """A cover text: every word drawn from the model's whole distribution."""

        def draw(history: Sequence[str]) -> str:
            cumulative = np.cumsum(self._distribution(history))
            return self.model.words[int(np.searchsorted(cumulative, random.random() * cumulative[-1], side="right"))]

        return self._write(draw)

    def hide(self, bits: Iterator[str]) -> str:
        """A stego text that takes from `bits` ("0" and "1") as many as it can carry."""

        def encode(history: Sequence[str]) -> str:
            words = {code: word for word, code in self._book(history).items()}
            code = ""
            while code not in words:
                code += next(bits)
            return words[code]

        return self._write(encode)

    def reveal(self, text: str) -> str:
        """The bits that `text`, a stego text, carries.

        Raises:
            KeyError: a word that hide() cannot have written there.
        """
        words = text.split()
        ended = [] if len(words) == self.longest else [END]
        return "".join(self._book(words[:length])[word] for length, word in enumerate([*words, *ended]))

    def _write(self, choose: Callable[[Sequence[str]], str]) -> str:
        words: list[str] = []
        while len(words) < self.longest and (word := choose(words)) != END:
            words.append(word)
        return " ".join(words)

    def _distribution(self, history: Sequence[str]) -> np.ndarray:
        return self.model.distribution(history, may_end=len(history) >= self.shortest)

    def _book(self, history: Sequence[str]) -> dict[str, str]:
        may_end = str(len(history) >= self.shortest)
        key = (may_end, *history[-2:])
        if key not in self._books:
            mass = self._distribution(history)
            likeliest = np.argsort(-mass, kind="stable")[: self.candidates]
            self._books[key] = huffman({self.model.words[i]: float(mass[i]) for i in likeliest if mass[i] > 0})
        return self._books[key]


def huffman(mass: dict[str, float]) -> dict[str, str]:
    """A prefix-free code of least mean length for the words of `mass`; a lone word's code is empty.

    Source: Huffman 1952, "A method for the construction of minimum-redundancy codes".
    """
    serial = count()  # breaks ties, so that both ends build the same code
    heap = [(probability, next(serial), {word: ""}) for word, probability in mass.items()]
    heapq.heapify(heap)
    while len(heap) > 1:
        low, _, zeros = heapq.heappop(heap)
        high, _, ones = heapq.heappop(heap)
        merged = {word: "0" + code for word, code in zeros.items()} | {word: "1" + code for word, code in ones.items()}
        heapq.heappush(heap, (low + high, next(serial), merged))
    return heap[0][2]
