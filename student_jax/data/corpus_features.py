"""Features learned from the task's own training text: TF-IDF of words and characters, class weights, truncated SVD.

In: training texts, with a label or without, and labels for the weights of terms.
Out: CorpusEmbedding, fit_corpus().
Imports: NumPy, SciPy, scikit-learn.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.extmath import randomized_range_finder

from student_jax.config import EmbedConfig
from student_jax.data.hashed_terms import HashedTerms, hash_term, require_salt
from teacher_cache.errors import UserError
from teacher_cache.schema import NO_LABEL
from teacher_cache.sealed import fingerprint

# Terms are words with punctuation marks, and character n-grams within words. On three real tasks of 6,000 to 14,000
# training texts, logistic regression on 768 dimensions of both had 1 to 4 points more than on those of words alone.
WORDS = r"\w+|[^\w\s]"
# Scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, Chinese, Japanese. There each character is a term
# of its own, and neighbours are, too.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
UNSPACED_WORDS = rf"[{UNSPACED}]|[^\W{UNSPACED}]+|[^\w\s]"
CHARACTERS = (2, 5)
# More power iterations changed the validation accuracy there by under 1 point, in either direction, at several times
# the price (4 against 25 s for 6,000 texts).
POWER_ITERATIONS = 1
OVERSAMPLING = 10  # Halko et al. 2011, arXiv:0909.4061, section 1.3
# In so many labelled texts a term's own class weight counts as much as the mean of all. With 240 labelled headlines and
# 6,000 others, logistic regression on all their labels had 0.735 with own weights alone, 0.768 so, 0.771 unweighted.
PRIOR_TEXTS = 5
# Directions whose singular value is smaller than this share of the largest are rounding errors in float32.
SMALLEST_RATIO = 1e-4


@dataclass(frozen=True)
class CorpusEmbedding:
    """TF-IDF vectorizers, then one projection (terms, dimensions) of their columns side by side, float16.

    There is a vectorizer of words and one of characters, or one alone where no two texts share a term of the other.
    `weighted` tells whether the labels took part in the fit, `unspaced` whether a character of UNSPACED is a word.
    With a `salt` the vectorizers know hashes of terms in place of terms.
    """

    vectorizers: dict[str, TfidfVectorizer]
    projection: np.ndarray
    weighted: bool
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

    def transform(self, texts: Sequence[str]) -> np.ndarray:
        """Features (rows, dimensions), float32; a text without known terms has the vector 0."""
        terms = sp.hstack([vectorizer.transform(texts) for vectorizer in self.vectorizers.values()], format="csr")
        # Of a few texts' terms alone: to widen the whole projection takes a hundred times as long as to use it.
        used = np.unique(terms.indices)
        return np.asarray(terms[:, used] @ self.projection[used].astype(np.float32))

    def hash_terms(self) -> "CorpusEmbedding":
        """The same features, but for rounding, from a vocabulary of hashes.

        They stand in their own order, for a term's place in the alphabet says much of it. The salt differs from
        vocabulary to vocabulary, so that no table of hashes serves for two; it is drawn from the terms and not by
        chance, so that the same texts give the same bytes.
        """
        plain = {name: vectorizer.get_feature_names_out().tolist() for name, vectorizer in self.vectorizers.items()}
        salt = fingerprint(plain)
        vectorizers, rows, done = {}, [], 0
        for name, vectorizer in self.vectorizers.items():
            hashes = np.array([hash_term(term, salt) for term in plain[name]], np.uint64)
            order = np.argsort(hashes)
            vectorizers[name] = _set_terms(vectorizer, hashes[order].tolist(), vectorizer.idf_[order], salt)
            rows.append(done + order)
            done += len(order)
        return replace(self, vectorizers=vectorizers, projection=self.projection[np.concatenate(rows)], salt=salt)

    def to_content(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The embedding as named tensors and a JSON object."""
        idf = {f"idf.{name}": vectorizer.idf_ for name, vectorizer in self.vectorizers.items()}
        terms = {name: list(vectorizer.get_feature_names_out()) for name, vectorizer in self.vectorizers.items()}
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
        unspaced = content.get("unspaced", False) is True
        salt = require_salt(content["salt"]) if config.hashed else None
        vectorizers = {
            name: _restore_terms(vectorizer, content["terms"][name], tensors[f"idf.{name}"], salt)
            for name, vectorizer in _build_vectorizers(config, unspaced).items()
            if name in content["terms"]
        }
        projection = tensors["projection"]
        terms = sum(len(vectorizer.vocabulary) for vectorizer in vectorizers.values())
        if projection.ndim != 2 or len(projection) != terms:
            raise ValueError(f"projection must have {terms} rows, got {projection.shape}")
        return cls(vectorizers, projection, content["weighted"], unspaced, salt)


