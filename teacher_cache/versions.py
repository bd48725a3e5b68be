"""What the outputs of a stage mean, as a number: raised by hand when the same inputs would give other outputs.

In: versions.json beside this file, which DVC reads as params.  Out: read_version().  Imports: the standard library.
"""

import json
from pathlib import Path

VERSIONS = Path(__file__).with_name("versions.json")


def read_version(stage: str) -> int:
    """The number of `stage`, a stage of dvc.yaml.

    Raises:
        KeyError: versions.json has no such stage.
    """
    number: int = json.loads(VERSIONS.read_text(encoding="utf-8"))[stage]
    return number
