"""Reads a file as a task's source, or has it refused.

In: a file and keys of its source.  Out: read_rows(), read(), refuse(), LABELS.  Imports: pipeline.corpus, pytest.
"""

import pytest

from pipeline.corpus.file_source import read_file_rows
from pipeline.corpus.label_names import LabelNames
from pipeline.corpus.row import Columns
from pipeline.corpus.task_config import FileSource
from teacher_cache.errors import UserError

LABELS = LabelNames(["neg", "pos"], {})


def read_rows(path, **source):
    rows, form = read_file_rows(
        path, FileSource(kind="file", path=path.name, **source), Columns("text", "label"), LABELS
    )
    return list(rows), form


def read(path, **source):
    return [(row.text, row.label) for row in read_rows(path, **source)[0]]


def refuse(path, **source):
    with pytest.raises(UserError) as caught:
        read(path, **source)
    message = str(caught.value)
    assert "\n" not in message
    return message
