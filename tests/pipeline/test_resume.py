"""`kill -9` of a whole `dvc repro`, then `dvc repro`: it goes on from what was finished, the run-cache takes it all."""

import contextlib
import glob
import os
import shutil
import signal
import subprocess
import time

import pytest

PAIR = "emotion-tiny/llama-tiny"
PARTS = f"work/cache/{PAIR}/*/done/part-*.json"  # written after its part
EPOCHS = f"work/finetune/{PAIR}/*/epoch-*/*.safetensors"


@pytest.fixture
def copy(project, tmp_path):
    """The project, its teacher due anew: another rank, more epochs, many small parts."""
    checkout = project.at(tmp_path / "project")
    subprocess.run(["cp", "--archive", project.folder, checkout.folder], check=True)
    shutil.rmtree(checkout.folder / "work")  # what the first teacher was staged in
    checkout.edit("{rank: 8, alpha: 16, train_embeddings: true, epochs: 2,", "{rank: 4, alpha: 16, epochs: 4,")
    checkout.edit("{rows_per_part: 256}", "{rows_per_part: 16}")
    return checkout


def look(checkout, pattern):
    """When each file was made; epochs are dropped while this looks, which glob.glob bears."""
    made = {}
    for name in glob.glob(pattern, root_dir=checkout.folder):
        path = checkout.folder / name
        with contextlib.suppress(FileNotFoundError):
            made[path] = path.stat().st_mtime_ns
    return made


def kill(checkout, pattern, count):
    """Kill a `dvc repro` of the teacher, with all its processes, as soon as `count` files of `pattern` are there.

    Returns:
        When each of them was made, and all (file, time) of any epoch that were seen meanwhile.
    """
    process = subprocess.Popen(
        ["dvc", "repro", "cache_teacher"],
        cwd=checkout.folder,
        env=checkout.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    epochs = set()
    while len(look(checkout, pattern)) < count and process.poll() is None:
        epochs |= look(checkout, EPOCHS).items()
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors
    return look(checkout, pattern), epochs | look(checkout, EPOCHS).items()


def test_a_killed_repro_goes_on(copy):
    _, before = kill(copy, EPOCHS.replace("epoch-*", "epoch-0002"), 1)
    assert not (copy.folder / "models/teacher" / PAIR).exists()
    parts, after = kill(copy, PARTS, 3)
    assert not (copy.folder / "cache" / PAIR).exists()
    assert {path for path, _ in before} & {path for path, _ in after}
    assert len({path for path, _ in before | after}) == len(before | after), "a finished epoch was trained again"
    assert copy.repro("cache_teacher") == ["cache_teacher"]
    assert parts.items() <= look(copy, PARTS).items()
    assert "examples: ok" in copy.run("qdllm", "cache", "verify", f"cache/{PAIR}", "--data", "data/emotion-tiny")

    # Both stages are in the run-cache: the old numbers and the new ones come back without a run.
    finished = {path.name: path.read_bytes() for path in (copy.folder / "cache" / PAIR).iterdir()}
    copy.edit("{rows_per_part: 16}", "{rows_per_part: 256}")
    copy.edit("{rank: 4, alpha: 16, epochs: 4,", "{rank: 8, alpha: 16, train_embeddings: true, epochs: 2,")
    assert copy.repro("cache_teacher") == []
    assert not finished.items() <= {p.name: p.read_bytes() for p in (copy.folder / "cache" / PAIR).iterdir()}.items()
    copy.edit("{rank: 8, alpha: 16, train_embeddings: true, epochs: 2,", "{rank: 4, alpha: 16, epochs: 4,")
    copy.edit("{rows_per_part: 256}", "{rows_per_part: 16}")
    assert copy.repro("cache_teacher") == []
    assert finished == {path.name: path.read_bytes() for path in (copy.folder / "cache" / PAIR).iterdir()}
