"""A profile changes what it says and nothing else, and `default` takes all of it back."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.commands.fetch import RELEASES
from pipeline.commands.profile import NAMES, find_block, make_yaml, profile, read_leaves
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
    (folder / "SmolLM2-135M-Instruct.Q4_1.gguf").touch()
    return folder


def list_folders(name, texts):
    """The options of a profile that is of files: the LLM lies beside the texts."""
    return {"real": ("--data", texts), "pretrained": ("--data", texts, "--llm", texts)}.get(name, ())


def choose(params, *arguments):
    result = CliRunner().invoke(profile, [*map(str, arguments), "--params", str(params)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("name", NAMES)
def test_default_takes_a_profile_back_to_the_letter(params, texts, name):
    before = params.read_text()
    choose(params, name, *list_folders(name, texts))
    assert (params.read_text() == before) == (name == "default")
    comments = [line for line in before.splitlines() if line.lstrip().startswith("#")]
    assert [line for line in params.read_text().splitlines() if line.lstrip().startswith("#")] == comments
    choose(params, "default")
    assert params.read_text() == before


def test_default_is_what_params_yaml_ships_with_of_every_key_that_a_profile_sets():
    content, default = make_yaml().load((ROOT / "params.yaml").read_text()), read_leaves("default")
    assert content["profile"] == "default"
    for key, value in default.items():
        assert find_block(content, key, Path("params.yaml"))[key[-1]] == value, key
    differing = {name: read_leaves(name) for name in NAMES if name != "default"}
    files = {key for key in default if "source" in key or key[-2:] == ("base", "path")}
    assert set(default) == files.union(*differing.values())
    for name, own in differing.items():
        assert not [key for key in own if own[key] == default[key]], f"{name} repeats what ships"


def test_the_way_does_not_matter(params, texts, tmp_path):
    """By way of other profiles a file is the same as straight from what ships."""
    direct = {}
    for name in NAMES:
        copy = Path(shutil.copy(params, tmp_path / f"{name}.yaml"))
        choose(copy, name, *list_folders(name, texts))
        direct[name] = copy.read_text()
    way = (
        "smoke",
        "compare",
        "real",
        "pretrained",
        "ablation",
        "paper",
        "pretrained",
        "smoke",
        "real",
        "compare",
        "paper",
    )
    for name in (*way, "ablation"):
        choose(params, name, *list_folders(name, texts))
        assert params.read_text() == direct[name]


def test_a_users_own_values_survive(params):
    params.write_text(params.read_text().replace("engine: fused #", "engine: auto # by me,"))
    before = params.read_text()
    assert choose(params, "smoke").count("\n") == 1
    assert "engine: auto # by me," in params.read_text()
    choose(params, "default")
    assert params.read_text() == before


def test_what_the_user_changed_of_a_profile_is_kept_and_said(params):
    before = params.read_text()
    choose(params, "smoke")
    params.write_text(params.read_text().replace("epochs: 6", "epochs: 9"))
    said = choose(params, "default")
    assert said.splitlines()[0] == "kept: student.epochs 9, which is yours; of profile default it is 3"
    assert params.read_text() == before.replace("  epochs: 3\n", "  epochs: 9\n")


def test_what_the_user_changed_of_what_ships_is_set_aside_and_put_back(params):
    """Tuned values, lists and all, survive a look at another profile, or at two."""
    tuned = params.read_text().replace("  epochs: 3\n", "  epochs: 9\n")
    tuned = tuned.replace("tasks: [emotion, hiding, thematic]", "tasks: [thematic]").replace(
        "[0.01, 0.05]", "[0.05, 0.5]"
    )
    params.write_text(tuned)
    said = choose(params, "smoke").splitlines()
    assert "set aside: student.epochs 9, which is yours; of profile smoke it is 6" in said
    project = read_project(params)
    assert (project.student.epochs, project.tasks) == (6, ["emotion-tiny"])
    assert project.set_aside["tasks"] == ["thematic"]
    choose(params, "ablation")
    assert read_project(params).tasks == ["thematic"]
    choose(params, "smoke")
    assert "put back: student.epochs 9, which is yours" in choose(params, "default").splitlines()
    assert params.read_text() == tuned


def test_a_value_tuned_twice_is_kept_as_it_is_and_the_other_is_said(params):
    params.write_text(params.read_text().replace("  epochs: 3\n", "  epochs: 9\n"))
    choose(params, "smoke")
    params.write_text(params.read_text().replace("epochs: 6\n  # Epochs", "epochs: 7\n  # Epochs"))
    line = choose(params, "default").splitlines()[0]
    assert line == "kept: student.epochs 7, which is yours; of profile default it is 3, and 9 was set aside"
    assert not read_project(params).set_aside


def test_a_profile_of_ones_own_is_refused(params):
    params.write_text(params.read_text().replace("profile: default", "profile: mine"))
    with pytest.raises(
        UserError, match="profile must be one of smoke, default, compare, real, pretrained, ablation, paper, got mine"
    ):
        choose(params, "smoke")


def test_params_without_the_key_are_those_that_shipped(params):
    params.write_text(params.read_text().replace("profile: default\n", ""))
    choose(params, "smoke")
    assert read_project(params).profile == "smoke"


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
    assert {"labels_alone", "kl", "js"} <= set(project.comparators)
    assert project.student.seeds == 5
    assert not project.embed.class_weights
    assert len(project.teachers) > 1


def test_pretrained_names_its_llm_and_few_labels(params, texts):
    choose(params, "pretrained", "--data", texts, "--llm", texts)
    project = read_project(params)
    base = project.teacher["smollm2-q4_1"].base
    assert base.path == str(texts / RELEASES["smollm2"].name)
    assert base.sha256 == RELEASES["smollm2"].sha256
    assert {project.task[name].labelled for name in project.tasks} == {240}
    assert project.task["thematic-few"].source.sha256 == hash_file(texts / "thematic.parquet")


def test_pretrained_without_its_llm_says_what_fetches_it(params, texts):
    before = params.read_text()
    (texts / "SmolLM2-135M-Instruct.Q4_1.gguf").unlink()
    with pytest.raises(UserError, match=rf"gguf must exist: .*`qdllm fetch smollm2 {texts}`, or name its folder"):
        choose(params, "pretrained", "--data", texts, "--llm", texts)
    assert params.read_text() == before
    with pytest.raises(UserError, match="--llm must go with the profile pretrained, got real"):
        choose(params, "real", "--data", texts, "--llm", texts)


def test_data_goes_with_real_alone(params, texts):
    with pytest.raises(UserError, match="--data must go with the profile real or pretrained, got smoke"):
        choose(params, "smoke", "--data", texts)


def test_params_of_another_shape_are_refused(params):
    text = params.read_text()
    cut = "\n".join(line for line in text.splitlines() if "emotion-real" not in line and "emotion.parquet" not in line)
    params.write_text(cut.replace("labels: [negative, positive]\n  hiding-real", "hiding-real"))
    before = params.read_text()
    with pytest.raises(UserError):
        choose(params, "default")
    assert params.read_text() == before


def test_what_version_0_1_did_not_know_is_added(tmp_path):
    """A grid, and a comparator that it had no block for."""
    content = make_yaml().load((ROOT / "params.yaml").read_text())
    del content["student"]["grid"], content["embed"]["class_weights"], content["comparator"]["kl"]
    path = tmp_path / "params.yaml"
    with path.open("w") as file:
        make_yaml().dump(content, file)
    said = CliRunner().invoke(profile, ["ablation", "--params", str(path)], catch_exceptions=False).output
    assert "added: embed.class_weights False; there was none" in said
    assert "added: comparator.kl; there was none" in said
    said = CliRunner().invoke(profile, ["smoke", "--params", str(path)], catch_exceptions=False).output
    assert "added: student.grid.l2 [0.05]; there was none" in said
    CliRunner().invoke(profile, ["default", "--params", str(path)], catch_exceptions=False)
    project = read_project(path)
    assert project.student.grid == {"l2": [0.02, 0.1, 0.25]}
    assert project.comparator["kl"] == {}
