"""What a run has cost is read by the report alone: a stage that makes the same bytes again makes nobody else run."""

import shutil

from tests.pipeline.stages.test_deps import STAGES


def test_records_are_an_input_of_the_report_alone():
    readers = {name for name, stage in STAGES.items() for dep in stage.get("deps", []) if dep.startswith("records")}
    assert readers == {"report"}


def test_preparing_the_same_again_runs_the_report_and_nothing_else(project, tmp_path):
    checkout = project.at(tmp_path / "project")
    shutil.copytree(project.folder, checkout.folder)
    before = (checkout.folder / "records/prepare/emotion-tiny.json").read_bytes()
    assert checkout.repro("--force", "--single-item", "prepare@emotion-tiny") == ["prepare"]
    assert (checkout.folder / "records/prepare/emotion-tiny.json").read_bytes() != before
    assert checkout.repro() == ["report"]
