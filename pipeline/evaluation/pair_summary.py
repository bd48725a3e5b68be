"""A student and its teacher on what nothing was trained on: the PairSummary of one task and teacher.

In: dataset, manifest, the folder of a student.
Out: summarise_pair(), require_cache(), predict_chosen(), write_table().
Imports: student_jax; no torch.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.evaluation.confidence import Calibrated, Errors
from pipeline.evaluation.cuts import describe_surrogate
from pipeline.evaluation.metrics import expected_calibration_error, negative_log_likelihood
from pipeline.evaluation.predictions import count_training, predict_splits, read_embedder, score_splits, sees_labels
from pipeline.evaluation.scoring import Predictions, average_scores, count_sides, score_seeds, score_teacher
from pipeline.evaluation.sending import judge, measure_cascade, measure_coverage_area, tabulate_coverage
from pipeline.evaluation.summary import Epoch, PairSummary, StudentParameters
from student_jax.checkpoint import Checkpoint
from student_jax.data.dataset import Split
from student_jax.diagnosis.live_parameters import count_parameters
from student_jax.model import build_model, build_scorer, count_trainable, time_scoring
from student_jax.training.curves import CURVES, read_curves
from student_jax.tunable import Setting, Tuning
from teacher_cache.errors import UserError
from teacher_cache.manifest import Manifest
from teacher_cache.publish import publish_file


def summarise_pair(
    dataset: Mapping[str, Split], manifest: Manifest, checkpoint: Checkpoint, student: Path
) -> tuple[PairSummary, np.ndarray]:
    """All that is told of a pair; and the probabilities (rows, classes) that `predict` gives the test split.

    Raises:
        UserError: the student was trained against another cache.
    """
    require_cache(checkpoint, manifest, student)
    description = checkpoint.description
    config, classes, chosen = description.config, len(description.labels), description.selected
    model = build_model(config, description.dimensions, classes)
    score, trainable = build_scorer(model, config.precision), count_trainable(model)
    scores = score_splits(score, checkpoint.parameters, dataset)
    splits = predict_splits(scores, dataset)
    answers = predict_chosen(scores, checkpoint, dataset)
    calibrated, said = _calibrate(checkpoint, answers), {name: judge(split) for name, split in answers.items()}
    seeds = score_seeds(splits, description.seeds)
    probabilities = answers["test"].student[0]
    confusion, reliability = count_sides(splits["test"], chosen, probabilities if calibrated else None)
    embedder = read_embedder(student)
    test = dataset["test"].features
    summary = PairSummary(
        task=manifest.task,
        teacher=manifest.teacher,
        labels=list(manifest.labels),
        parameters=StudentParameters(
            trainable=trainable,
            inference=trainable + embedder["inference_parameters"],
            dead=count_parameters(config, description.dimensions, classes).dead,
        ),
        settings=asdict(config),
        tuning=description.tuning or untuned(),
        seeds=seeds,
        selected_seed=description.seeds[chosen],
        metrics=average_scores(seeds),
        curves=[Epoch(**row._asdict()) for row in read_curves(student / CURVES)],
        seconds_per_epoch=description.seconds_per_epoch,
        inference_seconds=time_scoring(score, checkpoint.selected_parameters, test),
        inference_texts=len(test),
        trained_on=count_training(dataset, config.pool),
        features_saw_labels=sees_labels(embedder["config"]),
        cache=manifest.fingerprint,
        embed=embedder["config"],
        engine=config.engine,
        teacher_metrics=score_teacher(splits),
        confusion=confusion,
        reliability=reliability,
        calibrated=calibrated,
        coverage=tabulate_coverage(said["test"]),
        coverage_area=measure_coverage_area(said["test"]),
        cascade=measure_cascade(said["validation"], said["test"]),
        surrogate=describe_surrogate(checkpoint, student, test, scores["test"][chosen]),
    )
    return summary, probabilities


def predict_chosen(
    scores: Mapping[str, np.ndarray], checkpoint: Checkpoint, dataset: Mapping[str, Split]
) -> dict[str, Predictions]:
    """What `predict` says of validation and test: the chosen seed alone, at its temperature."""
    chosen = checkpoint.description.selected
    own = {name: said[chosen : chosen + 1] for name, said in scores.items()}
    return predict_splits(own, dataset, checkpoint.description.temperature)


def _calibrate(checkpoint: Checkpoint, answers: Mapping[str, Predictions]) -> Calibrated | None:
    found = checkpoint.description.calibration
    if found is None:
        return None
    errors = {
        name: Errors(
            ece=expected_calibration_error(split.student[0], split.labels),
            nll=negative_log_likelihood(split.student[0], split.labels),
        )
        for name, split in answers.items()
    }
    return Calibrated(temperature=found.temperature, labels=sum(found.texts), **errors)


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


def untuned() -> Tuning:
    """The tuning of a student of version 0.1, which had one setting and kept no means of it."""
    return Tuning(settings=[Setting(values={}, validation_loss=None, validation_accuracy=None)], chosen=0)


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Publish `rows`, of which there is one at least, as CSV with a header."""
    with publish_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
