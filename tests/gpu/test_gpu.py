"""The student's parts of the run on a GPU, in sizes for a CPU, with what a bare machine has."""

import json
import os
import subprocess
import sys

import pytest

BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("datasets", "dvc", "pennylane"):
            raise ModuleNotFoundError(f"{name} is blocked", name=name)
sys.meta_path.insert(0, Blocked())
"""


def run_parts(folder, *parts):
    """The report of `parts`, in a process each that finds neither DVC nor PennyLane, and what was said meanwhile."""
    (folder / "sitecustomize.py").write_text(BLOCKED)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_NUMPY_")}
    environment |= {"PYTHONPATH": str(folder), "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "tests.gpu.run_gpu", "--tiny", "--seconds", "900", "--bundle", str(folder)]
    command += ["--output", str(folder / "gpu.json"), "--only", *parts]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "gpu.json").read_text()), done.stdout


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return run_parts(tmp_path_factory.mktemp("gpu"), "simulator", "lightning")


def rows_of(report, part):
    return {row["case"]: row for row in report[0]["parts"][part]["rows"]}


def test_what_is_missing_is_said_first(report):
    assert report[0]["versions"]["pennylane-lightning-gpu"] == "missing"
    assert report[1].index("pennylane-lightning-gpu: missing") < report[1].index("simulator:")


def test_fused_agrees_and_is_timed(report):
    rows = rows_of(report, "simulator")
    assert rows["fused against the CPU, linear, ring"]["largest_difference"] < 1e-5
    assert rows["fused, batch 8"]["ms"] > 0
    assert rows["fused in TF32, batch 8"]["largest_difference"] < 1e-5  # a CPU knows no TF32
    assert rows["scan, batch 8, seeds 5"]["ms_per_step"] > 0


def test_lightning_says_why_it_is_left_out(report):
    rows = rows_of(report, "lightning")
    assert "pennylane" in rows["lightning.gpu"]["skipped"]
    assert rows["qubits 3, batch 64"]["fused"] > 0
