"""All that the report tells of one task and teacher, gathered into one mapping.

In: dataset, manifest, checkpoint, the records of earlier stages.  Out: summarise_pair(), read_records(), find_peak(),
write_table().
Imports: student_jax; no torch.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from pipeline.evaluation.scoring import Predictions, average_control, compare, score_answers
from student_jax.checkpoint import Checkpoint
from student_jax.comparators.predictions import predict_splits, train_control, train_terms
from student_jax.config import EvaluateConfig
from student_jax.data.dataset import EVALUATED, Split
from student_jax.data.features import DESCRIPTION as EMBEDDER
from student_jax.diagnosis.live_parameters import count_parameters
from student_jax.model import build_model, build_scorer, count_trainable, time_scoring
from teacher_cache.errors import UserError
from teacher_cache.manifest import Manifest
from teacher_cache.publish import publish_file

# Stages of a task alone, and stages of a task and a teacher, in the data's order.
TASK_STAGES = ("prepare", "embed")
PAIR_STAGES = ("base", "finetune", "cache_teacher", "train_student")


def summarise_pair(
    dataset: Mapping[str, Split],
    manifest: Manifest,
    checkpoint: Checkpoint,
    student: Path,
    beside: EvaluateConfig,
    seed: int,
) -> tuple[dict[str, Any], np.ndarray]:
    """Metrics of teacher, student and all `beside` it, and what the student is; and the test split's classes.

    The classes are those that the selected seed gives.

    Raises:
        UserError: the student was trained against another cache.
    """
    require_cache(checkpoint, manifest, student)
    description = checkpoint.description
    config, classes = description.config, len(description.labels)
    model = build_model(config, description.dimensions, classes)
    trainable = count_trainable(model)
    embedder = json.loads((student / EMBEDDER).read_text(encoding="utf-8"))
    said = predict_splits(checkpoint, dataset)
    splits = {
        name: Predictions(said[name], softmax(dataset[name].logits, axis=1), dataset[name].labels) for name in EVALUATED
    }
    test = dataset["test"].features
    summary = {
        "task": manifest.task,
        "teacher": manifest.teacher,
        "labels": list(manifest.labels),
        **compare(splits, description.seeds, description.selected, trainable),
        "controls": {
            name: _evaluate_control(name, checkpoint, dataset, splits["test"], seed) for name in beside.controls
        },
        "losses": {
            term: score_answers(answers, splits["test"])
            for term, answers in train_terms(beside.losses, config, dataset, seed).items()
        },
        "student": {
            "config": asdict(config),
            "embed": embedder["config"],
            "trainable_parameters": trainable,
            "dead_parameters": count_parameters(config, description.dimensions, classes).dead,
            "inference_parameters": trainable + embedder["inference_parameters"],
            "selected_seed": description.seeds[description.selected],
            "seconds_per_epoch": description.seconds_per_epoch,
            "engine": config.engine,
            "inference_seconds": time_scoring(
                build_scorer(model, config.precision), checkpoint.selected_parameters, test
            ),
            "inference_texts": len(test),
        },
    }
    return summary, said["test"][description.selected].argmax(axis=1)


def require_cache(checkpoint: Checkpoint, manifest: Manifest, student: Path) -> None:
    """Raise a UserError where the student in folder `student` was trained against another cache.

    Raises:
        UserError: it was.
    """
    origin = checkpoint.description.origin.get("cache")
    if origin != manifest.fingerprint:
        raise UserError(
            f"{student} was trained against another cache: it must be {manifest.fingerprint}, "
            f"got {origin}; run `dvc repro train_student`"
        )


def _evaluate_control(
    name: str, checkpoint: Checkpoint, dataset: Mapping[str, Split], test: Predictions, seed: int
) -> dict[str, Any]:
    said, parameters = train_control(name, checkpoint.description.config, dataset, seed)
    return average_control(Predictions(said, test.teacher, test.labels), parameters)


def read_records(card: Path, records: Path, task: str, teacher: str) -> dict[str, Any]:
    """The data card, the records of the stages that led here, and the teacher as its fine-tuning described it."""
    places = [records / stage / f"{task}.json" for stage in TASK_STAGES]
    places += [records / stage / task / f"{teacher}.json" for stage in PAIR_STAGES]
    read = {place.relative_to(records).parts[0]: json.loads(place.read_text(encoding="utf-8")) for place in places}
    finetune = read["finetune"].pop("finetune")
    base = finetune["base"]
    return {
        "card": json.loads(card.read_text(encoding="utf-8")),
        "teacher_model": {
            "kind": base["kind"],
            "name": base["model"] or f"{base['architecture']}, trained here",
            "revision": base["revision"],
            "parameters": finetune["parameters"],
            "trainable_parameters": finetune["trainable_parameters"],
            "finetune": {"history": finetune["history"], "best_epoch": finetune["best_epoch"]},
        },
        "records": list(read.values()),
    }


def find_peak(records: Sequence[Mapping[str, Any]], stage: str) -> int:
    """The most bytes of memory that a stage held, by its record."""
    return next(round(record["peak_memory_mib"] * 2**20) for record in records if record["stage"] == stage)


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Publish `rows`, of which there is one at least, as CSV with a header."""
    with publish_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
