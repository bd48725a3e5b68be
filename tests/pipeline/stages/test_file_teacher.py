"""Stages base, finetune and cache_teacher of a file of answers: no torch, the same bytes, no text without its due."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from scipy.special import softmax

from pipeline.stages import base, cache_teacher, finetune
from student_jax.data.dataset import join_dataset
from student_jax.data.features import Features
from teacher_cache.errors import UserError
from teacher_cache.reader import ids_to_numpy, labels_to_numpy, open_cache
from teacher_cache.verify import verify_cache
from tests.pipeline.stages.test_deps import ROOT, block
from tests.pipeline.weather import COUNTS, is_of, list_rows, make_weather, write_rows

PAIR = ("--task", "weather", "--teacher", "colleague")
STAGES = {
    "base": (base, "--data", "data", "--base", "base", "--record", "record.json"),
    "finetune": (
        finetune,
        "--data",
        "data",
        "--base",
        "base",
        "--adapter",
        "adapter",
        "--work",
        "work",
        "--record",
        "r",
    ),
    "cache_teacher": (
        *(cache_teacher, "--data", "data", "--base", "base", "--adapter", "adapter", "--work", "work/cache"),
        *("--cache", "cache", "--record", "record.json"),
    ),
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with examples, and a colleague's file of answers."""
    monkeypatch.chdir(tmp_path)
    make_weather(tmp_path)
    write_params(tmp_path)
    return tmp_path


def write_params(folder, **said):
    block = {"kind": "file", "path": "raw/said.parquet", "made_by": "a colleague's scikit-learn", **said}
    params = {"seed": 1, "teacher": {"colleague": {"base": block, "cache_teacher": {"rows_per_part": 20}}}}
    (folder / "params.yaml").write_text(json.dumps(params))


def run(*names):
    for name in names or STAGES:
        stage, *arguments = STAGES[name]
        stage.main.main([*PAIR, *arguments], standalone_mode=False)


