"""Linguistic steganography: bits written as the words that a language model might say next.

In: a language model, bits.  Out: Steganographer: sample(), hide(), reveal().  Imports: numpy.

At each step the likeliest `candidates` words get a Huffman code by their probabilities; the next bits of the secret
choose the word. Who has the same model reads the bits back. Cutting the tail off and rounding probabilities to powers
of two is what makes such text detectable.
Source: Yang et al. 2019, "RNN-Stega: linguistic steganography based on recurrent neural networks".
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import count

import numpy as np

from pipeline.corpus.generated.ngram import NgramModel


class Steganographer:
    """Cover and stego sentences from the same `model`.

    A sentence ends where the model has seen one end, but not before `shortest` words, and after `longest` at any rate;
    as the words alone decide that, its end carries no bits.
    """

    def __init__(self, model: NgramModel, candidates: int, shortest: int, longest: int) -> None:
        self.model, self.candidates, self.shortest, self.longest = model, candidates, shortest, longest
        self._books: dict[tuple[str, ...], dict[str, str]] = {}

    def sample(self, random: np.random.Generator) -> str:
        """A cover text: every word drawn from the model's whole distribution."""

        def draw(history: Sequence[str]) -> str:
            cumulative = np.cumsum(self.model.distribution(history))
            return self.model.words[int(np.searchsorted(cumulative, random.random() * cumulative[-1], side="right"))]

        return self._write(draw)

    def hide(self, bits: Iterator[str]) -> str:
        """A stego text that takes from `bits` ("0" and "1") as many as it can carry."""

        def encode(history: Sequence[str]) -> str:
            word_of = {code: word for word, code in self._book(history).items()}
            code = ""
            while code not in word_of:
                code += next(bits)
            return word_of[code]

        return self._write(encode)

    def reveal(self, text: str) -> str:
        """The bits that `text`, a stego text, carries.

        Raises:
            KeyError: a word that hide() cannot have written there.
        """
        words = text.split()
        return "".join(self._book(words[:length])[word] for length, word in enumerate(words))

    def _write(self, choose: Callable[[Sequence[str]], str]) -> str:
        words: list[str] = []
        while len(words) < self.shortest or (len(words) < self.longest and not self.model.may_end(words)):
            words.append(choose(words))
        return " ".join(words)

    def _book(self, history: Sequence[str]) -> dict[str, str]:
        context = tuple(history[-2:])  # shorter at the start, hence its own
        if context not in self._books:
            mass = self.model.distribution(history)
            likeliest = np.argsort(-mass, kind="stable")[: self.candidates]
            self._books[context] = huffman({self.model.words[i]: float(mass[i]) for i in likeliest if mass[i] > 0})
        return self._books[context]


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
