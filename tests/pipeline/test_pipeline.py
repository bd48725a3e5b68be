"""The pipeline as a user runs it: DVC on a copy of this project, the profile smoke, real stages throughout."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("pipeline", "student_jax", "teacher_cache")
FILES = ("dvc.yaml", "params.yaml", ".gitignore", ".dvcignore", "pyproject.toml")
STUDENT = ["train_student", "evaluate", "report"]
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    # Two of a test's processes at once would otherwise fight for the cores.
    "OMP_NUM_THREADS": "2",
}


def run(*command: str, folder: Path) -> str:
    result = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def repro(folder: Path, *arguments: str) -> list[str]:
    """Run `dvc repro`; returns the names of the stages that ran."""
    output = run("dvc", "repro", *arguments, folder=folder)
    return re.findall(r"Running stage '(\w+)", output)


def edit(folder: Path, old: str, new: str) -> None:
    path = folder / "params.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the project after `qdllm profile smoke` and `dvc repro`."""
    folder = tmp_path_factory.mktemp("project")
    for name in (*PACKAGES, *FILES):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / name)
    run("git", "init", "--quiet", folder=folder)
    run("dvc", "init", "--quiet", folder=folder)
    run("dvc", "config", "core.analytics", "false", folder=folder)
    run("qdllm", "profile", "smoke", folder=folder)
    stages = repro(folder)
    assert stages == ["prepare", "embed", "base", "finetune", "cache_teacher", *STUDENT]
    return folder


def test_the_results_are_there(project):
    metrics = json.loads((project / "metrics/emotion-tiny/llama-tiny.json").read_text())
    for split in ("validation", "test"):
        assert 0.5 < metrics[split]["teacher"]["accuracy"] <= 1
        assert 0.5 < metrics[split]["student"]["accuracy"] <= 1
        assert 0.5 < metrics[split]["student"]["agreement"] <= 1
        assert metrics[split]["student"]["trainable_parameters"] < 9275
    assert "emotion-tiny" in run("qdllm", "results", folder=project)
    assert "<svg" in (project / "reports/index.html").read_text()


def test_a_second_run_does_nothing(project):
    assert repro(project) == []


def test_a_students_hyperparameter_reruns_the_student_alone(project):
    edit(project, "learning_rate: 3.0e-3", "learning_rate: 4.0e-3")
    assert repro(project) == STUDENT
    edit(project, "learning_rate: 4.0e-3", "learning_rate: 3.0e-3")
    assert repro(project) == []  # DVC's run-cache still has it


def test_a_rank_reruns_its_teachers_stages_alone(project):
    edit(project, "{rank: 8, alpha: 16", "{rank: 4, alpha: 16")
    assert repro(project, "--dry") == ["finetune", "cache_teacher", *STUDENT]
    edit(project, "{rank: 4, alpha: 16", "{rank: 8, alpha: 16")


def test_another_teachers_rank_reruns_nothing(project):
    edit(project, "{rank: 200, alpha: 200", "{rank: 100, alpha: 200")
    assert repro(project, "--dry") == []
    edit(project, "{rank: 100, alpha: 200", "{rank: 200, alpha: 200")


def test_the_papers_profile_is_a_whole_pipeline(project, tmp_path):
    """Not runnable without network and GPU: DVC's own dry run shows every stage that would run."""
    folder = tmp_path / "paper"
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns("work"))
    run("qdllm", "profile", "paper", folder=folder)
    stages = repro(folder, "--dry")
    pairs = 3 * 5
    for stage in ("base", "finetune", "cache_teacher", "train_student", "evaluate"):
        assert stages.count(stage) == pairs
    assert stages.count("prepare") == stages.count("embed") == 3


def test_a_student_predicts_from_its_folder_alone(project, tmp_path):
    shutil.copytree(project / "students/emotion-tiny/llama-tiny", tmp_path / "student")
    output = run("qdllm", "predict", "--student", str(tmp_path / "student"), "a joy", "a mess", folder=tmp_path)
    answers = [json.loads(line) for line in output.splitlines()]
    assert [answer["text"] for answer in answers] == ["a joy", "a mess"]
    for answer in answers:
        assert answer["label"] in {"negative", "positive"}
        assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)
