"""What the user brought and DVC would remove is refused, by whatever runs first; what stages made is not."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.commands.doctor import doctor
from pipeline.commands.plan import plan
from pipeline.params import read_yaml
from pipeline.stages.inputs import main as inputs
from pipeline.team.protected import STAGES, list_outs, require_protected, require_runnable
from teacher_cache.errors import UserError

ROOT = Path(__file__).parents[3]
SOURCE = "source: {kind: embedded, generator: emotion, rows: 800}"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project with the profile smoke's task read from a file; nothing has run."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    text = (ROOT / "params.yaml").read_text()
    text = text.replace("tasks: [emotion, hiding, thematic]", "tasks: [emotion-tiny]")
    (tmp_path / "params.yaml").write_text(text.replace("teachers: [bloom, llama]", "teachers: [llama-tiny]"))
    return tmp_path


def name_source(root, path):
    text = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(text.replace(SOURCE, f"source: {{kind: file, path: '{path}'}}"))


def test_a_teacher_without_a_part_is_refused_before_anything_runs(root):
    text = (root / "params.yaml").read_text()
    block = "  somebody:\n    base: {kind: file, path: raw/said.csv}\n"
    text = text.replace("\nteacher:\n", f"\nteacher:\n{block}").replace(
        "teachers: [llama-tiny]", "teachers: [somebody]"
    )
    (root / "params.yaml").write_text(text)
    with pytest.raises(
        UserError, match=r"teacher\.somebody must have finetune, got base; `finetune: \{\}` leaves all of it"
    ):
        require_runnable()
    whole = text.replace(block, block + "    finetune: {}\n    cache_teacher: {}\n")
    (root / "params.yaml").write_text(whole)
    require_runnable()
    (root / "params.yaml").write_text(whole.replace("raw/said.csv", "cache/emotion-tiny/somebody/said.csv"))
    with pytest.raises(UserError, match=r"teacher\.somebody\.base\.path must lie outside of cache/"):
        require_runnable()


def test_all_labels_that_nobody_knows_are_refused_before_anything_runs(root):
    text = (root / "params.yaml").read_text()
    put(root / "raw/pool.csv")
    place = "  emotion-tiny:\n"
    pooled = text.replace(place, place + "    pool: {kind: file, path: raw/pool.csv}\n")
    (root / "params.yaml").write_text(pooled)
    with pytest.raises(
        UserError, match=r"must leave out all_labels, as nobody knows the labels of task\.emotion-tiny\.pool"
    ):
        require_runnable()
    (root / "params.yaml").write_text(pooled.replace("all_labels, ", "", 1))
    require_runnable()
    (root / "params.yaml").write_text(pooled.replace(place, place + "    labelled: 200\n", 1))
    require_runnable()
    assert SOURCE in text
    for own, where in (
        ("source: {kind: file, path: {train: a.csv, test: b.csv, pool: c.csv}}", r"source\.path\.pool"),
        (f"source: {{kind: hub, dataset: me/it, revision: {'a' * 40}, splits: {{train: a, test: b, pool: c}}}}",
         r"source\.splits\.pool"),
        ("source: {kind: file, path: a.csv}\n    split: {column: fold, values: {raw: pool}}", r"split\.values\.raw"),
    ):  # fmt: skip
        own = text.replace(f"{SOURCE}\n    balance: true", own, 1)
        (root / "params.yaml").write_text(own)
        with pytest.raises(UserError, match=rf"nobody knows the labels of task\.emotion-tiny\.{where}"):
            require_runnable()


def test_stages_of_the_users_own_are_left_alone(root):
    own = "  mine:\n    matrix: {name: [a, 1]}\n    cmd: touch mine/${item.name}\n    outs: ['mine/${item.name}']\n"
    for stage in (own, "  mine: {cmd: ls}\n", "  mine:\n    matrix: {name: '${nothing}'}\n    cmd: ls\n"):
        shutil.copy(ROOT / "dvc.yaml", root)
        with (root / "dvc.yaml").open("a") as stream:
            stream.write(stage)
        put(root / "mine/a/kept.csv")
        require_runnable()
    assert {("mine/a", "mine"), ("mine/1", "mine")} <= {
        (str(path), owner)
        for path, owner in list_outs({"mine": {"matrix": {"name": ["a", 1]}, "outs": ["mine/${item.name}"]}}, {})
    }


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("text,label\n")
    return path


@pytest.mark.parametrize(
    "path", ["data/emotion-tiny/raw.csv", "./data/../data/emotion-tiny/deep/raw.csv", "inputs/raw.csv"]
)
def test_a_raw_file_in_an_output_is_refused_by_all_that_runs_first(root, path):
    raw = put(root / path)
    name_source(root, path)
    for command, arguments in ((inputs, ["--inputs", "inputs"]), (plan, []), (doctor, ["--lock"])):
        found = CliRunner().invoke(command, arguments)
        assert isinstance(found.exception, UserError)
        assert f"task.emotion-tiny.source.path must lie outside of {raw.relative_to(root).parts[0]}/" in str(
            found.exception
        )
        assert "move it, to raw/ for one" in str(found.exception)
        assert raw.is_file()
    (root / "raw").mkdir()
    raw.rename(root / "raw/raw.csv")
    (root / "params.yaml").write_text((root / "params.yaml").read_text().replace(path, "raw/raw.csv"))
    require_runnable()  # the advice works


def test_it_is_found_by_its_absolute_path_and_behind_a_link(root):
    raw = put(root / "features/emotion-tiny/raw.csv")
    (root / "link.csv").symlink_to(raw)
    for path in (raw, "link.csv"):
        name_source(root, path)
        with pytest.raises(UserError, match="the output of stage embed, which DVC replaces"):
            require_protected(read_yaml(root / "params.yaml"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("embed", {"kind": "file", "path": "features/{task}/own.parquet"}),
        ("embed", {"kind": "static", "checkpoint": "models/base/emotion-tiny/llama-tiny"}),
        ("student", {"circuit": {"file": "students/emotion-tiny/llama-tiny/own.py"}}),
        ("teacher", {"inactive": {"base": {"kind": "hub", "model": "models/teacher/emotion-tiny/llama-tiny/mine"}}}),
        ("comparator", {"shared": {"texts": {"init": "reports/bert"}}}),
        ("task", {"inactive": {"source": {"kind": "file", "path": "work/texts.csv"}}}),
    ],
)
def test_so_is_everything_else_that_params_name(root, key, value):
    params = read_yaml(root / "params.yaml") | {key: value}
    with pytest.raises(UserError, match=rf"^{key}\..* must lie outside of "):
        require_protected(params)


@pytest.mark.parametrize("path", ["data/raw.csv", "data/other/raw.csv", "raw/data/emotion-tiny/raw.csv", "models/mine"])
def test_what_dvc_leaves_alone_is_let_be(root, path):
    name_source(root, path)
    require_runnable()


@pytest.mark.parametrize(
    "path",
    [
        *(
            "data/emotion-tiny/notes.md",
            "data/emotion-tiny/deep/examples.parquet",
            "features/emotion-tiny/mine.parquet",
        ),
        *(
            "cache/emotion-tiny/llama-tiny/old/manifest.json",
            "students/emotion-tiny/llama-tiny/best.bak",
            "reports/me.md",
        ),
    ],
)
def test_a_file_that_no_stage_made_is_refused(root, path):
    put(root / path)
    with pytest.raises(UserError, match=f"^{path} was not made by stage ") as error:
        require_protected(read_yaml(root / "params.yaml"))
    assert "move the file elsewhere, to raw/ for one" in str(error.value)


def test_what_the_stages_have_made_is_theirs(project, monkeypatch):
    """With every output in place, as before a second run, or after a kill that dvc.lock knows nothing of."""
    monkeypatch.chdir(project.folder)
    outs = dict(list_outs(read_yaml(STAGES)["stages"], read_yaml(Path("params.yaml"))))
    locked = {out["path"] for stage in read_yaml(Path("dvc.lock"))["stages"].values() for out in stage["outs"]}
    assert {str(out) for out in outs} <= locked  # what another test took into the lists before is there, too
    require_runnable()


def test_dvc_removes_nothing(project, tmp_path):
    """By `dvc repro` itself: its first stage ends with the line, and the only copy is still there."""
    checkout = project.at(tmp_path / "copy")
    shutil.copytree(project.folder, checkout.folder, ignore=shutil.ignore_patterns("work", "models", ".dvc/cache"))
    raw = put(checkout.folder / "data/emotion-tiny/raw.csv")
    checkout.edit(SOURCE, "source: {kind: file, path: data/emotion-tiny/raw.csv}")
    result = checkout.call("dvc", "repro")
    assert result.returncode
    assert "inputs: task.emotion-tiny.source.path must lie outside of data/emotion-tiny/" in result.stderr
    assert raw.is_file()


def test_an_alias_is_named_as_an_override_would_change_its_neighbours(root, caplog):
    path = root / "params.yaml"
    text = path.read_text()
    require_runnable()
    assert not caplog.records
    text = text.replace("finetune: {rank: 8,", "finetune: &one {rank: 8,")
    path.write_text(text)
    require_runnable()
    assert not caplog.records
    lines = path.read_text().splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("  bloom-real:")) + 2
    lines[place] = "    finetune: *one"
    path.write_text("\n".join(lines) + "\n")
    require_runnable()
    (record,) = caplog.records
    assert record.getMessage().startswith(f"params.yaml line {place + 1}: what stands behind an alias is set once")
