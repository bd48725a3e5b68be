"""What has no label is the pool, wherever it comes from; no text of it is labelled, and no group of it is held out."""

import json

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline.corpus.examples import build_examples
from pipeline.corpus.task_config import FileSource, GeneratedSource, GivenSplit, HubSource, PrepareConfig, TaskConfig
from teacher_cache.errors import UserError
from tests.pipeline.corpus.test_hub_source import REVISION

LABELS = ["neg", "pos"]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def make_rows(count, first=0, **more):
    return [{"text": f"text {n}", "label": LABELS[n % 2], **more} for n in range(first, first + count)]


POOL = FileSource(kind="file", path="pool.jsonl")


def build(root, pool=POOL, source="all.jsonl", seed=5, **task):
    config = TaskConfig(labels=LABELS, source=FileSource(kind="file", path=source), pool=pool, **task)
    return build_examples("mood", config, PrepareConfig(), seed, root)


def read(found):
    table = found.table
    return {
        split: set(table.filter(pc.equal(table["split"], split))["text"].to_pylist())
        for split in ("train", "validation", "test", "pool")
    }


def test_a_second_source_is_cleaned_and_labelled_texts_leave_it(tmp_path):
    write(tmp_path / "all.jsonl", make_rows(40))
    texts = ["new  one", "new one", "text 3", " text\u00a04 ", "", None, "another", "new one"]
    write(tmp_path / "pool.jsonl", [{"text": text, "label": 77} for text in texts])
    found = build(tmp_path)
    assert read(found)["pool"] == {"new one", "another"}
    assert found.table.num_rows == 42
    assert {reason: count for reason, count in found.card["drops"].items() if count} == {
        "null": 1,
        "empty": 1,
        "duplicate": 4,
    }
    assert found.card["rows_read"] == 48
    assert found.card["source"]["pool"]["file"] == "pool.jsonl"
    assert len(found.hidden[0]) == 0


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (b"text\na, b\n", "set pool.delimiter to what no text has, such as tab"),
        (b'text\n"a\nb"\n', "set pool.quote: none"),
        (b"text\n\xff\n", "name its encoding in pool.encoding"),
        (b"body\na\n", "name the column in the pool's text"),
    ],
)
def test_a_pool_that_cannot_be_read_is_refused_with_the_key_of_its_own_block(tmp_path, content, advice):
    write(tmp_path / "all.jsonl", make_rows(40))
    (tmp_path / "pool.csv").write_bytes(content)
    with pytest.raises(UserError, match=advice):
        build(tmp_path, FileSource(kind="file", path="pool.csv"))


def test_a_text_whose_labels_contradict_is_not_in_the_pool_either(tmp_path):
    write(tmp_path / "all.jsonl", [*make_rows(40), {"text": "text 0", "label": "pos"}])
    write(tmp_path / "pool.jsonl", [{"text": "text 0"}])
    found = build(tmp_path)
    assert found.card["drops"]["contradicting"] == 3
    assert "text 0" not in found.table["text"].to_pylist()


@pytest.mark.parametrize(("name", "content"), [("a.csv", 'text\n"one, two"\nthree\n'), ("a.tsv", "text\none\n\ntwo\n")])
def test_a_pool_needs_no_label_column(tmp_path, name, content):
    write(tmp_path / "all.jsonl", make_rows(40))
    (tmp_path / name).write_text(content)
    assert len(read(build(tmp_path, FileSource(kind="file", path=name)))["pool"]) == 2


def test_a_pool_is_found_and_checked_like_the_source(tmp_path):
    write(tmp_path / "all.jsonl", make_rows(40))
    with pytest.raises(UserError, match=r"task\.mood\.pool\.path must be a file, got pool\.jsonl"):
        build(tmp_path)
    write(tmp_path / "pool.jsonl", [{"text": "a"}])
    with pytest.raises(UserError, match=r"pool\.jsonl: sha256 must be 0"):
        build(tmp_path, FileSource(kind="file", path="pool.jsonl", sha256="0" * 64))


def test_a_generated_pool_has_texts_of_its_own(tmp_path):
    source = GeneratedSource(kind="embedded", generator="thematic", rows=100)
    task = TaskConfig(labels=["Business", "Sci/Tech", "Sports", "World"], source=source, pool=source)
    found = build_examples("news", task, PrepareConfig(), 5, tmp_path)
    assert found.card["pool"] == {"texts": 100, "hidden_labels": 0}
    assert found.card["rows"] == 200


