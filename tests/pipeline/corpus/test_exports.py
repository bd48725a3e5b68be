"""Files as the tools that people label with write them, and what params.yaml says to read each."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from pipeline.corpus.sources import read_source
from pipeline.corpus.task_config import TaskConfig
from teacher_cache.errors import UserError
from teacher_cache.schema import NO_LABEL

# A shop's reviews, as text and label.
ROWS = [('Der Käse war "toll", sehr gut', "gut"), ("Zu süß;\nund teuer", "schlecht"), ("Nun ja", "")]
LABELLED = [('Der Käse war "toll", sehr gut', 1), ("Zu süß;\nund teuer", 0)]
ANNOTATED = {"gut": [{"choices": ["gut"]}], "schlecht": [{"choices": ["schlecht"]}], "": []}


def read(path, source=None, **task):
    content = {"labels": ["schlecht", "gut"], "source": {"kind": "file", "path": str(path), **(source or {})}, **task}
    found = read_source("shop", TypeAdapter(TaskConfig).validate_json(json.dumps(content)), 0, path.parent)
    rows = [(row.text, row.label) for row in found.rows]
    return [row for row in rows if row[1] != NO_LABEL], [text for text, label in rows if label == NO_LABEL], found


def write_excel(path, encoding, delimiter=";", values=lambda label: label):
    """As Excel does: fields with a delimiter, a quote or a line break are quoted, CRLF ends a row."""
    lines = [delimiter.join(("Text", "Bewertung"))]
    for text, label in ROWS:
        quoted = text.replace('"', '""')
        lines.append(delimiter.join((f'"{quoted}"' if set(text) & {delimiter, '"', "\n"} else text, values(label))))
    path.write_bytes("".join(f"{line}\r\n" for line in lines).encode(encoding))
    return path


COLUMNS = {"text": "Text", "label": "Bewertung"}


@pytest.mark.parametrize(
    ("encoding", "delimiter", "source"),
    [
        ("cp1252", ";", {"encoding": "cp1252"}),  # CSV (Trennzeichen-getrennt)
        ("utf-8-sig", ";", {}),  # CSV UTF-8
        ("utf-16", "\t", {}),  # Unicode-Text
        ("utf-8-sig", ",", {}),
    ],
)
def test_excel_in_german(tmp_path, encoding, delimiter, source):
    path = write_excel(tmp_path / "shop.csv", encoding, delimiter)
    rows, pool, found = read(path, COLUMNS | source)
    assert (rows, pool) == (LABELLED, ["Nun ja"])
    assert found.description["read_as"] == {
        "delimiter": delimiter,
        "quote": '"',
        "encoding": encoding,
    }


def test_excel_in_german_without_its_encoding_is_refused_with_it(tmp_path):
    with pytest.raises(
        UserError, match=r"line 2: must be UTF-8, .* name its encoding in source.encoding, such as cp1252"
    ):
        read(write_excel(tmp_path / "shop.csv", "cp1252"), COLUMNS)[0]


@pytest.mark.parametrize(("words", "labels"), [(("WAHR", "FALSCH"), 1), (("VRAI", "FAUX"), 1), (("1,0", "0,0"), 1)])
def test_excel_writes_truth_and_numbers_in_its_language(tmp_path, words, labels):
    path = write_excel(tmp_path / "shop.csv", "utf-8-sig", ";", lambda label: words[label != "gut"] if label else "")
    values = {"1": "gut", "0": "schlecht"} if "," in words[0] else {words[0]: "gut", words[1]: "schlecht"}
    assert read(path, COLUMNS, values=values)[0] == LABELLED


def test_excel_in_french(tmp_path):
    path = tmp_path / "avis.csv"
    path.write_bytes(
        'sep=;\r\nTexte ;Catégorie;;\r\n"Déçu ; trop salé";négatif;;\r\nTrès bon;positif;;\r\n;;;\r\n'.encode("cp1252")
    )
    source = {"text": "Texte", "label": "Cate\u0301gorie", "encoding": "cp1252"}
    rows, _, _ = read(path, source, labels=["ne\u0301gatif", "positif"])
    assert rows == [("Déçu ; trop salé", 0), ("Très bon", 1)]


def test_doccano(tmp_path):
    lines = [
        {"id": 7 + number, "text": text, "label": [label][: len(label)]} for number, (text, label) in enumerate(ROWS)
    ]
    (tmp_path / "admin.jsonl").write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    (tmp_path / "all.json").write_text(json.dumps(lines))
    numbers = {"gut": 3, "schlecht": 4}
    older = [{"text": text, "annotations": [{"label": numbers[label], "user": 1}]} for text, label in ROWS[:2]]
    (tmp_path / "old.jsonl").write_text("".join(json.dumps(line) + "\n" for line in older))
    (tmp_path / "admin.csv").write_text(
        'id,text,label\n7,"Der Käse war ""toll"", sehr gut",gut\n8,"Zu süß;\nund teuer",schlecht\n9,Nun ja,\n'
    )
    for name in ("admin.jsonl", "all.json", "admin.csv"):
        rows, pool, _ = read(tmp_path / name)
        assert (rows, pool) == (LABELLED, ["Nun ja"])
    assert (
        read(tmp_path / "old.jsonl", {"label": "annotations.label"}, values={"3": "gut", "4": "schlecht"})[0]
        == LABELLED
    )


def test_label_studio(tmp_path):
    tasks = [
        {
            "id": number,
            "data": {"text": text},
            "annotations": [
                {"id": 1, "was_cancelled": False, "result": [{"from_name": "mood", "type": "choices", "value": value}]}
                for value in ANNOTATED[label]
            ],
        }
        for number, (text, label) in enumerate(ROWS)
    ]
    (tmp_path / "project.json").write_text(json.dumps(tasks))
    source = {"text": "data.text", "label": "annotations.result.value.choices"}
    rows, pool, _ = read(tmp_path / "project.json", source)
    assert (rows, pool) == (LABELLED, ["Nun ja"])
    least = [{"text": text, "id": 1, "mood": label, "annotator": 1} for text, label in ROWS[:2]]
    (tmp_path / "min.json").write_text(json.dumps(least))
    assert read(tmp_path / "min.json", {"label": "mood"})[0] == LABELLED
    (tmp_path / "project.csv").write_text(
        'annotator,id,mood,text\n1,1,gut,"Der Käse war ""toll"", sehr gut"\n'
        '1,2,"{""choices"":[""schlecht""]}","Zu süß;\nund teuer"\n'
    )
    assert read(tmp_path / "project.csv", {"label": "mood"})[0] == LABELLED


def test_label_studio_of_annotators_who_differ_is_refused_and_the_advice_works(tmp_path):
    results = [{"result": [{"value": {"choices": [label]}}]} for label in ("gut", "schlecht")]
    (tmp_path / "project.json").write_text(json.dumps([{"data": {"text": "Nun ja"}, "annotations": results}]))
    with pytest.raises(
        UserError, match=r"row 1: label must be one of .* name which in source.label, such as annotations\.0"
    ):
        read(tmp_path / "project.json", {"text": "data.text", "label": "annotations.result.value.choices"})
    source = {"text": "data.text", "label": "annotations.0.result.value.choices"}
    assert read(tmp_path / "project.json", source)[0] == [("Nun ja", 1)]


def test_argilla(tmp_path):
    records = [
        {
            "id": str(number),
            "status": "completed",
            "fields": {"text": text},
            "suggestions": {"mood": {"value": "gut", "score": None, "agent": "a"}},
            "responses": {"mood": [{"value": label, "user_id": "u"}, {"value": label, "user_id": "v"}]}
            if label
            else {},
        }
        for number, (text, label) in enumerate(ROWS)
    ]
    (tmp_path / "dataset.json").write_text(json.dumps(records))
    rows, pool, _ = read(tmp_path / "dataset.json", {"text": "fields.text", "label": "responses.mood.value"})
    assert (rows, pool) == (LABELLED, ["Nun ja"])
    lists = [[label] if label else None for _, label in ROWS]
    flat = pa.table({"text": [text for text, _ in ROWS], "mood.responses": lists})
    pq.write_table(flat, tmp_path / "hub.parquet")
    (tmp_path / "hub.csv").write_text(
        'text,mood.responses\n"Der Käse war ""toll"", sehr gut",[\'gut\']\n'
        "\"Zu süß;\nund teuer\",['schlecht']\nNun ja,\n"
    )
    for name in ("hub.parquet", "hub.csv"):
        rows, pool, _ = read(tmp_path / name, {"label": "mood.responses"})
        assert (rows, pool) == (LABELLED, ["Nun ja"])


def test_pandas(tmp_path):
    """Its five ways of writing JSON, lines, and CSV with its index, in which a float stands for the missing."""
    texts, labels = [text for text, _ in ROWS], [1.0, 0.0, None]
    objects = [dict(zip(("text", "label"), row, strict=True)) for row in zip(texts, labels, strict=True)]
    by_row = {str(number): row for number, row in enumerate(objects)}
    contents = {
        "records": objects,
        "columns": {name: {key: row[name] for key, row in by_row.items()} for name in ("text", "label")},
        "index": by_row,
        "split": {"columns": ["text", "label"], "index": [0, 1, 2], "data": [list(row.values()) for row in objects]},
        "table": {
            "schema": {"fields": [], "pandas_version": "1.4.0"},
            "data": [{"index": 0, **row} for row in objects],
        },
        "list": {"text": texts, "label": labels},
    }
    for orient, content in contents.items():
        (tmp_path / f"{orient}.json").write_text(json.dumps(content))
    (tmp_path / "lines.json").write_text("".join(json.dumps(row) + "\n" for row in objects))
    (tmp_path / "frame.csv").write_text(
        ',text,label\n0,"Der Käse war ""toll"", sehr gut",1.0\n1,"Zu süß;\nund teuer",0.0\n2,Nun ja,\n'
    )
    for name in (*(f"{orient}.json" for orient in contents), "lines.json", "frame.csv"):
        rows, pool, _ = read(tmp_path / name, values={"0": "schlecht", "1": "gut"})
        assert (rows, pool) == (LABELLED, ["Nun ja"]), name


@pytest.mark.parametrize("content", ["3", '"a"', '{"a": 3}', '[["a", "b"]]', "[1]", '{"text": ["a"', ""])
def test_json_of_another_shape_is_one_line(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError, match=r"^a\.json") as error:
        read(tmp_path / "a.json")
    assert "\n" not in str(error.value)


def test_a_path_that_leads_nowhere_is_refused_with_those_that_lead_somewhere(tmp_path):
    (tmp_path / "a.json").write_text('[{"data": {"text": "a"}, "annotations": [{"label": "gut", "user": 1}]}]')
    message = r"got 0 \(columns: 'data.text', 'annotations.label', 'annotations.user'\)"
    with pytest.raises(UserError, match=message):
        read(tmp_path / "a.json", {"label": "annotations.label"})
