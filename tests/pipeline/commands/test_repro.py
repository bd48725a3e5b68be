"""`qdllm repro` names every stage that `dvc repro` would run; what there is says how many at once."""

import json
from pathlib import Path

import pytest

from pipeline.commands import repro
from pipeline.commands.repro import count_jobs, list_chains, list_stages

GIB = 2**30


def test_what_has_changed_runs_in_chains_and_nothing_else(project, monkeypatch):
    """Another task is new: both would begin, of which one has nothing to do."""
    monkeypatch.chdir(project.folder)
    with project.edited("tasks: [emotion-tiny]", "tasks: [emotion-tiny, hiding]"):
        changed = {step["stage"] for step in json.loads(project.run("qdllm", "plan", "--json"))}
        chains = list_chains(["emotion-tiny", "hiding"], ["llama-tiny"], changed)
    assert [list(one) for one in chains] == [["hiding"], ["hiding-llama-tiny"]]
    assert chains[0]["hiding"] == ["prepare@hiding", "embed@hiding"]
    assert chains[1]["hiding-llama-tiny"] == list(list_stages("hiding-llama-tiny"))
    assert project.stages("qdllm", "repro", "--jobs", "2") == []


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
