"""Figures: marks, units and words."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from pipeline.report import confidence_figures, figures
from pipeline.report.confidence_tables import sum_up_cascade
from pipeline.report.page import build_report, build_tables


def read_texts(figure):
    return [text.text for text in ElementTree.fromstring(figure.svg).iter("text")]


def count_marks(figure, colour):
    """Markers drawn in one colour: matplotlib sets each down with <use>."""
    uses = ElementTree.fromstring(figure.svg).iter("use")
    return sum(f"var(--{colour})" in use.get("style", "") for use in uses)


def test_accuracy_has_one_mark_for_each_model_and_pair(make_run):
    runs = [make_run(), make_run("hiding"), make_run("hiding", "llama-local", seeds=1)]
    figure = figures.draw_accuracy("f", "F", build_tables(runs, "default")["metrics"].only(split="test"))
    # One more of each is the legend's.
    assert count_marks(figure, "student") == count_marks(figure, "teacher") == 3 + 1
    assert {"emotion · bloom-local", "hiding · llama-local", "Accuracy (share of texts)"} <= set(read_texts(figure))


def test_training_says_its_units_and_the_mean_accuracy_of_the_kept_epochs(make_run):
    """Kept is the epoch with the smallest validation loss: the second of seed 0, the first of seed 1."""
    run = make_run(seeds=2, epochs=2)
    curves = [
        replace(epoch, validation_loss=loss, validation_accuracy=accuracy)
        for epoch, loss, accuracy in zip(run.summary.curves, (0.5, 0.4, 0.3, 0.6), (0.1, 0.7, 0.8, 0.2), strict=True)
    ]
    run = replace(run, summary=replace(run.summary, curves=curves))
    figure = figures.draw_training("f", "F", build_tables([run], "default")["curves"])
    assert {"Epoch", "Loss (nats)"} <= set(read_texts(figure))
    assert "0.7500" in figure.description


def test_seeds_that_stop_early_are_drawn(make_run):
    run = make_run(seeds=2, epochs=3)
    curves = [epoch for epoch in run.summary.curves if (epoch.seed, epoch.epoch) != (1, 3)]
    run = replace(run, summary=replace(run.summary, curves=curves))
    figure = figures.draw_training("f", "F", build_tables([run], "default")["curves"])
    assert "nan" not in figure.svg.lower().replace("sans", "")


def test_a_single_epoch_is_drawn(make_run):
    run = make_run(epochs=1)
    figure = figures.draw_training("f", "F", build_tables([run], "default")["finetune"], best_epoch=1)
    assert f"{run.describe_teacher()['history'][0]['validation_accuracy']:.4f}" in figure.description
    assert count_marks(figure, "teacher") >= 2


def test_terms_are_drawn_against_both_errors(make_run):
    figure = figures.draw_terms("f", "F", build_tables([make_run()], "default")["surrogates"])
    # One more of each is the legend's.
    assert count_marks(figure, "student") == count_marks(figure, "comparator") == 4 + 1
    assert {"Error of a probability", "Terms, all classes", "certified, any text"} <= set(read_texts(figure))
    assert {"0.01", "100,000"} <= set(read_texts(figure))
    assert "all 353,794 terms" in figure.description


def test_a_cut_that_costs_nothing_is_drawn(make_run):
    """A small circuit has few terms, and none may be left for a large error: logarithms have no zero."""
    run = make_run()
    cuts = [replace(cut, terms=0, largest_error=0.0) for cut in run.summary.surrogate.cuts]
    run = replace(run, summary=replace(run.summary, surrogate=replace(run.summary.surrogate, cuts=cuts)))
    figure = figures.draw_terms("f", "F", build_tables([run], "default")["surrogates"])
    assert count_marks(figure, "student") == 1  # the legend's


def test_reliability_gives_the_calibration_errors(make_run):
    table = build_tables([make_run()], "default")["reliability"]
    figure = figures.draw_reliability("f", "F", table, {"teacher": 0.01234, "student": 0.5})
    assert "teacher 0.0123, student 0.5000." in figure.description
    calibrated = figures.draw_reliability("f", "F", table, {"teacher": 0.1, "student": 0.5, "calibrated": 0.02})
    assert "student 0.5000, student calibrated 0.0200" in calibrated.description
    assert count_marks(calibrated, "student") > count_marks(figure, "student")
    assert {"Accuracy", "Confidence (probability of the predicted class)"} <= set(read_texts(figure))


def test_abstaining_and_asking_the_teacher_are_drawn_and_told(make_run):
    run = make_run()
    tables, cascade = build_tables([run], "default"), run.summary.cascade
    coverage = confidence_figures.draw_coverage("f", "F", tables["coverage"], 0.25)
    assert {"Answered, surest first (share of texts)", "Accuracy of these"} <= set(read_texts(coverage))
    assert count_marks(coverage, "student") == len(run.summary.coverage)
    assert "0.2500" in coverage.description
    figure = confidence_figures.draw_cascade("f", "F", tables["cascade"], cascade)
    labels = {"least sure first", "at random", "teacher alone", "chosen on validation"}
    assert labels | {"Sent to the teacher (share of texts)"} <= set(read_texts(figure))


def test_a_cascade_is_summed_up_with_its_interval_and_cost(make_run):
    cascade = make_run().summary.cascade
    found = cascade.matching
    said = sum_up_cascade(cascade, 20.0)
    assert f"texts of a confidence below {found.threshold:.3f} must go there" in said
    assert f"sends {found.sent:.1%}, and {found.accuracy:.1%} are right" in said
    assert f"for {found.sent + 0.05:.2f} of what asking it of every text costs" in said
    assert "costs" not in sum_up_cascade(cascade, None)
    none = replace(cascade, matching=replace(found, planned=0.0, threshold=0.0, sent=0.0))
    assert "On validation the student is as good with no text sent" in sum_up_cascade(none, 20.0)
    every = replace(cascade, matching=replace(found, threshold=None, sent=1.0))
    assert "every text must go there" in sum_up_cascade(every, None)


@pytest.mark.parametrize("seeds", [1, 5])
def test_comparators_are_named_and_drawn(make_run, seeds):
    figure = figures.draw_comparators("f", "F", build_tables([make_run(seeds=seeds)], "default")["comparators"])
    assert {"student", "linear model", "MLP", "circuit without entanglement"} <= set(read_texts(figure))
    assert (count_marks(figure, "student"), count_marks(figure, "comparator")) == (1, 4)


def test_letters_that_the_measuring_font_lacks_are_no_trouble(make_run):
    figure = figures.draw_accuracy("f", "F", build_tables([make_run("情感")], "default")["metrics"].only(split="test"))
    assert "情感 · bloom-local" in read_texts(figure)


def test_every_axis_says_what_it_shows(make_run, tmp_path, monkeypatch):
    """By a label with its unit; rows have their names instead, and panels above each other share the lowest's."""
    drawn, save = [], Figure.savefig

    def remember(figure, *arguments, **options):
        drawn.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", remember)
    build_report([make_run()], "default", tmp_path)
    assert len(drawn) >= 7
    for axes in [panel for figure in drawn for panel in figure.axes if panel.axison]:  # the circuit has none
        assert any(panel.get_xlabel() for panel in axes.get_shared_x_axes().get_siblings(axes))
        assert axes.get_ylabel() or (len(axes.get_yticks()) == 0 and axes.texts)
