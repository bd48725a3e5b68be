"""What the stages from train_student on make of fixed features and a fixed cache.

In: nothing.  Out: a function of each stage's name.  Imports: numpy, pyarrow, the student.
"""

import csv
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import load_file

from student_jax.data.features import write_features
from teacher_cache.manifest import fingerprint_examples
from teacher_cache.publish import write_json
from teacher_cache.writer import Job, Staging
from tests.golden.given import ROWS, SEED, hash_values, round_numbers, run_stage, write_examples, write_params
from tests.teacher_cache.teacher.conftest import LABELS

# Of the whole process: where JAX was first told to keep programs, it goes on keeping them.
COMPILED = tempfile.TemporaryDirectory()
INPUTS = {"features": "features", "cache": "cache", "compiled": COMPILED.name}
RESULTS = {"evaluation": "evaluation", "metrics": "metrics.json"}
STUDENT = {"circuit": {"qubits": 3, "layers": 2}, "learning_rate": 0.1, "batch_size": 6, "epochs": 4, "seeds": 2}
STUDENT |= {"encoding_scale": 0.5, "l2": 0.01, "pool": None}


def train_student() -> dict[str, Any]:
    """A student of fixed features and a fixed cache, by the course of its training and what is kept of it."""
    _write_student()
    with Path("student/curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    tensors = load_file("student/student.safetensors")
    return {
        **{name: round_numbers([float(row[name]) for row in rows]) for name in rows[0]},
        "size": {name: round_numbers([np.linalg.norm(values)])[0] for name, values in sorted(tensors.items())},
        "selected": json.loads(Path("student/student.json").read_text())["selected"],
    }


def evaluate() -> dict[str, Any]:
    """That student and its teacher, by their scores and by every answer's probabilities."""
    _write_student()
    run_stage(
        "evaluate", task="topics", teacher="sage", **INPUTS, student="student", answers="answers.parquet", **RESULTS
    )
    summary = json.loads(Path("evaluation/summary.json").read_text())
    return {
        "metrics": _list_scores(json.loads(Path("metrics.json").read_text())),
        "seeds": _list_scores(summary["seeds"]),
        "confusion": summary["confusion"],
        "parameters": summary["parameters"],
        "answers": _read_answers(Path("answers.parquet")),
    }


def compare() -> dict[str, Any]:
    """Each comparator that reads features, by its scores and answers, the chosen setting and its size."""
    _write_features_and_cache()
    training = {"learning_rate": 0.1, "batch_size": 6, "epochs": 4, "seeds": 2, "grid": {"learning_rate": [0.03, 0.1]}}
    blocks = {
        "logistic": {"C": 1.0, "grid": {"C": [0.1, 1.0]}},
        "linear": {},
        "mlp": {},
        "frozen_circuit": {},
        "labels_alone": {},
        "logistic_distilled": {},
        "no_entanglement": {},
    }
    write_params(student=STUDENT, comparator={"shared": {"features": training}, **blocks})
    return {name: _compare("compare", name, **INPUTS, learned="learned") for name in blocks}


def compare_texts() -> dict[str, Any]:
    """A comparator that reads texts."""
    _write_features_and_cache()
    training = {"learning_rate": 0.01, "batch_size": 6, "epochs": 2, "seeds": 1, "vocabulary": 200}
    write_params(student={"pool": None}, comparator={"shared": {"texts": training}, "textrcnn": {}})
    return {"textrcnn": _compare("compare_texts", "textrcnn", data="data", cache="cache", compiled=COMPILED.name)}


def _write_features_and_cache() -> None:
    write_examples()
    table, random = pq.read_table("data/examples.parquet"), np.random.default_rng(SEED)
    examples = fingerprint_examples(table.to_batches())
    labels = np.array(table["label"].to_pylist())
    Path("features").mkdir()
    values = (np.eye(6)[labels] + random.normal(size=(ROWS, 6)) * 0.5).astype(np.float32)
    write_features(Path("features/features.parquet"), table["example_id"], [values], 6, examples)
    write_json(
        Path("features/embedder.json"),
        {"config": {"kind": "corpus", "class_weights": False}, "inference_parameters": 0},
    )
    Path("features/embedder.safetensors").write_text("{}")  # goes with the student, and is not looked into
    _write_cache(table, np.eye(len(LABELS))[labels] * 2 + random.normal(size=(ROWS, len(LABELS))), examples)


def _write_student() -> None:
    _write_features_and_cache()
    write_params(student=STUDENT)
    run_stage("train_student", task="topics", teacher="sage", **INPUTS, student="student", record="record.json")


def _compare(stage: str, name: str, **inputs: str) -> dict[str, Any]:
    outs = {"comparison": name, "metrics": "metrics.json", "record": "record.json"}
    run_stage(stage, task="topics", teacher="sage", comparator=name, **inputs, **outs)
    found = json.loads(Path(name, "comparison.json").read_text())
    return {
        "seeds": _list_scores(found["seeds"]),
        "settings": [round_numbers([one["validation_loss"]]) for one in found["tuning"]["settings"]],
        "chosen": found["tuning"]["chosen"],
        "parameters": found["parameters"],
        "answers": _read_answers(Path(name, "answers.parquet")),
    }


def _list_scores(value: Any) -> Any:
    """The same levels, every number rounded."""
    if isinstance(value, dict):
        return {key: _list_scores(inner) for key, inner in value.items() if inner is not None}
    return [_list_scores(inner) for inner in value] if isinstance(value, list) else round_numbers([value])[0]


def _read_answers(path: Path) -> dict[str, Any]:
    table = pq.read_table(path)
    return {
        "examples": hash_values(table["example_id"].to_pylist()),
        "predicted": "".join(map(str, table["predicted"].to_pylist())),
        "probabilities": round_numbers(np.stack(table["probabilities"].to_numpy())[::3]),
    }


def _write_cache(table: Any, logits: np.ndarray, examples: str) -> None:
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    columns = {"logits": logits, "probabilities": exponentials / exponentials.sum(1, keepdims=True)}
    lists = {
        name: pa.FixedSizeListArray.from_arrays(pa.array(values.astype(np.float32).ravel()), len(LABELS))
        for name, values in columns.items()
    }
    kept = {name: table[name].combine_chunks() for name in ("example_id", "split", "label")}
    job = Job("topics", "sage", tuple(LABELS), ROWS, ROWS, 0, {"examples": examples})
    staging = Staging(job, Path("work"), {})
    staging.write_part(0, {**kept, **lists})
    staging.publish(Path("cache"), {}, {})
