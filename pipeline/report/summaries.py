"""Reading what the stages evaluate and train_baseline wrote.

In: the folder evaluations.  Out: read_summaries().  Imports: pipeline.evaluation.answers, pipeline.evaluation.metrics.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.evaluation.answers import Predicted, read_predictions
from pipeline.evaluation.metrics import compare_answers
from teacher_cache.errors import UserError

_PREDICTIONS = "predictions.parquet"


def read_summaries(
    folder: Path, tasks: Sequence[str], teachers: Sequence[str], baselines: Sequence[str]
) -> list[dict[str, Any]]:
    """Each active task and teacher's summary, tasks first, with its rivals' and McNemar's test against each.

    Raises:
        UserError: one of them has not been evaluated, or a rival answered other texts than the student.
    """
    return [_read_pair(folder / task / teacher, baselines) for task in tasks for teacher in teachers]


def _read_pair(place: Path, baselines: Sequence[str]) -> dict[str, Any]:
    summary = _read_summary(place / "summary", "evaluate")
    rivals = {name: place / "baselines" / name for name in baselines}
    summary["baselines"] = {name: _read_summary(rival, "train_baseline") for name, rival in rivals.items()}
    summary["records"] += [
        {**rival["record"], "stage": f"train_baseline {name}"} for name, rival in summary["baselines"].items()
    ]
    summary["mcnemar"] = {}
    if rivals:
        student = read_predictions(place / "summary" / _PREDICTIONS)
        summary["mcnemar"] = {
            name: _compare(student, read_predictions(rival / _PREDICTIONS), rival) for name, rival in rivals.items()
        }
    return summary


def _read_summary(place: Path, stage: str) -> dict[str, Any]:
    path = place / "summary.json"
    if not path.is_file():
        raise UserError(f"{place} must exist; run `dvc repro {stage}`")
    summary: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return summary


def _compare(student: Predicted, rival: Predicted, place: Path) -> dict[str, Any]:
    """Numbers of texts that one alone has right, and the p-value of that."""
    if not np.array_equal(student.ids, rival.ids) or not np.array_equal(student.labels, rival.labels):
        raise UserError(
            f"{place}: must answer the student's {len(student.ids)} texts, got {len(rival.ids)} others; "
            "run `dvc repro train_baseline`"
        )
    found = compare_answers(student.labels, student.predicted, rival.predicted)
    return {
        "texts": len(student.ids),
        "student_alone": found.first_alone,
        "rival_alone": found.second_alone,
        "p_value": found.p_value,
    }
