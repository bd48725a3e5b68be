"""What is said to leave with a student is what is in its files."""

import json

import pytest

from pipeline.team.leaving import list_leaving


def write(folder, embed, circuit=None, **content):
    student = {"labels": ["no", "yes"], "origin": {"task": "t"}, "config": {"circuit": circuit or {"file": None}}}
    (folder / "student.json").write_text(json.dumps(student))
    (folder / "embedder.json").write_text(json.dumps({"config": embed, **content}))


def test_terms_are_counted_and_shown(tmp_path):
    write(tmp_path, {"kind": "corpus"}, terms={"words": [f"w{k}" for k in range(1000)], "characters": ["ab"]})
    lines = list_leaving(tmp_path)
    assert lines[0].startswith("2 files: embedder.json (")
    assert lines[1:] == [
        '2 class names, such as "no", "yes"',
        "names: task t",
        '1,000 terms (of the words of the training texts), such as "w0", "w200", "w400", "w600", "w800"',
        '1 term (of the characters of the training texts), such as "ab"',
    ]


def test_hashed_terms_are_said_to_be_so(tmp_path):
    write(tmp_path, {"kind": "corpus", "hashed": True}, terms={"words": [123, 456]})
    assert list_leaving(tmp_path)[-1] == "2 words of the training texts, as keyed hashes"


@pytest.mark.parametrize(
    ("embed", "circuit", "expected"),
    [
        ({"kind": "static", "checkpoint": "/home/me/llm"}, None, 'the name "/home/me/llm", as embed.checkpoint'),
        ({"kind": "file", "path": "/home/me/v.parquet"}, None, 'the name "/home/me/v.parquet", as embed.path'),
        ({"kind": "encoder"}, {"file": "/home/me/own.py"}, 'the name "/home/me/own.py", as circuit.file'),
    ],
)
def test_names_of_files_are_shown(tmp_path, embed, circuit, expected):
    write(tmp_path, embed, circuit)
    assert list_leaving(tmp_path)[-1] == expected


def test_a_tokenizers_words_are_counted(tmp_path):
    write(tmp_path, {"kind": "static"}, tokenizer={"model": {"vocab": {"the": 0, "\u200bgood": 1}}})
    assert list_leaving(tmp_path)[-1] == '2 tokens (of the tokenizer), such as "the", "good"'
