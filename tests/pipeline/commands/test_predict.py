"""One text has one answer, in whatever form it comes; what has none says so in its own line."""

import json
import os
import subprocess
import unicodedata

import pytest

STUDENT = ("--student", "students/emotion-tiny/llama-tiny")


def test_marks_ends_of_lines_and_forms_make_no_other_text(project, tmp_path):
    """A file of Windows, and the same text composed, decomposed, with a byte order mark and a space of no width."""
    day = "what a lövely day"
    forms = [day, unicodedata.normalize("NFD", day), "  what a l\u200bövely\u00a0day\u3000", f"\ufeff{day}"]
    (tmp_path / "bom.txt").write_bytes("".join(f"{form}\r\n" for form in forms).encode("utf-8-sig"))
    lines = project.run("qdllm", "predict", *STUDENT, "--file", str(tmp_path / "bom.txt")).splitlines()
    answers = [json.loads(line) for line in lines]
    assert answers[0]["text"] == day
    assert len({json.dumps(answer | {"text": ""}) for answer in answers}) == 1


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "de_DE.UTF-8", "de_DE.ISO-8859-1"])
def test_json_is_utf_8_and_other_bytes_are_refused_in_every_locale(project, locale):
    environment = project.environment | {"LC_ALL": locale, "PYTHONCOERCECLOCALE": "0"}

    def ask(*texts):
        command = [*map(str.encode, ("qdllm", "predict", *STUDENT)), *texts]
        return subprocess.run(command, cwd=project.folder, env=environment, capture_output=True, check=False)

    said = ask("ein schöner Tag 🎉".encode())
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["text"] == "ein schöner Tag 🎉"
    refused = ask(b"fine", b"sch\xf6n")
    assert (refused.returncode, refused.stdout) == (2, b"")
    line = b"qdllm: TEXTS must be UTF-8, got byte 0xf6 at character 4 of text 2; convert it (iconv --to-code UTF-8)"
    assert refused.stderr.rstrip(os.linesep.encode()) == line


def test_export_refuses_what_predict_does(project):
    assert "--text: text must not be empty" in project.refuse("qdllm", "export", *STUDENT, "--text", " \u200b")


def test_an_error_that_is_named_is_kept_and_spends_what_it_may(project):
    texts = ("what a lovely day", "the film was dull", "nothing works")

    def ask(*options):
        lines = project.run("qdllm", "predict", *STUDENT, *options, *texts).splitlines()
        return [probability for line in lines for probability in json.loads(line)["probabilities"].values()]

    exact = ask()
    for error in (0.01, 0.1):
        off = max(abs(cut - whole) for cut, whole in zip(ask("--error", str(error)), exact, strict=True))
        assert 1e-6 < off <= error
    assert "at most 1, got 2;" in project.refuse("qdllm", "predict", *STUDENT, "--error", "2", *texts)
