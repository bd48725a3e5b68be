"""Projects of version 0.1, made by its own code (tests/pipeline/upgrade), are carried over without torch."""

import hashlib
import re
import shutil
import tarfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from tests.pipeline.conftest import COPIED, ENVIRONMENT, ROOT, Checkout

FIXTURES = Path(__file__).parents[1] / "upgrade"
TEACHERS = {"prepare", "embed", "base", "finetune", "cache_teacher"}
SIDE = ["evaluate", "compare", "compare_texts", "report"]
OUTS = ("cache", "data", "features", "models", "students", "cards")
FILES = ("params.yaml", "dvc.yaml", "dvc.lock", ".gitignore")
KEPT = [".dvc/config", ".dvc/config.local"]


def unpack(name, folder):
    with tarfile.open(FIXTURES / f"{name}-0.1.tar.xz") as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # from Python 3.11.4 on
        archive.extractall(folder)


@pytest.fixture
def mine(tmp_path, without_torch):
    """A project of version 0.1's `qdllm init`; its remote is the folder beside it. Torch cannot be imported."""
    unpack("init", tmp_path)
    return Checkout(tmp_path / "project", {**ENVIRONMENT, "PYTHONPATH": without_torch})


@pytest.fixture
def checkout(tmp_path, without_torch):
    """A checkout of this repository, pulled; its params.yaml, dvc.lock and outputs are version 0.1's."""
    folder = tmp_path / "checkout"
    unpack("checkout", folder)
    for name in [name for name in COPIED if name != "params.yaml"]:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / name)
    checkout = Checkout(folder, {**ENVIRONMENT, "PYTHONPATH": without_torch})
    checkout.run("git", "init", "--quiet")
    return checkout


def hash_files(folder, *names):
    """The checksum of every file below `names` of `folder`."""
    paths = [path for name in names for path in [folder / name, *sorted((folder / name).rglob("*"))]]
    return {path: hashlib.md5(path.read_bytes()).hexdigest() for path in paths if path.is_file()}


def read_lock(checkout):
    return YAML(typ="safe").load((checkout.folder / "dvc.lock").read_text())["stages"]


def predict(checkout, student):
    return checkout.run("qdllm", "predict", "--student", student, "the soup was bland", "what a lovely day")


def test_a_project_of_init_is_carried_over_without_a_teachers_stage(mine):
    before, remote = hash_files(mine.folder, *OUTS, *KEPT), hash_files(mine.folder.parent, "remote")
    answer, old = predict(mine, "students/tickets/small"), read_lock(mine)
    said = mine.run("qdllm", "upgrade")
    assert hash_files(mine.folder, *OUTS, *KEPT) == before
    assert hash_files(mine.folder.parent, "remote") == remote
    assert predict(mine, "students/tickets/small") == answer
    assert "params.yaml: evaluate.controls and evaluate.losses -> comparators: [linear, mlp, kl]\n" in said
    assert "2 prepare, 2 embed, 2 base, 2 finetune, 2 cache_teacher, 2 train_student carried over" in said
    assert re.search(r"^To run again.*: train_student@tickets-small, evaluate@tickets-small", said, re.MULTILINE)
    assert not (mine.folder / "version.txt").exists()

    new = read_lock(mine)  # mood is not active; its teacher is carried over all the same
    assert new.keys() == {name for name in old if name.partition("@")[0] in {*TEACHERS, "train_student"}} | {"inputs"}
    assert all(new[name]["outs"] == old[name]["outs"] for name in new if name != "inputs")
    assert not set(mine.plan()) & TEACHERS
    assert "train_student" in mine.plan()  # whose number is another: a student has a calibration now
    mine.edit("tasks: [tickets]", "tasks: [tickets, mood]")
    mine.run("dvc", "repro", "--quiet", "inputs")
    assert not set(mine.plan()) & TEACHERS