def test_whose_texts_are_held_out_has_none_in_the_pool(tmp_path):
    write(tmp_path / "all.jsonl", [{**row, "user": n // 4} for n, row in enumerate(make_rows(80))])
    rows = [{"text": f"more of {n % 25}, {n}", "user": n % 25} for n in range(100)] + [
        {"text": "of nobody", "user": ""}
    ]
    write(tmp_path / "pool.jsonl", rows)
    found = build(tmp_path, group="user")
    splits = read(found)
    held_out = {int(text.split()[1]) // 4 for name in ("validation", "test") for text in splits[name]}
    assert held_out
    assert splits["pool"] == {row["text"] for row in rows if row["user"] not in held_out}
    assert found.card["drops"]["group_held_out"] == 4 * len(held_out)
    # As pandas writes the same numbers where some are missing; the empty one is nobody's.
    floats = [{**row, "user": float(row["user"]) if row["user"] != "" else float("nan")} for row in rows]
    write(tmp_path / "pool.jsonl", floats)
    assert read(build(tmp_path, group="user"))["pool"] == splits["pool"]
    write(tmp_path / "pool.jsonl", [{"text": "a"}])
    with pytest.raises(
        UserError, match=r"one column user, got 0 .*; name it in the task's group; each of the task's files"
    ):
        build(tmp_path, group="user")


def test_a_column_of_splits_may_name_the_pool(tmp_path):
    rows = [{**row, "fold": ("train", "train", "train", "test")[n // 2 % 4]} for n, row in enumerate(make_rows(80))]
    rows += [{"text": f"raw {n}", "label": "no class", "fold": "unsupervised"} for n in range(5)]
    # Of a row to train on without a label, the text serves; of one to test on, it serves nobody.
    rows += [{"text": "blank train", "label": "", "fold": "train"}, {"text": "blank test", "label": "", "fold": "test"}]
    write(tmp_path / "all.jsonl", rows)
    found = build(tmp_path, None, split=GivenSplit(column="fold", values={"unsupervised": "pool"}))
    splits = read(found)
    assert splits["pool"] == {*(f"raw {n}" for n in range(5)), "blank train"}
    assert found.card["drops"]["unlabelled"] == 1
    assert [len(splits[name]) for name in ("train", "validation", "test")] == [44, 16, 20]


def test_a_file_for_each_split(tmp_path):
    for name, first, count in (("a", 0, 40), ("b", 100, 20), ("c", 200, 20)):
        write(tmp_path / f"{name}.jsonl", make_rows(count, first))
    (tmp_path / "d.csv").write_text("text\nraw 1\nraw 2\ntext 0\n")
    paths = {"train": "a.jsonl", "validation": "b.jsonl", "test": "c.jsonl", "pool": "d.csv"}
    found = build(tmp_path, None, paths)
    assert {name: len(texts) for name, texts in read(found).items()} == {
        "train": 40,
        "validation": 20,
        "test": 20,
        "pool": 2,
    }
    described = found.card["source"]["splits"]
    assert {split: part["file"] for split, part in described.items()} == paths
    with pytest.raises(UserError, match=r"task\.mood\.source\.path\.test must be a file, got e\.jsonl"):
        build(tmp_path, None, {**paths, "test": "e.jsonl"})


def test_validation_is_cut_from_train_where_it_has_no_file(tmp_path):
    write(tmp_path / "a.jsonl", make_rows(40))
    write(tmp_path / "c.jsonl", make_rows(20, 200))
    found = build(tmp_path, None, {"train": "a.jsonl", "test": "c.jsonl"})
    assert [len(texts) for texts in read(found).values()] == [30, 10, 20, 0]
    assert found.card["source"]["validation"] == "drawn from train"


def test_a_datasets_own_splits(dataset, tmp_path):
    """Its test split is the pool here; the class -1 of its third row is no matter then."""
    write(tmp_path / "pool.jsonl", [])
    for name, labels in (("train", [0, 1] * 6), ("test", [1, 0, -1])):
        path = f"{dataset}/{name}.parquet"
        table = pq.read_table(path).slice(0, 0)
        rows = [{"text": f"{name} {n}", "label": label, "n": 0} for n, label in enumerate(labels)]
        pq.write_table(type(table).from_pylist(rows, schema=table.schema), path)
    splits = {"train": "train[:8]", "test": "train[8:]", "pool": "test"}
    source = HubSource(kind="hub", dataset=dataset, revision=REVISION, splits=splits)
    found = build_examples("mood", TaskConfig(labels=LABELS, source=source), PrepareConfig(), 5, tmp_path)
    assert {name: len(texts) for name, texts in read(found).items()} == {
        "train": 6,
        "validation": 2,
        "test": 4,
        "pool": 3,
    }
    assert found.card["source"]["splits"]["pool"]["splits"] == ["test"]
