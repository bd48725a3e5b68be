"""A pool through the stages up to the cache: all learn to read from it, nobody sees the labels that are hidden."""

import json
import shutil
from contextlib import chdir
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from student_jax.data.dataset import open_dataset
from teacher_cache.manifest import read_manifest
from teacher_cache.reader import open_cache
from teacher_cache.schema import HIDDEN_LABELS, LABELLED_SPLITS, NO_LABEL
from teacher_cache.verify import verify_cache
from tests.golden.given import run_stage
from tests.teacher_cache.teacher.conftest import LABELS, TINY, make_texts

PARAMS = {
    "seed": 7,
    "task": {
        "topics": {
            "labels": LABELS,
            "source": {"kind": "file", "path": "all.jsonl"},
            "pool": {"kind": "file", "path": "pool.jsonl"},
            "labelled": 60,
        }
    },
    "prepare": {},
    "embed": {"dimensions": 16},
    "teacher": {
        "small": {
            "base": {"kind": "local", "architecture": "llama", **TINY},
            "finetune": {"rank": 2, "alpha": 4.0, "epochs": 1, "max_length": 24},
            "cache_teacher": {"rows_per_part": 64},
        }
    },
    "student": {"engine": "fused", "circuit": {"qubits": 2, "layers": 1}, "epochs": 1, "seeds": 1},
}
NAMES = {"task": "topics", "teacher": "small"}
TRAINED = {"student": "student", "compiled": "compiled", "record": "record.json"}


def run_from_data(folder):
    """The stages that follow prepare."""
    record = {"record": "record.json"}
    made = {"base": "base", "adapter": "adapter", "work": "work/one"}
    with chdir(folder):
        run_stage("embed", task="topics", data="data", features="features", **record)
        run_stage("base", **NAMES, data="data", base="base", **record)
        run_stage("finetune", **NAMES, data="data", **made, **record)
        run_stage("cache_teacher", **NAMES, data="data", **{**made, "work": "work/two"}, cache="cache", **record)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """150 texts, of which 60 keep their label and 45 hide it, and 30 that never had one, with a word of their own."""
    folder = tmp_path_factory.mktemp("pool")
    rows = [{"text": text, "label": LABELS[label]} for text, label in zip(*make_texts(150), strict=True)]
    texts = [f"{text} zeppelin" for text in make_texts(30, seed=1)[0]]
    for name, content in (("all", rows), ("pool", [{"text": text} for text in texts])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content))
    (folder / "params.yaml").write_text(json.dumps(PARAMS))
    with chdir(folder):
        run_stage("prepare", task="topics", data="data", card="card.json", record="record.json")
    run_from_data(folder)
    return folder


def test_the_cache_answers_the_pool_and_measures_what_has_labels(made):
    table = pq.read_table(made / "data/examples.parquet")
    assert verify_cache(made / "cache", table)["examples"] == "ok"
    rows = open_cache(made / "cache", {}).read()
    card = json.loads((made / "card.json").read_text())
    assert card["pool"]["texts"] == np.sum(rows.label == NO_LABEL) == table["label"].null_count
    assert card["pool"]["hidden_labels"] == pq.read_metadata(made / "data/hidden_labels.parquet").num_rows > 0
    assert [*read_manifest(made / "cache").quality] == [*LABELLED_SPLITS]
    dataset, _ = open_dataset(made / "features", made / "cache", "topics", "small")
    assert len(dataset["pool"].labels) == card["pool"]["texts"]
    assert len(dataset["train"].labels) + len(dataset["validation"].labels) == 60


def test_base_and_features_know_a_word_of_the_pool_alone(made):
    embedder = json.loads((made / "features/embedder.json").read_text())
    assert "zeppelin" in embedder["terms"]["words"]
    vocabulary = json.loads((made / "base/tokenizer.json").read_text())["model"]["vocab"]
    assert "\u0120zeppelin" in vocabulary


def test_hidden_labels_are_seen_by_nobody(made, tmp_path, monkeypatch):
    """Other labels in their file: all up to the student is the same bytes, but for the file's own copy."""
    for name in ("data", "params.yaml"):
        copy = shutil.copytree if (made / name).is_dir() else shutil.copy
        copy(made / name, tmp_path / name)
    path = tmp_path / "data/hidden_labels.parquet"
    table = pq.read_table(path)
    assert table.schema.equals(HIDDEN_LABELS)
    turned = pa.array([(label + 1) % 3 for label in table["label"].to_pylist()], pa.int32())
    pq.write_table(table.set_column(1, table.schema.field(1), turned), path)
    run_from_data(tmp_path)
    for folder in ("features", "base", "adapter", "cache"):
        assert read_files(tmp_path / folder) == read_files(made / folder)
    monkeypatch.setattr("pipeline.stages.train_student.use_cores", lambda: None)  # JAX may have its devices already
    for folder in (made, tmp_path):
        with chdir(folder):
            run_stage("train_student", **NAMES, features="features", cache="cache", **TRAINED)
    student = "student/student.safetensors"
    assert (tmp_path / student).read_bytes() == (made / student).read_bytes()


def read_files(folder: Path) -> dict[str, bytes]:
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "hidden_labels.parquet"}
    assert found
    return found
