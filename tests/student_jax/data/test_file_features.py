"""Vectors that the user brings: joined by id whatever their order and types, refused where they do not fit."""

import hashlib
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from student_jax.checkpoint import save_student
from student_jax.config import CircuitConfig, EmbedConfig, StudentConfig
from student_jax.data import vector_file as vector_file_module
from student_jax.data.dataset import Split
from student_jax.data.embedder import load_embedder
from student_jax.data.vector_file import open_vectors, take_vectors
from student_jax.model import build_model
from student_jax.student import Student
from student_jax.training.trainer import train
from teacher_cache.errors import UserError

ROWS, WIDTH = 40, 6
GENERATOR = np.random.default_rng(2)
IDS = [bytes([k] * 16) for k in range(ROWS)]
COLUMN = pa.chunked_array([pa.array(IDS, pa.binary(16))])
LABELS = np.arange(ROWS, dtype=np.int32) % 2
VECTORS = (3 + 5 * GENERATOR.normal(size=(ROWS, WIDTH)) + 9 * LABELS[:, None]).astype(np.float32)
TRAINING = np.arange(ROWS) < 24


def write(path, ids=IDS, vectors=VECTORS, column="features", kind=None):
    """A file with its rows backwards, as another program may have left them."""
    order = range(len(ids) - 1, -1, -1)
    ids = pa.array([ids[k] for k in order], kind)
    pq.write_table(pa.table({"example_id": ids, column: [list(vectors[k]) for k in order]}), path)
    return EmbedConfig(kind="file", path=str(path), column=column)


def read(config, ids):
    return open_vectors(config, "mood", ids).take(np.arange(len(ids)))


def embed(config):
    embedder, blocks = take_vectors(config, "mood", COLUMN, TRAINING)
    return embedder, np.concatenate(list(blocks))


def as_v16(ids):
    return np.array([np.void(one) for one in ids])


def test_rows_are_joined_by_id_and_scaled_by_the_training_split(tmp_path):
    embedder, values = embed(write(tmp_path / "own.parquet"))
    mean, scale = VECTORS[TRAINING].mean(axis=0), 1 / np.std(VECTORS[TRAINING] - VECTORS[TRAINING].mean(axis=0))
    np.testing.assert_allclose(values, (VECTORS - mean) * scale, rtol=1e-4, atol=1e-5)
    assert np.mean(values[TRAINING] ** 2) == pytest.approx(1, rel=1e-5)
    embedder.save(tmp_path)
    np.testing.assert_array_equal(load_embedder(tmp_path).prepare(VECTORS), values)


@pytest.mark.parametrize("kind", [pa.binary(), pa.binary(16), pa.large_binary(), "hexadecimal"])
def test_ids_are_bytes_or_digits_and_numbers_of_any_type(tmp_path, kind):
    ids = [one.hex() for one in IDS] if kind == "hexadecimal" else IDS
    config = write(
        tmp_path / "mood.parquet", ids, VECTORS.astype(np.float64), "mine", None if kind == "hexadecimal" else kind
    )
    config = EmbedConfig(kind="file", path=str(tmp_path / "{task}.parquet"), column="mine")
    np.testing.assert_array_equal(read(config, as_v16(IDS)), VECTORS)


@pytest.mark.parametrize("group", [7, 40])
def test_no_more_than_a_block_is_read_at_once_whatever_the_order_of_the_file(tmp_path, monkeypatch, group):
    for name, number in (("BLOCK_BYTES", 9 * 4 * WIDTH), ("BATCH_ROWS", 5)):
        monkeypatch.setattr(vector_file_module, name, number)
    path, order = tmp_path / "own.parquet", GENERATOR.permutation(ROWS)
    table = pa.table({"example_id": [IDS[k] for k in order], "features": [VECTORS[k] for k in order]})
    pq.write_table(table, path, row_group_size=group)
    vectors = open_vectors(EmbedConfig(kind="file", path=str(path)), "mood", as_v16(IDS))
    np.testing.assert_array_equal(vectors.take(np.array([30, 2, 17])), VECTORS[[30, 2, 17]])
    blocks = list(vectors.iter_blocks())
    assert [len(block) for block in blocks] == [9, 9, 9, 9, 4]
    np.testing.assert_array_equal(np.concatenate(blocks), VECTORS)


