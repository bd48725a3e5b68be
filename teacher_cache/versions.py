"""What the outputs of a stage mean, as a number: raised by hand when the same inputs would give other outputs.

In: versions.json beside this file, which DVC reads as params.  Out: read_version(), copy_versions().
Imports: the standard library.
"""

import json
from pathlib import Path

from teacher_cache.publish import publish_file

VERSIONS = Path(__file__).with_name("versions.json")


def read_version(stage: str) -> int:
    """The number of `stage`, a stage of dvc.yaml.

    Raises:
        KeyError: versions.json has no such stage.
    """
    number: int = json.loads(VERSIONS.read_text(encoding="utf-8"))[stage]
    return number


def copy_versions(target: Path) -> None:
    """Put all numbers into `target`, for the DVC of a project that this package is installed for."""
    content = VERSIONS.read_bytes()
    if not target.is_file() or target.read_bytes() != content:
        with publish_file(target) as temporary:
            temporary.write_bytes(content)
