"""Fits the features `corpus` on a task's own texts: TF-IDF of words and characters, class weights, truncated SVD.

In: training texts, with a label or without, and labels for the weights of terms.  Out: fit_corpus().
Imports: NumPy, SciPy, scikit-learn; a student at work needs none of it.
"""

import re
from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.extmath import randomized_range_finder

from student_jax.config import EmbedConfig
from student_jax.data.corpus_features import CorpusEmbedding
from student_jax.data.term_weights import CHARACTERS, UNSPACED, Vocabulary, choose_pattern
from teacher_cache.errors import UserError
from teacher_cache.schema import NO_LABEL

# More power iterations changed the validation accuracy there by under 1 point, in either direction, at several times
# the price (4 against 25 s for 6,000 texts).
POWER_ITERATIONS = 1
OVERSAMPLING = 10  # Halko et al. 2011, arXiv:0909.4061, section 1.3
# In so many labelled texts a term's own class weight counts as much as the mean of all. With 240 labelled headlines and
# 6,000 others, logistic regression on all their labels had 0.735 with own weights alone, 0.768 so, 0.771 unweighted.
PRIOR_TEXTS = 5
# Directions whose singular value is smaller than this share of the largest are rounding errors in float32.
SMALLEST_RATIO = 1e-4


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
    vocabularies, blocks, weights = {}, [], []
    for name, vectorizer in _build_vectorizers(config, unspaced).items():
        found = _fit_terms(vectorizer, texts, classes, config.max_terms)
        if found is not None:
            vocabularies[name], block, weight = found
            blocks.append(block)
            weights.append(weight**0.5)
    if not vocabularies:
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
    embedding = CorpusEmbedding(vocabularies, projection, classes is not None, config.max_ngram, unspaced)
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
    pattern = choose_pattern(unspaced)
    return {
        "words": TfidfVectorizer(token_pattern=pattern, ngram_range=(1, config.max_ngram), **shared),
        "characters": TfidfVectorizer(analyzer="char_wb", ngram_range=CHARACTERS, **shared),
    }


def _fit_terms(
    vectorizer: TfidfVectorizer, texts: Sequence[str], labels: np.ndarray | None, max_terms: int
) -> tuple[Vocabulary, sp.csr_matrix, np.ndarray] | None:
    """The terms that matter most, by weight * sqrt(number of texts), their TF-IDF of `texts` and their weights.

    None where no term is in as many texts as it must be.
    """
    try:
        present = sp.csr_array(vectorizer.fit_transform(texts) > 0, dtype=np.float64)
    except ValueError:
        return None
    weight = np.ones(present.shape[1]) if labels is None else _weigh_known(present, labels)
    heavy = np.sort(np.argsort(-weight * np.sqrt(present.sum(axis=0)), kind="stable")[:max_terms])
    terms, idf = vectorizer.get_feature_names_out()[heavy].tolist(), vectorizer.idf_[heavy]
    chosen = clone(vectorizer).set_params(vocabulary=terms)
    chosen.idf_ = idf
    return Vocabulary(terms, idf), chosen.transform(texts), weight[heavy]
