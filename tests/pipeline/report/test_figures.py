from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from pipeline.report import figures
from pipeline.report.page import build_report
from pipeline.report.tables import build_tables


def read_texts(figure):
    return [text.text for text in ElementTree.fromstring(figure.svg).iter("text")]


def count_marks(figure, colour):
    """Markers drawn in one colour: matplotlib sets each down with <use>."""
    uses = ElementTree.fromstring(figure.svg).iter("use")
    return sum(f"var(--{colour})" in use.get("style", "") for use in uses)


def test_accuracy_has_one_mark_for_each_model_and_pair(make_summary):
    summaries = [make_summary(), make_summary("hiding"), make_summary("hiding", "llama-local", seeds=1)]
    figure = figures.draw_accuracy("f", "F", build_tables(summaries)["metrics"].only(split="test"))
    # One more of each is the legend's.
    assert count_marks(figure, "student") == count_marks(figure, "teacher") == 3 + 1
    assert {"emotion · bloom-local", "hiding · llama-local", "Accuracy (share of texts)"} <= set(read_texts(figure))


def test_training_says_its_units_and_the_mean_accuracy_of_the_kept_epochs(make_summary):
    """Kept is the epoch with the smallest validation loss: the second of seed 0, the first of seed 1."""
    summary = make_summary(seeds=2, epochs=2)
    for row, loss, accuracy in zip(summary["curves"], (0.5, 0.4, 0.3, 0.6), (0.1, 0.7, 0.8, 0.2), strict=True):
        row |= {"validation_loss": loss, "validation_accuracy": accuracy}
    figure = figures.draw_training("f", "F", build_tables([summary])["curves"])
    assert {"Epoch", "Loss (nats)"} <= set(read_texts(figure))
    assert "0.7500" in figure.description


def test_seeds_that_stop_early_and_values_that_are_missing_are_drawn(make_summary):
    summary = make_summary(seeds=2, epochs=3)
    summary["curves"] = [row for row in summary["curves"] if (row["seed"], row["epoch"]) != (1, 3)]
    summary["curves"][0]["train_loss"] = None
    figure = figures.draw_training("f", "F", build_tables([summary])["curves"])
    assert "nan" not in figure.svg.lower().replace("sans", "")


def test_a_single_epoch_is_drawn(make_summary):
    summary = make_summary(epochs=1)
    figure = figures.draw_training("f", "F", build_tables([summary])["finetune"], best_epoch=1)
    assert f"{summary['teacher_model']['finetune']['history'][0]['validation_accuracy']:.4f}" in figure.description
    assert count_marks(figure, "teacher") >= 2


def test_reliability_gives_the_calibration_errors(make_summary):
    table = build_tables([make_summary()])["reliability"]
    figure = figures.draw_reliability("f", "F", table, {"teacher": 0.01234, "student": 0.5})
    assert "teacher 0.0123, student 0.5000" in figure.description
    assert {"Accuracy", "Confidence (probability of the predicted class)"} <= set(read_texts(figure))


@pytest.mark.parametrize("seeds", [1, 5])
def test_controls_name_every_model(make_summary, seeds):
    titles = {name: name for name in ("student", "linear", "mlp", "no_entanglement", "frozen_circuit")}
    figure = figures.draw_controls("f", "F", build_tables([make_summary(seeds=seeds)])["controls"], titles)
    assert set(titles) <= set(read_texts(figure))
    assert (count_marks(figure, "student"), count_marks(figure, "control")) == (1, 4)


def test_letters_that_the_measuring_font_lacks_are_no_trouble(make_summary):
    figure = figures.draw_accuracy("f", "F", build_tables([make_summary("情感")])["metrics"].only(split="test"))
    assert "情感 · bloom-local" in read_texts(figure)


def test_every_axis_says_what_it_shows(make_summary, tmp_path, monkeypatch):
    """By a label with its unit; rows have their names instead, and panels above each other share the lowest's."""
    drawn, save = [], Figure.savefig

    def remember(figure, *arguments, **options):
        drawn.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", remember)
    build_report([make_summary(rivals=("tinybert", "textrcnn"), losses=("ce", "kl", "js"))], tmp_path)
    assert len(drawn) >= 7
    for axes in [panel for figure in drawn for panel in figure.axes if panel.axison]:  # the circuit has none
        assert any(panel.get_xlabel() for panel in axes.get_shared_x_axes().get_siblings(axes))
        assert axes.get_ylabel() or (len(axes.get_yticks()) == 0 and axes.texts)
