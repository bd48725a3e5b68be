"""A capture in bfloat16 on the card, killed and gone on with: the same bytes, and the gate and the spot check hold.

Run by run_gpu.py.  Out: rows of the kill, of equal bytes, of the spot check; the same in two processes where there are
two cards.  Imports: the teacher's half; the capture runs in processes of its own.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq
import torch

from teacher_cache.teacher.capture.gate import spot_check_cache
from teacher_cache.teacher.capture.job import Capture, capture
from teacher_cache.teacher.teacher_config import CaptureConfig
from tests.benchmarks.bench_capture import make_examples, make_mixed_texts, make_teacher
from tests.gpu.measure_llms import WORDS
from tests.gpu.rows import Rows, parse_part

CODE = "import pathlib, sys; from tests.gpu.measure_resume import run; run(*map(pathlib.Path, sys.argv[1:]))"


def run(folder: Path, work: Path, cache: Path) -> None:
    """The whole capture, in this process."""
    config = CaptureConfig(rows_per_part=64, dtype="bfloat16")
    capture(
        Capture("gpu", "llama", folder / "examples.parquet", folder / "base", folder / "adapter", config), work, cache
    )


def start(folder: Path, name: str, launch: tuple[str, ...] = ("-c", CODE)) -> subprocess.Popen:
    """A capture of its own process, into work-NAME and cache-NAME."""
    paths = [folder, folder / f"work-{name}", folder / f"cache-{name}"]
    return subprocess.Popen([sys.executable, *launch, *map(str, paths)], start_new_session=True)


def finish(process: subprocess.Popen) -> None:
    if process.wait():
        raise RuntimeError(f"the capture ended with {process.returncode}")


def read_parts(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.parquet"))}


def kill_after(process: subprocess.Popen, work: Path, parts: int) -> int:
    """Kill the capture when `parts` are there; returns how many there were."""
    while process.poll() is None and len(list(work.rglob("*.parquet"))) < parts:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return len(list(work.rglob("*.parquet")))


def main() -> None:
    options = parse_part(__doc__)
    rows, tiny = Rows(options.output, options.seconds), options.tiny
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        examples = make_examples(make_mixed_texts(300 if tiny else 6000, WORDS))
        pq.write_table(examples, folder / "examples.parquet", row_group_size=1024)
        make_teacher(32 if tiny else 512, examples, folder)
        killed, undisturbed = start(folder, "killed"), start(folder, "whole")
        parts = kill_after(killed, folder / "work-killed", 2)
        rows.add("killed", parts_there=parts, published=(folder / "cache-killed").exists())
        finish(undisturbed)
        finish(start(folder, "killed"))
        whole = read_parts(folder / "cache-whole")
        same = whole == read_parts(folder / "cache-killed")
        rows.add("resumed", parts=len(whole), same_bytes=same)
        rows.add(
            "spot check", **spot_check_cache(folder / "cache-whole", examples, folder / "base", folder / "adapter", 64)
        )
        if torch.cuda.device_count() < 2:
            rows.add("two processes", skipped=f"needs two cards, and {torch.cuda.device_count()} were found")
            return
        launch = (
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc_per_node",
            "2",
            "-m",
            "tests.gpu.measure_resume",
        )
        finish(start(folder, "two", launch))
        rows.add("two processes", same_bytes=whole == read_parts(folder / "cache-two"))


if __name__ == "__main__":
    run(*map(Path, sys.argv[1:])) if "LOCAL_RANK" in os.environ else main()
