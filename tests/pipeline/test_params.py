"""A wrong parameter is one line that names the key, the rule and the value got."""

import copy
from pathlib import Path

import pytest

from pipeline.params import parse, read_active, read_block, read_comparators, read_seed
from pipeline.team.project import Project, read_project
from student_jax.config import StudentConfig
from teacher_cache.errors import UserError

ROOT = Path(__file__).parents[2]

MINIMAL = {
    "seed": 1,
    "tasks": ["mood"],
    "teachers": ["sage"],
    "task": {"mood": {"labels": ["bad", "good"], "source": {"kind": "embedded", "generator": "emotion"}}},
    "teacher": {"sage": {"base": {"kind": "local", "architecture": "bloom"}}},
}


def test_the_shipped_file_is_right():
    project = read_project(ROOT / "params.yaml")
    assert project.tasks == ["emotion", "hiding", "thematic"]
    assert project.teacher["llama3-8b"].finetune.rank == 200
    assert read_seed(ROOT / "params.yaml") == project.seed
    assert read_active(ROOT / "params.yaml") == (project.tasks, project.teachers)
    assert read_comparators(ROOT / "params.yaml") == dict.fromkeys(project.comparators, "compare")
    assert read_block("student", StudentConfig, ROOT / "params.yaml") == project.student


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("student.learning_rate", -1, "student.learning_rate: must be greater than 0, got -1"),
        ("student.learning_rate", "1e-3", 'student.learning_rate: must be a valid number, got "1e-3"'),
        ("student.learningrate", 1, "student.learningrate: unknown key, got 1"),
        ("student.circuit.qubits", 2.5, "student.circuit.qubits: must be a valid integer, got 2.5"),
        ("student.engine", "abacus", 'student.engine: must be .*, got "abacus"'),
        ("seed", None, "seed: must be a valid integer, got null"),
        ("seed", True, "seed: must be a valid integer, got true"),
        ("tasks", [], r"tasks: .*at least 1 item.*, got \[\]"),
        ("teachers", ["a.b"], 'teachers.0: a name must begin with a lower-case letter .*, got "a.b"'),
        ("tasks", ["IMDB"], 'tasks.0: a name must begin with a lower-case letter .*, got "IMDB"'),
        ("tasks", ["my task"], 'tasks.0: a name must begin with a lower-case letter .*, got "my task"'),
        ("tasks", ["20news"], 'tasks.0: a name must begin with a lower-case letter .*, got "20news"'),
        ("teachers", ["null"], 'teachers.0: .*none of null, true, false.*, got "null"'),
        ("task.IMDB", {}, 'task.IMDB.* a name must begin with a lower-case letter .*, got "IMDB"'),
        ("teacher.sage.base.layers", 0, "teacher.sage.base.layers: must be greater than or equal to 1, got 0"),
        ("teacher.sage.base.kind", "oracle", "teacher.sage.base: .*'oracle'"),
        ("task.mood.labels", ["one"], "task.mood.labels: .*at least 2 items"),
        ("task.mood.source.rows", "5", 'task.mood.source.rows: must be a valid integer, got "5"'),
        ("sede", 1, "sede: unknown key, got 1"),
    ],
)
def test_a_wrong_value_is_named(key, value, message):
    content = copy.deepcopy(MINIMAL) | {"student": {}}
    parse(content, Project)
    levels = key.split(".")
    block = content
    for level in levels[:-1]:
        block = block.setdefault(level, {})
    block[levels[-1]] = value
    with pytest.raises(UserError, match=f"^params.yaml: {message}") as error:
        parse(content, Project)
    assert "\n" not in str(error.value)


def test_a_dataset_without_its_revision():
    source = {"kind": "hub", "dataset": "owner/name"}
    content = {**MINIMAL, "task": {"mood": {"labels": ["bad", "good"], "source": source}}}
    with pytest.raises(UserError, match=r"params.yaml: task.mood.source.revision: must be given"):
        parse(content, Project)


def test_an_absent_last_level_means_defaults(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("seed: 1\n")
    assert read_block("student", StudentConfig, path) == StudentConfig()
    with pytest.raises(UserError, match="the top level must define teacher, got seed"):
        read_block("teacher.sage.finetune", StudentConfig, path)


def test_an_active_name_that_is_not_defined(tmp_path):
    path = tmp_path / "params.yaml"
    text = (ROOT / "params.yaml").read_text()
    path.write_text(text.replace("teachers: [bloom, llama]", "teachers: [bloom, gpt]"))
    with pytest.raises(UserError, match=r"teachers must name what is defined .*, got gpt"):
        read_project(path)
    path.write_text(text.replace("teachers: [bloom, llama]", "teachers: [bloom, bloom]"))
    with pytest.raises(UserError, match="teachers must name each once"):
        read_project(path)


def test_a_file_that_is_missing_or_no_yaml(tmp_path):
    with pytest.raises(UserError, match="must exist; run this from the project's root"):
        read_seed(tmp_path / "params.yaml")
    path = tmp_path / "params.yaml"
    path.write_text("seed: [1")
    with pytest.raises(UserError, match="must be YAML") as error:
        read_seed(path)
    assert "\n" not in str(error.value)
    path.write_bytes(b"seed: \xff")
    with pytest.raises(UserError, match="must be YAML"):
        read_seed(path)


def test_pairs_that_dvc_would_take_for_one_stage_are_refused(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("tasks: [news, news-de]\nteachers: [tiny, de-tiny]\n")
    with pytest.raises(
        UserError, match="got news-de-tiny of news and de-tiny as of news-de and tiny; write one"
    ) as error:
        read_active(path)
    assert "\n" not in str(error.value)
    path.write_text("tasks: [news, news_de]\nteachers: [tiny, de-tiny]\n")
    assert read_active(path) == (["news", "news_de"], ["tiny", "de-tiny"])


@pytest.mark.parametrize("name", ["llama2-7b", "a_b", "e5", "off", "nan"])
def test_a_name_is_a_key_that_an_experiment_can_set(tmp_path, name):
    from dvc.utils.hydra import apply_overrides

    path = tmp_path / "params.yaml"
    path.write_text(f"tasks: [mood]\nteachers: [{name}]\nteacher:\n  {name}:\n    finetune: {{epochs: 3}}\n")
    assert read_active(path) == (["mood"], [name])
    apply_overrides(path, [f"teacher.{name}.finetune.epochs=1"])
    assert read_block(f"teacher.{name}.finetune", dict, path) == {"epochs": 1}
