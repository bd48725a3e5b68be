"""The stages compare and compare_texts as DVC runs them, and how they refuse."""

import json
import re
import shutil

import pytest

from pipeline.evaluation.answers import read_answers
from pipeline.evaluation.summary import read_comparison

PAIR = "emotion-tiny/llama-tiny"
OFF, ON = "text_comparators: []", "text_comparators: [textrcnn]"
ONE = ("epochs: 4\n", "epochs: 1\n")  # of the networks that read texts


def read_pair(folder, name):
    place = folder / "comparisons" / PAIR / name
    return read_comparison(place / "comparison.json", "compare"), read_answers(place / "answers.parquet", 2)


@pytest.fixture(scope="module")
def compared(project):
    """The project with a comparator of texts active, which is gone again afterwards."""
    project.edit(OFF, ON)
    project.edit(*ONE)
    try:
        assert project.repro() == ["compare_texts", "report"]
        yield project
    finally:
        project.edit(ON, OFF)
        project.edit(*reversed(ONE))
        shutil.rmtree(project.folder / "comparisons" / PAIR / "textrcnn", ignore_errors=True)
        (project.folder / "metrics/comparisons" / PAIR / "textrcnn.json").unlink(missing_ok=True)
        (project.folder / "records/compare" / PAIR / "textrcnn.json").unlink(missing_ok=True)
        project.repro()


@pytest.mark.parametrize(("name", "reads", "seeds"), [("linear", "features", 3), ("textrcnn", "texts", 2)])
def test_what_the_report_is_told(compared, name, reads, seeds):
    summary, answers = read_pair(compared.folder, name)
    assert (summary.task, summary.teacher, summary.comparator) == ("emotion-tiny", "llama-tiny", name)
    assert (summary.reads, len(summary.seeds)) == (reads, seeds)
    test = summary.metrics.test
    assert test.accuracy == pytest.approx(sum(one.test.accuracy for one in summary.seeds) / seeds)
    best = min(summary.curves, key=lambda row: row.validation_loss).seed
    assert summary.selected_seed == best
    selected = next(one for one in summary.seeds if one.seed == best)
    assert (answers.predicted == answers.labels).mean() == pytest.approx(selected.test.accuracy)
    assert min(summary.inference_seconds, summary.seconds_per_epoch) > 0
    assert summary.inference_texts == len(answers.ids)
    metrics = json.loads((compared.folder / f"metrics/comparisons/{PAIR}/{name}.json").read_text())
    assert metrics["test"]["comparator"]["accuracy"] == pytest.approx(test.accuracy)
    record = json.loads((compared.folder / f"records/compare/{PAIR}/{name}.json").read_text())
    assert (record["task"], record["teacher"], record["comparator"]) == ("emotion-tiny", "llama-tiny", name)


def test_what_reads_features_says_what_they_have_seen(compared):
    summary, _ = read_pair(compared.folder, "linear")
    assert summary.features_saw_labels is True
    assert summary.parameters.inference > summary.parameters.trainable
    assert [one.values for one in summary.tuning.settings] == [{"l2": 0.05}]
    assert (summary.settings["grid"], summary.settings["l2"]) == ({}, 0.05)


def test_what_reads_texts_reads_whole_ones(compared):
    summary, _ = read_pair(compared.folder, "textrcnn")
    assert (summary.cut_texts, summary.features_saw_labels, summary.initialised_from) == (0, None, "scratch")
    assert [one.values for one in summary.tuning.settings] == [{"learning_rate": 1.0e-3}, {"learning_rate": 3.0e-3}]
    assert summary.settings["learning_rate"] == summary.tuning.settings[summary.tuning.chosen].values["learning_rate"]
    assert summary.parameters.inference == summary.parameters.trainable > 10_000


def test_student_and_comparators_answer_the_same_texts(compared):
    answers = [read_answers(path, 2) for path in sorted((compared.folder / "comparisons" / PAIR).glob("*/*.parquet"))]
    assert len(answers) == 3
    for one in answers[1:]:
        assert one.ids.tolist() == answers[0].ids.tolist()
        assert one.labels.tolist() == answers[0].labels.tolist()


def test_what_reruns_a_comparator(compared):
    """Its own block, and for what reads features the student's circuit; nothing else of the student's block."""
    for old, new, stages in (
        ("  linear: {}", "  linear: {seeds: 2}", ["compare", "report"]),
        ("  mlp: {}", "  mlp: {seeds: 2}", []),
        (
            "textrcnn: {learning_rate: 3.0e-3",
            "textrcnn: {batch_size: 16, learning_rate: 3.0e-3",
            ["compare_texts", "report"],
        ),
        ("encoding_scale: 0.03\n  pool", "encoding_scale: 0.04\n  pool", ["train_student", "evaluate", "report"]),
        ("{qubits: 11", "{qubits: 10", ["train_student", "evaluate", "compare", "report"]),
    ):
        compared.edit(old, new)
        try:
            assert compared.plan() == stages
        finally:
            compared.edit(new, old)


def test_no_comparator_at_all(project, tmp_path):
    """Lists may be empty; the report is drawn all the same."""
    copy = project.at(tmp_path / "copy")
    shutil.copytree(project.folder, copy.folder, ignore=shutil.ignore_patterns("work", "comparisons"))
    copy.edit("comparators: [linear]", "comparators: []")
    assert set(copy.repro()) <= {"evaluate", "report"}
    assert "emotion-tiny" in copy.run("qdllm", "results")


@pytest.mark.parametrize(
    ("stage", "name", "change", "message"),
    [
        ("compare_texts", "tinybert", None, "set teacher.llama-tiny.cache_teacher.hidden_layers"),
        ("compare_texts", "linear", None, 'text_comparators: must be .*, got "linear"'),
        ("compare", "textrcnn", None, 'comparators: must be .*, got "textrcnn"'),
        (
            *("compare_texts", "few_labels", ("      init:", "      init: nowhere #")),
            r"init must be the folder of a BERT checkpoint, got no .*/nowhere/config\.json",
        ),
        ("compare", "linear", ("  linear: {}", "  linear: {widht: 3}"), "comparator.linear.widht: unknown key"),
        ("compare", "linear", ("      seeds: 3", "      sedes: 3"), "comparator.shared.features.sedes: unknown key"),
        ("compare", "linear", ("  linear: {}", "  linear: {l2: 1.0}"), "must have the block's own among them"),
    ],
)
def test_what_cannot_be_is_one_line_and_changes_nothing(project, tmp_path, stage, name, change, message):
    written = ("compiled", "comparison", "metrics", "record")
    read = {"data": "data/emotion-tiny"}
    if stage == "compare":
        written, read = (*written, "learned"), {"features": "features/emotion-tiny"}
    if change:
        project.edit(*change)
    try:
        line = project.call(
            *("python", "-m", f"pipeline.stages.{stage}", "--task", "emotion-tiny", "--teacher", "llama-tiny"),
            *("--comparator", name, "--cache", f"cache/{PAIR}"),
            *(part for key, value in read.items() for part in (f"--{key}", value)),
            *(part for key in written for part in (f"--{key}", str(tmp_path / key))),
        )
    finally:
        if change:
            project.edit(*reversed(change))
    assert line.returncode == 2
    assert line.stderr.count("\n") == 1
    assert re.search(message, line.stderr), line.stderr
    assert not list(tmp_path.iterdir())