def fit_corpus(config: EmbedConfig, texts: Sequence[str], labels: Sequence[int] | np.ndarray | None) -> CorpusEmbedding:
    """Fit on the texts of the training split and the pool, whose label is NO_LABEL.

    Of each kind of term, the `max_terms` heaviest stay. A term's column of the TF-IDF matrix is multiplied by the root
    of its class weight before the SVD, so that the directions that are kept are those that tell classes apart; without
    `labels` the weights are 1. Each dimension is multiplied by its singular value, and all by one factor that brings
    the mean square of a training feature to 1. A matrix whose rank is below `dimensions` gives as many dimensions as
    its rank.

    Raises:
        UserError: no term occurs in `min_document_frequency` texts.
    """
    classes = None if labels is None else np.asarray(labels)
    unspaced = any(re.search(f"[{UNSPACED}]", text) for text in texts)
    vectorizers, blocks, weights = {}, [], []
    for name, vectorizer in _build_vectorizers(config, unspaced).items():
        found = _fit_terms(vectorizer, texts, classes, config.max_terms)
        if found is not None:
            vectorizers[name], weight = found
            blocks.append(vectorizers[name].transform(texts))
            weights.append(weight**0.5)
    if not vectorizers:
        rule = f"min_document_frequency must be small enough for {len(texts)} training texts"
        raise UserError(f"embed: {rule}, got {config.min_document_frequency}: no two of them share a term")
    weight = np.concatenate(weights)
    matrix = (sp.hstack(blocks, format="csr") @ sp.diags_array(weight)).astype(np.float32)
    del blocks  # as large as the matrix
    directions, singular = find_directions(matrix, config.dimensions)
    # Adam moves every weight alike, however small its feature; the singular value once more keeps the student from
    # fitting the small ones: validation accuracy 0.814 against 0.776 on generated `thematic`, mean of two seeds.
    directions = directions * singular
    scale = 1 / np.sqrt(np.mean((matrix @ directions) ** 2))
    projection = (weight[:, None] * directions * scale).astype(np.float16)
    embedding = CorpusEmbedding(vectorizers, projection, classes is not None, unspaced)
    return embedding.hash_terms() if config.hashed else embedding


