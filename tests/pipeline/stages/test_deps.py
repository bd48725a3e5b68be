"""What each stage of dvc.yaml depends on besides its data, and the walls between the packages."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.team.traced import trace_imports

ROOT = Path(__file__).parents[3]
PACKAGES = ("pipeline", "student_jax", "teacher_cache")
STAGES = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]

# The stages of which a member needs the outputs alone.
TEACHERS = ("inputs", "prepare", "embed", "base", "finetune", "cache_teacher")


@pytest.mark.parametrize("stage", TEACHERS)
def test_a_teachers_stage_depends_on_the_number_of_its_meaning_and_on_no_code(stage):
    assert {"teacher_cache/versions.json": [stage]} in STAGES[stage]["params"]
    assert not [dep for dep in STAGES[stage].get("deps", []) if dep.startswith(PACKAGES)]


@pytest.mark.parametrize("stage", sorted(set(STAGES) - set(TEACHERS)))
def test_a_stage_of_the_students_side_depends_on_the_code_that_it_imports(stage):
    """By one file: the fewer lines, the faster DVC, which reads and writes the whole of dvc.lock after every stage."""
    assert f"inputs/code/{stage}.json" in STAGES[stage]["deps"]
    assert not [dep for dep in STAGES[stage]["deps"] if dep.startswith(PACKAGES)]


def test_every_stage_has_a_number():
    assert list(json.loads((ROOT / "teacher_cache/versions.json").read_text())) == list(STAGES)


@pytest.mark.parametrize("stage", ["train_student", "evaluate", "compare", "compare_texts", "report"])
def test_student_stages_never_see_the_teachers_half(stage):
    files = trace_imports(f"pipeline.stages.{stage}")
    assert Path("pipeline/params.py") in files
    assert not [file for file in files if file.is_relative_to("teacher_cache/teacher")]


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
