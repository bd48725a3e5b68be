"""The pipeline as a user runs it: DVC on a copy of this project, the profile smoke, real stages throughout."""

import json
import shutil

import pytest

from pipeline.evaluation.answers import read_answers
from pipeline.evaluation.summary import read_pair


def test_the_results_are_there(project):
    metrics = json.loads((project.folder / "metrics/emotion-tiny/llama-tiny.json").read_text())
    for split in ("validation", "test"):
        assert 0.5 < metrics[split]["teacher"]["accuracy"] <= 1
        assert 0.5 < metrics[split]["student"]["accuracy"] <= 1
        assert 0.5 < metrics[split]["student"]["agreement"] <= 1
        assert metrics[split]["student"]["trainable_parameters"] < 9275
    assert "emotion-tiny" in project.run("qdllm", "results")
    found = json.loads(project.run("qdllm", "results", "--json"))
    (row,) = found["students"]
    assert (row["task"], row["teacher"]["name"]) == ("emotion-tiny", "llama-tiny")
    assert row["seeds"]["student"]["accuracy"] == pytest.approx(metrics["test"]["student"]["accuracy"])
    summary = read_pair(project.folder / "evaluations/emotion-tiny/llama-tiny/summary.json")
    answers = read_answers(project.folder / "comparisons/emotion-tiny/llama-tiny/student/answers.parquet", 2)
    selected = next(one for one in summary.seeds if one.seed == summary.selected_seed)
    assert (answers.predicted == answers.labels).mean() == pytest.approx(selected.test.accuracy)
    assert summary.inference_texts == len(answers.ids)
    assert summary.inference_seconds > 0
    assert (summary.engine, summary.features_saw_labels) == ("fused", True)
    assert "<svg" in (project.folder / "reports/index.html").read_text()


def test_a_second_run_does_nothing(project):
    assert project.repro() == []


def test_a_students_hyperparameter_reruns_the_student_alone(project):
    with project.edited("  learning_rate: 1.0e-2\n  schedule", "  learning_rate: 4.0e-3\n  schedule"):
        assert project.repro() == ["train_student", "evaluate", "report"]
    assert project.repro() == []  # DVC's run-cache still has it


def test_a_rank_reruns_its_teachers_stages_and_what_learns_from_them(project):
    with project.edited("{rank: 8, alpha: 16", "{rank: 4, alpha: 16"):
        assert sorted(project.plan()) == sorted(
            ["finetune", "cache_teacher", "train_student", "evaluate", "compare", "report"]
        )


def test_another_teachers_rank_reruns_nothing(project):
    with project.edited("{rank: 200, alpha: 200", "{rank: 100, alpha: 200"):
        assert project.plan() == []


def test_the_papers_profile_is_a_whole_pipeline(project, tmp_path):
    """Not runnable without network and GPU: the plan names every stage that would run."""
    copy = project.at(tmp_path / "paper")
    shutil.copytree(project.folder, copy.folder, ignore=shutil.ignore_patterns("work"))
    copy.run("qdllm", "profile", "paper")
    stages = copy.plan()
    pairs = 3 * 5
    for stage in ("base", "finetune", "cache_teacher", "train_student", "evaluate"):
        assert stages.count(stage) == pairs
    assert stages.count("compare") == 5 * pairs
    assert stages.count("compare_texts") == 7 * pairs
    assert stages.count("prepare") == stages.count("embed") == 3


def test_a_student_predicts_from_its_folder_alone(project, tmp_path):
    shutil.copytree(project.folder / "students/emotion-tiny/llama-tiny", tmp_path / "student")
    output = project.at(tmp_path).run("qdllm", "predict", "--student", str(tmp_path / "student"), "a joy", "a mess")
    answers = [json.loads(line) for line in output.splitlines()]
    assert [answer["text"] for answer in answers] == ["a joy", "a mess"]
    for answer in answers:
        assert answer["label"] in {"negative", "positive"}
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)
