"""What a sweep has finished, setting by setting, so that one that was interrupted goes on.

In: sweeps/NAME.  Out: Progress, identify().  Imports: the standard library.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from student_jax.config import StudentConfig
from teacher_cache.sealed import fingerprint

FINISHED = "finished.jsonl"
# What tells features and a cache from others: each names the bytes of all that belongs to it.
NAMING = ("embedder.json", "manifest.json")


def identify(config: StudentConfig, seed: int, task: str, teacher: str, *folders: Path) -> str:
    """What a setting's result hangs on: its values, the seed, and the features and the cache that it is trained on."""
    data = [
        hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for folder in folders
        for name in NAMING
        if (folder / name).is_file()
    ]
    return fingerprint({"config": asdict(config), "seed": seed, "task": task, "teacher": teacher, "data": data})


class Progress:
    """The finished settings of the sweep in `folder`; a line that a kill has cut off counts for none."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FINISHED
        self.found: dict[str, dict[str, Any]] = {}
        for line in self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else ():
            try:
                content = json.loads(line)
                self.found[content["identity"]] = content["outcome"]
            except (ValueError, KeyError, TypeError):
                continue

    def keep(self, identity: str, outcome: Mapping[str, Any]) -> None:
        """Put a setting's outcome on the disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write("\n" * self._is_cut() + json.dumps({"identity": identity, "outcome": outcome}) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        self.found[identity] = dict(outcome)

    def _is_cut(self) -> bool:
        content = self.path.read_bytes() if self.path.exists() else b""
        return bool(content) and not content.endswith(b"\n")
