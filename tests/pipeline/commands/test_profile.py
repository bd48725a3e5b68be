"""A profile changes what it says and nothing else, and `default` takes all of it back."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from pipeline.commands.profile import PROFILES, profile
from pipeline.team.project import read_project
from teacher_cache.errors import UserError
from teacher_cache.manifest import hash_file

ROOT = Path(__file__).parents[3]


@pytest.fixture
def params(tmp_path):
    return shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml")


@pytest.fixture
def texts(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    for name in ("emotion", "hiding", "thematic"):
        (folder / f"{name}.parquet").write_bytes(name.encode())
    return folder


def choose(params, *arguments):
    result = CliRunner().invoke(profile, [*map(str, arguments), "--params", str(params)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def leaves(block, prefix=""):
    for key, value in block.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


@pytest.mark.parametrize("name", ["smoke", "compare", "real", "ablation", "paper", "default"])
def test_default_takes_a_profile_back_to_the_letter(params, texts, name):
    before = params.read_text()
    choose(params, name, *(("--data", texts) if name == "real" else ()))
    assert (params.read_text() == before) == (name == "default")
    comments = [line for line in before.splitlines() if line.lstrip().startswith("#")]
    assert [line for line in params.read_text().splitlines() if line.lstrip().startswith("#")] == comments
    choose(params, "default")
    assert params.read_text() == before


def test_default_names_every_key_that_another_profile_sets():
    yaml = YAML(typ="safe")
    default = set(leaves(yaml.load((PROFILES / "default.yaml").read_text())))
    for name in ("smoke", "compare", "real", "ablation", "paper"):
        assert set(leaves(yaml.load((PROFILES / f"{name}.yaml").read_text()))) <= default


def test_a_users_own_values_survive(params):
    params.write_text(params.read_text().replace("engine: fused #", "engine: auto # by me,"))
    before = params.read_text()
    choose(params, "smoke")
    assert "engine: auto # by me," in params.read_text()
    choose(params, "default")
    assert params.read_text() == before


def test_smoke_is_one_task_and_one_teacher(params):
    assert "profile smoke" in choose(params, "smoke")
    project = read_project(params)
    assert len(project.tasks) == len(project.teachers) == 1


def test_real_pins_the_files_it_found(params, texts):
    choose(params, "real", "--data", texts)
    source = read_project(params).task["hiding-real"].source
    assert source.path == str(texts / "hiding.parquet")
    assert source.sha256 == hash_file(texts / "hiding.parquet")


def test_real_without_its_files_changes_nothing(params, tmp_path):
    before = params.read_text()
    with pytest.raises(
        UserError, match=r"emotion\.parquet must exist: .*--data or set task\.emotion-real\.source\.path"
    ):
        choose(params, "real", "--data", tmp_path)
    assert params.read_text() == before


def test_paper_is_the_papers_setting(params):
    choose(params, "paper")
    project = read_project(params)
    assert project.student.learning_rate == 0.06
    assert (project.student.batch_size, project.student.epochs) == (8, 10)
    assert {project.teacher[name].finetune.rank for name in project.teachers} == {200}
    assert len(project.teachers) == 5


def test_ablation_trains_every_loss_and_as_many_seeds_as_the_paper(params):
    choose(params, "ablation")
    project = read_project(params)
    assert project.evaluate.losses == ["ce", "kl", "js"]
    assert project.student.seeds == 5
    assert len(project.teachers) > 1


def test_data_goes_with_real_alone(params, texts):
    with pytest.raises(UserError, match="--data must go with the profile real, got smoke"):
        choose(params, "smoke", "--data", texts)


def test_params_of_another_shape_are_refused(params):
    text = params.read_text()
    cut = "\n".join(line for line in text.splitlines() if "emotion-real" not in line and "emotion.parquet" not in line)
    params.write_text(cut.replace("labels: [negative, positive]\n  hiding-real", "hiding-real"))
    before = params.read_text()
    with pytest.raises(UserError):
        choose(params, "default")
    assert params.read_text() == before
