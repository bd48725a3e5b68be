"""Training against a plain loop with optax, and what must hold whatever is trained."""

import functools
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pyarrow as pa
import pytest

from student_jax.config import CircuitConfig, LossConfig, StudentConfig
from student_jax.data import features as features_module
from student_jax.data import windows as windows_module
from student_jax.data.dataset import Split
from student_jax.data.features import read_features, write_features
from student_jax.model import Model, build_model
from student_jax.training.losses import distillation_loss
from student_jax.training.trainer import train
from teacher_cache.errors import UserError
from teacher_cache.schema import NO_LABEL


def make_config(circuit=None, **changes):
    settings = {"epochs": 3, "batch_size": 8, "seeds": 2, "learning_rate": 0.02, **changes}
    return StudentConfig(circuit=CircuitConfig(qubits=2, layers=1, **(circuit or {})), **settings)


@pytest.fixture(scope="module")
def dataset():
    """Two classes that a direction of five features tells apart, with a teacher that knows it."""
    generator = np.random.default_rng(0)

    def make_split(rows):
        features = generator.normal(size=(rows, 5)).astype(np.float32)
        score = 2 * features[:, :1]
        return Split(features, np.hstack([score, -score]), (score[:, 0] < 0).astype(np.int32))

    return {"train": make_split(42), "validation": make_split(16)}


@pytest.fixture(scope="module")
def run(dataset):
    """Train on the dataset; equal settings are trained once."""

    @functools.cache
    def run(config, seed=0):
        return train(build_model(config, 5, 2), dataset, config, seed, "test")

    return run


def assert_same(one, two, **tolerance):
    """The same but for the angles: some angles have no effect, and Adam magnifies their gradients' rounding errors."""
    live = [(parameters.encoding, parameters.readout) for parameters in (one, two)]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **tolerance), *live)


@pytest.mark.parametrize(
    "settings", [{}, {"clip_norm": 0.1, "weight_decay": 0.1, "l2": 0.3, "l2_readout": True, "schedule": "constant"}]
)
def test_one_seed_is_a_plain_loop(dataset, run, settings):
    """One epoch by hand: shuffle, cut into batches of 8 and leave 2 rows out, Adam with decoupled weight decay.

    The squares of the encoding's weights, and of the readout's where asked, are minimised too, and not shown.
    """
    config = make_config(epochs=1, seeds=1, **settings)
    model = build_model(config, 5, 2)
    parameters = jax.tree.map(jnp.asarray, model.initialise(np.random.default_rng(7)))
    rate = 0.02 if settings else optax.cosine_decay_schedule(0.02, 5)
    optimizer = optax.chain(
        optax.clip_by_global_norm(settings.get("clip_norm", 1e9)),
        optax.adamw(rate, weight_decay=config.weight_decay),
    )
    memory, update = optimizer.init(parameters), jax.jit(optimizer.update)
    split, losses = dataset["train"], []

    @jax.jit
    def derive(p, batch):
        def compute_loss(p):
            scores = model.apply(p, batch.features)
            loss = distillation_loss(scores, batch.logits, batch.labels, config.loss)
            held = [p.encoding.weight, p.readout.weight] if config.l2_readout else [p.encoding.weight]
            return loss + config.l2 / 2 * sum((array**2).sum() for array in held), loss

        return jax.grad(compute_loss, has_aux=True)(p)

    for rows in np.random.default_rng([7, 1]).permutation(42)[:40].reshape(5, 8):
        gradient, loss = derive(parameters, Split(split.features[rows], split.logits[rows], split.labels[rows]))
        losses.append(loss)
        with jax.numpy_dtype_promotion("standard"):  # Optax multiplies counts with fractions
            updates, memory = update(gradient, memory, parameters)
        parameters = optax.apply_updates(parameters, updates)
    found = run(config, seed=7)
    assert_same(jax.tree.map(lambda array: array[0], found.parameters), parameters, atol=1e-5)
    assert found.curves[0].train_loss == pytest.approx(np.mean(losses), rel=1e-5)


def test_a_seed_does_not_depend_on_its_company(run):
    together, alone = run(make_config(seeds=2)), run(make_config(seeds=1), seed=1)
    assert_same(jax.tree.map(lambda array: array[1:], together.parameters), alone.parameters, atol=1e-5)
    assert together.seeds == [0, 1]
    assert alone.seeds == [1]


def test_the_same_seed_gives_the_same_bits(dataset, run):
    config = make_config()
    again = train(build_model(config, 5, 2), dataset, config, 0, "test")
    jax.tree.map(np.testing.assert_array_equal, again.parameters, run(config).parameters)


def test_seeds_differ(run):
    weight = run(make_config()).parameters.encoding.weight
    assert np.abs(weight[0] - weight[1]).max() > 0.01


