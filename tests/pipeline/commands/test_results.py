"""`qdllm results`: what is on disk as a table that fits a terminal, or as JSON."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.commands.results import results
from pipeline.evaluation.answers import write_answers
from pipeline.evaluation.summary import write_summary
from tests.pipeline.report.conftest import make_run

PARAMS = (
    "tasks: [emotion-with-a-long-name]\nteachers: [bloom]\n"
    "comparators: [labels_alone, linear]\ntext_comparators: [pkd]\n"
)
IDS = np.array([bytes([number] * 16) for number in range(4)], "V16")


@pytest.fixture
def evaluated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS)
    run, pair = (
        make_run("emotion-with-a-long-name", "bloom", comparators=("labels_alone", "linear", "pkd")),
        "emotion-with-a-long-name/bloom",
    )
    write_summary(tmp_path / "evaluations" / pair / "summary.json", run.summary)
    for name in ("student", *run.comparisons):
        folder = tmp_path / "comparisons" / pair / name
        write_answers(folder / "answers.parquet", IDS, np.zeros(4, int), np.eye(2)[[0, 0, 0, 1]])
        if name in run.comparisons:
            write_summary(folder / "comparison.json", run.comparisons[name])
    return run


def call(*arguments):
    result = CliRunner().invoke(results, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_the_tables_fit_80_columns_and_say_the_numbers(evaluated):
    text = call()
    assert max(map(len, text.splitlines())) <= 80
    assert text.isascii()
    assert f"{evaluated.summary.metrics.test.accuracy:.4f}" in text
    assert f"{evaluated.comparisons['pkd'].seeds[0].test.accuracy:.4f}" in text
    assert text.count("  no difference\n") == 3
    assert f"{evaluated.summary.metrics.test.f1:.4f}" in text
    assert f"{evaluated.summary.trivial['trivial_accuracy']:.4f}" in text
    assert text.endswith("Report: not made yet; run `dvc repro report`\n")


def test_a_model_of_one_class_is_warned_of(evaluated):
    folder = Path("comparisons/emotion-with-a-long-name/bloom/linear")
    write_answers(folder / "answers.parquet", IDS, np.zeros(4, int), np.eye(2)[[0, 0, 0, 0]])
    line = "Warning: emotion-with-a-long-name, bloom: linear says negative of every test text;"
    assert line in call()


def test_json_has_every_number_in_full(evaluated):
    said = json.loads(call("--json"))
    (student,) = said["students"]
    assert (said["format"], student["task"]) == (1, "emotion-with-a-long-name")
    chosen = evaluated.summary.chosen.test
    assert student["student"] == {"accuracy": chosen.accuracy, "macro_f1": chosen.f1}
    teacher = evaluated.summary.teacher_metrics.test
    assert student["teacher"] == {"name": "bloom", "accuracy": teacher.accuracy, "macro_f1": teacher.f1}
    alone = evaluated.comparisons["labels_alone"]
    assert student["labels_alone"] == {"accuracy": alone.chosen.test.accuracy, "macro_f1": alone.chosen.test.f1}
    assert student["all_labels"] is None
    assert student["gain"] == {"value": 0, "low": 0, "high": 0, "p": 1}
    assert student["texts"] == {"labelled": 300, "pool": 2000, "test": 1600 // 2}
    assert student["seeds"]["student"]["kl"] == evaluated.summary.metrics.test.kl
    assert student["seeds"]["labels_alone"]["count"] == len(alone.seeds)
    assert [row["p_value"] for row in said["comparators"]] == [1.0, 1.0, 1.0]


def test_what_was_not_evaluated_is_named(evaluated):
    shutil.rmtree("comparisons")
    result = CliRunner().invoke(results, [])
    assert "labels_alone/comparison.json must exist; run `dvc repro compare`" in str(result.exception)