def test_they_are_fitted_on_the_first_training_ids_alone(tmp_path):
    config = replace(write(tmp_path / "own.parquet"), fit_texts=10)
    expected = write(tmp_path / "ten.parquet", IDS[:10], VECTORS[:10])
    ten, _ = take_vectors(expected, "mood", COLUMN[:10], TRAINING[:10])
    np.testing.assert_array_equal(embed(config)[0].embedding.mean, ten.embedding.mean)


def change(row, value):
    vectors = VECTORS.astype(object)
    vectors[row] = value
    return list(vectors)


@pytest.mark.parametrize(
    ("ids", "vectors", "message"),
    [
        (IDS[1:], VECTORS[1:], r"own.parquet: 1 example ids \(first 0000.*\) must have a vector, got none"),
        (
            [*IDS, b"x" * 16],
            [*VECTORS, VECTORS[0]],
            r"1 example ids \(first 7878.*\) must be examples of mood, got oth",
        ),
        ([*IDS, IDS[3]], [*VECTORS, VECTORS[0]], r"1 example ids \(first 0303.*\) must occur once, got them twice"),
        (IDS, [*VECTORS[:-1], [np.nan] * WIDTH], "features must hold finite numbers, got NaN, infinity or null"),
        (IDS, [*VECTORS[:-1], [None] * WIDTH], "features must hold finite numbers, got NaN, infinity or null"),
        (IDS, [*VECTORS[:-1], VECTORS[0][:-1]], r"features must hold vectors of one length, got \[5, 6\]"),
        ([one[1:] for one in IDS], VECTORS, "example_id must be 16 bytes, or as many pairs of hexadecimal digits"),
        ([f"{k:032x}"[1:] + "g" for k in range(ROWS)], VECTORS, "own.parquet: non-hexadecimal"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, ids, vectors, message):
    with pytest.raises(UserError, match=message):
        read(write(tmp_path / "own.parquet", ids, vectors), as_v16(IDS))


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "own.parquet"
    write(path)
    ids, digest = as_v16(IDS), hashlib.sha256(path.read_bytes()).hexdigest()
    read(EmbedConfig(kind="file", path=str(path), sha256=digest), ids)
    with pytest.raises(UserError, match=f"own.parquet: sha256 must be {'0' * 64}, got {digest}; restore the file"):
        read(EmbedConfig(kind="file", path=str(path), sha256="0" * 64), ids)
    with pytest.raises(UserError, match=r"own\.parquet must have the column vector, got example_id, features"):
        read(EmbedConfig(kind="file", path=str(path), column="vector"), ids)
    with pytest.raises(UserError, match=r"embed\.path must be a file for kind file, got \S+/nowhere"):
        read(EmbedConfig(kind="file", path="nowhere"), ids)
    with pytest.raises(UserError, match=r"embed\.path must be a file for kind file, got none"):
        read(EmbedConfig(kind="file"), ids)
    path.write_bytes(b"no Parquet")
    with pytest.raises(UserError, match=r"own\.parquet: "):
        read(EmbedConfig(kind="file", path=str(path)), ids)
    with pytest.raises(UserError, match="the training split's vectors must differ"):
        embed(write(path, vectors=np.ones_like(VECTORS)))


def test_a_student_predicts_from_vectors_and_not_from_texts(tmp_path):
    config = StudentConfig(
        circuit=CircuitConfig(qubits=2, layers=1),
        epochs=30,
        batch_size=8,
        seeds=1,
        learning_rate=0.05,
        encoding_scale=0.5,
    )
    embedder, values = embed(write(tmp_path / "own.parquet"))
    features, student = tmp_path / "features", tmp_path / "student"
    features.mkdir(), student.mkdir()
    embedder.save(features)
    logits = np.where(LABELS[:, None] == np.arange(2), 2.0, -2.0).astype(np.float32)
    split = Split(values, logits, LABELS)
    training = train(build_model(config, WIDTH, 2), {"train": split, "validation": split}, config, 0, "test")
    save_student(student, training, config, ["fine", "poor"], features, {"task": "mood"})
    loaded = Student.load(student)
    found = loaded.predict_features(VECTORS)
    assert np.mean(np.array(found.labels) == np.array(["fine", "poor"])[LABELS]) > 0.9
    with pytest.raises(UserError, match=r"features were read from own\.parquet, which has no way to embed a text"):
        loaded.predict(["a text"])
    for wrong in (VECTORS[:, 1:], VECTORS[0], VECTORS * np.nan):
        with pytest.raises(UserError, match=r"vectors must be finite and of shape \(rows, 6\), got shape"):
            loaded.predict_features(wrong)
