"""The model card says what the evaluation says, and nothing that a name of the user's could make of it."""

import re
from dataclasses import replace

import pytest
import yaml

from pipeline.report.card_tables import UNKNOWN, Publication, escape
from pipeline.report.model_card import write_card
from pipeline.report.worth import LABELS_ALONE
from tests.pipeline.report.conftest import make_run

PUBLICATION = Publication("someone/emotion", "apache-2.0", 768, graph=1.2e-6)


def read(card):
    """The head, and the body with runs of white space as one space."""
    _, head, body = card.split("---\n", 2)
    return yaml.safe_load(head), " ".join(body.split())


def test_the_card_has_the_summarys_numbers():
    run = make_run(comparators=("linear", "mlp", LABELS_ALONE))
    head, body = read(write_card(run, PUBLICATION))
    chosen, mean = run.summary.chosen.test, run.summary.metrics.test
    assert head["license"] == "apache-2.0"
    result = head["model-index"][0]["results"][0]
    assert [one["value"] for one in result["metrics"]] == [round(chosen.accuracy, 4), round(chosen.f1, 4)]
    assert f"| **this student** | {chosen.accuracy:.4f} |" in body
    assert f"| its teacher | {run.summary.teacher_metrics.test.accuracy:.4f} |" in body
    assert f"95 % interval from {mean.accuracy_low:.4f} to {mean.accuracy_high:.4f}" in body
    assert "What the teacher was worth: +" in body or "What the teacher was worth: -" in body
    assert "shows no difference" in body or "is worse than" in body or "is better than" in body
    assert "| MLP |" in body
    assert "within 1e-06 of the student" in body


def test_what_is_not_known_is_said():
    run = make_run(comparators=(), seeds=1, telemetry=False)
    _, body = read(write_card(run, replace(PUBLICATION, graph=None)))
    assert "whether a classical model of the same features does as well is not known" in body
    assert "how much the seed matters is not known" in body
    assert "what the teacher was worth is not known" in body
    assert body.count(UNKNOWN) == 2
    assert "model.onnx" not in body


def test_licences_are_those_that_were_told():
    run = make_run(model="bigscience/bloomz-1b1")
    told = replace(PUBLICATION, data_licence="cc-by-4.0", teacher_licence="bigscience-bloom-rail-1.0")
    _, body = read(write_card(run, told))
    assert "| bigscience/bloomz-1b1 | bigscience-bloom-rail-1.0 |" in body.replace("base model of the teacher: ", "")
    assert "cc-by-4.0" in body
    assert UNKNOWN not in body


@pytest.mark.parametrize("path", ["/home/someone/secret/my-llm", "~/secret/my-llm", "../secret/my-llm"])
def test_a_teachers_folder_is_its_last_name(path):
    card = write_card(make_run(model=path), PUBLICATION)
    assert "my-llm" in card
    assert "secret" not in card


def test_vectors_of_a_file_are_asked_for():
    run = make_run()
    own = replace(run, summary=replace(run.summary, embed={"kind": "file"}))
    assert "student.predict([" in write_card(run, PUBLICATION)
    card = write_card(own, PUBLICATION)
    assert "student.predict_features(vectors)  # float32, (rows, 768)" in card
    assert "student.predict([" not in card


def test_names_are_text_and_no_markup():
    labels = ("a|b\n# head", "<script>alert(1)</script>", "[x](http://y)", "---\nlicense: mit")
    card = write_card(make_run(labels=labels), PUBLICATION)
    assert read(card)[0]["license"] == "apache-2.0"
    assert not re.search(r"(?<!\\)<script>|(?<!\\)\]\(http|^# head|^license: mit", card, re.MULTILINE)
    tables = re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE)
    assert len(tables) == 4
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_escape():
    assert escape("a_b |\n*c*") == r"a\_b \| \*c\*"
    assert not re.search(r"(?<!\\)[<>`\[]", escape("<b>`[x]"))
