"""`qdllm cache import`: the cache that the stages make, for texts or for ids alone, never over somebody's files."""

import json
import re
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from pipeline.commands.cache import cache
from teacher_cache.errors import UserError
from teacher_cache.reader import open_cache
from tests.pipeline.stages.test_deps import ROOT
from tests.pipeline.weather import is_of, list_rows, make_weather, write_rows

GIVEN = ("raw/said.parquet", "imported", "--teacher", "colleague")
DATA = ("--data", "data")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_weather(tmp_path)
    return tmp_path


def call(*arguments, command="import"):
    result = CliRunner().invoke(cache, [command, *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def refuse(*arguments, command="import"):
    with pytest.raises(UserError) as caught:
        CliRunner().invoke(cache, [command, *arguments], catch_exceptions=False)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_table_becomes_a_cache(folder):
    found = json.loads(call(*GIVEN, *DATA, "--made-by", "a colleague", "--json"))
    assert (found["rows"], found["joined"], found["left_out"]) == (52, 52, {})
    manifest = open_cache(folder / "imported", {"task": "weather", "teacher": "colleague"}).manifest
    assert manifest.identity["base"]["made_by"] == "a colleague"
    assert manifest.quality == found["quality"]
    assert sorted(path.name for path in folder.iterdir()) == ["data", "imported", "raw"]
    assert re.search("examples: ok", call("imported", *DATA, command="verify"))
    assert "made_by: a colleague" in call("imported", command="inspect")


def test_who_has_no_texts_joins_by_id_to_another_teachers_cache(folder):
    """And gets the bytes that the texts' owner gets, even where some texts have no answer."""
    call("raw/said.parquet", "others", "--teacher", "other", *DATA)
    lacking = np.flatnonzero(is_of("pool"))[:3]
    write_rows(folder, ~np.isin(np.arange(52), lacking))
    call(*GIVEN, *DATA, "--example-id", "id")
    before = {path.name: path.read_bytes() for path in (folder / "imported").iterdir()}
    shutil.rmtree("data")
    call(*GIVEN, "--like", "others", "--example-id", "id", "--replace")
    assert {path.name: path.read_bytes() for path in (folder / "imported").iterdir()} == before
    assert len(open_cache(folder / "imported", {}).manifest.left_out) == 3
    assert "name the column of example_ids (--example-id)" in refuse(*GIVEN, "--like", "others", "--replace")


def test_options_are_those_of_params(folder):
    """A label with its confidence, and other names of the classes."""
    table = pq.read_table("raw/said.parquet").to_pydict()
    words = ["rainy" if dull > 0.5 else "fine" for dull in table["dull"]]
    rows = [f"{text},{word}\n" for text, word in zip(table["text"], words, strict=True)]
    (folder / "raw/said.csv").write_text("text,said\n" + "".join(rows))
    label = ("--numbers", "label", "--column", "said", "--confidence", "0.9")
    assert "in --classes" in refuse("raw/said.csv", "imported", "--teacher", "x", *DATA, *label)
    call("raw/said.csv", "imported", "--teacher", "x", *DATA, *label, "--classes", "rainy=dull")
    rows = open_cache(folder / "imported", {}).read()
    expected = [[0.9, 0.1] if word == "rainy" else [0.1, 0.9] for word in words]
    np.testing.assert_allclose(rows.probabilities, expected, atol=1e-6)


@pytest.mark.parametrize(
    "out", ["cache/weather/colleague", "cache/any/one/deep", "cache", "data/new", "cards/weather.json"]
)
def test_a_folder_that_dvc_owns_is_refused(folder, out):
    shutil.copy(ROOT / "dvc.yaml", folder)
    assert "must be no folder of dvc.yaml's, got one of stage " in refuse(GIVEN[0], out, *GIVEN[2:], *DATA)
    (folder / "link").symlink_to(folder / "cache")
    assert "must be no folder of dvc.yaml's" in refuse(GIVEN[0], "link/weather/x", *GIVEN[2:], *DATA)
    call(GIVEN[0], "raw/imported", *GIVEN[2:], *DATA)


def test_what_is_there_stays(folder):
    call(*GIVEN, *DATA)
    assert "imported holds a cache already; name a new folder, or --replace it" in refuse(*GIVEN, *DATA)
    call(*GIVEN, *DATA, "--replace")
    message = refuse(GIVEN[0], "raw", *GIVEN[2:], *DATA, "--replace")
    assert "raw must be a new folder or a cache, got one that holds said.parquet" in message
    assert (folder / "raw/said.parquet").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "features"), "where there are no texts, name another teacher's cache of the task (--like)"),
        ((*DATA, "--text", "review"), "name the columns in --text or --example-id, --column and --confidence-column"),
        ((*DATA, "--sha256", "0" * 64), "said.parquet: sha256 must be 0"),
        ((*DATA, "--classes", "dull"), "--classes must be NAME=CLASS, got dull"),
        ((*DATA, "--teacher", "No Name"), "a name must begin with a lower-case letter"),
    ],
)
def test_what_cannot_be_is_refused(folder, arguments, message):
    assert message in refuse(*GIVEN, *arguments)
    assert not (folder / "imported").exists()
    assert not list(folder.glob("imported.*"))


def test_a_missing_answer_names_the_option(folder):
    write_rows(folder, np.arange(52) != np.flatnonzero(is_of("test"))[0])
    assert "--missing drop leaves them out of every comparison" in refuse(*GIVEN, *DATA)
    call(*GIVEN, *DATA, "--missing", "drop")
    first = next(row for row in list_rows() if row[1] == "test")
    assert open_cache(folder / "imported", {}).manifest.left_out == (first[0].hex(),)


def test_nothing_is_computed_again_of_a_files_answers(folder):
    call(*GIVEN, *DATA)
    message = refuse("imported", *DATA, "--spot-check", "4", command="verify")
    assert "imported holds a file's answers, which no model here can give again: leave out --spot-check" in message
