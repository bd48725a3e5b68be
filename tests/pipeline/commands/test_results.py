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

PARAMS = "tasks: [emotion-with-a-long-name]\nteachers: [bloom]\ncomparators: [linear]\ntext_comparators: [pkd]\n"
IDS = np.array([bytes([number] * 16) for number in range(4)], "V16")


@pytest.fixture
def evaluated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS)
    run, pair = (
        make_run("emotion-with-a-long-name", "bloom", comparators=("linear", "pkd")),
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
    assert text.count("  no difference\n") == 2
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
    assert said["students"][0]["kl"] == evaluated.summary.metrics.test.kl
    assert [row["p_value"] for row in said["comparators"]] == [1.0, 1.0]


def test_what_was_not_evaluated_is_named(evaluated):
    shutil.rmtree("comparisons")
    result = CliRunner().invoke(results, [])
    assert "linear/comparison.json must exist; run `dvc repro compare`" in str(result.exception)
