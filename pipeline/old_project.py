"""What tells a project of version 0.1 from one of this version.

In: params.yaml, dvc.lock.  Out: ADVICE, find_marks(), require_carried().  Imports: the standard library.
"""

import re
from pathlib import Path

from teacher_cache.errors import UserError

ADVICE = "run `qdllm upgrade`, which carries the project over and trains no teacher again"
# Read as text: every stage looks here when it starts.
MARKS = {
    Path("params.yaml"): re.compile(r"^baselines:", re.MULTILINE),
    # A teacher's stage depended on its code or, in projects of `qdllm init`, on the installed version.
    Path("dvc.lock"): re.compile(
        r"^ +- path: (version\.txt|pipeline/stages/(prepare|embed|base|finetune|cache_teacher)\.py)$", re.MULTILINE
    ),
}


def find_marks(folder: Path) -> list[Path]:
    """Those of `folder`'s files, by their names, that are as version 0.1 left them."""
    return [
        name
        for name, mark in MARKS.items()
        if (path := folder / name).is_file() and mark.search(path.read_text(encoding="utf-8", errors="replace"))
    ]


def require_carried(folder: Path = Path()) -> None:
    """Raise a UserError that names `qdllm upgrade` where a file of the project in `folder` is version 0.1's."""
    if found := find_marks(folder):
        files = " and ".join(map(str, found))
        raise UserError(f"{files} must be this version's, got version 0.1's: {ADVICE}")
