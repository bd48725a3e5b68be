"""Rows of somebody's file become logits of examples, or are counted, or refused with their line."""

import numpy as np
import pytest

from teacher_cache.errors import UserError
from teacher_cache.imports import gathering
from teacher_cache.imports.gathering import Gathering, Row, Rules

IDS = np.frombuffer(bytes(range(16 * 4)), "V16")


def gather(*rows, **rules):
    found = Gathering("said.csv line", IDS, 2, Rules(**rules))
    for number, (index, *said) in enumerate(rows, start=2):
        found.add(Row(number, IDS[index].tobytes() if index is not None else b"x" * 16, *said))
    found.finish()
    return found


def say(*probabilities):
    return np.log(probabilities).astype(np.float32)


@pytest.mark.parametrize("block", [1, 3, 8192])
def test_rows_are_joined_by_id_and_counted(monkeypatch, block):
    monkeypatch.setattr(gathering, "BLOCK_ROWS", block)
    found = gather(
        (2, [0.25, 0.75]), (0, [0.9, 0.1]), (None, [0.5, 0.5]), (0, [0.9, 0.1]), (1, None), (3, [0.8, 0.195])
    )
    assert found.answered.tolist() == [True, False, True, True]
    np.testing.assert_allclose(found.logits[[0, 2]], [say(0.9, 0.1), say(0.25, 0.75)], rtol=1e-6)
    np.testing.assert_allclose(found.logits[3], say(0.8 / 0.995, 0.195 / 0.995), rtol=1e-6)
    counts = {"rows": 6, "joined": 3, "foreign": 1, "empty": 1, "repeated": 1, "renormalised": 1}
    assert found.counts == counts | {"shared": 0, "others": 0}


@pytest.mark.parametrize("block", [1, 8192])
def test_two_answers_to_one_text_are_refused_with_both_lines(monkeypatch, block):
    monkeypatch.setattr(gathering, "BLOCK_ROWS", block)
    with pytest.raises(UserError, match=r"said\.csv line 4: a text must have one answer, got another than .* line 2;"):
        gather((1, [0.5, 0.5]), (2, [0.5, 0.5]), (1, [0.6, 0.4]))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.9, 0.07], "line 2: probabilities must add up to 1 within 0.01, got 0.97; base.sums: renormalise divides"),
        ([-0.1, 1.1], "line 2: a probability must be >= 0, got -0.1"),
        ([0.0, 0.0], "line 2: probabilities must have a sum that is finite and > 0, got 0.0"),
    ],
)
def test_what_is_no_distribution_is_refused(values, message):
    with pytest.raises(UserError, match=message):
        gather((1, values))


def test_sums_are_divided_by_where_that_is_asked_for_and_within_the_tolerance():
    for rules in ({"sums": "renormalise"}, {"tolerance": 0.05}):
        found = gather((1, [0.9, 0.07]), **rules)
        np.testing.assert_allclose(found.logits[1], say(0.9 / 0.97, 0.07 / 0.97), rtol=1e-6)
        assert found.counts["renormalised"] == 1


def test_what_is_no_class_has_no_share():
    """By hand: of World 0.6, Sports 0.2 and some other word 0.2 the classes have 3/4 and 1/4; that sum is no fault."""
    found = gather((0, np.log([0.6, 0.2]), 0.2), (1, [np.log(0.7), np.nan], 0.0), kind="log_probabilities")
    np.testing.assert_allclose(found.logits[:2], [say(0.75, 0.25), say(0.7, 0.3)], rtol=1e-6)
    assert [found.counts[what] for what in ("renormalised", "others", "shared")] == [0, 1, 1]
