"""What the chosen seed of a model said of each text of the test split, so that two models can be compared text by text.

In: example ids, true classes, probabilities.  Out: Answers, write_answers(), read_answers(); one format for student and
comparators.
Imports: pyarrow, NumPy.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from teacher_cache.errors import UserError
from teacher_cache.publish import publish_file
from teacher_cache.reader import ids_to_numpy
from teacher_cache.schema import EXAMPLES, require_schema


class Answers(NamedTuple):
    """Ids (rows,) of dtype V16 in rising order, true and predicted classes (rows,), probabilities (rows, classes)."""

    ids: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray


def answers_schema(classes: int) -> pa.Schema:
    """Rows of answers.parquet: `predicted` is the likeliest class, `probabilities` are float32."""
    return pa.schema(
        [
            *(EXAMPLES.field(name) for name in ("example_id", "label")),
            pa.field("predicted", pa.int32(), nullable=False),
            pa.field("probabilities", pa.list_(pa.float32(), classes), nullable=False),
        ]
    )


def write_answers(path: Path, ids: np.ndarray, labels: np.ndarray, probabilities: np.ndarray) -> None:
    """Publish what one seed said to `path`, ordered by example id.

    Args:
        path: of the file.
        ids: (rows,) of dtype V16.
        labels: (rows,), the true classes.
        probabilities: (rows, classes); the predicted class is the likeliest.
    """
    order, classes = np.argsort(ids), probabilities.shape[1]
    schema = answers_schema(classes)
    said = np.ascontiguousarray(probabilities[order], np.float32)
    columns = [
        pa.array([one.tobytes() for one in ids[order]], schema.field("example_id").type),
        *(pa.array(values[order], pa.int32()) for values in (labels, probabilities.argmax(axis=1))),
        pa.FixedSizeListArray.from_arrays(pa.array(said.reshape(-1)), classes),
    ]
    with publish_file(path) as temporary:
        pq.write_table(pa.Table.from_arrays(columns, schema=schema), temporary)


def read_answers(path: Path, classes: int) -> Answers:
    """What `write_answers` wrote of `classes` classes.

    Raises:
        UserError: the file is missing, cannot be read or has other columns.
    """
    try:
        table = pq.ParquetFile(path).read()  # read_table imports pyarrow's datasets first
    except FileNotFoundError:
        raise UserError(f"{path} must exist; run `dvc repro` or `dvc pull`") from None
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}; remake or pull it") from None
    require_schema(table.schema, answers_schema(classes), path)
    said = table["probabilities"].combine_chunks().flatten().to_numpy().reshape(-1, classes)
    labels, predicted = (table[name].to_numpy() for name in ("label", "predicted"))
    return Answers(ids_to_numpy(table["example_id"]), labels, predicted, said)
