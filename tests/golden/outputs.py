"""What each stage makes of a small fixed input, run as dvc.yaml runs it.

In: a stage's name.  Out: compute(), and as a command, python -m tests.golden.outputs STAGE, its golden file.
A stage's input is made here, not by the stage before it: a golden file changes with its own stage alone. Identifiers,
splits and labels are kept exactly, texts and tables of them as checksums, numbers to six digits.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

from teacher_cache.versions import read_version
from tests.golden import student, teacher

FOLDER = Path(__file__).parent

# By the stage's name; `inputs` and `report` compute no numbers.
STAGES: dict[str, Callable[[], dict[str, Any]]] = {
    function.__name__: function
    for function in (
        *(teacher.prepare, teacher.embed, teacher.base, teacher.finetune, teacher.cache_teacher),
        *(student.train_student, student.evaluate, student.compare, student.compare_texts),
    )
}


def compute(stage: str) -> dict[str, Any]:
    """The outputs of `stage` as they are kept."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        return json.loads(json.dumps(STAGES[stage]()))


def main(names: Sequence[str]) -> None:
    """Keep the outputs of the stages called `names`; with --show, print those of all stages instead."""
    if "--show" in names:
        print(json.dumps({name: compute(name) for name in STAGES}))
    for name in set(names) & set(STAGES):
        content = {"version": read_version(name), "outputs": compute(name)}
        (FOLDER / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
