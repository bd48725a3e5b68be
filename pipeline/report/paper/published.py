"""The numbers that the paper prints, and which of its rows are ours.

In: the CSV files beside this one, one for each of the paper's tables 1, 3, 4 to 6, 7 and 8.
Out: read_published, METHODS, RELATED, name_task, name_teacher.  Imports: the standard library alone.

Table 3 gives QD-LLM's size only as a share; 9,275 is what Acc and Acc/Param of tables 4 to 6 imply.
"""

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.report.summary_checks import Record

_FOLDER = Path(__file__).parent
_COUNTS = {"texts", "classes", "tokens", "parameters", "lora_parameters"}

TASKS = ("emotion", "hiding", "thematic")
OVERALL = "overall"
STUDENT = "QD-LLM"
# Our names of the methods, and the paper's: those of tables 4 to 6, then those of figure 4.
COMPRESSING = {"tinybert": "TinyBERT", "minillm": "MiniLLM", "distilbert": "DistilBERT", "pkd": "PKD"}
RELATED = {"textrcnn": "TextRCNN", "hitin": "HiTIN", "lsfls": "LSFLS", "bertqtc": "BERT-QTC"}
METHODS = COMPRESSING | RELATED
_TEACHERS = {
    "bigscience/bloomz-1b1": "BLOOMZ-1.1B",
    "bigscience/bloomz-3b": "BLOOMZ-3B",
    "facebook/opt-6.7b": "OPT-6.7B",
    "meta-llama/Llama-2-7b-hf": "LLaMA2-7B",
    "meta-llama/Meta-Llama-3-8B": "LLaMA3-8B",
}
TEACHERS = tuple(_TEACHERS.values())


@cache
def read_published(name: str) -> tuple[Record, ...]:
    """The rows of the paper's `table_1`, `table_3`, `tables_4_to_6`, `table_7` or `table_8`; None where it has none."""
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


def name_teacher(teacher_model: Mapping[str, Any]) -> str | None:
    """The paper's name of a teacher from the hub; None for any other, however alike its architecture."""
    return _TEACHERS.get(teacher_model["name"])


def _convert(key: str, text: str) -> str | int | float | None:
    if not text:
        return None
    if key in _COUNTS:
        return int(text)
    try:
        return float(text)
    except ValueError:
        return text
