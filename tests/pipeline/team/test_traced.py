"""Which files count as a stage's code: against a small tree by hand, and what an edit makes stale."""

import hashlib
from pathlib import Path

import pytest

from pipeline.team.traced import compare_code, trace_imports
from tests.pipeline.conftest import ROOT

TREE = {
    "pipeline/__init__.py": "",
    "pipeline/stages/__init__.py": '"""Not empty."""',
    "pipeline/stages/report.py": "import json\nfrom pipeline.entry import run\nfrom student_jax import model\n",
    "pipeline/entry.py": "import numpy.random",
    "student_jax/model.py": "def late():\n    from student_jax.engines.fused import fast",
    "student_jax/engines/__init__.py": "import teacher_cache.schema",
    "student_jax/engines/fused.py": "from student_jax.model import late",  # in a circle
    "student_jax/engines/slow.py": "import student_jax.model",
    "student_jax/engines/native.py": "import ctypes",
    "student_jax/engines/native_kernel/kernel.h": "// compiled",
    "teacher_cache/schema.py": "import pipeline.nowhere",
    "pipeline/profiles/smoke.yaml": "a: 1",
    "pipeline/report/page.html": "<html>",
}
IMPORTED = {
    *("pipeline/stages/__init__.py", "pipeline/stages/report.py", "pipeline/entry.py", "student_jax/model.py"),
    *("student_jax/engines/__init__.py", "student_jax/engines/fused.py", "teacher_cache/schema.py"),
}
OUT = Path("inputs")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in TREE.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    Path("dvc.yaml").write_text("deps:\n- inputs/code/report.json\n- inputs/student.json\n")


def test_what_is_imported_counts_wherever_it_stands_and_whoever_imports_it(tree):
    assert {path.as_posix() for path in trace_imports("pipeline.stages.report")} == IMPORTED


def test_checksums_are_of_the_code_and_of_what_is_read_but_not_of_plumbing(tree):
    (file,) = found = compare_code(OUT)
    before, now = found[file]
    assert (file, before) == (Path("code/report.json"), {})
    assert now.keys() == IMPORTED - {"pipeline/entry.py"} | {
        "pipeline/profiles/smoke.yaml",
        "pipeline/report/page.html",
    }
    assert now["pipeline/report/page.html"] == hashlib.sha256(b"<html>").hexdigest()
    Path("pipeline/entry.py").write_text("import os")
    Path("student_jax/engines/slow.py").write_text("")
    assert compare_code(OUT)[file][1] == now
    Path("student_jax/engines/fused.py").write_text("import student_jax.engines.native")
    compiled = {"student_jax/engines/native_kernel/kernel.h"}
    assert compare_code(OUT)[file][1].keys() >= compiled
    Path("student_jax/engines/fused.py").write_text(TREE["student_jax/engines/fused.py"])
    Path("teacher_cache/schema.py").write_text("# a comment")
    assert {name for name, digest in compare_code(OUT)[file][1].items() if digest != now[name]} == {
        "teacher_cache/schema.py"
    }


def test_a_project_of_qdllm_init_has_no_code_to_depend_on(tree):
    Path("dvc.yaml").write_text((ROOT / "pipeline/template/stages.yaml").read_text())
    assert compare_code(OUT) == {}


def test_an_edit_makes_those_stale_that_import_the_file_and_nobody_else(project):
    path = project.folder / "student_jax/comparators/controls.py"
    before = path.read_text()
    try:
        path.write_text(f"{before}\n# a comment\n")
        plan = project.run("qdllm", "plan")
    finally:
        path.write_text(before)
    assert "compare@emotion-tiny-llama-tiny-linear" in plan
    assert "student_jax/comparators/controls.py changed" in plan
    assert not {"train_student", "evaluate", "compare_texts"} & {line.split("@")[0] for line in plan.splitlines()}
