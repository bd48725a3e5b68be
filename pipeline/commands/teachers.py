"""`qdllm teachers`: what each teacher is and how large, without weights or network; and the pinning of hub models.

In: params.yaml.  Out: teachers (a click command).  Imports: torch for counting; the hub for --pin alone.
"""

import json
from pathlib import Path
from typing import Any

import click

from pipeline.commands.profile import make_yaml, save_params
from pipeline.params import PARAMS
from pipeline.team.project import read_project
from teacher_cache.errors import UserError
from teacher_cache.outside import locate
from teacher_cache.teacher.base.llms import LLMS, describe_teacher
from teacher_cache.teacher.teacher_config import FinetuneConfig, HubBase, TeacherConfig

# Table 3 of the paper counts LoRA of this rank with a head for the four classes of its largest task.
PAPER_RANK = 200
PAPER_CLASSES = 4


@click.command()
@click.argument("names", nargs=-1)
@click.option("--classes", type=click.IntRange(min=2), default=PAPER_CLASSES, show_default=True, help="Of the head.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--pin", is_flag=True, help="Write the current commit of hub models without a revision into params.yaml.")
@click.option("--ref", default="main", show_default=True, help="The branch, tag or refs/pr/N whose commit is pinned.")
@click.option("--params", "path", type=click.Path(path_type=Path), default=PARAMS, show_default=True)
def teachers(names: tuple[str, ...], classes: int, as_json: bool, pin: bool, ref: str, path: Path) -> None:
    """Say what each teacher starts from, what LoRA adapts in it, and how large both are.

    NAMES are teachers of params.yaml; without them, all of these and the paper's LLMs that are not among them.
    """
    defined = read_project(path).teacher
    for name in names:
        if name not in defined:
            raise UserError(f"{path}: teacher must define {name}, got {', '.join(defined)}")
    if pin:
        pin_revisions(path, list(names or defined), ref)
        defined = read_project(path).teacher
    elif ref != "main":
        raise click.UsageError("--ref goes with --pin")
    chosen = {name: defined[name] for name in names} if names else defined | add_paper(defined)
    found = {name: describe(teacher, classes) for name, teacher in chosen.items()}
    click.echo(json.dumps(found) if as_json else format_teachers(found))


def describe(teacher: TeacherConfig, classes: int) -> dict[str, Any]:
    """What describe_teacher() says.

    Raises:
        UserError: torch is not installed, or of describe_teacher().
    """
    try:
        return describe_teacher(teacher, classes)
    except ImportError as error:
        raise UserError(f"qdllm teachers needs {error.name}: pip install 'qdllm[teacher]'") from None


def add_paper(defined: dict[str, TeacherConfig]) -> dict[str, TeacherConfig]:
    """The paper's LLMs that no teacher of params.yaml starts from, by hub id, with the paper's rank."""
    named = {teacher.base.model for teacher in defined.values() if isinstance(teacher.base, HubBase)}
    tuning = FinetuneConfig(rank=PAPER_RANK, alpha=float(PAPER_RANK))
    return {model: TeacherConfig(HubBase("hub", model), tuning) for model in LLMS if model not in named}


def pin_revisions(path: Path, names: list[str], ref: str) -> None:
    """Write the commit of `ref` into the base of each teacher of `names` that is an unpinned hub model.

    All commits are found before the file is touched; comments, order and every other value stay as they are.

    Raises:
        UserError: the hub does not answer, or the commit has no safetensors.
    """
    from teacher_cache.teacher.base.snapshot import find_commit

    content = make_yaml().load(path.read_text(encoding="utf-8"))
    commits: dict[str, str] = {}
    for name in names:
        base = content["teacher"][name]["base"]
        if base["kind"] != "hub" or base.get("revision") or locate(base["model"]).is_dir():
            continue
        if base["model"] not in commits:
            commits[base["model"]] = find_commit(base["model"], ref)
        base["revision"] = commits[base["model"]]
        click.echo(f"{path}: teacher.{name}.base.revision is now {base['revision']}", err=True)
    if not commits:
        click.echo(f"{path}: nothing to pin among {', '.join(names)}", err=True)
        return
    save_params(content, path)


def format_teachers(found: dict[str, dict[str, Any]]) -> str:
    """The teachers as a table, sizes in millions."""
    rows = [("teacher", "starts from", "revision", "architecture", "parameters", "trained", "LoRA: rank, modules")]
    for name, facts in found.items():
        revision = (facts["revision"] or "")[:12] if facts["pinned"] else "not pinned"
        targets = facts["lora_targets"] or "known once its configuration is fetched"
        modules = targets if isinstance(targets, str) else ", ".join(targets)
        tuned = "none: answers of a file" if facts["rank"] is None else f"{facts['rank']} {modules}"
        sizes = [_in_millions(facts[key]) for key in ("base_parameters", "lora_parameters")]
        rows.append((name, facts["model"], revision, facts["architecture"] or "-", *sizes, tuned))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _in_millions(parameters: int | None) -> str:
    return "-" if parameters is None else f"{parameters / 1e6:.2f}M"
