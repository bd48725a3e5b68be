"""A capture of a real, tiny teacher: right numbers, and its gates. What disturbs it is in tests/faults."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from teacher_cache.errors import UserError
from teacher_cache.publish import publish_folder
from teacher_cache.reader import open_cache
from teacher_cache.schema import EXAMPLES, SPLITS
from teacher_cache.teacher.base import make_base
from teacher_cache.teacher.capture import Capture, capture
from teacher_cache.teacher.config import CaptureConfig, FinetuneConfig, LocalBase
from teacher_cache.teacher.finetune import finetune
from teacher_cache.teacher.gate import spot_check_cache
from teacher_cache.teacher.inference import compute_logits, read_rows, require_finite, softmax
from teacher_cache.teacher.predict import load_teacher

ROWS = 50


@pytest.fixture(scope="module")
def request_(tmp_path_factory) -> Capture:
    """Fifty texts of unequal length, a one-layer LLaMA, its adapter."""
    folder = tmp_path_factory.mktemp("teacher")
    random = np.random.default_rng(0)
    words = [["rain", "storm", "cold"], ["sun", "warm", "bright"]]
    labels = [row % 2 for row in range(ROWS)]
    texts = [
        " ".join(random.choice(words[label], random.integers(1, 12))) + f" {row}" for row, label in enumerate(labels)
    ]
    split = pa.DictionaryArray.from_arrays(
        np.array([row % 5 // 3 + row % 5 // 4 for row in range(ROWS)], np.int8), pa.array(SPLITS)
    )
    ids = [row.to_bytes(16) for row in range(ROWS)]
    table = pa.Table.from_arrays(
        [pa.array(ids, pa.binary(16)), split, pa.array(labels, pa.int32()), pa.array(texts)], schema=EXAMPLES
    )
    pq.write_table(table, folder / "examples.parquet", row_group_size=20)
    base = LocalBase(kind="local", architecture="llama", layers=1, width=32, heads=2, vocabulary=300, epochs=1)
    with publish_folder(folder / "base") as place:
        make_base(base, texts, 1, place)
    config = FinetuneConfig(rank=4, alpha=8, epochs=2, learning_rate=5e-3, train_embeddings=True, max_length=32)
    with publish_folder(folder / "adapter") as place:
        finetune(config, folder / "base", table, ["bad", "good"], 1, folder / "work", place)
    config = CaptureConfig(rows_per_part=16, tokens_per_batch=64)
    return Capture("weather", "sage", folder / "examples.parquet", folder / "base", folder / "adapter", config)


@pytest.fixture(scope="module")
def undisturbed(request_, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    capture(request_, folder / "work", folder / "cache")
    return folder / "cache"


def test_the_cache_holds_what_the_teacher_says(request_, undisturbed):
    cache = open_cache(undisturbed, {"task": "weather", "teacher": "sage", "labels": ["bad", "good"]})
    rows = cache.read()
    texts = pq.read_table(request_.examples)["text"].to_pylist()
    teacher = load_teacher(request_.base, request_.adapter, "float32")
    alone = np.concatenate([teacher.logits(teacher.tokenize([text])) for text in texts])
    np.testing.assert_allclose(rows.logits, alone, atol=1e-5)
    exponentials = np.exp(alone.astype(np.float64))
    np.testing.assert_allclose(rows.probabilities, exponentials / exponentials.sum(1, keepdims=True), atol=1e-5)
    test = rows.split == SPLITS.index("test")
    assert cache.manifest.quality["test"]["accuracy"] == (alone.argmax(1) == rows.label)[test].mean()


def test_identity_names_all_that_made_it(request_, undisturbed):
    identity = open_cache(undisturbed, {}).manifest.identity
    geometry = {"prompt", "max_length", "padding_side", "merged", "dtype", "tokens_per_batch", "device"}
    assert set(identity) == {"examples", "base", "adapter"} | geometry
    assert {"weights_sha256", "tokenizer_sha256"} <= set(identity["base"])


def test_another_batch_geometry_is_another_identity(request_, undisturbed, tmp_path):
    other = replace(request_, config=CaptureConfig(rows_per_part=16, tokens_per_batch=32))
    manifest = capture(other, tmp_path / "work", tmp_path / "cache")
    assert manifest is not None
    assert manifest.identity["tokens_per_batch"] == 32
    logits = open_cache(tmp_path / "cache", {}).read().logits
    np.testing.assert_allclose(logits, open_cache(undisturbed, {}).read().logits, atol=1e-5)


def test_a_teacher_unlike_the_fine_tuned_one_is_not_published(request_, tmp_path):
    adapter = tmp_path / "adapter"
    shutil.copytree(request_.adapter, adapter)
    record = json.loads((adapter / "finetune.json").read_text())
    record["metrics"]["validation"]["nll"] += 0.1
    (adapter / "finetune.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"validation NLL must be .* within 0\.02, .* got"):
        capture(replace(request_, adapter=adapter), tmp_path / "work", tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_logits_that_are_no_numbers_name_their_examples():
    logits = np.array([[0, 1], [np.nan, 0], [0, np.inf]], np.float32)
    ids = pa.chunked_array([pa.array([bytes([row]) * 16 for row in range(3)], pa.binary(16))])
    require_finite(logits[:1], ids)
    with pytest.raises(UserError, match=f"NaN or infinity for 2 examples: {'01' * 16}, {'02' * 16}"):
        require_finite(logits, ids)


def test_softmax_of_extremes_sums_to_one():
    logits = np.array([[1e4, -1e4, 0], [1e-30, 0, -1e-30], [88, 89, 90]], np.float32)
    probabilities = softmax(logits)
    np.testing.assert_allclose(probabilities.sum(1, dtype=np.float64), 1, atol=1e-6)
    assert probabilities[0].tolist() == [1, 0, 0]


@pytest.mark.parametrize(("start", "rows"), [(0, 5), (15, 10), (19, 2), (20, 20), (38, 12), (49, 1)])
def test_rows_are_found_across_row_groups(request_, start, rows):
    whole = pq.read_table(request_.examples)
    assert read_rows(request_.examples, start, rows).equals(whole.slice(start, rows).combine_chunks())


def test_logits_come_back_in_the_order_of_the_texts(request_):
    teacher = load_teacher(request_.base, request_.adapter, "float32")
    texts = pq.read_table(request_.examples)["text"].to_pylist()
    backwards = compute_logits(teacher, texts[::-1], 64)[::-1]
    np.testing.assert_allclose(compute_logits(teacher, texts, 1000), backwards, atol=1e-5)


def test_a_spot_check_computes_rows_again(request_, undisturbed):
    examples = pq.read_table(request_.examples)
    found = spot_check_cache(undisturbed, examples, request_.base, request_.adapter, 8)
    assert found["rows"] == 8
    assert found["largest_difference"] < 1e-5
    backwards = examples.take(np.arange(ROWS)[::-1])
    with pytest.raises(UserError, match=r"computed again, logits must be the cached ones within 0\.0001"):
        spot_check_cache(undisturbed, backwards, request_.base, request_.adapter, 8)
