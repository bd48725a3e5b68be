"""The fault matrix in short: a few trials of every fault; `make faults` makes them all."""

import pytest

from teacher_cache.errors import UserError
from tests.faults.outcomes import Row, judge
from tests.faults.run_faults import MATRIX, write_table
from tests.faults.subject import Ground, lay_ground


@pytest.fixture(scope="module")
def ground(tmp_path_factory) -> Ground:
    return lay_ground(tmp_path_factory.mktemp("ground"))


@pytest.mark.parametrize("fault", MATRIX, ids=lambda fault: fault.__name__)
def test_a_fault_ends_in_a_clear_error_or_a_correct_result(ground, fault):
    _, trials = MATRIX[fault]
    row = fault(ground, trials)
    if row.not_run:
        pytest.skip(row.not_run)
    assert row.complaints == []
    assert row.trials == trials
    assert row.outcomes["silent"] == row.outcomes["failed"] == 0


def test_what_a_trial_comes_to():
    """The matrix can fail: other numbers are silent, and only a UserError is a refusal."""

    def fail(error):
        raise error

    assert judge(lambda: 1, 1) == ("correct", "")
    assert judge(lambda: 2, 1)[0] == "silent"
    assert judge(lambda: fail(UserError("rule, got that")), 1) == ("refused", "rule, got that")
    assert judge(lambda: fail(UserError("two\nlines")), 1)[0] == "failed"
    outcome, complaint = judge(lambda: fail(ValueError("x")), 1)
    assert outcome == "failed"
    assert complaint.startswith("ValueError: x (")


def test_the_table_counts_every_outcome_and_says_what_was_not_run():
    row = Row("flood")
    for outcome in ("refused", "refused", "silent"):
        row.add(outcome, "why")
    lines = write_table([row.to_json(), Row("fire", not_run="no matches").to_json()]).splitlines()
    assert lines[2] == "| flood | 3 | 0 | 2 | 1 | 0 |  |"
    assert lines[3] == "| fire | 0 | 0 | 0 | 0 | 0 | not run: no matches |"
