"""A trained student as OpenQASM or ONNX, by the command."""

import json
import re

import numpy as np
import onnxruntime
import pyarrow.parquet as pq
import pytest

STUDENT = ("--student", "students/emotion-tiny/llama-tiny")


def test_a_program_without_a_text_has_an_input_per_qubit(project):
    program = project.run("qdllm", "export", *STUDENT)
    assert [f"input float[64] z{qubit};" in program for qubit in range(12)] == [True] * 11 + [False]
    assert "OPENQASM 3.0;" in program


def test_a_texts_program_goes_into_a_file(project, tmp_path):
    path = tmp_path / "programs" / "joy.qasm"
    assert (
        project.run("qdllm", "export", *STUDENT, "--format", "2", "--text", "a joy", "--out", str(path)) == f"{path}\n"
    )
    program = path.read_text()
    assert "OPENQASM 2.0;" in program
    assert program.count("measure") == program.count("rx(") == 11


def test_version_2_needs_a_text(project):
    assert "--text must be given for OpenQASM 2" in project.refuse("qdllm", "export", *STUDENT, "--format", "2")


def test_a_graph_is_checked_and_written(project, tmp_path):
    path = tmp_path / "graph.onnx"
    printed = project.run("qdllm", "export", *STUDENT, "--format", "onnx", "--out", str(path))
    found = re.fullmatch(rf"{path}: ([\d,]+) bytes, on (\d+) test texts within (\S+) of the student\n", printed)
    assert int(found[1].replace(",", "")) == path.stat().st_size < 200_000
    assert int(found[2]) == sum(sum(row) for row in read_summary(project)["confusion"]["student"])
    assert float(found[3]) <= 1e-5
    session = onnxruntime.InferenceSession(path)
    vectors = pq.read_table(project.folder / "features/emotion-tiny/features.parquet")["features"].to_numpy()
    labels = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
    assert labels == read_summary(project)["labels"]
    scores, probabilities = session.run(None, {"features": np.stack(vectors[:3])})
    assert scores.shape == probabilities.shape == (3, len(labels))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "--out must name a file for ONNX"),
        (("--out", "graph.onnx", "--text", "a joy"), "--text must be left out for ONNX"),
        (("--out", "graph.onnx", "--features", "elsewhere"), "elsewhere/features.parquet must exist"),
    ],
)
def test_what_a_graph_needs(project, options, message):
    assert message in project.refuse("qdllm", "export", *STUDENT, "--format", "onnx", *options)
    assert not (project.folder / "graph.onnx").exists()


def read_summary(project):
    return json.loads((project.folder / "evaluations/emotion-tiny/llama-tiny/summary.json").read_text())
