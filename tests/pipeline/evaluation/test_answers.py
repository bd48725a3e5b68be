"""Answers on disk: what was written, in order of the ids, and refusals of anything else."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.evaluation.answers import read_answers, write_answers
from teacher_cache.errors import UserError

IDS = np.frombuffer(b"".join(bytes([k]) + b"\xff" * 15 for k in (3, 1, 2)), "V16")


def test_answers_come_back_with_probabilities(tmp_path):
    path, said = tmp_path / "answers.parquet", np.array([[0.5, 0.2, 0.3], [0.1, 0.1, 0.8], [0.2, 0.7, 0.1]])
    write_answers(path, IDS, np.array([0, 1, 2]), said)
    found = read_answers(path, 3)
    assert [one.tobytes()[0] for one in found.ids] == [1, 2, 3]
    assert found.labels.tolist() == [1, 2, 0]
    assert found.predicted.tolist() == [2, 1, 0]
    assert found.probabilities.tolist() == said[[1, 2, 0]].astype(np.float32).tolist()
    with pytest.raises(UserError, match="column probabilities must be"):
        read_answers(path, 2)


def test_a_file_that_is_missing_damaged_or_of_other_columns(tmp_path):
    path = tmp_path / "answers.parquet"
    with pytest.raises(UserError, match=r"answers\.parquet must exist; run"):
        read_answers(path, 2)
    path.write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"answers\.parquet cannot be read") as error:
        read_answers(path, 2)
    assert "\n" not in str(error.value)
    pq.write_table(pa.table({"label": [1]}), path)
    with pytest.raises(UserError, match="column example_id must be"):
        read_answers(path, 2)
