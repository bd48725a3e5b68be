"""A trained student's polynomial by the command: tables, JSON, files, refusals."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.commands.surrogate import surrogate
from student_jax.checkpoint import load_checkpoint
from student_jax.export.certificate import read_surrogate
from teacher_cache.errors import UserError
from teacher_cache.sealed import write_sealed

STUDENT = "students/emotion-tiny/llama-tiny"


@pytest.fixture
def run(project, monkeypatch):
    """The command in the project, in this process."""
    monkeypatch.chdir(project.folder)

    def call(*arguments):
        return CliRunner().invoke(surrogate, arguments, catch_exceptions=False)

    return call


def test_the_table_says_terms_and_bounds_and_the_exact_form_is_the_circuit(run):
    printed = run("--student", STUDENT, "--error", "0.02").stdout
    assert max(map(len, printed.splitlines())) <= 80
    rows = {line.split()[0]: line.split() for line in printed.splitlines() if line.strip()}
    assert {"0.1", "0.05", "0.02", "0.01", "0.001", "exact"} <= set(rows)
    for row in (rows["0.02"], rows["exact"]):
        assert float(row[4]) <= float(row[2])
    assert float(rows["exact"][4]) < 1e-10  # in float64, beside the simulation
    assert "To within 0.02 in every probability, of any text" in printed.replace("\n", " ")


def test_json_has_the_named_numbers_and_the_evaluation_has_them_too(run, project):
    found = json.loads(run("--student", STUDENT, "--json").stdout)
    assert found["terms"] <= found["exact_terms"] <= found["coefficients"]
    assert found["error"] == 0.01
    assert 0 <= found["largest_error"] <= found["bound"] <= 0.01
    assert 0 <= found["labels_changed"] <= found["texts"]
    terms = [cut["terms"] for cut in found["cuts"]]
    assert terms == sorted(terms)
    assert terms[-1] == found["exact_terms"]
    summary = json.loads((project.folder / "evaluations/emotion-tiny/llama-tiny/summary.json").read_text())["surrogate"]
    evaluated = next(cut for cut in summary["cuts"] if cut["error"] == 0.01)
    assert summary["exact_terms"] == found["exact_terms"]
    assert evaluated["labels_changed"] == found["labels_changed"]
    # Of the stored terms, which are rounded, and beside the evaluation's float32.
    np.testing.assert_allclose(evaluated["largest_error"], found["largest_error"], atol=1e-5)
    np.testing.assert_allclose(evaluated["terms"], found["terms"], rtol=1e-3)


def test_an_older_student_gets_the_files_that_training_writes(run, project, tmp_path):
    student = shutil.copytree(project.folder / STUDENT, tmp_path / "student")
    names = ("surrogate.safetensors", "surrogate.json")
    written = {name: (student / name).read_bytes() for name in names}
    for name in names:
        (student / name).unlink()
    assert read_surrogate(student, load_checkpoint(student)) is None
    assert "Written into" in run("--student", str(student), "--write").stdout
    assert {name: (student / name).read_bytes() for name in names} == written


def test_without_test_texts_the_certificate_is_still_there(run, project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    student = str(project.folder / STUDENT)
    printed = run("--student", student).stdout
    assert "No test texts are here" in printed.replace("\n", " ")
    rows = [line.split() for line in printed.splitlines()]
    assert ["-", "-"] in [row[-2:] for row in rows if row[:1] == ["exact"]]
    with pytest.raises(UserError, match="features"):
        run("--student", student, "--features", "nowhere")


OWN = {"file": "own.py", "sha256": "0" * 64, "arrays": {"theta": [2]}, "outputs": 2}


@pytest.mark.parametrize(
    ("circuit", "rule"),
    [
        ({"ansatz": "reupload"}, "ansatz layers alone, whose encoding stands once before all else, got reupload$"),
        (OWN, "got the circuit of own.py$"),
        ({"qubits": 14}, "at most 13 qubits .* got 14 qubits .* MiB; train a narrower circuit$"),
    ],
)
def test_circuits_without_such_a_form_are_refused_in_one_line(run, project, tmp_path, circuit, rule):
    content = json.loads((project.folder / STUDENT / "student.json").read_text())
    del content["seal"]
    content["config"]["circuit"] |= circuit
    write_sealed(tmp_path / "student.json", content)
    with pytest.raises(UserError, match=rule):
        run("--student", str(tmp_path))


@pytest.mark.parametrize(("error", "message"), [("nan", "--error must be from 0 to 1, got nan")])
def test_an_error_that_is_none_is_refused(error, message):
    with pytest.raises(UserError, match=message):
        CliRunner().invoke(surrogate, ["--student", "nobody", "--error", error], catch_exceptions=False)
