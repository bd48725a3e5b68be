"""Where a path of params.yaml leads: `~` is the home folder, and a relative path counts from the project's root.

In: the path as it is written.  Out: find_root(), locate().  Imports: the standard library.
"""

from pathlib import Path

# DVC runs queued and temporary experiments in copies of the repository, each a folder in this one of the original.
EXPERIMENTS = (".dvc", "tmp", "exps")


def find_root(folder: Path | None = None) -> Path:
    """The project whose stages run in `folder`, the current one by default: of an experiment's copy, the original."""
    folder = Path.cwd() if folder is None else folder
    for parent in folder.parents:
        if parent.parts[-len(EXPERIMENTS) :] == EXPERIMENTS:
            return parent.parents[len(EXPERIMENTS) - 1]
    return folder


def locate(path: str | Path) -> Path:
    """Where `path` is: an experiment's own copy of it, where it has one, else what the project's root has there."""
    written = Path(path).expanduser()
    return written if written.exists() else find_root() / written
