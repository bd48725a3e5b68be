"""The stage train_baseline as DVC runs it, and how it refuses."""

import json
import re
import shutil

import pytest
from safetensors.numpy import load_file

from pipeline.evaluation.answers import read_predictions
from teacher_cache.sealed import read_sealed

PAIR = "emotion-tiny/llama-tiny"
OFF, ON = "baselines: []", "baselines: [textrcnn]"


@pytest.fixture(scope="module")
def rival(project):
    """The project with one rival active, which is gone again afterwards."""
    project.edit(OFF, ON)
    assert project.repro() == ["train_baseline", "report"]
    yield project
    project.edit(ON, OFF)
    for folder in (f"evaluations/{PAIR}/baselines", "baselines", "metrics/baselines"):
        shutil.rmtree(project.folder / folder)
    project.repro()


def test_what_the_report_is_told(rival):
    folder = rival.folder / "evaluations" / PAIR / "baselines/textrcnn"
    summary, answers = (
        json.loads((folder / "summary.json").read_text()),
        read_predictions(folder / "predictions.parquet"),
    )
    assert (summary["task"], summary["teacher"], summary["method"]) == ("emotion-tiny", "llama-tiny", "textrcnn")
    test = summary["metrics"]["test"]["baseline"]
    assert test["accuracy_low"] <= test["accuracy"] <= test["accuracy_high"]
    accuracies = [seed["test"]["accuracy"] for seed in summary["seeds"]]
    assert len(accuracies) == 2
    assert test["accuracy"] == pytest.approx(sum(accuracies) / 2)
    best = min(summary["curves"], key=lambda row: row["validation_loss"])["seed"]
    selected = next(seed for seed in summary["seeds"] if seed["seed"] == best)
    assert (answers.predicted == answers.labels).mean() == pytest.approx(selected["test"]["accuracy"])
    student = read_predictions(rival.folder / "evaluations" / PAIR / "summary/predictions.parquet")
    assert answers.ids.tolist() == student.ids.tolist()
    assert summary["parameters"]["inference"] == summary["parameters"]["trainable"] > 10_000
    assert summary["inference_texts"] == len(answers.ids)
    assert min(summary["inference_seconds"], summary["seconds_per_epoch"], summary["peak_memory_bytes"]) > 0
    assert (summary["initialised_from"], summary["size"]) == ("scratch", "small")
    assert summary["settings"]["learning_rate"] == 3.0e-3
    assert summary["record"]["stage"] == "train_baseline"
    metrics = json.loads((rival.folder / "metrics/baselines" / PAIR / "textrcnn.json").read_text())
    assert metrics == summary["metrics"]


def test_what_is_kept_of_the_rival(rival):
    folder = rival.folder / "baselines" / PAIR / "textrcnn"
    said, tensors = read_sealed(folder / "baseline.json", 1), load_file(folder / "baseline.safetensors")
    assert said["labels"] == ["negative", "positive"]
    assert said["origin"]["teacher"] == "llama-tiny"
    assert {len(array) for array in tensors.values()} == {2}


def test_a_rivals_setting_reruns_that_rival_alone(rival):
    rival.edit("minillm: {learning_rate: 3.0e-3", "minillm: {learning_rate: 2.0e-3")
    assert rival.plan() == []
    rival.edit("minillm: {learning_rate: 2.0e-3", "minillm: {learning_rate: 3.0e-3")
    rival.edit("textrcnn: {learning_rate: 3.0e-3", "textrcnn: {learning_rate: 2.0e-3")
    assert rival.plan() == ["train_baseline", "report"]
    rival.edit("textrcnn: {learning_rate: 2.0e-3", "textrcnn: {learning_rate: 3.0e-3")
    assert rival.plan() == []


@pytest.mark.parametrize(
    ("method", "change", "message"),
    [
        ("tinybert", None, "set teacher.llama-tiny.cache_teacher.hidden_layers"),
        ("gpt", None, 'baselines: must be .*, got "gpt"'),
        (
            "lsfls",
            ("init: null", "init: nowhere"),
            "init must be the folder of a BERT checkpoint, got no nowhere/config.json",
        ),
        (
            "textrcnn",
            ("textrcnn: {learning_rate: 3.0e-3", "textrcnn: {widht: 3"),
            "baseline.textrcnn.widht: unknown key",
        ),
    ],
)
def test_what_cannot_be_is_one_line_and_changes_nothing(project, tmp_path, method, change, message):
    if change:
        project.edit(*change)
    folders = ("baseline", "compiled", "evaluation", "metrics")
    line = project.call(
        *("python", "-m", "pipeline.stages.train_baseline", "--task", "emotion-tiny", "--teacher", "llama-tiny"),
        *("--method", method, "--data", "data/emotion-tiny", "--cache", f"cache/{PAIR}"),
        *(part for name in folders for part in (f"--{name}", str(tmp_path / name))),
    )
    if change:
        project.edit(*reversed(change))
    assert line.returncode == 2
    assert line.stderr.count("\n") == 1
    assert re.search(message, line.stderr), line.stderr
    assert not list(tmp_path.iterdir())
