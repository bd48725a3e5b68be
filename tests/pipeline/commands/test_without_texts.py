"""Where texts may not travel, neither do words: what member A shares then, and that member B needs no more."""

import json
import re
import shutil

from tests.pipeline.commands.leaks import find_terms, list_own_words

LABELS = {"negative", "positive"}
WITHHELD = ("data/emotion-tiny", "models/base/emotion-tiny/llama-tiny", "models/teacher/emotion-tiny/llama-tiny")
TEXT = "the film was brilliant"


def list_terms(embedder):
    """The terms of a vocabulary that no word of ours or name of a class is."""
    terms = {term for kind in json.loads(embedder.read_text())["terms"].values() for term in kind}
    own = list_own_words() | LABELS
    return {term for term in terms if not own.issuperset(re.findall(r"\w+", term))}


def test_words_are_refused_by_name_then_shared_as_hashes_with_which_a_member_trains(owner, without_torch, tmp_path):
    copy = owner.at(tmp_path / "copy")
    shutil.copytree(owner.folder, copy.folder)
    numbers = tmp_path / "numbers"
    line = copy.refuse("qdllm", "share", str(numbers), "--without-texts")
    for folder in ("features/emotion-tiny", "students/emotion-tiny/llama-tiny"):
        assert f"{folder}/embedder.json" in line
    assert not numbers.exists()
    terms = list_terms(copy.folder / "features/emotion-tiny/embedder.json")
    assert len(terms) > 1000
    assert find_terms(copy.folder / "features/emotion-tiny/embedder.json", terms) == terms
    assert find_terms(copy.folder / "data/emotion-tiny/examples.parquet", terms)

    assert "set embed.hashed: true" in line
    copy.edit("  class_weights: true\n", "  class_weights: true\n  hashed: true\n")
    copy.edit("qubits: 11", "qubits: 4")  # for a quicker test
    assert copy.repro() == ["embed", "train_student", "evaluate", "compare", "report"]
    copy.run("qdllm", "share", str(numbers), "--without-texts")
    for out in WITHHELD:
        assert (copy.folder / out).is_dir()
    shared = [path for path in numbers.rglob("*") if path.is_file()]
    assert {str(path): find_terms(path, terms) for path in shared if find_terms(path, terms)} == {}
    assert "remote = team" in (copy.folder / ".dvc/config.local").read_text()  # where `dvc push` goes

    copy.run("git", "commit", "--quiet", "--all", "--message", "Hash the terms")
    member = copy.at(tmp_path / "member", PYTHONPATH=without_torch)
    copy.run("git", "clone", "--quiet", str(copy.folder), str(member.folder))
    member.edit("learning_rate: 1.0e-2\n", "learning_rate: 4.0e-3\n")
    ran = member.stages("qdllm", "student", "--remote", str(numbers))
    assert sorted(ran) == ["compare", "evaluate", "report", "train_student"]
    assert not any((member.folder / out).exists() for out in WITHHELD)
    student = "students/emotion-tiny/llama-tiny"
    assert json.loads(member.run("qdllm", "predict", "--student", student, TEXT))["label"] == "positive"
