"""Where texts may not travel, neither do words: what member A shares then, and that member B needs no more."""

import json
import re
import shutil

import pyarrow.dataset as ds
import pyarrow.parquet as pq

from tests.pipeline.commands.leaks import find_terms, list_own_words

LABELS = ["negative", "positive"]
TASK, CACHE, STUDENT = "emotion-tiny", "cache/emotion-tiny/llama-tiny", "students/emotion-tiny/colleague"
WITHHELD = [f"data/{TASK}", *(f"models/{kind}/{TASK}/colleague" for kind in ("base", "teacher")), "raw"]
COLLEAGUE = """teacher:
  colleague:
    base: {kind: file, path: raw/said.parquet, example_id: example_id}
    finetune: {}
    cache_teacher: {rows_per_part: 256}
"""
# Few labels and a pool; answers that a file brings, for no LLM need be trained here; hashes; what reads hidden labels;
# a quick student.
CHANGES = {
    "rows: 800}\n": "rows: 800}\n    labelled: 200\n",
    "teachers: [llama-tiny]": "teachers: [colleague]",
    "teacher:\n": COLLEAGUE,
    "  class_weights: true\n": "  class_weights: true\n  hashed: true\n",
    "comparators: [linear]": "comparators: [all_labels]",
    "qubits: 11": "qubits: 4",
    "epochs: 6": "epochs: 1",
}


def list_terms(embedder):
    """The terms of a vocabulary that no word of ours or name of a class is."""
    terms = {term for kind in json.loads(embedder.read_text())["terms"].values() for term in kind}
    own = list_own_words().union(LABELS)
    return {term for term in terms if not own.issuperset(re.findall(r"\w+", term))}


def write_answers(checkout):
    """What the LLM has said, as a file that a colleague brings."""
    said = ds.dataset(checkout.folder / CACHE, format="parquet", exclude_invalid_files=True).to_table()
    columns = {label: [row[index] for row in said["probabilities"].to_pylist()] for index, label in enumerate(LABELS)}
    (checkout.folder / "raw").mkdir()
    table = said.select(["example_id"])
    for label, column in columns.items():
        table = table.append_column(label, [column])
    pq.write_table(table, checkout.folder / "raw/said.parquet")


def test_words_are_refused_by_name_then_shared_as_hashes_with_which_a_member_trains(owner, without_torch, tmp_path):
    copy, numbers = owner.at(tmp_path / "copy"), tmp_path / "numbers"
    shutil.copytree(owner.folder, copy.folder)
    line = copy.refuse("qdllm", "share", str(numbers), "--without-texts")
    for folder in (f"features/{TASK}", f"students/{TASK}/llama-tiny"):
        assert f"{folder}/embedder.json" in line
    assert not numbers.exists()
    terms = list_terms(copy.folder / f"features/{TASK}/embedder.json")
    assert len(terms) > 1000
    assert find_terms(copy.folder / f"features/{TASK}/embedder.json", terms) == terms
    assert find_terms(copy.folder / f"data/{TASK}/examples.parquet", terms)

    assert "set embed.hashed: true" in line
    write_answers(copy)
    for old, new in CHANGES.items():
        copy.edit(old, new)
    copy.run("dvc", "repro")
    assert pq.read_table(copy.folder / f"data/{TASK}/examples.parquet")["label"].null_count > 200  # a pool
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
    assert sorted(set(ran)) == ["compare", "evaluate", "report", "train_student"]
    assert not any((member.folder / out).exists() for out in WITHHELD)
    answer = json.loads(member.run("qdllm", "predict", "--student", STUDENT, "the film was brilliant"))
    assert answer["label"] in LABELS
