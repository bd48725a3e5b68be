"""A name occurs once: whoever looks for a file finds one. import-linter holds the arrows between the rooms."""

from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("pipeline", "student_jax", "teacher_cache")
# Stages and commands are called as the user types them; `qdllm student` trains what student_jax/student.py loads,
# `qdllm surrogate` shows what student_jax/circuit/surrogate.py builds, `qdllm publish` ends in a folder of
# teacher_cache/publish.py.
TYPED = ("pipeline/commands", "pipeline/stages")
PAIRS = {"publish.py", "student.py", "surrogate.py"}


def list_modules(*folders: str) -> list[str]:
    """The names of the modules below `folders`, as often as they occur."""
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return [path.name for path in paths if path.name != "__init__.py"]


def find_repeated(names: list[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count > 1}


def test_a_module_has_its_name_alone():
    assert find_repeated(list_modules(*PACKAGES)) == PAIRS


def test_no_stage_has_a_commands_name():
    typed = list_modules(*TYPED)
    assert find_repeated(typed) == set()
    assert set(typed) >= PAIRS
