"""`qdllm upgrade`: a project of version 0.1, carried over without running a teacher's stage.

In: its params.yaml, dvc.yaml, dvc.lock.  Out: upgrade (a click command).  Imports: dvc, ruamel.yaml; no torch, no jax.

Outputs stay where they are and as they are. An entry of dvc.lock says by which command, from what and with which
numbers they were made: that is written anew.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from ruamel.yaml import YAML

from pipeline.commands.profile import make_yaml
from pipeline.lockfile import COPY, LOCK, describe_damage
from pipeline.old_project import find_marks
from pipeline.params import PARAMS, parse, read_yaml
from pipeline.team.project import Project
from teacher_cache.errors import UserError
from teacher_cache.publish import write_json
from teacher_cache.versions import VERSIONS

if TYPE_CHECKING:  # DVC takes half a second to import
    from pipeline.team.dvc_project import Step

DVC, IGNORED, INPUTS = Path("dvc.yaml"), Path(".gitignore"), Path("inputs")
# Which qdllm was installed: a stage's output in version 0.1.
VERSION = Path("version.txt")
BACKUP = Path(".dvc/tmp/qdllm/upgrade-0.1")
TEMPLATE = Path(__file__).parents[1] / "template"

Contents = dict[Path, str | None]


@click.command()
def upgrade() -> None:
    """Carry the project in the current folder over from version 0.1: its params, dvc.lock, caches, students, remote.

    No teacher is trained, no cache written, torch is not needed; the old files are kept. In a checkout of the
    repository, take the new code first (git pull).
    """
    from pipeline.legacy.exchange import OLD, exchange, find_unfinished, finish
    from pipeline.team.dvc_project import list_steps, open_repo

    require_project()
    backup = find_unfinished(BACKUP)
    if backup is not None:
        finish(Path(), backup)
        click.echo("The upgrade that was interrupted is finished")
    else:
        contents, lines = plan_upgrade()
        if not contents:
            click.echo("Nothing to do: this is a project of this version")
            return
        backup = exchange(Path(), contents, BACKUP)
        click.echo("\n".join(lines))
    run_inputs()
    click.echo(f"The old files are in {backup / OLD}")
    with open_repo() as repo:
        stale = [step for step in list_steps(repo, allow_missing=True) if step.reasons]
    click.echo("\n".join(describe_next(stale)))


def require_project() -> None:
    """Raise a UserError where the current folder is no project."""
    for path in (PARAMS, DVC, Path(".dvc")):
        if not path.exists():
            raise UserError(f"a project must have {PARAMS}, {DVC} and .dvc, got no {path}; go to the project's root")


def plan_upgrade() -> tuple[Contents, list[str]]:
    """The new contents of the files that must change, None for one to remove, and a line for each change.

    Raises:
        UserError: a file is neither version 0.1's nor this version's.
    """
    from pipeline.legacy.old_lock import carry_lock
    from pipeline.legacy.old_params import carry_params
    from pipeline.legacy.old_stages import carry_stages

    contents: Contents = {}
    lines: list[str] = []
    marks = find_marks(Path())
    stages = carry_stages(DVC, TEMPLATE / "stages.yaml")
    read_yaml(PARAMS)  # says in one line what is no YAML
    content = make_yaml().load(PARAMS.read_text(encoding="utf-8"))
    if PARAMS in marks:
        lines += [f"{PARAMS}: {change}" for change in carry_params(content)]
        text = StringIO()
        make_yaml().dump(content, text)
        contents[PARAMS] = text.getvalue()
    parse(content, Project, path=PARAMS)
    if stages is not None:
        contents[DVC], contents[VERSION] = stages, None
        lines.append(f"{DVC}: this version's in place of version 0.1's")
        contents[IGNORED], added = add_lines(IGNORED, TEMPLATE / "gitignore")
        lines += [f"{IGNORED}: {', '.join(added)} added"] if added else []
    if LOCK in marks:
        params = YAML(typ="safe").load(contents.get(PARAMS) or PARAMS.read_text(encoding="utf-8"))
        new = stages or DVC.read_text(encoding="utf-8")
        contents[LOCK], changes = carry_lock(read_lock(), new, params, note_inputs)
        contents[COPY] = None  # of the old one; the new one would be taken for what a kill has left of it
        lines += [f"{LOCK}: {change}" for change in changes]
    return contents, lines


def add_lines(path: Path, template: Path) -> tuple[str, list[str]]:
    """The text of `path` with the lines of `template` that it lacks, and those lines."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    lacking = [line for line in template.read_text(encoding="utf-8").splitlines() if line not in text.splitlines()]
    return text + "".join(f"{line}\n" for line in lacking), lacking


def read_lock() -> str:
    """The text of dvc.lock; a UserError where it is damaged."""
    content = LOCK.read_bytes()
    if damage := describe_damage(content, b""):
        raise UserError(f"{LOCK} {damage}: put a whole one in its place (git checkout {LOCK}), then `qdllm upgrade`")
    return content.decode()


def note_inputs(params: Mapping[str, Any]) -> dict[str, Any]:
    """What dvc.lock says of each file that stage `inputs` writes for `params`, by path; version 0.1 had none."""
    from pipeline.team.watched import compare

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for file, (_, checksums) in compare(params, INPUTS).items():
            write_json(Path(folder, file), checksums)
            content, path = Path(folder, file).read_bytes(), str(INPUTS / file)
            digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
            found[path] = {"path": path, "hash": "md5", "md5": digest, "size": len(content)}
    return found


def run_inputs() -> None:
    """Let stage `inputs` write those files, so that a member finds them in dvc.lock."""
    # The stage calls `python`; without an activated environment that would be another one, or none.
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "dvc", "repro", "--quiet", "--single-item", str(INPUTS)]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"the project is upgraded, but `dvc repro {INPUTS}` failed: {done.stderr.strip()[-200:]}")


def describe_next(steps: "list[Step]") -> list[str]:
    """What is stale now, and what to type."""
    teachers = [step for step in steps if step.reasons and (step.is_teachers or step.kind == "embed")]
    side = [step.name for step in steps if step.reasons and step not in teachers]
    files = [str(path) for path in (PARAMS, DVC, LOCK, IGNORED, Path(VERSIONS.name)) if path.exists()]
    return [
        *(f"Stale as it was before: {step.name}, {step.reasons[0]}" for step in teachers),
        f"To run again, in seconds or minutes: {', '.join(side) or 'nothing'}",
        "Next:",
        "  dvc repro                 # qdllm student, where texts and models are not here",
        f"  git add --update && git add {' '.join(files)} && git commit -m 'Upgrade from version 0.1'",
        "  qdllm share               # where the project is shared: members need the new dvc.lock and inputs/",
    ]
