"""Where a path of params.yaml leads, in the project and in the copies that DVC makes of it for experiments."""

import pytest

from teacher_cache.outside import find_root, locate


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of a repository's folder `inner`, in which the process stands, with a file beside it."""
    project = tmp_path / "repository" / "inner"
    project.mkdir(parents=True)
    (tmp_path / "repository" / "rows.csv").touch()
    monkeypatch.chdir(project)
    return project


def test_a_relative_path_counts_from_the_projects_root(project):
    assert find_root() == project
    assert locate("../rows.csv").resolve() == project.parent / "rows.csv"
    assert locate("nowhere.csv") == project / "nowhere.csv"


def test_the_home_folder_is_expanded(project, monkeypatch):
    monkeypatch.setenv("HOME", str(project.parent))
    assert locate("~/rows.csv") == project.parent / "rows.csv"
    assert locate("~/nowhere.csv") == project.parent / "nowhere.csv"


def test_in_an_experiments_copy_it_counts_from_the_original(project, monkeypatch):
    copy = project / ".dvc/tmp/exps/standalone/tmp1/inner"  # as DVC lays it out for a project within a repository
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    assert find_root() == project
    assert locate("../rows.csv").resolve() == project.parent / "rows.csv"
    for folder in (project, copy):
        (folder / "circuit.py").touch()
    assert locate("circuit.py").resolve() == copy / "circuit.py"  # the experiment's own version goes before
