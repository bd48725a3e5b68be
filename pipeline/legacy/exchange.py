"""Several files of a project replaced at once, or not at all; what was there before is kept.

In: the new contents by path.  Out: exchange(), finish(), find_unfinished().  Imports: teacher_cache.publish.

A folder with old/ and new/ appears whole, by a rename; then each file of new/ takes its place, and new/ goes. After a
kill in between, finish() does the rest.
"""

import shutil
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from teacher_cache.errors import UserError
from teacher_cache.publish import publish_file, publish_folder

OLD, NEW, DONE = "old", "new", "done"


def exchange(project: Path, contents: Mapping[Path, str | None], backup: Path) -> Path:
    """Write `contents`, by paths relative to `project`; None removes a file.

    Returns:
        The folder that keeps the files as they were in its old/: `backup`, or a neighbour with a number.
    """
    names = (backup.with_name(backup.name + (f"-{number}" if number > 1 else "")) for number in count(1))
    folder = next(name for name in names if not name.exists())
    with publish_folder(folder) as staged:
        for name, text in contents.items():
            for place in (OLD, NEW):
                (staged / place / name).parent.mkdir(parents=True, exist_ok=True)
            if (project / name).exists():
                shutil.copy2(project / name, staged / OLD / name)
            if text is not None:
                (staged / NEW / name).write_text(text, encoding="utf-8")
    finish(project, folder)
    return folder


def find_unfinished(backup: Path) -> Path | None:
    """The folder of an exchange of this name that was interrupted."""
    return next((folder for folder in sorted(backup.parent.glob(f"{backup.name}*")) if (folder / NEW).exists()), None)


def finish(project: Path, folder: Path) -> None:
    """Put every file of `folder`'s new/ into its place, and remove those that have none there.

    Raises:
        UserError: a file is neither as it was before nor as it shall be; none is touched.
    """
    old, new = _read_files(folder / OLD), _read_files(folder / NEW)
    for name in old | new:
        here = (project / name).read_bytes() if (project / name).is_file() else None
        if here not in (old.get(name), new.get(name)):
            remedy = f"copy {folder / OLD / name} over it" if name in old else "move it elsewhere"
            raise UserError(
                f"{name} must be as it was when the upgrade was interrupted, and was edited since: {remedy} and do "
                f"it again; or copy all of {folder / OLD} over the project and remove {folder / NEW} to take it back"
            )
    for name in old | new:
        if name in new:
            with publish_file(project / name) as temporary:
                temporary.write_bytes(new[name])
        else:
            (project / name).unlink(missing_ok=True)
    (folder / NEW).rename(folder / DONE)  # at once: a file that new/ lacks is one to remove
    shutil.rmtree(folder / DONE)


def _read_files(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