def find_directions(matrix: sp.csr_array | sp.csr_matrix, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest singular values of `matrix` (texts, terms) and their right singular vectors.

    A randomized range finder, then the eigenvectors of a small Gram matrix, which costs a tenth of a dense SVD.

    Returns:
        (terms, k) with orthonormal columns, and (k,) descending; k = min(dimensions, rank).
    Source: Halko et al. 2011, arXiv:0909.4061, algorithms 4.3 and 5.1.
    """
    size = min(dimensions + OVERSAMPLING, *matrix.shape)
    basis = randomized_range_finder(
        matrix, size=size, n_iter=POWER_ITERATIONS, power_iteration_normalizer="none", random_state=0
    )
    projected = matrix.T @ basis
    squares, vectors = np.linalg.eigh((projected.T @ projected).astype(np.float64))
    largest = np.flatnonzero(squares > squares[-1] * SMALLEST_RATIO**2)[::-1][:dimensions]
    singular = np.sqrt(squares[largest])
    return projected @ vectors[:, largest] / singular, singular


def weigh_terms(present: sp.csr_array, labels: np.ndarray) -> np.ndarray:
    """How far each term's class frequencies are apart: max over classes of |log p(term | class) - mean over classes|.

    Args:
        present: (texts, terms), 1 where a text has a term.
        labels: (texts,).

    Returns:
        (terms,) weights >= 0, with p smoothed by adding 1; for two classes half the log-count ratio.
    Source: Wang and Manning 2012, "Baselines and Bigrams", ACL short papers, section 2.1.
    """
    counts = np.stack([present[labels == label].sum(axis=0) for label in np.unique(labels)]) + 1.0
    log_shares = np.log(counts / counts.sum(axis=1, keepdims=True))
    return np.abs(log_shares - log_shares.mean(axis=0)).max(axis=0)


def _weigh_known(present: sp.csr_array, labels: np.ndarray) -> np.ndarray:
    """As weigh_terms, by the texts that have a label; beside a pool, the fewer have a term, the nearer to the mean.

    Most terms of a pool are in no labelled text: by itself that would weigh them next to nothing, and the student could
    not learn them from the teacher.
    """
    known = labels != NO_LABEL
    if known.all():
        return weigh_terms(present, labels)
    weight, texts = weigh_terms(present[known], labels[known]), present[known].sum(axis=0)
    mean = weight @ texts / max(texts.sum(), 1)
    return (texts * weight + PRIOR_TEXTS * mean) / (texts + PRIOR_TEXTS) if mean else np.ones(len(weight))


def _build_vectorizers(config: EmbedConfig, unspaced: bool) -> dict[str, TfidfVectorizer]:
    shared = {"sublinear_tf": True, "dtype": np.float32, "min_df": config.min_document_frequency}
    pattern = UNSPACED_WORDS if unspaced else WORDS
    return {
        "words": TfidfVectorizer(token_pattern=pattern, ngram_range=(1, config.max_ngram), **shared),
        "characters": TfidfVectorizer(analyzer="char_wb", ngram_range=CHARACTERS, **shared),
    }


def _fit_terms(
    vectorizer: TfidfVectorizer, texts: Sequence[str], labels: np.ndarray | None, max_terms: int
) -> tuple[TfidfVectorizer, np.ndarray] | None:
    """`vectorizer` with the terms that matter most, by weight * sqrt(number of texts), and those terms' weights.

    None where no term is in as many texts as it must be.
    """
    try:
        present = sp.csr_array(vectorizer.fit_transform(texts) > 0, dtype=np.float64)
    except ValueError:
        return None
    weight = np.ones(present.shape[1]) if labels is None else _weigh_known(present, labels)
    heavy = np.sort(np.argsort(-weight * np.sqrt(present.sum(axis=0)), kind="stable")[:max_terms])
    terms = vectorizer.get_feature_names_out()[heavy].tolist()
    return _set_terms(vectorizer, terms, vectorizer.idf_[heavy]), weight[heavy]


def _restore_terms(vectorizer: TfidfVectorizer, terms: Any, idf: np.ndarray, salt: str | None) -> TfidfVectorizer:
    kind = str if salt is None else int
    if not isinstance(terms, list) or not terms or not all(type(term) is kind for term in terms):
        raise ValueError("terms must be a list of texts, or of whole numbers where they are hashed")
    if len(set(terms)) != len(terms) or idf.shape != (len(terms),):
        raise ValueError(f"terms must be different and have one idf each, got {len(terms)} and {idf.shape}")
    return _set_terms(vectorizer, terms, idf, salt)


def _set_terms(
    vectorizer: TfidfVectorizer, terms: list[str] | list[int], idf: np.ndarray, salt: str | None = None
) -> TfidfVectorizer:
    """A vectorizer with the same settings that knows exactly `terms`: hashes where there is a `salt`."""
    made = clone(vectorizer).set_params(vocabulary=terms)
    if salt is not None:
        made.set_params(analyzer=HashedTerms(vectorizer.build_analyzer(), salt))
    made.idf_ = idf
    return made
