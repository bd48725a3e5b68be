"""Training on features that stay in their file: its speed beside features in memory, and its memory with many rows.

Run: python -m tests.benchmarks.bench_stream [--rows 10000000] [--rounds 3]
In: nothing.  Out: build/bench/stream.json and the same as lines.  Imports: jax, pyarrow.

Features, logits and labels are synthetic and written by the project's own writers; the circuit is small, so that
reading is the harder to hide. Every training is a process of its own, which says how much memory it took at most.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from student_jax.config import CircuitConfig, StudentConfig
from student_jax.data.dataset import open_dataset
from student_jax.data.features import MAX_BYTES, write_features
from student_jax.devices import use_cores
from student_jax.model import build_model
from student_jax.training.trainer import train
from teacher_cache.schema import SPLITS
from teacher_cache.writer import Job, Staging
from tests.benchmarks.bench_student import describe_machine

OUTPUT = Path("build/bench/stream.json")
DIMENSIONS, CLASSES, ROWS_PER_PART = 64, 2, 65536
CONFIG = StudentConfig(circuit=CircuitConfig(qubits=4, layers=2), batch_size=1024, epochs=2, seeds=1)
COMPARED = 1_000_000


def make_data(folder: Path, rows: int) -> None:
    """A cache of `rows` rows whose logits are two of the features, and these features."""
    job = Job("bench", "synthetic", tuple("ab"), rows, ROWS_PER_PART, 0, {"examples": "synthetic"})
    staging = Staging(job, folder / "work", {})
    values, ids = np.empty((rows, DIMENSIONS), np.float32), []
    for index in range(job.parts):
        random, count = np.random.default_rng(index), job.rows_of(index)
        part = values[index * ROWS_PER_PART :][:count]
        part[:] = random.standard_normal((count, DIMENSIONS), np.float32)
        logits = 2 * part[:, :CLASSES]
        exponentials = np.exp(logits.astype(np.float64))
        probabilities = (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)
        ids.append(
            pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), count, [None, pa.py_buffer(random.bytes(16 * count))])
        )
        columns = {
            "example_id": ids[-1],
            "split": pa.DictionaryArray.from_arrays(
                random.choice(3, count, p=[0.6, 0.2, 0.2]).astype(np.int8), pa.array(SPLITS)
            ),
            "label": pa.array(logits.argmax(axis=1).astype(np.int32)),
            "logits": pa.FixedSizeListArray.from_arrays(pa.array(logits.ravel()), CLASSES),
            "probabilities": pa.FixedSizeListArray.from_arrays(pa.array(probabilities.ravel()), CLASSES),
        }
        staging.write_part(index, columns)
    staging.publish(folder / "cache", {}, {})
    write_features(folder / "features.parquet", pa.chunked_array(ids), values, "synthetic")


def train_once(folder: Path, memory: int) -> None:
    """Print what a training came to, as JSON."""
    use_cores()
    dataset, _ = open_dataset(folder, folder / "cache", "bench", "synthetic", memory)
    found = train(build_model(CONFIG, DIMENSIONS, CLASSES), dataset, CONFIG, 0, "bench")
    status = Path("/proc/self/status").read_text()
    print(
        json.dumps(
            {
                "stored": not isinstance(dataset["train"].features, np.ndarray),
                "train_rows": len(dataset["train"].labels),
                "rows_per_second": len(dataset["train"].labels) / found.seconds_per_epoch,
                "validation_accuracy": found.curves[-1].validation_accuracy,
                "peak_mib": next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
                // 1024,
            }
        )
    )


def call(function: str, *arguments: Any) -> dict[str, Any]:
    """Call a function of this module in a process of its own; what it printed last."""
    listed = ", ".join(repr(argument) for argument in arguments)
    code = f"from pathlib import *; import {__spec__.name} as bench; bench.{function}({listed})"
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout or "{}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        call("make_data", Path(place), COMPARED)
        rounds = [
            {name: call("train_once", Path(place), memory) for name, memory in (("memory", MAX_BYTES), ("file", 0))}
            for _ in range(options.rounds)
        ]
    rates = {name: float(np.median([one[name]["rows_per_second"] for one in rounds])) for name in ("memory", "file")}
    with tempfile.TemporaryDirectory() as place:
        call("make_data", Path(place), options.rows)
        many = call("train_once", Path(place), MAX_BYTES)
    report = {"machine": describe_machine(), "rows_per_second": rates, "rounds": rounds, "many": many}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(
        f"{COMPARED} rows: {rates['memory']:.0f} rows/s from memory, {rates['file']:.0f} from the file, "
        f"{rates['file'] / rates['memory']:.2f} times as many"
    )
    print(f"{options.rows} rows: {many['rows_per_second']:.0f} rows/s, at most {many['peak_mib']} MiB")


if __name__ == "__main__":
    main()
