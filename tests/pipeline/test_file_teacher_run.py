"""A real DVC runs a teacher that is a file: what it makes, what makes it run again, and that the file stays."""

import csv
import shutil

import pyarrow.parquet as pq

from teacher_cache.reader import open_cache

BLOCK = """
teacher:
  colleague:
    base: {kind: file, path: raw/said.csv, made_by: a colleague, numbers: label, column: answer, confidence: 0.9,
      missing: drop, classes: {good: positive, bad: negative}}
    finetune: {}
    cache_teacher: {}
"""


def test_it_runs_as_any_teacher_and_its_file_is_watched(project, tmp_path):
    """A colleague's right labels, 90 % sure, one of a text of somebody else, and none of a test text."""
    checkout = project.at(tmp_path / "project")
    shutil.copytree(project.folder, checkout.folder, symlinks=True)
    examples = pq.read_table(checkout.folder / "data/emotion-tiny/examples.parquet").to_pylist()
    test = [one for one in examples if one["split"] == "test"]
    unanswered = test[0]
    path = checkout.folder / "raw/said.csv"
    path.parent.mkdir()
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "answer"])
        rows.writerows((one["text"], ("bad", "good")[one["label"]]) for one in examples if one is not unanswered)
        rows.writerow(["a text of somebody else", "good"])
    said = path.read_bytes()
    checkout.edit("\nteacher:\n", BLOCK)
    checkout.edit("teachers: [llama-tiny]", "teachers: [colleague]")

    own = ["base", "finetune", "cache_teacher", "train_student", "evaluate", "compare"]
    assert sorted(set(checkout.repro())) == sorted([*own, "report"])
    assert path.read_bytes() == said
    manifest = open_cache(checkout.folder / "cache/emotion-tiny/colleague", {}).manifest
    assert (manifest.identity["import"]["joined"], manifest.identity["import"]["foreign"]) == (len(examples) - 1, 1)
    assert manifest.quality["test"]["accuracy"] == 1
    for name in ("student", "linear"):  # whoever is compared answers the others alone
        answers = pq.read_table(checkout.folder / f"comparisons/emotion-tiny/colleague/{name}/answers.parquet")
        assert sorted(answers["example_id"].to_pylist()) == sorted(one["example_id"] for one in test[1:])
    teachers = (checkout.folder / "reports/tables/teachers.csv").read_text()
    assert "emotion-tiny,colleague,file,a colleague," in teachers

    path.write_bytes(said + b"another,bad\n")
    plan = checkout.run("qdllm", "plan")
    assert plan.startswith("base@emotion-tiny-colleague  ")
    assert "raw/said.csv changed" in plan
