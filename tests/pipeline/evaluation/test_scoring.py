"""A row for each text, as DVC's confusion template counts them; test_summary.py has the other numbers by hand."""

from pipeline.evaluation.scoring import tabulate_confusion


def test_a_confusion_row_for_each_text():
    rows = tabulate_confusion([[1, 0], [1, 2]], ["bad", "good"])
    assert len(rows) == 4
    assert rows.count({"actual": "good", "predicted": "bad"}) == 1
    assert rows.count({"actual": "good", "predicted": "good"}) == 2
