"""The capture on a local Ray cluster: one of two workers is killed, and the bytes are those of one process.

Needs ray, which the extra `dev` brings.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from teacher_cache.errors import UserError
from teacher_cache.publish import publish_folder
from teacher_cache.teacher.capture import ray_workers as ray_capture
from teacher_cache.teacher.capture.job import Capture, capture, plan_job
from teacher_cache.teacher.capture.ray_workers import PartWorker, capture_with_ray
from teacher_cache.teacher.finetune.adapter import finetune
from teacher_cache.teacher.teacher_config import CaptureConfig
from tests.teacher_cache.teacher.conftest import FAST, LABELS, make_examples

ROOT = Path(__file__).parents[4]
ROWS_PER_PART = 2


@pytest.fixture
def request_(local_bases, tmp_path) -> Capture:
    examples = make_examples(120)
    pq.write_table(examples, tmp_path / "examples.parquet")
    with publish_folder(tmp_path / "adapter") as folder:
        finetune(FAST, local_bases["llama"], examples, LABELS, 1, tmp_path / "tuning", folder)
    config = CaptureConfig(rows_per_part=ROWS_PER_PART)
    return Capture("topics", "sage", tmp_path / "examples.parquet", local_bases["llama"], tmp_path / "adapter", config)


def read_bytes(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def find_workers(driver: int) -> list[psutil.Process]:
    found = []
    for process in psutil.Process(driver).children(recursive=True):
        try:
            if process.cmdline()[0].startswith("ray::PartWorker"):
                found.append(process)
        except (psutil.NoSuchProcess, IndexError):
            continue
    return found


def test_a_killed_worker_costs_no_finished_part_and_changes_no_byte(request_, tmp_path):
    work, folder = tmp_path / "work", tmp_path / "cache"
    script = ROOT / "tests/teacher_cache/teacher/capture/run_ray_capture.py"
    paths = [request_.examples, request_.base, request_.adapter, work, folder]
    command = [sys.executable, str(script), str(ROWS_PER_PART), *map(str, paths)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    while not list(work.glob("*/done/*.json")) or len(victims := find_workers(process.pid)) < 2:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.002)
    victims[0].send_signal(signal.SIGKILL)
    done = {path.stem for path in work.glob("*/done/*.json")}
    made = {path: path.stat().st_mtime_ns for path in work.glob("*/parts/part-*") if path.stem in done}
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    assert 0 < len(made) < 60  # it was in the midst of it
    assert all(path.stat().st_mtime_ns == written for path, written in made.items())
    capture(request_, tmp_path / "plain_work", tmp_path / "plain")
    assert read_bytes(folder) == read_bytes(tmp_path / "plain")


def test_a_worker_unlike_the_process_that_asks_is_refused(request_, tmp_path):
    with pytest.raises(UserError, match="every worker must have the code, libraries and kind of device"):
        PartWorker(request_, plan_job(request_), tmp_path / "work", "another staging")


def test_ray_and_a_launcher_are_not_mixed(monkeypatch, tmp_path):
    monkeypatch.setattr(ray_capture, "find_spec", lambda name: "there")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="QDLLM_RAY and QDLLM_LAUNCH must not both be set"):
        capture_with_ray(None, tmp_path, tmp_path, 2)


def test_without_ray_the_install_line_is_given(monkeypatch, tmp_path):
    monkeypatch.setattr(ray_capture, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"QDLLM_RAY needs ray: pip install 'qdllm\[ray\]'"):
        capture_with_ray(None, tmp_path, tmp_path, 2)
