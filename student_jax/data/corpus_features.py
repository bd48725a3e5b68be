"""Features learned from the task's own training text, at work: TF-IDF of words and characters, and a projection.

In: texts, or tensors and a description.  Out: CorpusEmbedding.  Imports: NumPy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from student_jax.config import EmbedConfig
from student_jax.data.hashed_terms import hash_term, require_salt
from student_jax.data.term_weights import TermWeigher, Vocabulary
from teacher_cache.sealed import fingerprint

# Texts whose terms' rows of the projection are widened at once.
BLOCK_TEXTS = 256


@dataclass(frozen=True)
class CorpusEmbedding:
    """Vocabularies, then one projection (terms, dimensions) of their TF-IDF side by side, float16.

    There is a vocabulary of words and one of characters, or one alone where no two texts share a term of the other.
    `weighted` tells whether the labels took part in the fit, `unspaced` whether a character of UNSPACED is a word.
    With a `salt` the vocabularies hold hashes of terms in place of terms.
    """

    vocabularies: dict[str, Vocabulary]
    projection: np.ndarray
    weighted: bool
    max_ngram: int
    unspaced: bool = False
    salt: str | None = None

    @property
    def dimensions(self) -> int:
        """Length of a feature vector."""
        return self.projection.shape[1]

    @property
    def inference_parameters(self) -> int:
        """Numbers that a text's features are computed with: the inverse document frequencies and the projection."""
        return self.projection.size + len(self.projection)

    @cached_property
    def weigher(self) -> TermWeigher:
        """What gives the columns of the projection their weights in a text."""
        return TermWeigher(self.vocabularies, self.max_ngram, self.unspaced, self.salt)

    def transform(self, texts: Sequence[str]) -> np.ndarray:
        """Features (rows, dimensions), float32; a text without known terms has the vector 0."""
        features = np.zeros((len(texts), self.dimensions), np.float32)
        for start in range(0, len(texts), BLOCK_TEXTS):
            weights = self.weigher.weigh(texts[start : start + BLOCK_TEXTS])
            # Of a few texts' terms alone: to widen the whole projection takes a hundred times as long as to use it.
            used, places = np.unique(weights.columns, return_inverse=True)
            wide = self.projection[used].astype(np.float32)
            for row, (first, last) in enumerate(pairwise(weights.starts), start):
                # Term after term, as a sparse product adds them up, whatever other texts there are.
                terms = wide[places[first:last]]
                terms *= weights.values[first:last, None]
                np.add.reduce(terms, axis=0, out=features[row])
        return features

    def hash_terms(self) -> "CorpusEmbedding":
        """The same features, but for rounding, from vocabularies of hashes.

        They stand in their own order, for a term's place in the alphabet says much of it. The salt differs from
        vocabulary to vocabulary, so that no table of hashes serves for two; it is drawn from the terms and not by
        chance, so that the same texts give the same bytes.
        """
        salt = fingerprint({name: vocabulary.terms for name, vocabulary in self.vocabularies.items()})
        vocabularies, rows, done = {}, [], 0
        for name, (terms, idf) in self.vocabularies.items():
            hashes = np.array([hash_term(str(term), salt) for term in terms], np.uint64)
            order = np.argsort(hashes)
            vocabularies[name] = Vocabulary(hashes[order].tolist(), idf[order])
            rows.append(done + order)
            done += len(order)
        return replace(self, vocabularies=vocabularies, projection=self.projection[np.concatenate(rows)], salt=salt)

    def to_content(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The embedding as named tensors and a JSON object."""
        idf = {f"idf.{name}": vocabulary.idf for name, vocabulary in self.vocabularies.items()}
        terms = {name: vocabulary.terms for name, vocabulary in self.vocabularies.items()}
        # An embedder of version 0.1, which knew no such scripts, is as one of texts that have none.
        scripts = {"unspaced": True} if self.unspaced else {}
        hashed = {"salt": self.salt} if self.salt else {}
        return {"projection": self.projection, **idf}, {"weighted": self.weighted, **scripts, **hashed, "terms": terms}

    @classmethod
    def from_content(
        cls, config: EmbedConfig, tensors: Mapping[str, np.ndarray], content: Mapping[str, Any]
    ) -> "CorpusEmbedding":
        """The embedding that `to_content` described.

        Raises:
            ValueError: terms and tensors do not belong together.
        """
        salt = require_salt(content["salt"]) if config.hashed else None
        vocabularies = {
            name: _check_terms(content["terms"][name], tensors[f"idf.{name}"], salt)
            for name in ("words", "characters")
            if name in content["terms"]
        }
        projection = tensors["projection"]
        terms = sum(len(vocabulary.terms) for vocabulary in vocabularies.values())
        if projection.ndim != 2 or len(projection) != terms:
            raise ValueError(f"projection must have {terms} rows, got {projection.shape}")
        unspaced = content.get("unspaced", False) is True
        return cls(vocabularies, projection, content["weighted"], config.max_ngram, unspaced, salt)


def _check_terms(terms: Any, idf: np.ndarray, salt: str | None) -> Vocabulary:
    kind = str if salt is None else int
    if not isinstance(terms, list) or not terms or not all(type(term) is kind for term in terms):
        raise ValueError("terms must be a list of texts, or of whole numbers where they are hashed")
    if len(set(terms)) != len(terms) or idf.shape != (len(terms),):
        raise ValueError(f"terms must be different and have one idf each, got {len(terms)} and {idf.shape}")
    return Vocabulary(terms, idf)