def test_dvc_would_write_the_same_entries(mine):
    mine.run("qdllm", "upgrade")
    lock = mine.folder / "dvc.lock"
    before = lock.read_text()
    # Of the student DVC would write the number of today's.
    kept = [name for name in read_lock(mine) if not name.startswith("train_student")]
    mine.run("dvc", "commit", "--force", *(name for name in kept if name.endswith(("tickets", "tickets-small"))))
    assert lock.read_text() == before


def test_a_second_time_changes_nothing(mine):
    mine.run("qdllm", "upgrade")
    before = hash_files(mine.folder, *FILES)
    assert mine.run("qdllm", "upgrade") == "Nothing to do: this is a project of this version\n"
    assert hash_files(mine.folder, *FILES) == before
    old = mine.folder / ".dvc/tmp/qdllm/upgrade-0.1/old"
    assert (
        hash_files(old, "dvc.lock").popitem()[1]
        == hashlib.md5(mine.run("git", "show", "HEAD:dvc.lock").encode()).hexdigest()
    )


def test_comments_numbers_and_aliases_of_params_stay(mine):
    mine.run("qdllm", "upgrade")
    text = (mine.folder / "params.yaml").read_text()
    for line in (
        "comparators: [linear, mlp, kl] # no_entanglement says nothing of two classes",
        "  learning_rate: 5.0e-3 # slower than the template's",
        "    finetune: &quick {rank: 4, alpha: 8, epochs: 1, learning_rate: 3.0e-3} # ours: a quarter of the time",
        "    finetune: *quick",
        "# Short texts need few words.",
        "    texts: {vocabulary: 300, max_length: 24, epochs: 1, seeds: 1}",
    ):
        assert f"\n{line}\n" in text


def test_every_command_that_would_run_something_names_it(mine):
    for command in (["qdllm", "plan"], ["qdllm", "student"], ["qdllm", "teachers"], ["qdllm", "share"]):
        assert "run `qdllm upgrade`" in mine.refuse(*command)
    repro = mine.call("dvc", "repro")
    assert repro.returncode
    assert "run `qdllm upgrade`" in repro.stderr
    assert (mine.folder / "data/tickets/examples.parquet").is_file()  # nothing was removed
    mine.run("qdllm", "upgrade")
    assert mine.run("qdllm", "plan")


def test_what_was_stale_before_is_stale_for_the_same_reason(mine):
    mine.edit("&quick {rank: 4", "&quick {rank: 2")
    said = mine.run("qdllm", "upgrade")
    assert "Stale as it was before: finetune@tickets-small, teacher.small.finetune.rank 4 -> 2\n" in said
    assert mine.plan()[:2] == ["finetune", "cache_teacher"]


def test_outputs_that_are_not_here_are_not_missed(mine):
    """A member has what `qdllm student` pulls: no texts, no models."""
    for name in ("data", "models", ".dvc/cache"):
        shutil.rmtree(mine.folder / name)
    mine.run("qdllm", "upgrade")
    assert not set(re.findall(r"^(\w+)\S*  ", mine.run("qdllm", "plan", "--allow-missing"), re.MULTILINE)) & TEACHERS


@pytest.mark.parametrize("task", ["mood", "tickets"])
def test_texts_keep_their_ids_and_examples_their_bytes(mine, task, tmp_path):
    """Of a task without pool, whose texts' normal form has not changed."""
    mine.run("qdllm", "upgrade")
    options = {"data": "again", "card": "again.json", "record": "record.json"}
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(tmp_path / value))]
    mine.run("python", "-m", "pipeline.stages.prepare", "--task", task, *arguments)
    before, now = mine.folder / "data" / task / "examples.parquet", tmp_path / "again/examples.parquet"
    assert pq.read_table(now)["example_id"].equals(pq.read_table(before)["example_id"])
    assert now.read_bytes() == before.read_bytes()


