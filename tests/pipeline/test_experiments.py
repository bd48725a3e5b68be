"""What DVC says of experiments: the numbers of each, and no others; one override changes one teacher."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
METRICS = "metrics/emotion-tiny/llama-tiny.json"


def read_accuracy(content):
    return content["test"]["student"]["accuracy"]


def test_every_experiment_has_its_own_numbers(project, tmp_path):
    """The metrics are in DVC's cache, by the hash in each experiment's dvc.lock; Git knows nothing of them."""
    checkout = project.at(tmp_path / "copy")
    shutil.copytree(project.folder, checkout.folder, ignore=shutil.ignore_patterns("work"))
    checkout.run("git", "add", "--all")
    checkout.run("git", "commit", "--quiet", "--message", "Start")
    metrics = checkout.folder / METRICS
    before = read_accuracy(json.loads(metrics.read_text()))

    checkout.run("dvc", "exp", "run", "--name", "short", "-S", "student.epochs=1", "-S", "student.learning_rate=1.0e-5")
    after = read_accuracy(json.loads(metrics.read_text()))
    assert after != before
    (change,) = (
        found["test.student.accuracy"]
        for path, found in json.loads(checkout.run("dvc", "metrics", "diff", "--json")).items()
        if path == METRICS
    )
    assert (change["old"], change["new"]) == (before, after)
    checkout.run("git", "checkout", "--quiet", "--force", ".")
    checkout.run("dvc", "checkout", "--quiet", "--force")
    assert read_accuracy(json.loads(metrics.read_text())) == before

    rows = csv.DictReader(checkout.run("dvc", "exp", "show", "--csv").splitlines())
    found = {row["Experiment"] or row["rev"]: float(row["test.student.accuracy"]) for row in rows}
    assert found["short"] == pytest.approx(after, abs=1e-4)
    assert found["workspace"] == pytest.approx(before, abs=1e-4)

    checkout.run("dvc", "exp", "apply", "short")
    assert read_accuracy(json.loads(metrics.read_text())) == after


def test_dvc_keeps_the_metrics_of_every_stage():
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
    assert {name for name in stages if "metrics" in stages[name]} == {"evaluate", "compare", "compare_texts"}
    assert all(isinstance(one, str) for stage in stages.values() for one in stage.get("metrics", []))


@pytest.mark.parametrize("teacher", ["llama2-7b", "bloom", "bloomz-1b1"])
def test_an_override_changes_one_teacher_and_keeps_the_rest(tmp_path, teacher):
    path = Path(shutil.copy(ROOT / "params.yaml", tmp_path))
    before = YAML(typ="safe").load(path.read_text())
    apply_overrides(path, [f"teacher.{teacher}.finetune.epochs=7"])
    after = YAML(typ="safe").load(path.read_text())
    assert after["teacher"][teacher]["finetune"].pop("epochs") == 7
    before["teacher"][teacher]["finetune"].pop("epochs")
    assert after == before


@pytest.mark.parametrize(
    "path", [ROOT / "params.yaml", *(ROOT / "pipeline").glob("*/*.yaml")], ids=lambda path: path.name
)
def test_no_alias_stands_where_an_override_is_meant(path):
    events = YAML().parse(path.read_text())
    assert not [event for event in events if type(event).__name__ == "AliasEvent"]
