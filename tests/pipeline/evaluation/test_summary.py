"""The typed summaries: what is written comes back, and what is not one is refused with advice."""

import json
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.evaluation.confidence import Calibrated, Errors
from pipeline.evaluation.scoring import Predictions, average_scores, count_sides, score_seeds, score_teacher
from pipeline.evaluation.sending import judge, measure_cascade, measure_coverage_area, tabulate_coverage
from pipeline.evaluation.summary import (
    Comparison,
    Epoch,
    PairSummary,
    Parameters,
    Start,
    StudentParameters,
    TrainedOn,
    list_metrics,
    read_comparison,
    read_pair,
    write_summary,
)
from student_jax.tunable import Setting, Tuning
from teacher_cache.errors import UserError

TEACHER = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
LABELS = np.array([0, 1, 1, 1])
RIGHT = np.array([[0.8, 0.2], [0.1, 0.9], [0.4, 0.6], [0.1, 0.9]])
SPLITS = {name: Predictions(np.stack([RIGHT[:, ::-1], RIGHT]), TEACHER, LABELS) for name in ("validation", "test")}
ONE = Setting(values={"learning_rate": 0.01}, validation_loss=0.5, validation_accuracy=0.5)


def build(kind, **own):
    seeds = score_seeds(SPLITS, [7, 8])
    return kind(
        task="t",
        teacher="m",
        labels=["bad", "good"],
        settings={"epochs": 1},
        tuning=Tuning(settings=[ONE], chosen=0),
        seeds=seeds,
        selected_seed=8,
        metrics=average_scores(seeds),
        curves=[Epoch(seed=7, epoch=1, train_loss=0.6, validation_loss=0.5, validation_accuracy=0.5)],
        seconds_per_epoch=0.1,
        inference_seconds=0.01,
        inference_texts=4,
        trained_on=TrainedOn(labelled=3, pool=2),
        cache="abc",
        **own,
    )


def build_pair():
    confusion, reliability = count_sides(SPLITS["test"], 1, RIGHT)
    said, errors = judge(SPLITS["test"], 1), Errors(ece=0.125, nll=0.25)
    return build(
        PairSummary,
        parameters=StudentParameters(trainable=42, inference=50, dead=2),
        embed={"kind": "corpus"},
        engine="fused",
        teacher_metrics=score_teacher(SPLITS),
        confusion=confusion,
        reliability=reliability,
        calibrated=Calibrated(temperature=1.5, labels=60, validation=errors, test=errors),
        coverage=tabulate_coverage(said),
        coverage_area=measure_coverage_area(said),
        cascade=measure_cascade(said, said),
        features_saw_labels=True,
    )


def build_comparison():
    start = Start(path="bert", sha256="0" * 64)
    return build(
        Comparison,
        parameters=Parameters(trainable=9, inference=9),
        comparator="pkd",
        reads="texts",
        cut_texts=3,
        initialised_from=start,
    )


@pytest.mark.parametrize(
    ("make", "read"), [(build_pair, read_pair), (build_comparison, partial(read_comparison, stage="compare"))]
)
def test_what_is_written_comes_back(tmp_path, make, read):
    path, summary = tmp_path / "new" / "summary.json", make()
    write_summary(path, summary)
    assert read(path) == summary
    assert json.loads(path.read_text())["format"] == 2


def test_the_numbers_by_hand():
    summary = build_pair()
    assert summary.teacher_metrics.test.accuracy == 0.75
    assert [one.test.accuracy for one in summary.seeds] == [0.0, 1.0]  # one seed has all wrong, the other all right
    assert summary.metrics.test.accuracy == 0.5
    assert summary.metrics.test.agreement == pytest.approx((0.25 + 0.75) / 2)
    assert summary.confusion.teacher == [[1, 0], [1, 2]]
    assert summary.confusion.student == [[1, 0], [0, 3]]
    assert sum(one.count for one in summary.reliability.student) == 4
    assert list_metrics(summary)["test"]["student"]["trainable_parameters"] == 42
    assert summary.reliability.calibrated == summary.reliability.student
    chosen = list_metrics(summary)["test"]["chosen_seed"]
    assert chosen["ece"] == summary.seeds[1].test.ece
    assert (chosen["ece_calibrated"], chosen["nll_calibrated"], chosen["temperature"]) == (0.125, 0.25, 1.5)
    # All four are right, so that no risk is left and nothing is sent.
    assert (chosen["risk_coverage_area"], chosen["sent_to_teacher"], chosen["cascade_accuracy"]) == (0, 0, 1)
    plain = list_metrics(replace(summary, calibrated=None))["test"]["chosen_seed"]
    assert "temperature" not in plain
    assert plain["ece"] == chosen["ece"]
    assert list_metrics(build_comparison())["test"]["comparator"]["accuracy"] == 0.5


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda text: text[:50], "must be a mapping in JSON"),
        (lambda text: "[]", "must be a mapping in JSON"),
        (lambda text: "{}", "must be of format 2, got 1"),
        (lambda text: text.replace('"format": 2', '"format": 3'), "must be of format 2, got 3"),
        (lambda text: text.replace('"selected_seed": 8', '"selected_seed": "8"'), "selected_seed: .*integer"),
        (lambda text: text.replace('"selected_seed": 8', '"selected_seed": 9'), "selected_seed must be one of the"),
        (lambda text: text.replace('"trainable": 42', '"trained": 42'), "parameters"),
        (lambda text: text.replace('"train_loss": 0.6', '"train_loss": NaN'), "train_loss: .*finite"),
    ],
)
def test_a_damaged_summary_is_refused_in_one_line(tmp_path, damage, complaint):
    path = tmp_path / "summary.json"
    write_summary(path, build_pair())
    path.write_text(damage(path.read_text()))
    with pytest.raises(UserError, match=f"^{path}.*{complaint}.*; run `dvc repro evaluate`$"):
        read_pair(path)


def test_a_summary_that_is_missing_or_of_the_other_kind(tmp_path):
    with pytest.raises(UserError, match=r"summary\.json must exist; run `dvc repro evaluate`"):
        read_pair(tmp_path / "summary.json")
    write_summary(tmp_path / "summary.json", build_pair())
    with pytest.raises(UserError, match="run `dvc repro compare`"):
        read_comparison(tmp_path / "summary.json", "compare")


def test_no_number_that_is_not_finite_and_no_choice_that_was_not_there():
    with pytest.raises(ValidationError, match="finite"):
        replace(build_pair(), seconds_per_epoch=float("nan"))
    with pytest.raises(ValidationError, match="chosen must be below 1, got 1"):
        Tuning(settings=[ONE], chosen=1)
    assert asdict(build_comparison())["reads"] == "texts"