def test_the_student_learns_what_its_teacher_knows(run):
    found = run(make_config(epochs=30, learning_rate=0.05, schedule="constant"))
    assert max(result.validation_accuracy for result in found.curves) >= 0.9
    first, last = found.curves[0], found.curves[-1]
    assert last.train_loss < first.train_loss / 2


def test_parameters_are_those_of_the_best_epoch(dataset, run):
    """Trained on until it gets worse; the kept parameters have the smallest validation loss of the curve."""
    config = make_config(epochs=12, learning_rate=0.3, schedule="constant")
    model = build_model(config, 5, 2)
    found = run(config)
    split = dataset["validation"]
    measure = jax.jit(
        lambda p: distillation_loss(
            model.apply(p, jnp.asarray(split.features)), split.logits, split.labels, config.loss
        )
    )
    for index, seed in enumerate(found.seeds):
        losses = {result.epoch: result.validation_loss for result in found.curves if result.seed == seed}
        best = min(losses, key=lambda epoch: losses[epoch])
        assert found.best_epochs[index] == best
        parameters = jax.tree.map(lambda array, index=index: array[index], found.parameters)
        assert float(measure(parameters)) == pytest.approx(losses[best], rel=1e-4)
    smallest = min(found.curves, key=lambda result: result.validation_loss)
    assert found.seeds[found.selected] == smallest.seed
    assert min(found.best_epochs) < 12


def test_patience_stops_each_seed_on_its_own(run):
    """With a rate that only does harm, epoch 2 or 3 is the last that anyone waits for."""
    config = make_config(epochs=12, learning_rate=0.3, schedule="constant")
    free, patient = run(config), run(replace(config, patience=2))
    epochs = max(result.epoch for result in patient.curves)
    assert epochs < 12
    for index, seed in enumerate(patient.seeds):
        losses = [result.validation_loss for result in free.curves if result.seed == seed]
        expected = 0
        for epoch, loss in enumerate(losses, 1):
            if epoch - expected > 2:
                break
            if expected == 0 or loss < losses[expected - 1]:
                expected = epoch
        assert patient.best_epochs[index] == expected


def test_tied_rotations_follow_the_same_path_as_three_equal_ones(run):
    """Adam moves three angles of equal gradient alike, so their sum moves three times as far: same scores, float64."""
    results = {}
    for rotations in ("triple", "tied"):
        config = make_config({"rotations": rotations}, precision="float64", epochs=4, weight_decay=0.5)
        results[rotations] = run(config).curves
    for triple, tied in zip(results["triple"], results["tied"], strict=True):
        assert triple == pytest.approx(tied, rel=1e-9)


def test_hard_labels_alone_and_fewer_rows_than_a_batch(run):
    config = make_config(batch_size=1000, loss=LossConfig(soft=0.0, hard=1.0))
    assert len(run(config).curves) == 6


def test_losses_that_are_not_finite_are_an_error(dataset):
    broken = {**dataset, "validation": dataset["validation"]._replace(features=np.full((16, 5), np.nan, np.float32))}
    config = make_config()
    with pytest.raises(UserError, match="validation loss must be finite, got nan in epoch 1; lower learning_rate"):
        train(build_model(config, 5, 2), broken, config, 0, "test")


@pytest.mark.parametrize("engine", ["default.qubit", "lightning.qubit"])
def test_every_engine_trains_the_same_student(run, engine):
    settings = {"epochs": 1, "seeds": 1, "batch_size": 21}
    found, expected = run(make_config(engine=engine, **settings)), run(make_config(**settings))
    assert_same(found.parameters, expected.parameters, atol=1e-4)


def test_without_a_terminal_there_is_a_line_for_each_epoch(dataset, caplog):
    config = make_config(epochs=3, seeds=1)
    with caplog.at_level("INFO", logger="student_jax.training.trainer"):
        train(build_model(config, 5, 2), dataset, config, 0, "test")
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3
    assert lines[0].startswith("test: epoch 1 of 3: validation loss ")


def test_a_model_may_bring_its_own_loss_tokens_and_states():
    """Counts of tokens, fitted to one layer's states alone: the distillation loss then chooses the epoch, no more."""
    generator = np.random.default_rng(0)
    tokens = generator.integers(0, 4, (24, 6)).astype(np.int32)
    counts = np.stack([(tokens == k).sum(axis=1) for k in range(4)], axis=1).astype(np.float16)
    split = Split(tokens, np.zeros((24, 4), np.float32), tokens[:, 0], None, counts[:, None])
    config = make_config(epochs=40, learning_rate=0.3, schedule="constant")

    def apply(table, tokens):
        assert tokens.dtype == np.int32
        return jnp.take(table, tokens, axis=0).sum(axis=1)

    def loss(table, batch):
        return jnp.mean((apply(table, batch.features) - batch.hidden[:, 0]) ** 2)

    model = Model(lambda generator: generator.normal(size=(4, 4)).astype(np.float32), apply, {}, loss)
    found = train(model, {"train": split, "validation": split}, config, 0, "test")
    by_epoch = [result.train_loss for result in found.curves if result.seed == 0]
    assert by_epoch[-1] < 1e-3 < 1 < by_epoch[0]


