"""`qdllm init`: a project of one's own, which runs on the installed package.

In: an empty folder.  Out: init (a click command).  Imports: dvc and git, as commands.
"""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click

from teacher_cache.errors import UserError

TEMPLATE = Path(__file__).parents[1] / "template"
# Under other names in the package: files whose names begin with a dot would be lost there, and DVC takes every dvc.yaml
# below a repository for one of its pipelines.
PLACES = {
    "params.yaml": "params.yaml",
    "stages.yaml": "dvc.yaml",
    "README.md": "README.md",
    "gitignore": ".gitignore",
    "dvcignore": ".dvcignore",
    "dvcconfig": ".dvc/config",
}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
def init(folder: Path) -> None:
    """Write params.yaml, dvc.yaml, a README and what DVC and Git need into FOLDER, the current one by default."""
    require_empty(folder)
    folder.mkdir(parents=True, exist_ok=True)
    inside = run(folder, "git", "rev-parse", "--is-inside-work-tree", check=False)
    if not inside:
        run(folder, "git", "init", "--quiet")
    top = (folder / ".git").exists()
    run(folder, sys.executable, "-m", "dvc", "init", "--quiet", *([] if top else ["--subdir"]))
    for name, place in PLACES.items():
        shutil.copyfile(TEMPLATE / name, folder / place)
    if folder != Path():
        click.echo(f"cd {shlex.quote(str(folder))}")
    click.echo("dvc repro        # a generated task and a small teacher; then write your own into params.yaml")


def require_empty(folder: Path) -> None:
    """Raise a UserError where `folder` is no folder, or holds anything but a Git repository's own files."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"the project's folder must be a folder, got the file {folder}")
    found = sorted(path.name for path in folder.iterdir() if path.name != ".git") if folder.is_dir() else []
    if found:
        raise UserError(f"{folder.resolve()} must be empty, got {', '.join(found[:3])}; name a new folder")


def run(folder: Path, *command: str, check: bool = True) -> bool:
    """Run `command` in `folder`; whether it ended well.

    Raises:
        UserError: it is not installed, or failed where it must not.
    """
    try:
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UserError(f"{command[0]} must be installed, and is not") from None
    if check and result.returncode:
        raise UserError(f"`{' '.join(command)}` failed in {folder}: {' '.join(result.stderr.split())[-200:]}")
    return result.returncode == 0
