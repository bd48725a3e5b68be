"""What a person waits for before anything is computed: which heavy packages a command or a stage imports."""

import json
import sys

import pytest

HEAVY = (
    *("torch", "transformers", "peft", "accelerate", "datasets", "bitsandbytes", "sklearn", "pandas", "dvc"),
    *("jax", "optax", "flax", "pennylane", "matplotlib", "scipy", "numpy", "pyarrow", "pydantic"),
)
PROGRAM = """
import json, runpy, sys
module, *sys.argv[1:] = sys.argv[1:]
try:
    runpy.run_module(module, run_name="__main__", alter_sys=True)
except SystemExit as end:
    assert end.code == 0, end
with open({path!r}, "w") as file:
    json.dump([name for name in {heavy!r} if sys.modules.get(name)], file)
"""
PAIR = ("--task", "emotion-tiny", "--teacher", "llama-tiny")
READS = ("--features", "features/emotion-tiny", "--cache", "cache/emotion-tiny/llama-tiny")


def list_heavy(project, folder, module, *arguments):
    path = folder / "heavy.json"
    project.run(sys.executable, "-c", PROGRAM.format(path=str(path), heavy=HEAVY), module, *arguments)
    return set(json.loads(path.read_text()))


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["--help"], set()),
        (["results"], {"numpy", "scipy", "pyarrow", "pydantic"}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_imports_no_more_than_it_shows(project, tmp_path, arguments, allowed):
    assert list_heavy(project, tmp_path, "pipeline.cli", *arguments) <= allowed


def test_a_students_stage_imports_jax_alone(project, tmp_path):
    """PennyLane takes seconds to import and simulates nothing here; scikit-learn is for `logistic`."""
    outs = ("--comparison", "c", "--metrics", "m.json", "--record", "r.json")
    outs = [tmp_path / out if not out.startswith("--") else out for out in outs]
    found = list_heavy(
        *(project, tmp_path, "pipeline.stages.compare", *PAIR, "--comparator", "linear", *READS),
        *("--compiled", "work/compiled", "--learned", "work/learned", *map(str, outs)),
    )
    assert found == {"jax", "optax", "scipy", "numpy", "pyarrow", "pydantic"}
