"""A task of weather with a pool, and a colleague's answers to its texts: scikit-learn's predict_proba, as Parquet."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from pipeline.corpus.clean import make_example_id
from teacher_cache.schema import POOLED_EXAMPLES, SPLITS

LABELS = ["dull", "fine"]
WORDS = (("rain", "fog"), ("sun", "blue"))
COUNTS = {"train": 24, "validation": 8, "test": 8, "pool": 12}


def list_rows():
    """Id, split, label and text of each example, in the order of the ids."""
    splits = [split for split, count in COUNTS.items() for _ in range(count)]
    rows = []
    for number, split in enumerate(splits):
        text = f"{WORDS[number % 2][number // 2 % 2]} on day {number}"
        rows.append((make_example_id("weather", text), split, None if split == "pool" else number % 2, text))
    return sorted(rows)


def make_weather(folder):
    """data/ as stage prepare makes it, and raw/said.parquet."""
    (folder / "data").mkdir()
    ids, splits, labels, texts = zip(*list_rows(), strict=True)
    indices = np.array([SPLITS.index(split) for split in splits], np.int8)
    columns = [pa.array(ids, pa.binary(16)), pa.DictionaryArray.from_arrays(indices, pa.array(SPLITS))]
    table = pa.Table.from_arrays([*columns, pa.array(labels, pa.int32()), pa.array(texts)], schema=POOLED_EXAMPLES)
    pq.write_table(table, folder / "data/examples.parquet")
    (folder / "data/labels.json").write_text(json.dumps({"task": "weather", "labels": LABELS}))
    known = [label is not None for label in labels]
    vectors = CountVectorizer().fit_transform(texts)
    model = LogisticRegression().fit(vectors[known], [LABELS[label] for label in labels if label is not None])
    said = model.predict_proba(vectors)
    columns = {name: said[:, index] for index, name in reversed([*enumerate(model.classes_)])}
    (folder / "raw").mkdir()
    pq.write_table(
        pa.table({"text": list(texts), "id": [one.hex() for one in ids], **columns}), folder / "raw/said.parquet"
    )


def write_rows(folder, kept):
    """Of the answers those whose row in the examples is among `kept`."""
    table = pq.read_table(folder / "raw/said.parquet")
    pq.write_table(table.filter(pa.array(kept)), folder / "raw/said.parquet")


def is_of(split):
    return np.array([row[1] == split for row in list_rows()])
