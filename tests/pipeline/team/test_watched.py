"""What is watched, that a change is seen, and that an unchanged file is not read again."""

import json
import os
import time
from pathlib import Path

import pytest

from pipeline.team.watched import KNOWN, compare, list_watched
from teacher_cache.publish import write_json

OUT = Path("inputs")


def make_params(**other):
    params = {
        "tasks": ["mood", "topic"],
        "task": {
            "mood": {
                "source": {"kind": "file", "path": "raw/mood.csv"},
                "pool": {"kind": "file", "path": "raw/pool.csv"},
            },
            "topic": {"source": {"kind": "hub", "dataset": "a/b"}},
            "parted": {"source": {"kind": "file", "path": {"train": "raw/a.csv", "test": "raw/mood.csv"}}},
            "file": {"source": {"kind": "embedded"}},
            "idle": {"source": {"kind": "file", "path": "raw/idle.csv"}},
        },
        "teachers": ["big", "small"],
        "teacher": {"big": {"base": {"kind": "hub", "model": "raw/llm"}}, "small": {"base": {"kind": "local"}}},
        "embed": {"kind": "file", "path": "raw/{task}.parquet", "checkpoint": "unused"},
        "student": {"circuit": {"file": "raw/circuit.py"}},
    }
    return params | other


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw/llm").mkdir(parents=True)
    (tmp_path / "raw/llm/config.json").write_text("{}")
    (tmp_path / "raw/mood.csv").write_text("text,label\n")
    return tmp_path


def run_stage(params):
    """As stage `inputs` does; returns the readers whose file has changed."""
    found = compare(params, OUT)
    for file, (_, now) in found.items():
        write_json(OUT / file, now)
    return sorted(str(file) for file, (before, now) in found.items() if before != now)


def test_every_reader_has_the_paths_that_it_reads_and_no_other():
    assert {str(file): paths for file, paths in list_watched(make_params()).items()} == {
        "student.json": ["raw/circuit.py"],
        "task/mood.json": ["raw/mood.csv", "raw/pool.csv"],
        "task/topic.json": [],
        "embed/mood.json": ["raw/mood.parquet"],
        "embed/topic.json": ["raw/topic.parquet"],
        "teacher/big.json": ["raw/llm"],
        "teacher/small.json": [],
    }
    parted = {str(file): paths for file, paths in list_watched(make_params(tasks=["parted", "file"])).items()}
    assert (parted["task/parted.json"], parted["task/file.json"]) == (["raw/a.csv", "raw/mood.csv"], [])
    for kind, paths in (("corpus", []), ("static", ["unused"]), ("encoder", ["unused"])):
        embed = {**make_params()["embed"], "kind": kind}
        watched = {str(file): paths for file, paths in list_watched(make_params(embed=embed)).items()}
        assert watched["embed/mood.json"] == paths


def test_a_change_is_seen_by_its_reader_alone(project):
    assert run_stage(make_params()) == ["task/mood.json", "teacher/big.json"]
    assert run_stage(make_params()) == []
    with (project / "raw/mood.csv").open("a") as file:
        file.write("fine,good\n")
    assert run_stage(make_params()) == ["task/mood.json"]
    (project / "raw/llm/model.safetensors").write_bytes(b"weights")
    assert run_stage(make_params()) == ["teacher/big.json"]
    (project / "raw/llm/README.md").write_text("no part of a checkpoint")
    (project / "raw/llm/config.json").touch()
    assert run_stage(make_params()) == []


def test_what_is_not_here_keeps_what_was_said(project):
    run_stage(make_params())
    said = (project / OUT / "task/mood.json").read_text()
    assert list(json.loads(said)) == ["raw/mood.csv"]  # no time in it, and no folder of this machine
    (project / "raw/mood.csv").rename(project / "elsewhere.csv")
    assert run_stage(make_params()) == []
    assert (project / OUT / "task/mood.json").read_text() == said
    (project / "elsewhere.csv").rename(project / "raw/mood.csv")
    assert run_stage(make_params()) == []


def test_an_unchanged_file_is_known_without_reading_it(project):
    """What KNOWN says of a file counts as long as its size and times are the same."""
    run_stage(make_params())
    assert not (project / KNOWN).exists()  # written this second: it may change again without a trace
    old = time.time() - 60
    os.utime(project / "raw/mood.csv", (old, old))
    time.sleep(2.1)
    run_stage(make_params())
    known = json.loads((project / KNOWN).read_text())
    name = str(project / "raw/mood.csv")
    known[name][-1] = "0" * 64
    write_json(project / KNOWN, known)
    assert run_stage(make_params()) == ["task/mood.json"]
    assert json.loads((project / OUT / "task/mood.json").read_text()) == {"raw/mood.csv": "0" * 64}
    (project / "raw/mood.csv").write_text("text,label")
    os.utime(project / "raw/mood.csv", (old, old))  # a copy that keeps its times
    assert run_stage(make_params()) == ["task/mood.json"]
    assert json.loads((project / OUT / "task/mood.json").read_text()) != {"raw/mood.csv": "0" * 64}
