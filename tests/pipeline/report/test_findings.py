import pytest

from pipeline.report.findings import compare_controls, sampling_margin, tabulate_verdicts


def give_scores(summary, **accuracies):
    """Put accuracies with intervals of half width 0.01 into the summary, by model."""
    for name, accuracy in accuracies.items():
        place = summary["metrics"]["test"]["student"] if name == "student" else summary["controls"][name]["test"]
        place |= {"accuracy": accuracy, "accuracy_low": accuracy - 0.01, "accuracy_high": accuracy + 0.01}
    return summary


@pytest.fixture
def mixed(make_summary):
    """The circuit beats one control, loses to one, and overlaps with two, of which one is the better mean."""
    scores = {"no_entanglement": 0.795, "frozen_circuit": 0.7, "mlp": 0.815, "linear": 0.83}
    return give_scores(make_summary(), student=0.8, **scores)


def test_sentence_follows_from_the_intervals(mixed):
    sentence = compare_controls(mixed)
    better, rest = sentence.split("; not distinguishable from ")
    same, worse = rest.split("; worse than ")
    assert "better than the circuit frozen at its random start (0.7000, 0.6900 to 0.7100)" in better
    assert "the circuit without entanglement" in same
    assert "the MLP" in same
    assert worse == "the linear model (0.8300, 0.8200 to 0.8400)."


def test_touching_intervals_are_not_distinguishable(make_summary):
    """0.80 + 0.01 meets 0.82 - 0.01: no claim either way."""
    summary = make_summary()
    summary["metrics"]["test"]["student"] |= {"accuracy": 0.8, "accuracy_low": 0.79, "accuracy_high": 0.81}
    summary["controls"] = {"mlp": {"test": {"accuracy": 0.82, "accuracy_low": 0.81, "accuracy_high": 0.83}}}
    assert "is not distinguishable from the MLP" in compare_controls(summary)


def test_one_seed_claims_nothing(make_summary):
    sentence = compare_controls(make_summary(seeds=1))
    assert sentence.startswith("With one seed no difference can be claimed")
    assert "better" not in sentence


def test_without_controls_there_is_no_sentence(make_summary):
    assert compare_controls(make_summary(controls=False)) is None


def test_verdicts_count_students_of_several_seeds(mixed, make_summary):
    verdicts = tabulate_verdicts([mixed, mixed, make_summary("hiding", seeds=1)])
    assert verdicts.rows == (
        ("circuit without entanglement", 0, 2, 0),
        ("circuit frozen at its random start", 2, 0, 0),
        ("MLP", 0, 2, 0),
        ("linear model", 0, 0, 2),
    )


def test_sampling_margin_by_hand(make_summary):
    """100 texts at accuracy 1/2: 1.96 sqrt(1/4 / 100) = 0.098."""
    summary = make_summary()
    summary["confusion"]["student"] = [[30, 20], [30, 20]]
    summary["metrics"]["test"]["student"]["accuracy"] = 0.5
    assert sampling_margin(summary) == (100, pytest.approx(0.098))
