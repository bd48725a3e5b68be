"""`qdllm cascade` says what stage evaluate found, in 80 columns and in JSON."""

import json

import pytest

from pipeline.commands.cascade import read_seconds
from teacher_cache.errors import UserError

STUDENT = ("--student", "students/emotion-tiny/llama-tiny")


def test_the_table_fits_a_terminal_and_has_what_was_evaluated(project):
    said = project.run("qdllm", "cascade", *STUDENT)
    assert max(map(len, said.splitlines())) <= 80
    summary = json.loads((project.folder / "evaluations/emotion-tiny/llama-tiny/summary.json").read_text())
    rows = [line.split() for line in said.splitlines() if line.startswith("  ")][1:]
    curve = summary["cascade"]["curve"]
    assert [float(row[0]) for row in rows] == pytest.approx([step["sent"] for step in curve], abs=6e-5)
    assert rows[0][1] == "none"
    assert rows[-1][1] == "all"
    assert "times as much with the teacher as with the student" in said


def test_json_has_all_of_it_and_the_cost_that_was_named(project):
    found = json.loads(project.run("qdllm", "cascade", *STUDENT, "--cost", "40", "--json"))
    assert (found["format"], found["cost"]) == (1, 40)
    assert found["curve"][-1]["accuracy"] == found["teacher"]
    assert found["curve"][0]["accuracy"] == found["student"]
    metrics = json.loads((project.folder / "metrics/emotion-tiny/llama-tiny.json").read_text())
    assert found["matching"]["sent"] == metrics["test"]["chosen_seed"]["sent_to_teacher"]


def test_without_a_record_the_cost_must_be_named(project):
    said = project.run("qdllm", "cascade", *STUDENT, "--records", "nowhere")
    assert "name it with --cost" in " ".join(said.split())
    assert "times as much" not in said


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"seconds": -1}', '{"seconds": NaN}', '{"seconds": "x"}'])
def test_a_record_that_says_no_time_is_refused(tmp_path, text):
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(UserError, match="must say the seconds of a capture; name the cost with --cost"):
        read_seconds(path)
