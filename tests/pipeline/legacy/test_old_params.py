"""Version 0.1's params.yaml, where it leaves something unsaid."""

from ruamel.yaml import YAML

from pipeline.legacy.old_params import carry_params


def test_what_version_0_1_did_unasked_is_written_down():
    content = YAML().load("tasks: [mood]\nteachers: [llama]\nbaselines: []\nprepare: {split: [6, 2, 2]}\n")
    assert "prepare.balance: true, as version 0.1 had it where nothing was said" in carry_params(content)
    assert content["prepare"] == {"split": [6, 2, 2], "balance": True}


def test_what_was_said_stays():
    content = YAML().load("tasks: [mood]\nteachers: [llama]\nbaselines: []\nprepare: {balance: false}\n")
    assert not [line for line in carry_params(content) if line.startswith("prepare")]
    assert content["prepare"] == {"balance": False}


def test_the_students_terms_and_its_pool_have_their_names_of_today():
    content = YAML().load(
        "tasks: [mood]\nteachers: [llama]\nbaselines: []\nevaluate: {controls: [], losses: [ce, kl]}\n"
    )
    carry_params(content)
    assert content["comparators"] == ["labels_alone", "kl"]
    assert content["comparator"]["labels_alone"] == {}
    assert content["student"] == {"pool": None}
