"""Data larger than memory: the speed of training from a file, and the memory that a million texts take on their way.

Run: python -m tests.benchmarks.bench_stream [--rows 10000000] [--texts 1000000] [--rounds 3]; 0 leaves one of them out
In: nothing.  Out: build/bench/stream.json and the same as lines.  Imports: jax, pyarrow.

For the speed, features, logits and labels are synthetic and written by the project's own writers: COMPARED texts are
trained on from memory and from their file in turn, by the default student with `native`, the engine from which reading
is the hardest to hide, one seed and three; more rows than memory should hold, by a small circuit. For the whole way,
texts are generated and go through the stages `prepare`, `embed`
and `train_student` as DVC runs them; the cache is written part by part with random logits, for an LLM would take days.
Everything is a process of its own, which says how much memory it took at most.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.corpus.prepared import open_examples
from student_jax.config import CircuitConfig, StudentConfig
from student_jax.data.dataset import open_dataset
from student_jax.data.features import MAX_BYTES, write_features
from student_jax.devices import use_cores
from student_jax.model import build_model
from student_jax.training.trainer import train
from teacher_cache.manifest import fingerprint_examples
from teacher_cache.schema import SPLITS
from teacher_cache.writer import Job, Staging
from tests.benchmarks.timing import describe_machine, read_commit

OUTPUT = Path("build/bench/stream.json")
ROOT = Path(__file__).parents[2]
CLASSES, ROWS_PER_PART = 2, 65536
COMPARED, COMPARED_DIMENSIONS, MANY_DIMENSIONS = 100_000, 768, 64
SMALL = CircuitConfig(qubits=4, layers=2)
CONFIGS = {
    "small circuit": StudentConfig(circuit=SMALL, batch_size=1024, epochs=2, seeds=1),
    "default, one seed": StudentConfig(engine="native", epochs=3, seeds=1),
    "default, three seeds": StudentConfig(engine="native", epochs=3, seeds=3),
}
# What the whole way runs on; the features are those that ship.
TASK, TEACHER = "emotion", "random"
PARAMS = {
    "seed": 20,
    "prepare": {},
    "embed": {"kind": "corpus", "dimensions": 768},
    "student": {"circuit": {"qubits": 4, "layers": 2}, "batch_size": 1024, "epochs": 1, "seeds": 1},
}
STAGES = {
    "prepare": f"--task {TASK} --data data --card card.json --record prepare.json",
    "embed": f"--task {TASK} --data data --features features --record embed.json",
    "train_student": f"--task {TASK} --teacher {TEACHER} --features features --cache cache --student student "
    "--compiled compiled --record train_student.json",
}


def write_answers(staging: Staging, index: int, columns: Mapping[str, pa.Array], logits: np.ndarray) -> None:
    """Write part `index` of a cache: ids, splits, labels as they are, logits (rows, CLASSES) and their softmax."""
    exponentials = np.exp(logits.astype(np.float64))
    probabilities = (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)
    answers = {
        name: pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), CLASSES)
        for name, matrix in (("logits", logits), ("probabilities", probabilities))
    }
    staging.write_part(index, {**columns, **answers})


def make_data(folder: Path, rows: int, dimensions: int) -> None:
    """A cache of `rows` rows whose logits are two of the features, and these features."""
    job = Job("bench", "synthetic", tuple("ab"), rows, ROWS_PER_PART, 0, {"examples": "synthetic"})
    staging = Staging(job, folder / "work", {})
    blocks, ids = [], []
    for index in range(job.parts):
        random, count = np.random.default_rng(index), job.rows_of(index)
        blocks.append(random.standard_normal((count, dimensions), np.float32))
        logits = 2 * blocks[-1][:, :CLASSES]
        ids.append(
            pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), count, [None, pa.py_buffer(random.bytes(16 * count))])
        )
        splits = random.choice(3, count, p=[0.6, 0.2, 0.2]).astype(np.int8)
        columns = {
            "example_id": ids[-1],
            "split": pa.DictionaryArray.from_arrays(splits, pa.array(SPLITS)),
            "label": pa.array(logits.argmax(axis=1).astype(np.int32)),
        }
        write_answers(staging, index, columns, logits)
    staging.publish(folder / "cache", {}, {})
    write_features(folder / "features.parquet", pa.chunked_array(ids), blocks, dimensions, "synthetic")


def train_once(folder: Path, name: str, memory: int) -> None:
    """Print what a training by a student of CONFIGS came to, as JSON; `memory` is what features may take of it."""
    use_cores()
    dataset, _ = open_dataset(folder, folder / "cache", "bench", "synthetic", memory)
    config, dimensions = CONFIGS[name], dataset["train"].features.shape[1]
    start = time.process_time()
    found = train(build_model(config, dimensions, CLASSES), dataset, config, 0, "bench")
    print(
        json.dumps(
            {
                "stored": not isinstance(dataset["train"].features, np.ndarray),
                "train_rows": len(dataset["train"].labels),
                "rows_per_second": len(dataset["train"].labels) / found.seconds_per_epoch,
                "cpu_seconds": time.process_time() - start,  # compiling too
                "validation_accuracy": found.curves[-1].validation_accuracy,
                "peak_mib": find_peak(),
            }
        )
    )


def find_peak() -> int:
    """The most MiB of memory that this process held; getrusage counts what started it, too."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024


