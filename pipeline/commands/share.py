"""`qdllm share`: push what was made to the team's remote, and say what a member types to use it.

In: a finished run, a remote's address.  Out: share (a click command).  Imports: dvc, git; no torch, no jax.
"""

import re
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import click

from teacher_cache.errors import UserError

if TYPE_CHECKING:  # DVC takes half a second to import
    from pipeline.team.dvc_project import Step

COMMITTED = ("dvc.lock", "params.yaml")


@click.command()
@click.argument("url", required=False)
@click.option("--without-texts", is_flag=True, help="Push what `qdllm student` pulls alone: no text, no word, no LLM.")
def share(url: str | None, without_texts: bool) -> None:
    """Push caches, features, students and reports to URL: a folder, or s3://, gs://, azure://, ssh://.

    Without URL, to the remote that is configured already.
    """
    from pipeline.team.dvc_project import list_needed, list_steps, open_repo
    from pipeline.team.remote import NAME, WITHOUT_TEXTS, add_remote, open_remote, push_outs, resolve_url
    from pipeline.team.wordless import require_apart, require_unshared, require_wordless

    name = WITHOUT_TEXTS if without_texts else NAME
    url = None if url is None else resolve_url(url, name)
    with open_repo() as repo:
        steps = list_steps(repo, allow_missing=False)
        require_finished(steps)
        outs = finished = [out for step in steps if not step.reasons for out in step.stage.outs]
        if without_texts:
            outs = list_needed(steps, texts=False)
            require_wordless(out.fs_path for out in outs)
        if url is not None:
            require_apart(repo, url, name)
            add_remote(repo, url, name)
        remote = open_remote(repo, make=url is not None, name=name if without_texts else None)
        url = url or repo.config["remote"][remote.name]["url"]
        if without_texts:
            require_unshared([out for out in finished if out not in outs], remote)
        held = push_outs(repo, outs, remote.name)
        click.echo(f"{url} holds all {held} objects of {len(outs)} outputs; downloads are verified.")
        unfinished = [step.name for step in steps if step.reasons]
        if unfinished:
            click.echo(f"Not up to date and so not shared: {', '.join(unfinished)}")
        click.echo("\n".join(describe_next(Path(repo.root_dir), url)))


def require_finished(steps: "list[Step]") -> None:
    """Raise a UserError where a member without the teacher's libraries would lack something."""
    for step in steps:
        if (step.is_teachers or step.kind == "embed") and step.reasons:
            raise UserError(
                f"{step.name} must be up to date before it is shared, got: {step.reasons[0]}; run `dvc repro`"
            )


def describe_next(folder: Path, url: str) -> list[str]:
    """What the owner still has to commit, and all that a member has to type."""
    changed = _git(folder, "status", "--porcelain", "--", *COMMITTED)
    commit = [f'  git add {" ".join(COMMITTED)} && git commit -m "Share the teachers"'] if changed else []
    top = _git(folder, "rev-parse", "--show-toplevel") or str(folder)
    origin = re.sub("//[^/@]*@", "//", _git(folder, "remote", "get-url", "origin")) or top
    if "://" not in origin and Path(top, origin).exists():  # Git takes it from the repository's root
        origin = str(Path(top, origin).resolve())
    # The project may be a folder of a larger repository.
    project = Path(
        re.split("[/:]", origin.rstrip("/"))[-1].removesuffix(".git"), _git(folder, "rev-parse", "--show-prefix")
    )
    address = shlex.quote(url)
    # A project that `qdllm init` made has no Makefile; make takes a $ for a variable of its own.
    make = (folder / "Makefile").is_file() and "$" not in url
    return [
        "Let Git know what these objects are:",
        *commit,
        "  git push",
        "A member without torch, GPU or LLM then types:",
        f"  git clone {shlex.quote(origin)} && cd {shlex.quote(str(project))}",
        f"  make student REMOTE={address}" if make else f"  qdllm student --remote {address}",
    ]


def _git(folder: Path, *arguments: str) -> str:
    """What git prints, or nothing where it fails: a project need not be a Git repository with an origin."""
    result = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    return result.stdout.strip() if result.returncode == 0 else ""
