"""A capture of a real, tiny teacher: right numbers, and its gates. What disturbs it is in tests/faults."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from pipeline.params import parse
from teacher_cache.distributions import softmax
from teacher_cache.errors import UserError
from teacher_cache.manifest import hash_file
from teacher_cache.publish import publish_folder
from teacher_cache.reader import open_cache
from teacher_cache.schema import EXAMPLES, SPLITS
from teacher_cache.sealed import write_sealed
from teacher_cache.teacher.base.checkpoints import make_base
from teacher_cache.teacher.capture import inference, job
from teacher_cache.teacher.capture.answering import load_teacher
from teacher_cache.teacher.capture.gate import spot_check_cache
from teacher_cache.teacher.capture.inference import compute_logits, read_rows, require_finite
from teacher_cache.teacher.capture.job import Capture, capture
from teacher_cache.teacher.finetune.adapter import finetune
from teacher_cache.teacher.teacher_config import CaptureConfig, FinetuneConfig, LocalBase
from teacher_cache.verify import verify_cache
from tests.faults.workers import start_ranks

ROOT = Path(__file__).parents[4]
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


def read_bytes(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def run_capture(request, work, folder):
    """A capture in a process of its own, as the stage runs it."""
    script = ROOT / "tests/teacher_cache/teacher/capture/run_capture.py"
    config = json.dumps(asdict(request.config))
    paths = [str(path) for path in (request.examples, request.base, request.adapter, work, folder)]
    command = [sys.executable, str(script), request.task, request.teacher, config, *paths]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True)


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


def test_a_dtype_that_is_slow_here_is_named_before_the_first_part(request_, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(job, "describe_slowness", lambda dtype: f"no {dtype} here")
    capture(request_, tmp_path / "work", tmp_path / "cache")
    assert "cache_teacher: weather, sage: no float32 here (cache_teacher.dtype" in caplog.text


def test_a_capture_reads_its_base_once(request_, tmp_path, monkeypatch):
    """Though the gate loads the teacher anew: the first time every byte, then only what was written to since."""
    read = []
    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda stream, name: read.append(stream.name) or digest(stream, name))
    base = shutil.copytree(request_.base, tmp_path / "base")
    time.sleep(0.2)
    capture(replace(request_, base=base), tmp_path / "work", tmp_path / "cache")
    assert read.count(str(base / "model.safetensors")) == 1


def test_identity_names_all_that_made_it(request_, undisturbed):
    identity = open_cache(undisturbed, {}).manifest.identity
    geometry = {"prompt", "max_length", "padding_side", "merged", "dtype", "tokens_per_batch", "device"}
    assert set(identity) == {"examples", "base", "adapter"} | geometry
    assert {"weights_sha256", "tokenizer_sha256"} <= set(identity["base"])


def test_a_base_spread_over_processes_changes_no_byte(request_, undisturbed, tmp_path):
    """With QDLLM_SHARD three processes need each other for every batch; of four parts they have unequal shares."""
    for rank in start_ranks(3, capture, request_, tmp_path / "work", tmp_path / "cache", QDLLM_SHARD="1"):
        verdict = rank.wait()
        assert verdict.kind == "done", verdict.message
    assert read_bytes(tmp_path / "cache") == read_bytes(undisturbed)


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
@pytest.mark.parametrize("batch", [3, 1000])
def test_rows_are_found_across_row_groups(request_, monkeypatch, start, rows, batch):
    monkeypatch.setattr(inference, "BATCH_ROWS", batch)
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
    assert found["rows"] >= 8
    assert found["largest_difference"] < 1e-5
    backwards = examples.take(np.arange(ROWS)[::-1])
    with pytest.raises(UserError, match=r"computed again, logits must be the cached ones within 0\.0001"):
        spot_check_cache(undisturbed, backwards, request_.base, request_.adapter, 8)


@pytest.fixture(scope="module")
def with_hidden(request_, tmp_path_factory) -> tuple[Capture, Path]:
    """The same capture with the states of both layers, those of the embeddings and of the one block."""
    folder = tmp_path_factory.mktemp("with_hidden")
    request = replace(request_, config=replace(request_.config, hidden_layers=(0, 1)))
    capture(request, folder / "work", folder / "cache")
    return request, folder / "cache"


def test_hidden_states_are_means_over_a_texts_own_tokens(request_, undisturbed, with_hidden):
    """By hand: each text alone, unpadded; the model's own states, averaged. The logits do not notice."""
    cache = open_cache(with_hidden[1], {"identity.hidden_layers": [0, 1], "identity.hidden_pooling": "mean"})
    rows = cache.read()
    assert cache.manifest.hidden == 2 * cache.manifest.identity["hidden_width"] == 64
    np.testing.assert_array_equal(rows.logits, open_cache(undisturbed, {}).read().logits)
    teacher = load_teacher(request_.base, request_.adapter, "float32")
    tokens = teacher.tokenize(pq.read_table(request_.examples)["text"].to_pylist())
    with torch.inference_mode():
        outputs = [teacher.model(torch.tensor([row]), output_hidden_states=True) for row in tokens]
    for layer in (0, 1):
        alone = np.stack([output.hidden_states[layer][0].mean(0).numpy() for output in outputs])
        found = cache.hidden_layer(rows, layer)
        assert found.dtype == np.float16
        np.testing.assert_allclose(found, alone, atol=1e-3, rtol=1e-3)
    embedded = teacher.model.get_input_embeddings().weight[torch.tensor(tokens[0])].mean(0).detach().numpy()
    np.testing.assert_allclose(cache.hidden_layer(rows, 0)[0], embedded, atol=1e-3, rtol=1e-3)