def call(function: str, *arguments: Any) -> dict[str, Any]:
    """Call a function of this module in a process of its own; what it printed last."""
    listed = ", ".join(repr(argument) for argument in arguments)
    code = f"from pathlib import *; import {__spec__.name} as bench; bench.{function}({listed})"
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout or "{}")


def capture_nothing(folder: Path) -> None:
    """A cache of the examples with random logits, and the peak of memory as JSON."""
    examples = open_examples(folder / "data")
    identity = {"examples": fingerprint_examples(examples.iter_batches())}
    job = Job(TASK, TEACHER, ("negative", "positive"), examples.metadata.num_rows, ROWS_PER_PART, 0, identity)
    staging, random = Staging(job, folder / "work", {}), np.random.default_rng(0)
    for index, batch in enumerate(examples.iter_batches(ROWS_PER_PART, columns=["example_id", "split", "label"])):
        columns = {name: batch.column(name) for name in batch.schema.names}
        write_answers(staging, index, columns, random.standard_normal((len(batch), CLASSES), np.float32))
    staging.publish(folder / "cache", {}, {})
    print(json.dumps({"peak_mib": find_peak()}))


def run_stage(folder: Path, stage: str) -> float:
    """Run a stage in `folder` as DVC does; the most MiB of memory that its record says."""
    command = [sys.executable, "-m", f"pipeline.stages.{stage}", *STAGES[stage].split()]
    subprocess.run(command, check=True, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)})
    return json.loads((folder / f"{stage}.json").read_text())["peak_memory_mib"]


def measure_memory(folder: Path, texts: int) -> dict[str, Any]:
    """The peak of each process on the way of so many texts to a student, and the bytes of what they wrote."""
    source = {"kind": "embedded", "generator": TASK, "rows": texts}
    task = {TASK: {"labels": ["negative", "positive"], "source": source}}
    (folder / "params.yaml").write_text(json.dumps(PARAMS | {"task": task}))  # JSON is YAML
    peaks = {stage: run_stage(folder, stage) for stage in ("prepare", "embed")}
    peaks["cache_teacher"] = call("capture_nothing", folder)["peak_mib"]
    peaks["train_student"] = run_stage(folder, "train_student")
    sizes = {
        name: sum(path.stat().st_size for path in (folder / name).iterdir()) for name in ("data", "features", "cache")
    }
    return {"texts": texts, "rows": open_examples(folder / "data").metadata.num_rows, "peak_mib": peaks, "bytes": sizes}


def compare_speeds(rounds: int) -> list[dict[str, Any]]:
    """What a training from the file takes beside one from memory, in rounds."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        call("make_data", Path(place), COMPARED, COMPARED_DIMENSIONS)
        for name in list(CONFIGS)[1:]:
            ways = {"memory": 4 * COMPARED * COMPARED_DIMENSIONS, "file": 0}
            found = [
                {way: call("train_once", Path(place), name, most) for way, most in ways.items()} for _ in range(rounds)
            ]
            rates = {way: float(np.median([one[way]["rows_per_second"] for one in found])) for way in ways}
            rows.append({"student": name, "rows_per_second": rates, "rounds": found})
            print(
                f"{COMPARED} texts, {name}: {rates['memory']:.0f} texts/s from memory, "
                f"{rates['file']:.0f} from the file, {rates['file'] / rates['memory']:.2f} times as many",
                flush=True,
            )
    return rows


def train_many(rows: int) -> dict[str, Any]:
    """What training on more rows than memory should hold takes, and what it leaves of the memory."""
    with tempfile.TemporaryDirectory() as place:
        call("make_data", Path(place), rows, MANY_DIMENSIONS)
        found = call("train_once", Path(place), "small circuit", MAX_BYTES)
    print(
        f"{rows} rows of {MANY_DIMENSIONS} numbers: {found['rows_per_second']:.0f} rows/s, {found['peak_mib']} MiB",
        flush=True,
    )
    return {"rows": rows, **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000, help="of the synthetic features, the larger file")
    parser.add_argument("--texts", type=int, default=1_000_000, help="that go the whole way")
    parser.add_argument("--rounds", type=int, default=3, help="of the comparison of speeds")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    report: dict[str, Any] = {"commit": read_commit(), "machine": describe_machine()}
    if options.rounds:
        report["speeds"] = compare_speeds(options.rounds)
    if options.rows:
        report["many"] = train_many(options.rows)
    if options.texts:
        with tempfile.TemporaryDirectory() as place:
            report["memory"] = measure_memory(Path(place), options.texts)
        peaks = ", ".join(f"{stage} {peak:.0f}" for stage, peak in report["memory"]["peak_mib"].items())
        print(f"{options.texts} texts, at most MiB: {peaks}")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