def test_a_checkout_is_carried_over_after_its_code(checkout):
    before = hash_files(checkout.folder, *OUTS)
    stages = (checkout.folder / "dvc.yaml").read_bytes()
    assert "run `qdllm upgrade`" in checkout.refuse("qdllm", "plan")
    said = checkout.run("qdllm", "upgrade")
    assert hash_files(checkout.folder, *OUTS) == before
    assert (checkout.folder / "dvc.yaml").read_bytes() == stages
    assert "1 prepare, 1 embed, 1 base, 1 finetune, 1 cache_teacher, 1 train_student carried over" in said
    assert set(checkout.plan()) == {"train_student", "evaluate", "compare", "report"}  # whose code is another
    assert "rows: 120} # smaller than it shipped\n" in (checkout.folder / "params.yaml").read_text()


def spoil(mine, name, old, new):
    path = mine.folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("dvc.yaml", "params: [embed]", "params: [embed, seed]", "got other lines in embed: take them out"),
        ("dvc.yaml", "stages:\n", "stages:\n  mine: {cmd: ls}\n", "got other lines in mine: take them out"),
        ("dvc.yaml", "stages:\n", "steps:\n", "dvc.yaml must have the stages of version 0.1 or of this one, got none"),
        ("params.yaml", "  epochs: 3", "  epoch: 3", "student.epoch: unknown key"),
        ("params.yaml", "seed: 20", "<<<<<<< HEAD", "params.yaml must be YAML"),
    ],
)
def test_what_is_neither_the_old_nor_the_new_is_refused_and_left(mine, name, old, new, expected):
    spoil(mine, name, old, new)
    before = hash_files(mine.folder, *FILES)
    assert expected in mine.refuse("qdllm", "upgrade")
    assert hash_files(mine.folder, *FILES) == before


def test_a_dvc_lock_that_was_cut_off_is_refused(mine):
    lock = mine.folder / "dvc.lock"
    lock.write_text(lock.read_text().rpartition("    outs:\n")[0])
    before = hash_files(mine.folder, *FILES)
    assert "): put a whole one in its place (git checkout dvc.lock)" in mine.refuse("qdllm", "upgrade")
    assert hash_files(mine.folder, *FILES) == before
    mine.run("git", "checkout", "dvc.lock")  # as the line says
    mine.run("qdllm", "upgrade")


def test_only_a_project_is_upgraded(tmp_path):
    assert "a project must have params.yaml, dvc.yaml and .dvc, got no params.yaml" in Checkout(
        tmp_path, ENVIRONMENT
    ).refuse("qdllm", "upgrade")


def test_a_checkout_takes_the_code_first(tmp_path):
    unpack("checkout", tmp_path)
    assert "take the new code first (git pull)" in Checkout(tmp_path, ENVIRONMENT).refuse("qdllm", "upgrade")


@pytest.mark.slow
def test_a_member_uses_what_the_owner_has_upgraded(mine, tmp_path):
    """The owner upgrades, commits and shares; a member without torch gets the old teachers and trains what is new."""
    mine.run("qdllm", "upgrade")
    ran = mine.repro()
    assert set(ran) <= {"train_student", *SIDE}
    assert {*SIDE} <= set(ran)
    assert "textrcnn" in mine.run("qdllm", "results").lower()
    mine.run("git", "add", "--all")
    mine.run("git", "commit", "--quiet", "--message", "Upgrade")
    mine.run("qdllm", "share")
    member = mine.at(tmp_path / "member")
    mine.run("git", "clone", "--quiet", str(mine.folder), str(member.folder))
    # The owner's evaluations/ has more, which version 0.1 left there.
    assert member.stages("qdllm", "student", "--remote", str(tmp_path / "remote")) == ["report"]
    member.edit("learning_rate: 5.0e-3 #", "learning_rate: 4.0e-3 #")
    assert member.stages("qdllm", "student") == ["train_student", "evaluate", "report"]
    member.run("dvc", "pull", "cache_teacher", "train_student")
