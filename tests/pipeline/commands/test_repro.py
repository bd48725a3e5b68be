"""`qdllm repro` names every stage that `dvc repro` would run; what there is says how many at once."""

from pathlib import Path

import pytest

from pipeline.commands import repro
from pipeline.commands.repro import count_jobs, list_stages
from tests.pipeline.conftest import list_run

GIB = 2**30


def test_of_an_unchanged_project_nothing_runs_side_by_side_either(project):
    said = project.run("qdllm", "repro", "--jobs", "2")
    assert list_run(said) == []
    assert "emotion-tiny-llama-tiny  Stage 'train_student@emotion-tiny-llama-tiny' didn't change, skipping" in said


@pytest.mark.parametrize(
    ("free", "cores", "card", "kind", "jobs"),
    [
        (16, 8, False, "local", 8),
        (4, 8, False, "local", 2),
        (1, 8, False, "local", 1),
        (16, 8, True, "local", 1),
        (16, 8, False, "gguf", 1),
        (16, 2, False, "file", 2),
    ],
)
def test_jobs_are_as_many_as_fit(free, cores, card, kind, jobs, tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text(f"teacher: {{sage: {{base: {{kind: {kind}}}}}}}\n")
    (tmp_path / "card").touch() if card else None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(repro, "CARD", Path("card"))
    monkeypatch.setattr(repro, "find_free_memory", lambda: free * GIB)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
    assert count_jobs(["sage"]) == jobs


def test_a_pairs_stages_are_all_that_dvc_has_of_it(project, monkeypatch):
    monkeypatch.chdir(project.folder)
    names = project.run("dvc", "stage", "list", "--name-only").split()
    assert sorted(list_stages("emotion-tiny-llama-tiny")) == sorted(
        name for name in names if "@emotion-tiny-llama-tiny" in name
    )