def store(split, path, group_rows, monkeypatch):
    """The same split, its features in a file whose row groups have `group_rows` rows."""
    monkeypatch.setattr(features_module, "GROUP_BYTES", group_rows * 4 * split.features.shape[1])
    ids = pa.array([k.to_bytes(16, "big") for k in range(len(split.labels))], pa.binary(16))
    write_features(path, pa.chunked_array([ids]), [split.features], split.features.shape[1], "")
    return split._replace(features=read_features(path, memory=0).values)


def test_features_in_a_file_train_the_same_student(dataset, run, tmp_path, monkeypatch):
    config = make_config()
    stored = {name: store(split, tmp_path / f"{name}.parquet", 100, monkeypatch) for name, split in dataset.items()}
    found = train(build_model(config, 5, 2), stored, config, 0, "test")
    assert_same(found.parameters, run(config).parameters, atol=1e-6)


def test_windows_of_some_rows_train_as_well(dataset, run, tmp_path, monkeypatch):
    monkeypatch.setattr(windows_module, "WINDOW_BYTES", 16 * 4 * 5)
    config = make_config(epochs=6)
    stored = {name: store(split, tmp_path / f"{name}.parquet", 6, monkeypatch) for name, split in dataset.items()}
    found = train(build_model(config, 5, 2), stored, config, 0, "test")
    shuffled = run(config)
    for one, other in zip(found.curves, shuffled.curves, strict=True):
        assert one.train_loss != other.train_loss
        assert one.validation_loss == pytest.approx(other.validation_loss, abs=0.05)


@pytest.fixture(scope="module")
def pooled(dataset):
    """Two labels, one of them wrong, and a pool of 40 texts whose teacher is right."""
    train_rows = dataset["train"]
    ids = np.arange(40, dtype=">u8").repeat(2).view("V16")

    def cut(rows, labels):
        return Split(train_rows.features[rows], train_rows.logits[rows], labels, ids[: len(labels)])

    few = cut(slice(2), np.array([0, 0], np.int32))
    return {**dataset, "train": few, "pool": cut(slice(2, 42), np.full(40, NO_LABEL, np.int32))}


def test_the_pool_teaches_what_the_labels_do_not(pooled):
    config = make_config(epochs=30, learning_rate=0.05, schedule="constant", loss=LossConfig(soft=0.5, hard=0.5))
    best = {}
    for pool in (None, 0):
        one = replace(config, pool=pool)
        found = train(build_model(one, 5, 2), pooled, one, 0, "test")
        best[pool] = min(result.validation_accuracy for result in found.best_results())
    assert best[None] >= 0.85 > best[0]


def test_a_pool_in_a_file_teaches_the_same(pooled, tmp_path, monkeypatch):
    """Labelled texts and pool share the file, as stage embed writes it, and here its one row group."""
    config = make_config(epochs=1)
    parts = [pooled["train"], pooled["pool"]]
    whole = parts[0]._replace(
        features=np.concatenate([part.features for part in parts]), labels=np.concatenate([one.labels for one in parts])
    )
    file, split = store(whole, tmp_path / "features.parquet", 100, monkeypatch).features, np.repeat([0, 1], [2, 40])
    stored = {
        name: part._replace(features=file.select(split == number))
        for number, (name, part) in enumerate(zip(("train", "pool"), parts, strict=True))
    }
    held, found = (
        train(build_model(config, 5, 2), {**pooled, **one}, config, 0, "test").parameters for one in ({}, stored)
    )
    assert_same(found, held, atol=1e-6)


def test_a_pool_of_no_texts_is_no_pool(pooled):
    config = make_config(pool=0)
    without = {name: rows for name, rows in pooled.items() if name != "pool"}
    found, expected = (train(build_model(config, 5, 2), one, config, 0, "test") for one in (pooled, without))
    jax.tree.map(np.testing.assert_array_equal, found.parameters, expected.parameters)
    assert found.curves == expected.curves


def test_few_rows_are_trained_on_for_more_epochs_and_the_schedule_knows(run):
    """42 rows are 5 steps of 8 an epoch: 14 steps at least are 3 epochs, which three epochs have anyway."""
    asked = run(make_config(epochs=1, min_steps=14))
    assert asked.curves == run(make_config(epochs=3, min_steps=0)).curves
    assert len(run(make_config(epochs=3, min_steps=15)).curves) == 6
    assert len(run(make_config(epochs=3, min_steps=16)).curves) == 8
