"""Somebody's answers as people and APIs write them: joined by text or id, classes by name, faults by line."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.corpus.answer_file import describe_answers, find_answers, gather_answers
from pipeline.corpus.clean import make_example_id
from teacher_cache.distributions import softmax
from teacher_cache.errors import UserError
from teacher_cache.imports.import_config import FileBase
from teacher_cache.reader import ids_to_numpy
from teacher_cache.text import normalise

LABELS = ["World", "Sports", "Sci/Tech"]
TEXTS = ["war and peace", "a late goal", "a new chip"]
IDS = [make_example_id("news", text) for text in TEXTS]
ORDER = np.argsort(ids_to_numpy(pa.array(IDS, pa.binary(16))))
SAID = np.array([[0.7, 0.2, 0.1], [0.05, 0.9, 0.05], [0.25, 0.25, 0.5]])


def gather(path, **said):
    base = FileBase("file", str(path), **said)
    ids = ids_to_numpy(pa.array(IDS, pa.binary(16)))[ORDER]
    describe_answers(base, path, LABELS)
    return gather_answers(base, path, "news", LABELS, ids, normalise)


def read(path, **said):
    """The probabilities of TEXTS, in their order; NaN of those without an answer."""
    found = gather(path, **said)
    probabilities = softmax(found.logits)
    probabilities[~found.answered] = np.nan
    return probabilities[np.argsort(ORDER)]


def refuse(path, **said):
    with pytest.raises(UserError) as caught:
        gather(path, **said)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def write(tmp_path):
    def write_file(name, content):
        path = tmp_path / name
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        elif path.suffix == ".parquet":
            pq.write_table(pa.table(content), path)
        else:
            path.write_text("".join(f"{json.dumps(row)}\n" for row in content), encoding="utf-8")
        return path

    return write_file


def by_class(values, labels=LABELS):
    return dict(zip(labels, np.transpose(values), strict=True))


def list_top(values, names=LABELS):
    return [{"token": name, "logprob": float(np.log(value))} for name, value in zip(names, values, strict=True)]


def test_classes_are_found_by_name_in_any_order(write):
    """A Parquet file with the columns turned round, others between them, texts that are written otherwise."""
    columns = {"note": ["a", "b", "c"], **dict(reversed(by_class(SAID).items()))}
    path = write("said.parquet", columns | {"text": [" war  and peace", "a late goal", "a new\tchip"]})
    np.testing.assert_allclose(read(path), SAID, atol=1e-6)


@pytest.mark.parametrize(("numbers", "values"), [("logits", np.log(SAID) + 4), ("log_probabilities", np.log(SAID))])
def test_logits_and_logarithms_say_what_probabilities_say(write, numbers, values):
    path = write("said.parquet", {"text": TEXTS, **by_class(values)})
    np.testing.assert_allclose(read(path, numbers=numbers), SAID, atol=1e-6)


def test_rows_are_joined_by_id_in_hex_or_in_bytes(write):
    for ids in ([one.hex() for one in IDS], pa.array(IDS, pa.binary(16)), IDS):
        path = write("said.parquet", {"example_id": ids, **by_class(SAID)})
        np.testing.assert_allclose(read(path, example_id="example_id"), SAID, atol=1e-6)
    path = write("said.csv", "id,World,Sports,Sci/Tech\nabc,1,0,0\n")
    assert "said.csv line 2: example_id must be 32 hex digits or 16 bytes, got 'abc'" in refuse(path, example_id="id")


def test_a_spreadsheets_csv(write):
    """Semicolons, decimal commas, a byte order mark, a quoted text, other names of the classes."""
    rows = 'Welt;"Sport";text;Sci/Tech\n0,7;0,2;"war and peace";0,1\n0,05;0,9;a late goal;0,05\n'
    path = write("said.csv", "\ufeff" + rows)
    found = read(path, classes={"Welt": "World", "Sport": "Sports"})
    np.testing.assert_allclose(found[:2], SAID[:2], atol=1e-6)
    assert np.isnan(found[2]).all()


def test_an_apis_lists_of_the_likeliest(write):
    """Where an API puts them; by hand: absent classes share 0.1, two spellings of World add up."""
    top = [
        list_top([0.9], ["Sports"]),
        list_top([0.3, 0.4, 0.3], [" World", "World", "Sports"]),
        list_top([0.5, 0.5], LABELS[:2]),
    ]
    rows = [
        {"custom_id": one.hex(), "response": {"choices": [{"logprobs": {"content": [{"top_logprobs": said}]}}]}}
        for one, said in zip(IDS, top, strict=True)
    ]
    path = write("said.jsonl", rows)
    column = "response.choices.0.logprobs.content.0.top_logprobs"
    found = read(path, example_id="custom_id", numbers="log_probabilities", column=column)
    np.testing.assert_allclose(found, [[0.05, 0.9, 0.05], [0.7, 0.3, 0], [0.5, 0.5, 0]], atol=3e-6)


def test_words_that_are_no_class_are_refused_or_dropped(write):
    """By hand: World 0.6 and some word 0.2 leave 0.1 for each absent class, and 0.8 is the whole."""
    said = {"World": 0.6, "The": 0.2}
    path = write("said.jsonl", [{"text": TEXTS[0], "said": said}])
    assert "said.jsonl line 1: a name must be that of a class, got 'The' (" in refuse(path, column="said")
    for told in ({"others": "drop"}, {"classes": {"The": None}}):
        np.testing.assert_allclose(read(path, column="said", **told)[0], [0.75, 0.125, 0.125], atol=1e-6)


def test_numbers_by_name_in_a_csv_and_in_a_parquet_file(write):
    said = [dict(zip(LABELS, map(float, row), strict=True)) for row in SAID]
    cells = [json.dumps(one).replace('"', '""') for one in said]
    lines = "".join(f'{text},"{cell}"\n' for text, cell in zip(TEXTS, cells, strict=True))
    np.testing.assert_allclose(read(write("said.csv", "text,said\n" + lines), column="said"), SAID, atol=1e-6)
    pairs = [[{"label": name, "score": value} for name, value in one.items()] for one in said]
    maps = pa.array([list(one.items()) for one in said], pa.map_(pa.string(), pa.float64()))
    for column in (said, pairs, maps):
        path = write("said.parquet", {"text": TEXTS, "said": column})
        np.testing.assert_allclose(read(path, column="said"), SAID, atol=1e-6)


def test_a_label_has_its_confidence_and_the_others_the_rest(write):
    path = write("said.csv", "text,label,sure\nwar and peace,World,\na late goal,sport,0.8\na new chip,,\n")
    found = read(path, numbers="label", classes={"sport": "Sports"})
    np.testing.assert_allclose(found[:2], [[0.99, 0.005, 0.005], [0.005, 0.99, 0.005]], atol=1e-6)
    assert np.isnan(found[2]).all()
    found = read(path, numbers="label", classes={"sport": "Sports"}, confidence_column="sure", confidence=0.9)
    np.testing.assert_allclose(found[:2], [[0.9, 0.05, 0.05], [0.1, 0.8, 0.1]], atol=1e-6)
    message = refuse(path, numbers="label")
    assert "said.csv line 3: label must be one of World, Sports, Sci/Tech, got 'sport'" in message
    assert "in base.classes" in message


def test_an_empty_answer_is_none(write):
    path = write("said.csv", "text,World,Sports,Sci/Tech\nwar and peace,,,\na late goal,0,1,0\n")
    found = gather(path)
    assert (found.counts["empty"], found.counts["joined"], found.answered.sum()) == (1, 1, 1)


@pytest.mark.parametrize(
    ("header", "said", "message"),
    [
        ("World,Sprots,Sci/Tech", {}, "got none for Sports (nearest is 'Sprots'); map other names in base.classes"),
        (
            "World,Sci/Tech",
            {},
            "each class must have a column of its name, got none for Sports (there are 'World', 'Sci/Tech'",
        ),
        ("World,World,Sports,Sci/Tech", {}, "class World must have one column, got 'World' and 'World'"),
        (
            "World,w,Sports,Sci/Tech",
            {"classes": {"w": "World"}},
            "must have one column, got 'World' and 'w'",
        ),
        ("w,Sports,Sci/Tech", {"classes": {"w": "Wrld"}}, "to a class, got 'Wrld' (nearest is 'World')"),
        ("w,Sports,Sci/Tech", {"classes": {"W": "World"}}, "base.classes must name columns, got 'W' (nearest is 'w')"),
    ],
)
def test_a_class_that_is_misspelt_missing_or_told_twice_is_refused(write, header, said, message):
    path = write("said.csv", f"text,{header}\nwar and peace{',0.5' * len(header.split(','))}\n")
    assert message in refuse(path, **said)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("0.5,nan,0.5", "said.csv line 3: probabilities must be finite numbers, got 'nan'"),
        ("0.5,high,0.5", "said.csv line 3: probabilities must be finite numbers, got 'high'"),
        ("0.5,-inf,0.5", "said.csv line 3: probabilities must be finite numbers, got '-inf'"),
        ("0.5,,0.5", "said.csv line 3: every class must have a number, got none for Sports"),
        ("0.5,0.37,0.1", "said.csv line 3: probabilities must add up to 1 within 0.01, got 0.97"),
    ],
)
def test_a_cell_that_is_no_probability_is_refused_with_its_line(write, cells, message):
    path = write("said.csv", f"text,World,Sports,Sci/Tech\nwar and peace,1,0,0\na late goal,{cells}\n")
    assert message in refuse(path)


def test_nan_in_a_parquet_file_is_refused_with_its_row(write):
    path = write("said.parquet", {"text": TEXTS, **by_class(np.where(SAID == 0.9, np.nan, SAID))})
    assert "said.parquet row 2: probabilities must be finite numbers, got nan" in refuse(path)


@pytest.mark.parametrize(
    ("said", "numbers", "message"),
    [
        ({"World": 2.0}, "logits", "line 1: every class must have a logit, got none for Sports"),
        (
            [{"token": "World", "logprob": -1}] * 2,
            "log_probabilities",
            "a name must occur once, got 'World' twice",
        ),
        (
            [{"token": "World", "logprob": 0.5}],
            "log_probabilities",
            "line 1: probabilities must add up to 1 within 0.01",
        ),
        ([0.2, 0.3, 0.5], "probabilities", "line 1: numbers by name must be an object, or a list of objects"),
        ("World", "probabilities", "line 1: numbers by name must be JSON, got 'World'"),
    ],
)
def test_what_a_list_must_be(write, said, numbers, message):
    path = write("said.jsonl", [{"text": TEXTS[0], "said": said}])
    assert message in refuse(path, column="said", numbers=numbers)


def test_a_file_without_rows_is_refused(write):
    assert refuse(write("said.json", "[]")) == "said.json: must have rows, got none"


def test_a_row_without_an_answer_may_lack_its_keys(write):
    answer = dict(zip(LABELS, (0.5, 0.25, 0.25), strict=True))
    for rows in (
        [{"text": TEXTS[0]}, {"text": TEXTS[1], **answer}],
        [{"text": TEXTS[1], **answer}, {"text": TEXTS[0]}],
    ):
        found = read(write("said.jsonl", rows))
        assert np.isnan(found[0]).all()
        np.testing.assert_allclose(found[1], [0.5, 0.25, 0.25], atol=3e-6)


def test_a_number_that_no_float_holds_and_two_labels_in_a_cell_are_refused(write):
    row = dict(zip(LABELS, (10**400, 0, 0), strict=True))
    assert "line 1: logits must be finite numbers" in refuse(
        write("said.jsonl", [{"text": TEXTS[0], **row}]), numbers="logits"
    )
    path = write("said.jsonl", [{"text": TEXTS[0], "said": ["World", "Sports"]}])
    assert "name which in base.column, such as" in refuse(path, column="said", numbers="label")


def test_columns_that_are_not_there_are_refused_with_those_that_are(write):
    path = write("said.csv", "review,World,Sports,Sci/Tech\nwar and peace,1,0,0\n")
    message = refuse(path)
    assert "there must be one column text, got 0 (columns: 'review'" in message
    assert "base.text or base.example_id" in message
    np.testing.assert_allclose(read(path, text="review")[0], [1, 0, 0], atol=3e-6)


def test_the_file_is_known_by_its_sha256_and_what_it_means(write, tmp_path):
    path = write("said.csv", "text,World,Sports,Sci/Tech\nwar and peace,1,0,0\n")
    base = FileBase("file", str(path), made_by="a colleague")
    identity = describe_answers(base, path, LABELS)
    assert identity["made_by"] == "a colleague"
    assert identity["columns"] == ["text", *LABELS]
    assert "path" not in identity
    assert describe_answers(replace(base, sha256=identity["sha256"]), path, LABELS)["sha256"] == identity["sha256"]
    with pytest.raises(UserError, match=r"said\.csv: sha256 must be 0{64}, got "):
        describe_answers(replace(base, sha256="0" * 64), path, LABELS)
    with pytest.raises(UserError, match=r"teacher\.x\.base\.path must be a file, got nowhere\.csv"):
        find_answers(replace(base, path="nowhere.csv"), "teacher.x.base")
