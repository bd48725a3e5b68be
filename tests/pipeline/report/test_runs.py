"""Reading what was evaluated and compared, answers and telemetry with it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pipeline.evaluation.answers import write_answers
from pipeline.evaluation.summary import write_summary
from pipeline.report.runs import Places, read_runs
from teacher_cache.errors import UserError

IDS = np.array([bytes([number] * 16) for number in range(4)], "V16")
LABELS = np.array([0, 1, 1, 0])


def write_said(folder, predicted, ids=IDS):
    write_answers(folder / "answers.parquet", ids, LABELS, np.eye(2)[predicted])


@pytest.fixture
def places(make_run, tmp_path):
    run = make_run("t", "m", comparators=("pkd",))
    write_summary(tmp_path / "evaluations/t/m/summary.json", run.summary)
    write_said(tmp_path / "comparisons/t/m/student", [0, 1, 1, 1])
    write_summary(tmp_path / "comparisons/t/m/pkd/comparison.json", run.comparisons["pkd"])
    write_said(tmp_path / "comparisons/t/m/pkd", [0, 0, 0, 1])
    return Places(*(tmp_path / name for name in ("evaluations", "comparisons", "cards", "records")))


def write_record(places, place, content):
    path = places.records / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def test_comparators_come_with_mcnemars_test(places):
    """Both have text 0 right and text 3 wrong; texts 1 and 2 the student alone: p = 2 / 2^2."""
    (run,) = read_runs(places, ["t"], ["m"], {"pkd": "compare_texts"})
    assert list(run.comparisons) == ["pkd"]
    assert run.tests["pkd"] == (2, 0, 0.5)
    assert run.card is None
    assert run.records == []


def test_records_are_of_the_pair_and_unreadable_ones_are_left_out(places):
    write_record(places, "prepare/t.json", {"stage": "prepare", "task": "t"})
    write_record(places, "finetune/t/m.json", {"stage": "finetune", "task": "t", "teacher": "m"})
    write_record(places, "finetune/t/n.json", {"stage": "finetune", "task": "t", "teacher": "n"})
    write_record(places, "compare/t/m/mlp.json", {"stage": "compare", "task": "t", "teacher": "m", "comparator": "mlp"})
    write_record(places, "embed/t.json", '{"stage"')
    (run,) = read_runs(places, ["t"], ["m"], {"pkd": "compare_texts"})
    assert [record["stage"] for record in run.records] == ["finetune", "prepare"]


def test_a_comparator_that_is_not_active_is_left_alone(places):
    (run,) = read_runs(places, ["t"], ["m"], {})
    assert run.comparisons == run.tests == {}


@pytest.mark.parametrize(
    ("tasks", "comparators", "message"),
    [
        (["other"], {}, r"other/m/summary\.json must exist; run `dvc repro evaluate`"),
        (["t"], {"mlp": "compare"}, r"mlp/comparison\.json must exist; run `dvc repro compare`"),
        (["t"], {"minillm": "compare_texts"}, r"minillm/comparison\.json must exist; run `dvc repro compare_texts`"),
    ],
)
def test_what_was_not_run_is_named(places, tasks, comparators, message):
    with pytest.raises(UserError, match=message):
        read_runs(places, tasks, ["m"], comparators)


def test_answers_to_other_texts_and_another_cache_are_refused(places, make_run):
    others = np.array([bytes([9, *[number] * 15]) for number in range(4)], "V16")
    comparison, place = make_run("t", "m", comparators=("mlp",)).comparisons["mlp"], places.comparisons / "t/m/mlp"
    write_summary(place / "comparison.json", comparison)
    write_said(place, [0, 0, 0, 1], others)
    with pytest.raises(UserError, match="mlp must answer the student's 4 texts, got 4 others"):
        read_runs(places, ["t"], ["m"], {"mlp": "compare"})
    write_summary(place / "comparison.json", replace(comparison, cache="old"))
    with pytest.raises(UserError, match="mlp must be of the student's cache abc, got old"):
        read_runs(places, ["t"], ["m"], {"mlp": "compare"})
