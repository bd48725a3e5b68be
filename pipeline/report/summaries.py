"""Reading what the stage evaluate wrote.

In: the folder evaluations.  Out: read_summaries().  Imports: the standard library.
"""

import json
from pathlib import Path
from typing import Any

from teacher_cache.errors import UserError


def read_summaries(folder: Path, tasks: list[str], teachers: list[str]) -> list[dict[str, Any]]:
    """Each active task and teacher's summary, tasks first.

    Raises:
        UserError: one of them has not been evaluated.
    """
    summaries = []
    for task in tasks:
        for teacher in teachers:
            place = folder / task / teacher / "summary"
            if not (place / "summary.json").is_file():
                raise UserError(f"{place} must exist; run `dvc repro evaluate`")
            summaries.append(json.loads((place / "summary.json").read_text(encoding="utf-8")))
    return summaries
