"""`qdllm profile`: what a profile sets, laid over params.yaml, whose comments and other values stay.

In: pipeline/profiles/NAME.yaml, params.yaml.  Out: profile (a click command).  Imports: ruamel.yaml.

A profile's file holds what differs from what params.yaml ships with; `default.yaml` holds what ships, of every key that
any of them sets. The key `profile` of params.yaml says which one was laid over it last, so that it can be taken back.
What somebody had changed and a profile needs otherwise is kept under the key `set_aside`, until that profile is left.
"""

from io import StringIO
from pathlib import Path
from typing import Any

import click
from ruamel.yaml import YAML
from ruamel.yaml.representer import RoundTripRepresenter

from pipeline.params import PARAMS, parse
from pipeline.team.project import Project, read_project
from teacher_cache.errors import UserError
from teacher_cache.manifest import hash_file
from teacher_cache.publish import publish_file

PROFILES = Path(__file__).parents[1] / "profiles"
NAMES = ("smoke", "default", "compare", "real", "pretrained", "ablation", "paper")
# For these the command itself puts paths and checksums into params.yaml, under the tasks and teachers that each has.
POINTED = ("real", "pretrained")
# Wide enough that no line of params.yaml is ever wrapped.
WIDTH = 4096


@click.command()
@click.argument("name", type=click.Choice(NAMES))
@click.option(
    "--data", type=click.Path(path_type=Path), help="The folder of real texts; files are called {task}.parquet."
)
@click.option("--llm", type=click.Path(path_type=Path), help="The folder of `qdllm fetch smollm2`, for pretrained.")
@click.option("--params", "path", type=click.Path(path_type=Path), default=PARAMS, show_default=True)
def profile(name: str, data: Path | None, llm: Path | None, path: Path) -> None:
    """Choose what runs: smoke, default, compare, real, pretrained, ablation or paper.

    What the profile before had set goes back to what it was before: what params.yaml ships with, or your own value.
    What you have changed since is kept.
    """
    read_project(path)
    content = make_yaml().load(path.read_text(encoding="utf-8"))
    said = switch_profile(content, name, path)
    if name in POINTED:
        point_to_files(content, data, name)
    elif data is not None:
        raise UserError(f"--data must go with the profile {' or '.join(POINTED)}, got {name}")
    if name == "pretrained":
        point_to_llm(content, llm)
    elif llm is not None:
        raise UserError(f"--llm must go with the profile pretrained, got {name}")
    save_params(content, path)
    for line in said:
        click.echo(line)
    click.echo(
        f"{path}: profile {name}, tasks {', '.join(content['tasks'])}, teachers {', '.join(content['teachers'])}"
    )


class _Representer(RoundTripRepresenter):
    """Writes null where ruamel.yaml would write nothing."""


