"""Students on snapshots of real devices, beside the same students without noise and shots.

Run: python -m tests.benchmarks.bench_devices --data FOLDER [--students thematic ...] [--backends fake_fez ...]
In: {task}.parquet with text and label.  Out: build/bench/devices/, whose runs go on where they were stopped;
build/bench/devices.json, written anew after each run.  Imports: jax, qiskit.

The students were named before the first run: default circuits on three real tasks, and a ring beside the chain on one.
Each is trained on the labels of 2,000 texts; a run has the 200 test texts with the smallest ids, 256 shots each.
"""

import argparse
import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from pipeline.evaluation.device_scores import compare_device, estimate_share
from student_jax.checkpoint import Checkpoint, load_checkpoint, save_student
from student_jax.config import CircuitConfig, EmbedConfig, LossConfig, StudentConfig
from student_jax.data.dataset import Split
from student_jax.data.embedder import fit_embedder, load_embedder
from student_jax.hardware.device_run import prepare_run, score_values
from student_jax.hardware.execution import read_values, run_batches
from student_jax.hardware.run_folder import RunFolder
from student_jax.model import build_model
from student_jax.training.trainer import train
from teacher_cache.publish import publish_folder, write_json

OUTPUT = Path("build/bench/devices")
TRAIN, VALIDATION, TEXTS = 2_000, 500, 200
SHOTS, CALIBRATIONS = 256, 16
# The penalised setting of docs/student.md for 2,000 labelled texts.
CONFIG = StudentConfig(
    loss=LossConfig(soft=0.0, hard=1.0), learning_rate=0.01, l2=0.08, l2_readout=True, min_steps=300, seeds=1
)


class Named(NamedTuple):
    """A student, named before the first run."""

    task: str
    circuit: CircuitConfig


STUDENTS = {
    "thematic": Named("thematic", CircuitConfig()),
    "emotion": Named("emotion", CircuitConfig()),
    "hiding": Named("hiding", CircuitConfig()),
    "thematic-ring": Named("thematic", CircuitConfig(entanglement="ring")),
}
BACKENDS = ("fake_fez", "fake_torino")


class Rows(NamedTuple):
    """Texts in the order of their ids."""

    ids: np.ndarray
    texts: list[str]
    labels: np.ndarray


def read_rows(path: Path) -> Rows:
    """All different texts of a file by id, the SHA-256 of the text."""
    table = pq.read_table(path, columns=["text", "label"]).to_pydict()
    found = {
        hashlib.sha256(text.encode()).digest()[:16]: (text, label)
        for text, label in zip(table["text"], table["label"], strict=True)
    }
    ids = sorted(found)
    return Rows(
        np.array(ids, "V16"), [found[name][0] for name in ids], np.array([found[name][1] for name in ids], np.int32)
    )


def make_student(name: str, rows: Rows, folder: Path) -> Checkpoint:
    """The student called `name`: trained, or loaded where it is there. The first TEXTS rows are never trained on."""
    if not folder.exists():
        named, classes = STUDENTS[name], int(rows.labels.max()) + 1
        train_rows = slice(TEXTS + VALIDATION, TEXTS + VALIDATION + TRAIN)
        features = folder.with_name(f"{name}-features")
        features.mkdir(parents=True, exist_ok=True)
        embedder = fit_embedder(EmbedConfig(), rows.texts[train_rows], rows.labels[train_rows])
        embedder.save(features)

        def cut(place: slice) -> Split:
            labels = rows.labels[place]
            return Split(embedder.transform(rows.texts[place]), np.zeros((len(labels), classes), np.float32), labels)

        config = StudentConfig(**{**CONFIG.__dict__, "circuit": named.circuit})
        dataset = {"train": cut(train_rows), "validation": cut(slice(TEXTS, TEXTS + VALIDATION))}
        training = train(build_model(config, embedder.dimensions, classes), dataset, config, 0, name)
        with publish_folder(folder) as temporary:
            save_student(temporary, training, config, [str(k) for k in range(classes)], features, {"task": named.task})
    return load_checkpoint(folder)


def measure(name: str, backend: str, data: Path, out: Path) -> dict[str, Any]:
    """One student on one device: accuracies, agreement and what the transpiled circuit is."""
    rows = read_rows(data / f"{STUDENTS[name].task}.parquet")
    checkpoint = make_student(name, rows, out / "students" / name)
    features = load_embedder(out / "students" / name).transform(rows.texts[:TEXTS])
    run = prepare_run(checkpoint, backend, features, rows.ids[:TEXTS], SHOTS, CALIBRATIONS)
    folder = RunFolder(out / "runs" / f"{name}-{backend}")
    with folder.hold():
        shown = folder.read_budget()
        if shown is None:
            folder.write_budget(run.budget)
        run_batches(
            run.device,
            run.batches,
            run.sent.parities.shape[1],
            folder,
            run.digest,
            lambda line: print(name, backend, line, flush=True),
        )
    values, truth = read_values(run.batches, run.sent.parities, folder, run.digest), rows.labels[:TEXTS]
    exact = score_values(checkpoint, run.exact).argmax(axis=1)
    assert values.mitigated is not None
    said = {"measured": values.measured, "mitigated": values.mitigated}
    found = {
        kind: compare_device(truth, score_values(checkpoint, one).argmax(axis=1), exact) for kind, one in said.items()
    }
    return {
        "student": name,
        "backend": backend,
        "exact": estimate_share(int((exact == truth).sum()), TEXTS)._asdict(),
        **{
            kind: {"accuracy": one.accuracy, "difference": one.difference, "agreement": one.agreement}
            for kind, one in found.items()
        },
        "budget": run.budget,
        "proof_error": run.error,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--students", nargs="+", choices=STUDENTS, default=list(STUDENTS))
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--out", type=Path, default=OUTPUT)
    options = parser.parse_args()
    results = []
    for backend in options.backends:
        for name in options.students:
            results.append(measure(name, backend, options.data, options.out))
            print(json.dumps(results[-1]), flush=True)
            write_json(options.out / "devices.json", {"runs": results})


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
