import json

import numpy as np
import pyarrow as pa
import pytest

from pipeline.corpus.card import describe, describe_losses, make_card
from pipeline.corpus.examples import make_table


def test_lengths_by_hand():
    found = describe(np.array([1, 2, 3, 4, 10]))
    assert found["mean"] == 4.0
    assert found["median"] == 3.0
    assert (found["minimum"], found["maximum"]) == (1, 10)
    assert found["percentiles"]["25"] == 2.0
    assert found["percentiles"]["95"] == pytest.approx(4 + 0.8 * 6)  # between the 4th and the 5th of five, linearly
    assert sum(found["histogram"]["counts"]) == 5
    assert len(found["histogram"]["edges"]) == len(found["histogram"]["counts"]) + 1


def test_counts_by_hand_and_no_text():
    texts = ["alpha beta", "beta", "gamma gamma gamma", "delta"]
    ids, splits, classes = np.arange(8, dtype=np.uint64).view("V16"), np.int8([0, 0, 2, 1]), np.int32([0, 1, 1, 0])
    table = make_table(ids, splits, classes, pa.chunked_array([texts]))
    card = make_card("mood", ["x", "y"], table, {"empty": 2, "limit": 1}, {"kind": "file"})
    assert card["rows"] == 4
    assert card["rows_read"] == 7
    assert card["splits"] == {"train": {"x": 1, "y": 1}, "validation": {"x": 1, "y": 0}, "test": {"x": 0, "y": 1}}
    assert card["words"]["mean"] == 7 / 4
    assert card["characters"]["maximum"] == len("gamma gamma gamma")
    assert card["distinct_words"] == 4
    written = json.dumps(card, allow_nan=False)
    assert not any(word in written for text in texts for word in text.split())


def test_what_is_lost_unasked_is_said_with_what_to_do():
    drops = {"balance": 400, "contradicting": 2, "limit": 90, "left_out": 61}
    splits = {"train": {"ok": 60, "lost": 1}, "validation": {"ok": 20, "lost": 1}, "test": {"ok": 20, "lost": 1}}
    assert describe_losses({"task": "parcels", "rows_read": 503, "drops": drops, "splits": splits}) == [
        "task parcels: 400 of 503 rows dropped, balance: to the size of the smallest class; "
        "task.parcels.balance: false keeps them",
        "task parcels: 61 of 503 rows dropped, left_out: as task.parcels says by null",
        "task parcels: class lost has 1 in train, 1 in validation, 1 in test: too few to be learnt, or to say how well",
    ]
    quiet = {split: {"ok": 60, "lost": 60} for split in splits}
    assert describe_losses({"task": "parcels", "rows_read": 503, "drops": {"balance": 50}, "splits": quiet}) == []
    pooled = {"task": "parcels", "rows_read": 6000, "pool": {"texts": 5000, "hidden_labels": 0}, "splits": quiet}
    (line,) = describe_losses({**pooled, "drops": {"balance": 400}})  # of 1,000 with a label
    assert line.startswith("task parcels: 400 of 1000 rows dropped, balance:")
