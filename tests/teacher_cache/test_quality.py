"""The tally of parts equals the metrics of the whole."""

import numpy as np
import pytest

from pipeline.evaluation.metrics import score
from teacher_cache.quality import QualityTally


def test_a_tally_in_parts_is_the_score_of_the_whole():
    random = np.random.default_rng(0)
    logits = random.normal(size=(500, 4)) * 3
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    label = random.integers(0, 4, 500)
    tally = QualityTally()
    for part in np.array_split(np.arange(500), 7):
        tally.add(label[part], probabilities[part])
    expected = score(probabilities, label)
    found = tally.result()
    assert {name: found[name] for name in ("accuracy", "nll", "ece")} == pytest.approx(
        {name: expected[name] for name in ("accuracy", "nll", "ece")}
    )
    assert found["entropy"] == pytest.approx(-(probabilities * np.log(probabilities)).sum(1).mean())


def test_a_certain_teacher_stays_finite():
    tally = QualityTally()
    tally.add(np.array([0, 1]), np.array([[1.0, 0.0], [1.0, 0.0]], np.float32))
    result = tally.result()
    assert result["accuracy"] == 0.5
    assert result["ece"] == pytest.approx(0.5)
    assert np.isfinite(list(result.values())).all()