_Representer.add_representer(type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null"))


def make_yaml() -> YAML:
    """A reader and writer of YAML that keeps comments, quotes, order, the style of every number, and null as a word."""
    yaml = YAML()
    yaml.Representer = _Representer
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


def switch_profile(content: Any, name: str, path: Path) -> list[str]:
    """Go from the profile that `content` names to `name`, in place; lists are values, replaced whole.

    Returns:
        A line for each key that is new, and each value of the user's: kept, where the profile before had set another
        one; set aside, where this one needs another; or put back.

    Raises:
        UserError: `content` names no profile of ours, or lacks a key that one of the two sets.
    """
    old = parse(content.get("profile", "default"), str, "profile", path)
    if old not in NAMES:
        raise UserError(f"{path}: profile must be one of {', '.join(NAMES)}, got {old}")
    shipped, before, after = (read_leaves(one) for one in ("default", old, name))
    before, after = ({} if one == "default" else leaves for one, leaves in ((old, before), (name, after)))
    if old in POINTED and old != name:  # paths and checksums of files, which the command itself has put there
        mine = read_leaves(old)
        active = {*mine["tasks",], *mine["teachers",]}
        kept = [key for key in shipped if key[-1] in ("path", "sha256") and key[1] in active]
        before |= {key: find_block(content, key, path)[key[-1]] for key in kept}
    said = []
    aside = content.get("set_aside") or {}
    for key in {**before, **after}:
        block, last, place = find_block(content, key, path), key[-1], ".".join(key)
        base, target = before.get(key, shipped[key]), after.get(key, shipped[key])
        if last not in block:  # a project of version 0.1, which knew fewer
            block[last] = target
            if (own := (*key[:-2], last)) in shipped and key[-2] == "grid":  # which must hold the key's own value
                find_block(content, own, path).setdefault(last, shipped[own])
            said.append(f"added: {place} {target}; there was none")
            continue
        if block[last] not in (base, target) and key in before:
            instead = f", and {aside.pop(place)} was set aside" if place in aside else ""
            said.append(f"kept: {place} {block[last]}, which is yours; of profile {name} it is {target}{instead}")
            continue
        if place in aside and key not in after:
            target = aside.pop(place)
            said.append(f"put back: {place} {target}, which is yours")
        elif block[last] not in (base, target):
            aside[place] = block[last]
            said.append(f"set aside: {place} {block[last]}, which is yours; of profile {name} it is {target}")
        if block[last] != target:
            block[last] = target
    said += define_comparators(content, shipped, path)
    content["profile"] = name
    content.pop("set_aside", None)
    if aside:
        content["set_aside"] = aside
    return said


def define_comparators(content: Any, shipped: dict[tuple[str, ...], Any], path: Path) -> list[str]:
    """Give each active comparator that has no block the one that ships; a line for each."""
    blocks = content.get("comparator", {})
    new = [name for key in ("comparators", "text_comparators") for name in content.get(key, []) if name not in blocks]
    for name in new:
        content.setdefault("comparator", {})[name] = {}
        for key in (key for key in shipped if key[:2] == ("comparator", name)):
            find_block(content, key, path)[key[-1]] = shipped[key]
    return [f"added: comparator.{name}; there was none" for name in new]


def read_leaves(name: str) -> dict[tuple[str, ...], Any]:
    """What the profile `name` sets: values by the keys that lead to them."""
    found = {}
    open_blocks: list[tuple[tuple[str, ...], Any]] = [
        ((), make_yaml().load((PROFILES / f"{name}.yaml").read_text(encoding="utf-8")))
    ]
    while open_blocks:
        prefix, block = open_blocks.pop(0)
        for key, value in block.items():
            if isinstance(value, dict):
                open_blocks.append(((*prefix, key), value))
            else:
                found[*prefix, key] = value
    return found


def find_block(content: Any, key: tuple[str, ...], path: Path) -> Any:
    """The mapping of `content` in which the last level of `key` is, or goes; a comparator's block and a grid are made.

    Raises:
        UserError: there is none.
    """
    for depth, level in enumerate(key[:-1], 1):
        if isinstance(content, dict) and level not in content and (key[0] == "comparator" or level == "grid"):
            content[level] = {}
        if not isinstance(content, dict) or not isinstance(content.get(level), dict):
            place = ".".join(key[:depth])
            raise UserError(
                f"{path}: {place} must be there for this profile; take it from the params.yaml that shipped"
            )
        content = content[level]
    return content


def point_to_files(content: Any, folder: Path | None, name: str) -> None:
    """Put the path and the SHA-256 of each active task's file into its source.

    Raises:
        UserError: a file is absent.
    """
    for task in content["tasks"]:
        source = content["task"][task]["source"]
        file = Path(source["path"]) if folder is None else folder / Path(source["path"]).name
        if not file.is_file():
            raise UserError(
                f"{file} must exist: profile {name} reads it; name its folder with --data or set "
                f"task.{task}.source.path"
            )
        source["path"] = str(file)
        source["sha256"] = hash_file(file)


def point_to_llm(content: Any, folder: Path | None) -> None:
    """Put the path of each active teacher's GGUF file into its base.

    Raises:
        UserError: the file is absent.
    """
    for teacher in content["teachers"]:
        base = content["teacher"][teacher]["base"]
        file = Path(base["path"]) if folder is None else folder / Path(base["path"]).name
        if not file.is_file():
            raise UserError(
                f"{file} must exist: profile pretrained reads it; run `qdllm fetch smollm2 {file.parent}`, or name its "
                "folder with --llm"
            )
        base["path"] = str(file)
