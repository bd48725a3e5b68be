"""`qdllm profile`: an overlay on params.yaml that keeps its comments.

In: pipeline/profiles/NAME.yaml, params.yaml.  Out: profile (a click command).  Imports: ruamel.yaml.
"""

from io import StringIO
from pathlib import Path
from typing import Any

import click
from ruamel.yaml import YAML

from pipeline.params import PARAMS, parse
from pipeline.team.project import Project, read_project
from teacher_cache.errors import UserError
from teacher_cache.manifest import hash_file
from teacher_cache.publish import publish_file

PROFILES = Path(__file__).parents[1] / "profiles"
# Wide enough that no line of params.yaml is ever wrapped.
WIDTH = 4096


@click.command(short_help="Choose what runs, from smoke to paper")
@click.argument("name", type=click.Choice(["smoke", "default", "compare", "real", "ablation", "paper"]))
@click.option(
    "--data", type=click.Path(path_type=Path), help="The folder of real texts; files are called {task}.parquet."
)
@click.option("--params", "path", type=click.Path(path_type=Path), default=PARAMS, show_default=True)
def profile(name: str, data: Path | None, path: Path) -> None:
    """Choose what runs: smoke, default, compare, real, ablation or paper."""
    read_project(path)
    yaml = make_yaml()
    content = yaml.load(path.read_text(encoding="utf-8"))
    overlay = yaml.load((PROFILES / f"{name}.yaml").read_text(encoding="utf-8"))
    apply_overlay(content, overlay, path)
    if name == "real":
        point_to_files(content, data)
    elif data is not None:
        raise UserError(f"--data must go with the profile real, got {name}")
    save_params(content, path)
    click.echo(
        f"{path}: profile {name}, tasks {', '.join(content['tasks'])}, teachers {', '.join(content['teachers'])}"
    )


def make_yaml() -> YAML:
    """A reader and writer of YAML that keeps comments, quotes, order and the style of every number."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def save_params(content: Any, path: Path) -> None:
    """Write what make_yaml() read and the caller changed, if it still is a project.

    Raises:
        UserError: a value breaks a rule; the file stays as it was.
    """
    parse(content, Project, path=path)
    text = StringIO()
    make_yaml().dump(content, text)
    with publish_file(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def apply_overlay(content: Any, overlay: Any, path: Path, prefix: str = "") -> None:
    """Set each value of `overlay` at its place in `content`; lists are replaced whole.

    Raises:
        UserError: `content` lacks a key, so the profile could not be undone.
    """
    for key, value in overlay.items():
        if key not in content:
            raise UserError(
                f"{path}: {prefix}{key} must be there for this profile; restore it from the version that was shipped"
            )
        if isinstance(value, dict) and isinstance(content[key], dict):
            apply_overlay(content[key], value, path, f"{prefix}{key}.")
        else:
            content[key] = value


def point_to_files(content: Any, folder: Path | None) -> None:
    """Put the path and the SHA-256 of each active task's file into its source.

    Raises:
        UserError: a file is absent.
    """
    for task in content["tasks"]:
        source = content["task"][task]["source"]
        file = Path(source["path"]) if folder is None else folder / Path(source["path"]).name
        if not file.is_file():
            raise UserError(
                f"{file} must exist: profile real reads it; name its folder with --data or set task.{task}.source.path"
            )
        source["path"] = str(file)
        source["sha256"] = hash_file(file)
