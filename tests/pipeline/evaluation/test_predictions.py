"""How many texts are said to have been trained on."""

import numpy as np
import pytest

from pipeline.evaluation.predictions import count_training
from student_jax.data.dataset import Split
from teacher_cache.schema import NO_LABEL


def split_of(labels):
    rows = len(labels)
    ids = np.array([bytes([number] * 16) for number in range(rows)], "V16")
    return Split(np.zeros((rows, 3), np.float32), np.zeros((rows, 2), np.float32), np.array(labels, np.int32), ids)


@pytest.mark.parametrize(("pool", "expected"), [(None, (3, 4)), (2, (3, 2)), (0, (3, 0))])
def test_texts_count_by_their_labels(pool, expected):
    found = count_training({"train": split_of([0, 1, 1]), "pool": split_of([NO_LABEL] * 4)}, pool)
    assert (found.labelled, found.pool) == expected


def test_a_pool_whose_labels_are_known_is_labelled():
    found = count_training({"train": split_of([0, 1]), "pool": split_of([1, 0, 1])}, None)
    assert (found.labelled, found.pool) == (5, 0)
    assert count_training({"train": split_of([0, 1])}, None).pool == 0
