"""A source file outside of the checkout, watched by a real DVC: what its change makes stale, here and in a queue."""

import re
import shutil

import pytest

from tests.pipeline.conftest import COPIED, ENVIRONMENT, ROOT, Checkout

PREPARED = "prepare@emotion-tiny"


def write_rows(path, rows):
    lines = [f"what a {word} day number {row},{label}\n" for row in range(rows) for word, label in WORDS]
    path.parent.mkdir(exist_ok=True)
    path.write_text("text,label\n" + "".join(lines))


WORDS = (("lovely", "positive"), ("dreadful", "negative"))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A project whose task is read from ../raw/days.csv, prepared and committed."""
    folder = tmp_path_factory.mktemp("watched") / "project"
    folder.mkdir()
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    checkout = Checkout(folder, ENVIRONMENT)
    write_rows(folder.parent / "raw/days.csv", 20)
    checkout.run("git", "init", "--quiet")
    checkout.run("dvc", "init", "--quiet")
    checkout.run("dvc", "config", "core.analytics", "false")
    checkout.run("qdllm", "profile", "smoke")
    checkout.edit(
        "source: {kind: embedded, generator: emotion, rows: 800}", "source: {kind: file, path: ../raw/days.csv}"
    )
    assert list_all(checkout.run("dvc", "repro", PREPARED)) == ["inputs", PREPARED]
    checkout.run("git", "add", "--all")
    checkout.run("git", "commit", "--quiet", "--message", "Prepare")
    return checkout


def list_all(output):
    return re.findall(r"Running stage '(\S+)'", output)


def read_plan(checkout):
    lines = checkout.run("qdllm", "plan").splitlines()[:-1]
    return dict(zip((line.split("  ")[0] for line in lines[::2]), lines[1::2], strict=True))


def test_a_changed_file_makes_its_readers_stale_and_nobody_else(checkout):
    assert list_all(checkout.run("dvc", "repro", PREPARED)) == ["inputs"]
    assert PREPARED not in read_plan(checkout)
    assert checkout.run("dvc", "status", "inputs", PREPARED) == "inputs:\n\talways changed\n"

    write_rows(checkout.folder.parent / "raw/days.csv", 30)
    plan = read_plan(checkout)
    assert plan[PREPARED] == "    ../raw/days.csv changed"
    assert "inputs" not in plan
    assert list_all(checkout.run("dvc", "repro", PREPARED)) == ["inputs", PREPARED]

    (checkout.folder.parent / "raw").rename(checkout.folder.parent / "away")  # a member's machine
    assert PREPARED not in read_plan(checkout)
    assert list_all(checkout.run("dvc", "repro", PREPARED)) == ["inputs"]
    (checkout.folder.parent / "away").rename(checkout.folder.parent / "raw")


def test_an_experiment_in_a_copy_finds_the_file_or_says_why_not(checkout):
    checkout.run("git", "commit", "--quiet", "--all", "--allow-empty", "--message", "Prepare again")
    output = checkout.run("dvc", "exp", "run", "--temp", "--set-param", "seed=3", PREPARED)
    assert list_all(output) == ["inputs", PREPARED]
    result = checkout.call(
        "dvc", "exp", "run", "--temp", "--set-param", "task.emotion-tiny.source.path=raw/none.csv", PREPARED
    )
    assert result.returncode
    assert (
        f"prepare: task.emotion-tiny.source.path must be a file, got raw/none.csv (looked for "
        f"{checkout.folder / 'raw/none.csv'})" in result.stderr
    )
