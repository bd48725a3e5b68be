"""What a row of examples.parquet, of features.parquet and of the teacher cache is.

In: nothing.  Out: SPLITS, LABELLED_SPLITS, NO_LABEL, the schemas, require_schema(), require_examples().
Imports: pyarrow alone.
"""

from pathlib import Path

import pyarrow as pa

from teacher_cache.errors import UserError

# The pool has no labels: teachers answer it, and students learn from the answers.
SPLITS = ("train", "validation", "test", "pool")
LABELLED_SPLITS = SPLITS[:3]
# A missing label among NumPy's; in files it is a null. Not -1, with which NumPy reads the last class in silence: this
# is no index of any array.
NO_LABEL = -(2**31)
EXAMPLE_ID_BYTES = 16

_ID = pa.field("example_id", pa.binary(EXAMPLE_ID_BYTES), nullable=False)
_SPLIT = pa.field("split", pa.dictionary(pa.int8(), pa.string()), nullable=False)
_LABEL = pa.field("label", pa.int32(), nullable=False)
_LABEL_OR_NULL = pa.field("label", pa.int32())

# Of a task without a pool, and of one with.
EXAMPLES = pa.schema([_ID, _SPLIT, _LABEL, pa.field("text", pa.string(), nullable=False)])
POOLED_EXAMPLES = EXAMPLES.set(2, _LABEL_OR_NULL)
# hidden_labels.parquet: what the pool's labels would be, where they are known.
HIDDEN_LABELS = pa.schema([_ID, _LABEL])


def features_schema(dimensions: int) -> pa.Schema:
    """Rows of features.parquet: one frozen feature vector of `dimensions` float32 per example."""
    return pa.schema([_ID, pa.field("features", pa.list_(pa.float32(), dimensions), nullable=False)])


def cache_schema(classes: int, hidden: int = 0, form: int = 2) -> pa.Schema:
    """Rows of a teacher cache for `classes` classes.

    `probabilities` is the softmax of `logits` at temperature 1. `hidden`, where it is not 0, is the number of
    float16 values of the pooled hidden states that are kept per row. In format 1, `form`, every row had a label.
    """
    fields = [
        _ID,
        _SPLIT,
        _LABEL if form == 1 else _LABEL_OR_NULL,
        pa.field("logits", pa.list_(pa.float32(), classes), nullable=False),
        pa.field("probabilities", pa.list_(pa.float32(), classes), nullable=False),
    ]
    if hidden:
        fields.append(pa.field("hidden", pa.list_(pa.float16(), hidden), nullable=False))
    return pa.schema(fields)


def require_examples(found: pa.Schema, path: Path) -> None:
    """Refuse a file whose columns are not those of a task's examples, with or without a pool.

    Raises:
        UserError: as require_schema.
    """
    if not found.equals(POOLED_EXAMPLES):
        require_schema(found, EXAMPLES, path)


def require_schema(found: pa.Schema, expected: pa.Schema, path: Path) -> None:
    """Refuse a file whose columns, types or nullability are not the expected ones.

    Raises:
        UserError: naming the file, the first column that differs, and both types.
    """
    for field in expected:
        index = found.get_field_index(field.name)
        if index < 0:
            raise UserError(f"{path}: column {field.name} must be {field.type}, got no such column")
        if not found.field(index).equals(field):
            raise UserError(f"{path}: column {field.name} must be {field}, got {found.field(index)}")
    if len(found) != len(expected):
        raise UserError(f"{path}: columns must be {expected.names}, got {found.names}")
