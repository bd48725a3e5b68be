"""A least confidence, named or by a wanted accuracy: what is said, what is refused, what `predict` leaves out."""

import json

import pytest
from click import UsageError

from pipeline.commands.least_confidence import bound_share, choose_confidence
from student_jax.calibration import Calibration
from teacher_cache.errors import UserError

CALIBRATION = Calibration(temperature=1.5, confidences=[0.9, 0.75, 0.5], texts=[40, 20, 40], right=[40, 14, 20])
STUDENT = ("--student", "students/emotion-tiny/llama-tiny")


def test_a_wanted_accuracy_says_how_many_texts_it_leaves(capsys):
    """By hand: 54 of the 60 surest of 100 are right, 90 %; with the rest it would be 74 %."""
    assert choose_confidence(CALIBRATION, None, 0.9) == 0.75
    said = capsys.readouterr().err
    assert "No class below a confidence of 0.7500" in said
    assert "answers 60 of 100 texts, 90.0% of them right (79.9% to 95.3%)" in said
    assert choose_confidence(CALIBRATION, None, 0.7) == 0.5


def test_a_named_confidence_needs_no_calibration(capsys):
    assert choose_confidence(None, 0.8, None) == 0.8
    assert choose_confidence(None, None, None) == 0
    assert capsys.readouterr().err == ""


def test_what_cannot_be_had_is_refused():
    with pytest.raises(UsageError, match="--confidence or --accuracy, not both"):
        choose_confidence(CALIBRATION, 0.8, 0.9)
    with pytest.raises(UserError, match=r"confidence must be from 0 to 1, got 1\.5"):
        choose_confidence(CALIBRATION, 1.5, None)
    with pytest.raises(UserError, match="a wanted accuracy needs a student"):
        choose_confidence(None, None, 0.9)


def test_wilsons_interval():
    """Ends p solve (share - p)^2 = z^2 p (1 - p) / n; a share of 1 has one above, too."""
    for end in bound_share(54, 60):
        assert (0.9 - end) ** 2 == pytest.approx(1.96**2 * end * (1 - end) / 60)
    low, high = bound_share(20, 20)
    assert (low, high) == pytest.approx((20 / (20 + 1.96**2), 1))


def test_predict_leaves_the_unsure_without_a_class(project):
    """The same probabilities, and a label where the largest is large enough."""
    texts = ["what a lovely day", "the", ""]
    found = project.call("qdllm", "predict", *STUDENT, *texts)
    plain = [json.loads(line) for line in found.stdout.splitlines()]
    sure = [max(one["probabilities"].values()) for one in plain[:2]]
    least = sum(sure) / 2
    asked = project.call("qdllm", "predict", *STUDENT, "--confidence", str(least), *texts)
    answers = [json.loads(line) for line in asked.stdout.splitlines()]
    assert [one["label"] for one in answers[:2]] == [
        one["label"] if confidence >= least else None for one, confidence in zip(plain, sure, strict=False)
    ]
    assert [one["probabilities"] for one in answers[:2]] == [one["probabilities"] for one in plain[:2]]
    assert answers[2] == plain[2]
    assert asked.returncode == 2  # of the empty text
    assert f"1 of 3 texts have no class: their confidence is below {least:.4f}" in asked.stderr


def test_predict_with_a_wanted_accuracy(project):
    said = project.call("qdllm", "predict", *STUDENT, "--accuracy", "0.8", "what a lovely day")
    assert said.returncode == 0, said.stderr
    assert "On validation, which chose it, that answers" in said.stderr
    refused = project.refuse("qdllm", "predict", *STUDENT, "--accuracy", "2", "what a lovely day")
    assert "accuracy must be above 0 and at most 1, got 2" in refused