def test_a_killed_capture_of_hidden_states_ends_in_the_same_bytes(with_hidden, tmp_path):
    request, folder = with_hidden
    process = run_capture(request, tmp_path / "work", tmp_path / "cache")
    while not list((tmp_path / "work").glob("*/done/*.json")) and process.poll() is None:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    capture(request, tmp_path / "work", tmp_path / "cache")
    assert read_bytes(tmp_path / "cache") == read_bytes(folder)


def test_hidden_states_are_verified_and_spot_checked(with_hidden, undisturbed, tmp_path):
    request, folder = with_hidden
    examples = pq.read_table(request.examples)
    assert verify_cache(folder, examples)["hidden"] == "ok"
    assert "hidden" not in verify_cache(undisturbed, examples)
    assert spot_check_cache(folder, examples, request.base, request.adapter, 8)["rows"] >= 8
    shutil.copytree(folder, tmp_path / "forged")
    part = tmp_path / "forged" / "part-00000.parquet"
    table = pq.read_table(part)
    column = pa.FixedSizeListArray.from_arrays(table["hidden"].combine_chunks().flatten()[::-1], 64)
    schema = table.schema
    pq.write_table(table.set_column(5, schema.field("hidden"), column).cast(schema), part)
    manifest = json.loads((tmp_path / "forged" / "manifest.json").read_text())
    manifest["parts"][0] |= {"sha256": hash_file(part), "bytes": part.stat().st_size}
    del manifest["seal"]
    write_sealed(tmp_path / "forged" / "manifest.json", manifest)
    with pytest.raises(UserError, match=r"computed again, hidden must be the cached ones within 0\.002"):
        spot_check_cache(tmp_path / "forged", examples, request.base, request.adapter, 8)


def test_a_layer_that_is_not_there_is_refused(request_, undisturbed, with_hidden, tmp_path):
    beyond = replace(request_, config=replace(request_.config, hidden_layers=(2,)))
    with pytest.raises(UserError, match="hidden_layers must be from 0 to 1, the layers of the base, got 2"):
        capture(beyond, tmp_path / "work", tmp_path / "cache")
    for folder, layers in ((undisturbed, "none"), (with_hidden[1], r"\[0, 1\]")):
        cache = open_cache(folder, {})
        with pytest.raises(UserError, match=f"must hold the states of layer 2, got those of {layers}"):
            cache.hidden_layer(cache.read(), 2)


@pytest.mark.parametrize("layers", [[1, 0], [1, 1], [-1]])
def test_layers_are_numbers_in_rising_order(layers):
    with pytest.raises(UserError, match=r"hidden_layers.*: must be .*, got"):
        parse({"hidden_layers": layers}, CaptureConfig)
