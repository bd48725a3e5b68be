"""Which class a model gave each text of the test split, kept so that two models can be compared text by text.

In: example ids, true and predicted classes.  Out: PREDICTIONS, Answers, write_predictions(), read_predictions().
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

PREDICTIONS = pa.schema(
    [EXAMPLES.field("example_id"), EXAMPLES.field("label"), pa.field("predicted", pa.int32(), nullable=False)]
)


class Answers(NamedTuple):
    """Ids (rows,) of dtype V16 in rising order, true classes (rows,) and predicted ones (rows,), both int32."""

    ids: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray


def write_predictions(path: Path, ids: np.ndarray, labels: np.ndarray, predicted: np.ndarray) -> None:
    """Publish the answers to `path`, ordered by example id."""
    order = np.argsort(ids)
    columns = [
        pa.array([one.tobytes() for one in ids[order]], PREDICTIONS.field("example_id").type),
        *(pa.array(values[order], pa.int32()) for values in (labels, predicted)),
    ]
    with publish_file(path) as temporary:
        pq.write_table(pa.Table.from_arrays(columns, schema=PREDICTIONS), temporary)


def read_predictions(path: Path) -> Answers:
    """What `write_predictions` wrote.

    Raises:
        UserError: the file is missing, cannot be read or has other columns.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise UserError(f"{path} must exist; run `dvc repro` or `dvc pull`") from None
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}; remake or pull it") from None
    require_schema(table.schema, PREDICTIONS, path)
    return Answers(ids_to_numpy(table["example_id"]), *(table[name].to_numpy() for name in ("label", "predicted")))
