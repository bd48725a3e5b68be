"""What each stage of dvc.yaml depends on besides its data, and the walls between the packages."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[3]
PACKAGES = ("pipeline", "student_jax", "teacher_cache")
STAGES = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]

# The stages of which a member needs the outputs alone.
TEACHERS = ("inputs", "prepare", "embed", "base", "finetune", "cache_teacher")

# Read as data: the report says which profile it shows.
READ = {"report": ["pipeline/profiles"]}

# Plumbing that moves numbers and makes none: an edit of it must not send a team's teachers into training again.
PLUMBING = {
    "pipeline/entry.py",
    "pipeline/lockfile.py",
    "pipeline/old_project.py",
    "pipeline/orphans.py",
    "teacher_cache/errors.py",
    "teacher_cache/outside.py",
    "teacher_cache/publish.py",
    "teacher_cache/sealed.py",
    "teacher_cache/text.py",  # which texts become features; no stage of the student makes those
    "teacher_cache/versions.py",
    "teacher_cache/teacher/progress.py",
}


def find_file(module: str) -> Path | None:
    path = ROOT / Path(*module.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((found for found in candidates if found.is_file()), None)


def read_imports(path: Path) -> set[str]:
    """Every module of ours that `path` imports, at its top or inside a function."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            # A name may be a module of the package, too.
            modules |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {module for module in modules if module.split(".")[0] in PACKAGES}


def trace_imports(module: str) -> set[str]:
    """The files that `module` imports, directly or through others, and its own; empty files aside."""
    files, queue = set(), [module]
    while queue:
        path = find_file(queue.pop())
        if path is not None and path not in files:
            files.add(path)
            queue += read_imports(path)
    return {str(path.relative_to(ROOT)) for path in files if path.stat().st_size}


@pytest.mark.parametrize("stage", TEACHERS)
def test_a_teachers_stage_depends_on_the_number_of_its_meaning_and_on_no_code(stage):
    assert {"teacher_cache/versions.json": [stage]} in STAGES[stage]["params"]
    assert not [dep for dep in STAGES[stage].get("deps", []) if dep.startswith(PACKAGES)]


@pytest.mark.parametrize("stage", sorted(set(STAGES) - set(TEACHERS)))
def test_code_deps_of_the_students_side_cover_what_it_imports(stage):
    """By folder: the fewer lines, the faster DVC, which reads and writes the whole of dvc.lock after every stage."""
    deps = [dep for dep in STAGES[stage]["deps"] if dep.startswith(PACKAGES)]
    files = trace_imports(f"pipeline.stages.{stage}") - PLUMBING
    assert sorted(file for file in files if not any(covers(dep, file) for dep in deps)) == []
    read = {*files, *READ.get(stage, [])}
    assert [dep for dep in deps if not any(covers(dep, file) for file in read)] == []


def covers(dep: str, file: str) -> bool:
    return file == dep or file.startswith(f"{dep}/")


def test_every_stage_has_a_number():
    assert list(json.loads((ROOT / "teacher_cache/versions.json").read_text())) == list(STAGES)


def test_a_lazy_import_counts():
    """The tracer sees through functions, or a stage's deps would be a guess."""
    assert "teacher_cache/teacher/base/local_model.py" in trace_imports("pipeline.stages.base")


@pytest.mark.parametrize("stage", ["train_student", "evaluate", "compare", "compare_texts", "report"])
def test_student_stages_never_see_the_teachers_half(stage):
    assert not [file for file in trace_imports(f"pipeline.stages.{stage}") if file.startswith("teacher_cache/teacher/")]


def block(*packages: str) -> str:
    """Code that makes importing `packages` fail, as where they are not installed."""
    return f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {packages!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
"""


def run_python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_student_jax_imports_without_torch():
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "student_jax").rglob("*.py")]
    imports = "\n".join(f"import {module.removesuffix('.__init__')}" for module in modules)
    run_python(block("torch", "transformers", "peft", "accelerate", "datasets") + imports)


def test_the_caches_contract_imports_with_pyarrow_alone():
    names = ("errors", "imports.importing", "manifest", "publish", "quality", "reader", "schema", "sealed", "writer")
    imports = "\n".join(f"import teacher_cache.{name}" for name in names)
    run_python(block("torch", "jax", "pydantic", "click", "safetensors", "sklearn", "ruamel") + imports)


def test_teacher_cache_imports_without_jax():
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "teacher_cache").rglob("*.py")
    ]
    imports = "\n".join(f"import {module.removesuffix('.__init__')}" for module in modules)
    run_python(block("jax", "pennylane", "optax") + imports)
