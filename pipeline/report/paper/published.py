"""The numbers that the paper prints, and which of its rows are ours.

In: the CSV files beside this one, one for each of the paper's tables 1, 3, 4 to 6, 7 and 8, and
what there is to say of them.
Out: read_published, find_published, name_task, name_teacher, METHODS, STUDENT.  Imports: the standard library alone.

Table 3 gives QD-LLM's size only as a share; 9,275 is what Acc and Acc/Param of tables 4 to 6 imply.
"""

import csv
from functools import cache
from pathlib import Path

from pipeline.report.runs import Record

_FOLDER = Path(__file__).parent
_COUNTS = {"texts", "classes", "tokens", "parameters", "lora_parameters"}

TASKS = ("emotion", "hiding", "thematic")
OVERALL = "overall"
STUDENT = "QD-LLM"
# Our names of the methods of tables 4 to 6, and the paper's.
METHODS = {"student": STUDENT, "tinybert": "TinyBERT", "minillm": "MiniLLM", "distilbert": "DistilBERT", "pkd": "PKD"}
TEACHERS = {
    "bigscience/bloomz-1b1": "BLOOMZ-1.1B",
    "bigscience/bloomz-3b": "BLOOMZ-3B",
    "facebook/opt-6.7b": "OPT-6.7B",
    "meta-llama/Llama-2-7b-hf": "LLaMA2-7B",
    "meta-llama/Meta-Llama-3-8B": "LLaMA3-8B",
}


@cache
def read_published(name: str) -> tuple[Record, ...]:
    """The rows of the file `name`; None where a row has nothing."""
    with (_FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return tuple({key: _convert(key, value) for key, value in row.items()} for row in csv.DictReader(file))


def find_published(name: str, **wanted: str | None) -> Record:
    """The row of table `name` with those values; no row is an empty one."""
    rows = (row for row in read_published(name) if all(row[key] == value for key, value in wanted.items()))
    return next(rows, {})


def name_task(task: str) -> str | None:
    """The paper's task that ours stands for: `hiding-real` is `hiding`; None for a task of the user's own."""
    name = task.partition("-")[0]
    return name if name in TASKS else None


def name_teacher(model: str | None) -> str | None:
    """The paper's name of a teacher, by its hub id; None for any other, however alike its architecture."""
    return TEACHERS.get(model or "")


def _convert(key: str, text: str) -> str | int | float | None:
    if not text:
        return None
    if key in _COUNTS:
        return int(text)
    try:
        return float(text)
    except ValueError:
        return text
