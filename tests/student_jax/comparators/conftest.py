"""A task that tokens decide, with a teacher that knows it, in logits and in hidden states."""

import numpy as np
import pytest

from student_jax.comparators.token_dataset import Facts
from student_jax.data.dataset import Split

LENGTH, VOCABULARY = 12, 40


def make_tokens(rows, seed):
    """Texts of 5 to 12 tokens between [CLS] and [SEP]; class 1 has token 7 somewhere."""
    generator = np.random.default_rng(seed)
    lengths, labels = generator.integers(5, LENGTH + 1, rows), generator.integers(0, 2, rows).astype(np.int32)
    tokens = generator.integers(8, VOCABULARY, (rows, LENGTH)).astype(np.int32)
    tokens[:, 0] = 2
    tokens[labels == 1, generator.integers(1, 4, rows)[labels == 1]] = 7
    tokens[np.arange(rows), lengths - 1] = 3
    tokens[np.arange(LENGTH) >= lengths[:, None]] = 0
    return tokens, labels


def make_split(rows, seed):
    tokens, labels = make_tokens(rows, seed)
    sign = 2.0 * labels - 1
    hidden = sign[:, None, None] * np.array([[1, 1, 1], [1, -1, 2], [2, 1, 0]])
    logits = 1.5 * np.stack([-sign, sign], axis=1)
    return Split(tokens, logits.astype(np.float32), labels, None, hidden.astype(np.float16))


@pytest.fixture(scope="session")
def dataset():
    return {name: make_split(rows, rows) for name, rows in {"train": 512, "validation": 128, "test": 129}.items()}


@pytest.fixture(scope="session")
def facts(dataset):
    """With the states of layers 0, 1 and 2, 3 wide."""
    return Facts(VOCABULARY, LENGTH, 2, dataset["train"].features, (0, 1, 2), 3)
