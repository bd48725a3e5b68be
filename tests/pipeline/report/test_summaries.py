"""Reading what was evaluated, rivals and their answers with it."""

import json

import numpy as np
import pytest

from pipeline.evaluation.answers import write_predictions
from pipeline.report.summaries import read_summaries
from teacher_cache.errors import UserError

IDS = np.array([bytes([number] * 16) for number in range(4)], "V16")
LABELS = np.array([0, 1, 1, 0], np.int32)


def write(place, predicted, ids=IDS):
    place.mkdir(parents=True)
    (place / "summary.json").write_text(json.dumps({"records": [], "record": {"stage": "train_baseline"}}))
    write_predictions(place / "predictions.parquet", ids, LABELS, np.array(predicted, np.int32))


@pytest.fixture
def evaluations(tmp_path):
    write(tmp_path / "t/m/summary", [0, 1, 1, 1])
    write(tmp_path / "t/m/baselines/pkd", [0, 0, 0, 1])
    return tmp_path


def test_rivals_come_with_mcnemars_test(evaluations):
    """Both have text 0 right and text 3 wrong; texts 1 and 2 the student alone: p = 2 / 2^2."""
    (summary,) = read_summaries(evaluations, ["t"], ["m"], ["pkd"])
    assert list(summary["baselines"]) == ["pkd"]
    assert summary["records"] == [{"stage": "train_baseline pkd"}]
    assert summary["mcnemar"]["pkd"] == {"texts": 4, "student_alone": 2, "rival_alone": 0, "p_value": 0.5}


def test_a_rival_that_is_not_active_is_left_alone(evaluations):
    (summary,) = read_summaries(evaluations, ["t"], ["m"], [])
    assert summary["baselines"] == summary["mcnemar"] == {}


@pytest.mark.parametrize(
    ("tasks", "rivals", "message"),
    [(["other"], [], "summary must exist; run `dvc repro evaluate`"), (["t"], ["hitin"], "`dvc repro train_baseline`")],
)
def test_what_was_not_run_is_named(evaluations, tasks, rivals, message):
    with pytest.raises(UserError, match=message):
        read_summaries(evaluations, tasks, ["m"], rivals)


def test_answers_to_other_texts_are_refused(evaluations):
    others = np.array([bytes([9, *[number] * 15]) for number in range(4)], "V16")
    write(evaluations / "t/m/baselines/lsfls", [0, 0, 0, 1], others)
    with pytest.raises(UserError, match=r"lsfls: must answer the student's 4 texts, got 4 others"):
        read_summaries(evaluations, ["t"], ["m"], ["lsfls"])
