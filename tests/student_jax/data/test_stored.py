"""Features that stay in their file: the same numbers as in memory, whatever is asked for; windows; damage."""

import errno
import os
import shutil
import tempfile

import jax
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression

from student_jax.config import CircuitConfig, StudentConfig
from student_jax.data import features as features_module
from student_jax.data import windows as windows_module
from student_jax.data.dataset import Split
from student_jax.data.features import read_features, write_features
from student_jax.data.stored import StoredValues
from student_jax.data.windows import Windows
from student_jax.model import build_model, build_scorer
from teacher_cache.errors import UserError

ROWS, DIMENSIONS = 230, 3


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A file of 230 rows in groups of 40; row k is (k, -k, 0.5)."""
    monkeypatch.setattr(features_module, "GROUP_BYTES", 40 * 4 * DIMENSIONS)
    numbers = np.arange(ROWS, dtype=np.float32)
    values = np.stack([numbers, -numbers, np.full(ROWS, 0.5, np.float32)], axis=1)
    ids = pa.chunked_array([pa.array([k.to_bytes(16, "big") for k in range(ROWS)], pa.binary(16))])
    write_features(tmp_path / "features.parquet", ids, [values], values.shape[1], "fingerprint")
    return tmp_path / "features.parquet"


def make_split(path, rows=None):
    """The rows of the file, or some of them, with logits and labels that say which row they are of."""
    found = read_features(path, memory=0)
    rows = np.ones(ROWS, bool) if rows is None else rows
    numbers = np.flatnonzero(rows)
    return Split(found.select(rows), np.stack([numbers, numbers], axis=1).astype(np.float32), numbers.astype(np.int32))


def test_more_than_the_memory_given_stays_in_the_file(path):
    held, stored = read_features(path, memory=ROWS * DIMENSIONS * 4), read_features(path, ROWS * DIMENSIONS * 4 - 1)
    assert isinstance(held.values, np.ndarray)
    assert isinstance(stored.values, StoredValues)
    assert (stored.values.shape, len(stored.values), stored.examples) == ((ROWS, DIMENSIONS), ROWS, "fingerprint")
    np.testing.assert_array_equal(stored.ids, held.ids)
    np.testing.assert_array_equal(stored.values[:], held.values)


@pytest.mark.parametrize("rows", [slice(0, 1), slice(39, 41), slice(100, 230), slice(200, 500), slice(5, 5)])
def test_slices_of_some_rows_are_those_of_an_array(path, rows):
    chosen = np.random.default_rng(0).random(ROWS) < 0.6
    held, stored = read_features(path), read_features(path, memory=0)
    np.testing.assert_array_equal(stored.select(chosen)[rows], held.values[chosen][rows])


def test_a_selection_can_be_cut_again(path):
    even, low = np.arange(ROWS) % 2 == 0, np.arange(ROWS // 2) < 30
    stored = read_features(path, memory=0).select(even)
    np.testing.assert_array_equal(stored.select(low)[:][:, 0], np.arange(0, 60, 2))


@pytest.mark.parametrize("rows", [[3, 39, 40, 120], [130, 0, 130], []])
def test_rows_by_their_numbers_are_those_of_an_array(path, rows):
    chosen, rows = np.arange(ROWS) % 40 != 7, np.array(rows, int)
    held, stored = read_features(path), read_features(path, memory=0)
    np.testing.assert_array_equal(stored.select(chosen)[rows], held.values[chosen][rows])


def count_decoded(monkeypatch):
    """Every row group that is decoded from now on."""
    seen, decode = [], StoredValues._decode_group
    monkeypatch.setattr(StoredValues, "_decode_group", lambda self, group: seen.append(group) or decode(self, group))
    return seen


def test_a_row_group_is_decoded_once_and_leaves_no_file(path, monkeypatch):
    chosen = (np.arange(ROWS) < 30) | (np.arange(ROWS) >= 90)  # none of the second group
    seen, stored, held = count_decoded(monkeypatch), read_features(path, memory=0), read_features(path)
    values = stored.select(chosen)
    for order in (range(6), range(5, -1, -1), range(6)):
        for group in order:
            np.testing.assert_array_equal(values.read_group(group), held.values[chosen][values.spans[group]])
    assert sorted(seen) == list(range(6))
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("fault", ["no room", "not writable", "filled meanwhile", "half written"])
def test_where_nothing_can_be_kept_every_reading_decodes(path, monkeypatch, fault):
    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    usage = shutil.disk_usage(path)
    if fault == "no room":
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2 * 4 * ROWS * DIMENSIONS - 1))
    elif fault == "not writable":
        monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    else:
        monkeypatch.setattr(os, "pwrite", refuse if fault == "filled meanwhile" else lambda *_: 4)
    seen, stored, held = count_decoded(monkeypatch), read_features(path, memory=0), read_features(path)
    for group in (0, 1, 0):
        np.testing.assert_array_equal(stored.values.read_group(group), held.values[stored.values.spans[group]])
    assert seen == [0, 1, 0]
    assert stored.values._decoded._file is None  # what was taken of the disk is given back


def test_who_needs_all_at_once_is_refused_in_one_line(path):
    stored = read_features(path, memory=0).values
    with pytest.raises(UserError, match=r"^.*features.parquet must fit into memory for this, got 230 rows of 3 f.*$"):
        np.mean(stored)
    with pytest.raises(UserError, match="must fit into memory"):
        LogisticRegression().fit(stored, np.arange(ROWS) % 2)


def test_a_scorer_gives_the_same_scores(path):
    config = StudentConfig(circuit=CircuitConfig(qubits=2, layers=1))
    model = build_model(config, DIMENSIONS, 2)
    parameters = jax.tree.map(lambda one: one[None], model.initialise(np.random.default_rng(0)))
    held, stored = (
        build_scorer(model, config.precision)(parameters, read_features(path, one).values) for one in (None, 0)
    )
    np.testing.assert_array_equal(stored, held)


def cut(split, monkeypatch, rows, batch=1, epoch=1):
    """The windows of an epoch, of `rows` rows each."""
    monkeypatch.setattr(windows_module, "WINDOW_BYTES", rows * 4 * DIMENSIONS)
    return list(Windows(split, batch, lambda window: window).iterate(epoch))


def test_windows_have_every_row_once_beside_its_own_logits(path, monkeypatch):
    chosen = np.arange(ROWS) % 3 != 0
    windows = cut(make_split(path, chosen), monkeypatch, rows=64)
    assert [len(window.labels) for window in windows] == [64, 64, int(chosen.sum()) - 128]
    seen = np.concatenate([window.features[:, 0] for window in windows])
    np.testing.assert_array_equal(np.sort(seen), np.flatnonzero(chosen))
    np.testing.assert_array_equal(seen, np.concatenate([window.logits[:, 1] for window in windows]))
    np.testing.assert_array_equal(seen, np.concatenate([window.labels for window in windows]))


def test_the_order_of_windows_depends_on_the_epoch_alone(path, monkeypatch):
    first, again, second = (
        np.concatenate([window.labels for window in cut(make_split(path), monkeypatch, 50, epoch=epoch)])
        for epoch in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != second).any()


def test_epochs_in_turn_have_the_windows_of_each_by_itself(path, monkeypatch):
    monkeypatch.setattr(windows_module, "WINDOW_BYTES", 50 * 4 * DIMENSIONS)
    windows = Windows(make_split(path), 1, lambda window: window)
    for epoch in (1, 2, 5):
        labels = [window.labels for window in windows.iterate(epoch)]
        np.testing.assert_equal(labels, [window.labels for window in cut(make_split(path), monkeypatch, 50, 1, epoch)])


def test_windows_are_of_whole_batches_and_the_last_has_one_at_least(path, monkeypatch):
    sizes = [len(window.labels) for window in cut(make_split(path), monkeypatch, rows=50, batch=16)]
    assert sizes == [48, 48, 48, 48, 38]
    assert [len(window.labels) for window in cut(make_split(path), monkeypatch, rows=90, batch=75)] == [75, 75, 75]


def test_a_split_in_memory_is_loaded_once_and_is_one_window(path):
    split = make_split(path)._replace(features=read_features(path).values)
    loaded = []
    windows = Windows(split, 16, lambda window: loaded.append(window) or window)
    assert [len(window.labels) for epoch in (1, 2) for window in windows.iterate(epoch)] == [ROWS, ROWS]
    assert len(loaded) == 1


def test_damage_and_values_that_are_not_finite_are_refused_when_read(path, tmp_path):
    stored = read_features(path, memory=0)
    data = bytearray(path.read_bytes())
    group = pq.read_metadata(path).row_group(3).column(1)
    data[group.data_page_offset + group.total_compressed_size - 5] ^= 1
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(data)
    with pytest.raises(UserError, match="cannot be read"):
        read_features(damaged, memory=0).values[:]
    ids = pa.chunked_array([pa.array([bytes(16)], pa.binary(16))])
    write_features(tmp_path / "nan.parquet", ids, [np.array([[1, np.nan, 1]], np.float32)], 3, "fingerprint")
    with pytest.raises(UserError, match="features must be finite"):
        read_features(tmp_path / "nan.parquet", memory=0).values[:]
    np.testing.assert_array_equal(stored.values[:1], [[0, 0, 0.5]])
