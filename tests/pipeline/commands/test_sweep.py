"""`qdllm sweep` on a project: table, figure, the line to type next, refusals."""

import csv
import json
import shlex

import pytest
from click.testing import CliRunner

from pipeline.commands.sweep import rank, sweep
from teacher_cache.errors import UserError

PAIR = ("emotion-tiny", "llama-tiny")
SMALL = ("--set", "student.circuit.qubits=3", "--set", "student.epochs=2")
RATES = ("--set", "student.learning_rate=1.0e-3,3.0e-2,1.0e38")


def test_table_figure_and_the_line_of_the_best(project):
    printed = project.run("qdllm", "sweep", *SMALL, *RATES, "--set", "student.circuit.layers=1,2", "--name", "one")
    folder = project.folder / "sweeps/one"
    rows = list(csv.DictReader((folder / "table.csv").read_text().splitlines()))
    assert [(row["task"], row["teacher"]) for row in rows] == [PAIR] * 6
    assert [row["student.learning_rate"] for row in rows] == ["1.0e-3"] * 2 + ["3.0e-2"] * 2 + ["1.0e38"] * 2
    good = [row for row in rows if not row["problem"]]
    assert {row["student.learning_rate"] for row in good} >= {"1.0e-3", "3.0e-2"}
    for row in good:
        low, mean, high = (float(row[f"validation_accuracy{end}"]) for end in ("_low", "", "_high"))
        assert 0 < low <= mean <= high
    words = next(line for line in printed.splitlines() if line.startswith("Best on validation: dvc exp run -S "))
    chosen = dict(word.split("=") for word in shlex.split(words) if "=" in word)
    (best,) = [row for row in good if chosen.items() <= row.items()]
    assert float(best["validation_accuracy"]) == max(float(row["validation_accuracy"]) for row in good)
    assert (folder / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    assert project.run("git", "status", "--porcelain", "sweeps") == ""
    assert "sweeps/one must not be there yet" in project.refuse("qdllm", "sweep", *SMALL, "--name", "one")


def test_a_setting_is_what_the_pipeline_makes_of_it(project):
    """The shipped setting's row is the mean that `evaluate` found for the same student."""
    found = json.loads(project.run("qdllm", "sweep", "--name", "two", "--json"))
    assert found["command"] == "dvc exp run"
    metrics = json.loads((project.folder / "metrics/emotion-tiny/llama-tiny.json").read_text())
    for split in ("validation", "test"):
        assert found["best"][f"{split}_accuracy"] == pytest.approx(metrics[split]["student"]["accuracy"], abs=1e-6)
    assert found["best"]["parameters"] == metrics["test"]["student"]["trainable_parameters"]


def test_nothing_to_sweep_over_is_one_line(project):
    assert "features/nothing/features.parquet must exist" in project.refuse("qdllm", "sweep", "--task", "nothing")
    line = project.refuse("qdllm", "sweep", "--set", "student.rate=1")
    assert line == "qdllm: --set: student.rate: unknown key, got 1\n"
    assert not (project.folder / "sweeps/nothing").exists()


def test_a_name_that_is_none_is_refused():
    with pytest.raises(UserError, match=r"--name must be letters, digits, _, \. and -, got \../elsewhere"):
        CliRunner().invoke(sweep, ["--name", "../elsewhere"], catch_exceptions=False)


def test_the_best_is_the_best_on_validation_over_all_pairs():
    """By hand: setting 1 has the better test accuracy, setting 2 one failure, setting 3 ties with more parameters."""

    def row(setting, validation, test=0.5, parameters=10, problem=""):
        scores = {"validation_accuracy": validation, "test_accuracy": test, "validation_loss": 0.0}
        return {"setting": setting, **scores, "parameters": parameters, "problem": problem}

    rows = [
        *(row(0, 0.9), row(1, 0.8, test=0.9), row(2, 1.0), row(3, 0.8, parameters=20)),
        *(row(0, 0.7), row(1, 0.7, test=0.9), row(2, None, problem="diverged"), row(3, 0.8, parameters=20)),
    ]
    ranked = rank(rows)
    assert [found["setting"] for found in ranked] == [0, 3, 1]
    assert ranked[0]["validation_accuracy"] == pytest.approx(0.8)
