"""A stage's outputs are those of its golden file, or versions.json has a new number for it."""

import json
import subprocess
import sys

import pytest

from teacher_cache.versions import read_version
from tests.golden.outputs import FOLDER, STAGES

# Kernels for AVX-512 and for SSE4 alone differ by 7e-6 at most, in the features of an encoder.
TOLERANCE = 2e-4


@pytest.fixture(scope="module")
def outputs():
    """All stages' outputs, of one process that no other test has touched: JAX takes its devices once."""
    command = [sys.executable, "-m", "tests.golden.outputs", "--show"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("stage", STAGES)
def test_outputs_change_with_their_number_alone(stage, outputs):
    kept = json.loads((FOLDER / f"{stage}.json").read_text(encoding="utf-8"))
    rewrite = f"python -m tests.golden.outputs {stage}"
    assert kept["version"] == read_version(stage), f"{stage} has a new number: keep its new outputs with {rewrite}"
    differences = compare(outputs[stage], kept["outputs"])
    assert not differences, (
        f"{stage} gives other outputs than its number {kept['version']} stands for: {differences[:3]}. Where that is "
        f"meant, raise the number of {stage} in teacher_cache/versions.json, and keep its new outputs with {rewrite}"
    )


def compare(found, kept, place="outputs"):
    """Where two outputs differ, with both values; numbers may by TOLERANCE, and a like part of their size."""
    if isinstance(kept, dict) and isinstance(found, dict) and found.keys() == kept.keys():
        return [line for key in kept for line in compare(found[key], kept[key], f"{place}.{key}")]
    if isinstance(kept, list) and isinstance(found, list) and len(found) == len(kept):
        pairs = enumerate(zip(found, kept, strict=True))
        return [line for index, (one, other) in pairs for line in compare(one, other, f"{place}[{index}]")]
    if isinstance(kept, float) and isinstance(found, float):
        same = found == pytest.approx(kept, abs=TOLERANCE, rel=TOLERANCE)
    else:
        same = found == kept
    return [] if same else [f"{place}: {found!r:.80}, kept {kept!r:.80}"]


def test_a_difference_is_seen():
    assert compare({"a": [1.0, 2.0]}, {"a": [1.0001, 2.0]}) == []
    assert compare({"a": [1.0, 2.0]}, {"a": [1.1, 2.0]}) == ["outputs.a[0]: 1.0, kept 1.1"]
    for found, kept in (({"a": 1}, {"b": 1}), ([1.0], [1.0, 2.0]), ("x", "y"), (1, 2), (1.0, "1.0")):
        assert len(compare(found, kept)) == 1
