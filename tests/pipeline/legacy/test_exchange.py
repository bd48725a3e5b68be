"""Files change places together or not at all, and a change that was interrupted is finished."""

import shutil
from pathlib import Path

import pytest

from pipeline.legacy.exchange import exchange, find_unfinished, finish
from teacher_cache.errors import UserError

A, B, C, GONE = Path("a"), Path("b"), Path("inner/c"), Path("gone")
NEW = {A: "new a", B: "new b", C: "new c", GONE: None}


@pytest.fixture
def project(tmp_path):
    for path in (A, B, GONE):
        (tmp_path / path).write_text(f"old {path}")
    return tmp_path


def read(folder):
    found = [path for path in (A, B, C, GONE) if (folder / path).is_file()]
    return {path: (folder / path).read_text() for path in found}


def test_all_files_change_and_the_old_ones_are_kept(project):
    folder = exchange(project, NEW, project / "backup/change")
    assert read(project) == {path: text for path, text in NEW.items() if text is not None}
    assert read(folder / "old") == {A: "old a", B: "old b", GONE: "old gone"}
    assert [path.name for path in folder.iterdir()] == ["old"]
    assert find_unfinished(project / "backup/change") is None
    again = exchange(project, {A: "third"}, project / "backup/change")
    assert again.name == "change-2"
    assert read(again / "old") == {A: "new a"}
    assert read(folder / "old")[A] == "old a"


def interrupt(project):
    """Break off in the middle: a file is where a folder is wanted."""
    (project / "inner").touch()
    with pytest.raises(OSError, match="inner"):
        exchange(project, NEW, project / "backup/change")
    (project / "inner").unlink()
    folder = find_unfinished(project / "backup/change")
    assert read(project) == {A: "new a", B: "new b"}
    return folder


def test_what_was_interrupted_is_finished(project):
    folder = interrupt(project)
    finish(project, folder)
    assert read(project) == {path: text for path, text in NEW.items() if text is not None}
    assert read(folder / "old") == {A: "old a", B: "old b", GONE: "old gone"}
    assert find_unfinished(project / "backup/change") is None


def test_a_file_that_was_edited_in_between_is_not_overwritten(project):
    folder = interrupt(project)
    (project / B).write_text("mine")
    with pytest.raises(UserError, match="b must be as it was when the upgrade was interrupted"):
        finish(project, folder)
    assert read(project) == {A: "new a", B: "mine"}
    (project / B).write_bytes((folder / "old" / B).read_bytes())  # as the line says
    finish(project, folder)
    assert read(project)[B] == "new b"


def test_the_change_can_be_taken_back_as_the_line_says(project):
    folder = interrupt(project)
    (project / B).write_text("mine")
    with pytest.raises(UserError, match=r"copy all of .*old over the project and remove .*new"):
        finish(project, folder)
    shutil.copytree(folder / "old", project, dirs_exist_ok=True)
    shutil.rmtree(folder / "new")
    assert read(project) == {path: f"old {path}" for path in (A, B, GONE)}
    assert find_unfinished(project / "backup/change") is None


def test_a_new_file_in_whose_place_another_is_has_no_old_one_to_copy(project):
    folder = interrupt(project)
    (project / "inner").mkdir()
    (project / C).write_text("mine")
    with pytest.raises(UserError, match=r"inner/c must be as it was .*: move it elsewhere and do it again"):
        finish(project, folder)
