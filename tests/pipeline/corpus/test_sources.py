import hashlib

import pytest

from pipeline.corpus.clean import Text
from pipeline.corpus.row import quote
from pipeline.corpus.sources import read_source
from pipeline.corpus.task_config import FileSource, TaskConfig
from teacher_cache.errors import UserError

CONTENT = b"text,label\ngood,1\nbad,0\n"


def make_task(path="reviews.csv", **fields):
    source = FileSource(kind="file", path=path, **fields)
    return TaskConfig(labels=["negative", "positive"], source=source, values={"0": "negative", "1": "positive"})


@pytest.fixture
def root(tmp_path):
    (tmp_path / "reviews.csv").write_bytes(CONTENT)
    return tmp_path


def test_a_file_is_found_below_root_and_its_values_are_named(root):
    source = read_source("mood", make_task(), 0, root)
    assert list(source.rows) == [Text("good", 1), Text("bad", 0)]


def test_the_description_has_the_digest_and_no_folder(root):
    description = read_source("mood", make_task(str(root / "reviews.csv")), 0, root).description
    assert description == {
        "kind": "file",
        "file": "reviews.csv",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "read_as": {"delimiter": ",", "quote": '"', "encoding": "utf-8"},
    }


def test_another_digest_is_refused_with_both(root):
    with pytest.raises(UserError, match=f"sha256 must be {'0' * 64}, got {hashlib.sha256(CONTENT).hexdigest()}"):
        read_source("mood", make_task(sha256="0" * 64), 0, root)
    read_source("mood", make_task(sha256=hashlib.sha256(CONTENT).hexdigest()), 0, root)


@pytest.mark.parametrize("path", ["missing.csv", "."])
def test_a_missing_file_is_refused_by_its_parameter(root, path):
    with pytest.raises(UserError, match=r"task\.mood\.source\.path must be a file, got "):
        read_source("mood", make_task(path), 0, root)


def test_quoted_values_are_short_and_one_line():
    assert quote("a\nb") == r"'a\nb'"
    assert len(quote("x" * 10_000_000)) == 80
