"""Drawings and counts, of params.yaml and of a trained student."""

import json

import pytest
from click.testing import CliRunner

from pipeline.commands.draw import draw
from teacher_cache.errors import UserError

PARAMS = """
seed: 0
tasks: [one, other]
teachers: [small]
task:
  one: {labels: [a, b, c], source: {kind: embedded, generator: emotion, rows: 400}}
  other: {labels: [a, b], source: {kind: embedded, generator: emotion, rows: 400}}
teacher:
  small:
    base: {kind: local, architecture: opt, layers: 1, width: 8, heads: 1, vocabulary: 300, epochs: 1}
    finetune: {rank: 1, alpha: 1, epochs: 1, learning_rate: 0.1}
    cache_teacher: {}
embed: {dimensions: 7}
student: {circuit: {qubits: 4, layers: 2, readout: first}}
"""


@pytest.fixture
def params(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS)
    return path


def call(*arguments, **environment):
    result = CliRunner(env=environment).invoke(draw, [str(part) for part in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_counts_of_params_are_by_hand(params):
    """n = 4, C = 3, p = 2: the first layer is all alive; dead are the second one's RY of q3, all its RZZ and RZ."""
    counts = json.loads(call("--params", params, "--json"))
    dead = 3 + 3 + 12
    assert counts["angles"] == {"live": 2 * (12 + 3 + 12) - dead, "dead": dead}
    assert counts["parameters"] == {"live": 4 * 8 + 54 - dead, "dead": dead}
    assert (counts["classes"], counts["dimensions"]) == (3, 7)


def test_a_narrow_terminal_is_kept_to(params):
    output = call("--params", params, COLUMNS="40")
    drawing, counts = output.split("angles", 1)
    assert "rz" in drawing
    assert max(map(len, drawing.splitlines())) <= 40
    assert " 18 dead" in counts


def test_a_picture_is_written(params, tmp_path):
    assert "─" not in call("--params", params, "--out", tmp_path / "circuit.svg")
    assert (tmp_path / "circuit.svg").read_text().startswith("<?xml")


def test_params_must_be_there(tmp_path):
    with pytest.raises(UserError, match=r"params\.yaml must exist"):
        call("--params", tmp_path / "params.yaml")


def test_a_trained_student_is_drawn(project):
    output = project.run("qdllm", "draw", "--student", "students/emotion-tiny/llama-tiny")
    assert "q10" in output
    assert "43 dead" in output
    assert "params.yaml" not in project.refuse("qdllm", "draw", "--student", "students/emotion-tiny/nobody")