def read_bytes(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_file_becomes_a_cache_without_torch_and_with_the_same_bytes_each_time(project):
    """In a process that cannot import the teacher's libraries, then in this one, from a file that was moved."""
    calls = [
        f"from pipeline.stages.{name} import main\nmain({[*PAIR, *arguments]!r}, standalone_mode=False)"
        for name, (_, *arguments) in STAGES.items()
    ]
    missing = block("torch", "transformers", "peft", "accelerate", "tokenizers", "datasets", "jax", "dvc")
    code = "\n".join([f"import sys; sys.path.insert(0, {str(ROOT)!r})", missing, *calls])
    subprocess.run([sys.executable, "-c", code], check=True, cwd=project)

    said = pq.read_table("raw/said.parquet")
    cache = open_cache(project / "cache", {"task": "weather", "teacher": "colleague"})
    rows = cache.read()
    expected = np.column_stack([said["dull"], said["fine"]])
    np.testing.assert_allclose(rows.probabilities, expected, atol=1e-6)
    np.testing.assert_allclose(softmax(rows.logits.astype(float), axis=1), expected, atol=1e-6)
    examples = pq.read_table("data/examples.parquet")
    assert rows.example_id.tobytes() == ids_to_numpy(examples["example_id"]).tobytes()
    assert np.array_equal(rows.label, labels_to_numpy(examples["label"]))
    assert verify_cache(project / "cache", examples)["examples"] == "ok"
    identity = cache.manifest.identity
    assert identity["base"]["made_by"] == "a colleague's scikit-learn"
    assert identity["import"]["joined"] == identity["import"]["rows"] == 52
    assert set(cache.manifest.quality) == {"train", "validation", "test"}
    assert cache.manifest.quality["test"]["accuracy"] == np.mean(
        expected[is_of("test")].argmax(1) == rows.label[is_of("test")]
    )
    assert json.loads((project / "adapter/finetune.json").read_text())["base"]["kind"] == "file"

    before = read_bytes(project / "cache")
    (project / "elsewhere").mkdir()
    (project / "raw/said.parquet").rename(project / "elsewhere/other.parquet")
    write_params(project, path="elsewhere/other.parquet")
    run()
    assert read_bytes(project / "cache") == before


def test_parts_that_are_there_are_not_made_again(project):
    run()
    parts = {path: path.stat().st_mtime_ns for path in (project / "work/cache").rglob("part-*.parquet")}
    before = read_bytes(project / "cache")
    next(iter(parts)).unlink()
    run("cache_teacher")
    made = [path for path in parts if path.stat().st_mtime_ns != parts[path]]
    assert made == [next(iter(parts))]
    assert read_bytes(project / "cache") == before


def test_texts_of_train_and_pool_without_an_answer_have_no_row_and_are_named(project, caplog):
    lacking = np.flatnonzero(is_of("train") | is_of("pool"))[::5]
    write_rows(project, ~np.isin(np.arange(52), lacking))
    with caplog.at_level("INFO"):
        run()
    cache = open_cache(project / "cache", {})
    ids = ids_to_numpy(pq.read_table("data/examples.parquet")["example_id"])
    assert cache.manifest.left_out == tuple(sorted(ids[lacking][row].tobytes().hex() for row in range(len(lacking))))
    without = {split: int(is_of(split)[lacking].sum()) for split in ("train", "pool")}
    assert cache.manifest.identity["import"]["left_out"] == without
    assert f"left out: {without['train']} of train, {without['pool']} of pool" in caplog.text
    assert verify_cache(project / "cache", pq.read_table("data/examples.parquet"))["examples"] == "ok"
    dataset = join_dataset(Features(ids, np.zeros((52, 3), np.float32), ""), cache.read(), cache.left_out)
    assert {name: len(split.labels) for name, split in dataset.items()} == {
        split: count - without.get(split, 0) for split, count in COUNTS.items()
    }


def test_a_test_text_without_an_answer_is_refused_or_left_out_of_every_comparison(project):
    lacking = np.flatnonzero(is_of("test"))[0]
    write_rows(project, np.arange(52) != lacking)
    with pytest.raises(
        UserError, match=r"split test must have an answer, got none for 1 of 8 .* base.missing: drop lea"
    ):
        run()
    assert not (project / "cache").exists()
    write_params(project, missing="drop")
    run()
    assert open_cache(project / "cache", {}).manifest.left_out == (list_rows()[lacking][0].hex(),)


def test_a_split_without_any_answer_is_refused(project):
    write_rows(project, ~is_of("validation"))
    write_params(project, missing="drop")
    with pytest.raises(UserError, match="validation must have answers, got none for any of 8; 44 of all 52 texts have"):
        run()


def test_a_file_that_changed_since_stage_base_is_refused(project):
    run("base", "finetune")
    write_rows(project, np.arange(52) != 0)
    with pytest.raises(UserError, match=r"said\.parquet must be as it was when stage base ran; run `dvc repro` again"):
        run("cache_teacher")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"path": "nowhere.csv"}, r"teacher\.colleague\.base\.path must be a file, got nowhere\.csv"),
        ({"sha256": "0" * 64}, r"said\.parquet: sha256 must be 0{64}"),
        ({"text": "review"}, r"there must be one column review, got 0"),
        ({"numbers": "percent"}, r"teacher\.colleague\.base\.numbers: must be 'probabilities', 'logits'"),
        (
            {"confidence_column": "sure"},
            r"teacher\.colleague\.base: confidence_column must stand beside numbers: label",
        ),
    ],
)
def test_stage_base_refuses_what_cannot_be_read(project, said, message):
    write_params(project, **said)
    with pytest.raises(UserError, match=message):
        run("base")
    assert not (project / "base").exists()


def test_invisible_characters_of_answers_go_where_those_of_the_texts_went(project):
    """The examples have none: a text with a soft hyphen is the one that looks the same."""
    table = pq.read_table("raw/said.parquet").to_pydict()
    table["text"] = [text.replace("day", "d\u00aday") for text in table["text"]]
    pyarrow.csv.write_csv(pa.table(table), "raw/said.csv")
    write_params(project, path="raw/said.csv")
    run()
    assert open_cache(project / "cache", {}).manifest.rows == 52
