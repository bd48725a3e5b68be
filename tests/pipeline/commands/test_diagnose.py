"""A trained student diagnosed by the command: tables, files, JSON, refusals."""

import csv
import json
import shutil

import pytest
from click.testing import CliRunner

from pipeline.commands.diagnose import diagnose
from student_jax.data import features as features_module
from teacher_cache.errors import UserError

STUDENT = ("--student", "students/emotion-tiny/llama-tiny")
SMALL = ("--rows", "30", "--noise", "0,0.05", "--shots", "2,32", "--qubits", "2,3", "--layers", "2")


def test_tables_and_figure(project, tmp_path):
    printed = project.run("qdllm", "diagnose", *STUDENT, *SMALL, "--out", str(tmp_path / "found"))
    assert "Accuracy on 30 test texts" in printed
    assert max(map(len, printed.splitlines())) <= 100
    accuracy, gradients = (
        list(csv.DictReader((tmp_path / "found" / name).read_text().splitlines()))
        for name in ("accuracy.csv", "gradients.csv")
    )
    assert [(row["noise"], row["shots"]) for row in accuracy] == [
        (noise, shots) for noise in ("0.0", "0.05") for shots in ("", "2", "32")
    ]
    assert all(0 <= float(row["accuracy"]) <= 1 for row in accuracy)
    assert [(row["layers"], row["qubits"]) for row in gradients] == [("2", "2"), ("2", "3")]
    assert (tmp_path / "found" / "diagnosis.png").read_bytes().startswith(b"\x89PNG")
    drawing = (tmp_path / "found" / "diagnosis.svg").read_text()
    for label in ("Shots per text", "Accuracy (share of test texts)", "Qubits", "(1/rad²)"):
        assert label in drawing


def test_without_noise_and_shots_it_is_the_evaluated_accuracy(project):
    """On all of the test split, the exact value is what `evaluate` found for the only seed, or the selected one."""
    found = json.loads(
        project.run(*("qdllm", "diagnose"), *STUDENT, *SMALL, "--rows", "100000", "--noise", "0", "--json")
    )
    folder = project.folder / "evaluations/emotion-tiny/llama-tiny"
    confusion = json.loads((folder / "summary.json").read_text())["confusion"]["student"]
    right, rows = sum(confusion[k][k] for k in range(2)), sum(map(sum, confusion))
    assert found["rows"] == rows
    assert abs(found["accuracy"][0]["accuracy"] * rows - right) < 1.5  # float32 may turn a tie


def test_features_that_stay_in_their_file_give_the_same(project, monkeypatch):
    monkeypatch.chdir(project.folder)
    arguments = [*STUDENT, *SMALL, "--json"]
    held = CliRunner().invoke(diagnose, arguments, catch_exceptions=False)
    monkeypatch.setattr(features_module, "MAX_BYTES", 0)
    stored = CliRunner().invoke(diagnose, arguments, catch_exceptions=False)
    assert json.loads(stored.stdout) == json.loads(held.stdout)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("noise", "0,2", "--noise must be from 0 to 0.75, got 0,2"),
        ("noise", "nan", "--noise must be from 0 to 0.75, got nan"),
        ("shots", "0", "--shots must be at least 1, got 0"),
        ("qubits", "4,1", "--qubits must be at least 2, got 4,1"),
        ("layers", "many", "--layers must be numbers with commas between them, got many"),
    ],
)
def test_numbers_out_of_range_are_refused_before_anything_is_read(option, value, message):
    with pytest.raises(UserError, match=message):
        CliRunner().invoke(diagnose, ["--student", "nobody", f"--{option}", value], catch_exceptions=False)


def test_another_students_features_are_refused(project, tmp_path):
    shutil.copytree(project.folder / "features/emotion-tiny", tmp_path / "features")
    path = tmp_path / "features/embedder.json"
    path.write_text(path.read_text() + "\n")
    said = project.refuse("qdllm", "diagnose", *STUDENT, *SMALL, "--features", str(tmp_path / "features"))
    assert "must be the features that" in said
