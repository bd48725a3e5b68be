"""The student's model: its definition against the QNode, its sizes, its start."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from student_jax.circuit.qnode import build_qnode
from student_jax.config import CircuitConfig, StudentConfig
from student_jax.engines import ENGINES
from student_jax.model import build_model, build_scorer, count_trainable, name_arrays, resolve_engine
from teacher_cache.errors import UserError


def small(**changes):
    return StudentConfig(circuit=CircuitConfig(qubits=3, layers=2, **changes))


@pytest.mark.parametrize("readout", ["linear", "first"])
@pytest.mark.parametrize("rotations", ["triple", "tied"])
def test_scores_are_the_definition(readout, rotations):
    """z = E w + b, the QNode's <Z>, then the affine readout, all with PennyLane and NumPy."""
    config = small(readout=readout, rotations=rotations)
    model = build_model(config, 5, 2)
    parameters = model.initialise(np.random.default_rng(0))
    features = np.random.default_rng(1).normal(size=(4, 5)).astype(np.float32)
    z = features @ parameters.encoding.weight + parameters.encoding.bias
    values = np.stack(build_qnode(config.circuit, 2)(z, parameters.angles), axis=-1)
    expected = values if readout == "first" else values @ parameters.readout.weight + parameters.readout.bias
    np.testing.assert_allclose(model.apply(parameters, jnp.asarray(features)), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("classes", "readout", "expected"),
    [
        (4, "linear", 11 * 769 + 4 * (33 + 10 + 33) + 4 * 12),
        (2, "linear", 11 * 769 + 4 * (33 + 10 + 33) + 2 * 12),
        (2, "first", 11 * 769 + 4 * (33 + 10 + 33)),
    ],
)
def test_default_student_has_at_most_the_papers_parameters(classes, readout, expected):
    """w and b; 3 RY and 3 RZ angles per qubit and one RZZ angle per pair in 4 layers; the readout."""
    found = count_trainable(build_model(StudentConfig(circuit=CircuitConfig(readout=readout)), 768, classes))
    assert found == expected <= 9275


def test_default_student_of_four_classes_has_8811_parameters():
    assert count_trainable(build_model(StudentConfig(), 768, 4)) == 8811


def test_angles_of_the_encoding_start_with_the_chosen_spread():
    config = StudentConfig(encoding_scale=0.3, angle_scale=0.2)
    parameters = build_model(config, 768, 4).initialise(np.random.default_rng(0))
    features = np.random.default_rng(1).normal(size=(2000, 768))
    assert np.std(features @ parameters.encoding.weight) == pytest.approx(0.3, rel=0.05)
    drawn = np.concatenate([array.ravel() for array in parameters.angles])
    assert 0.19 < np.abs(drawn).max() <= 0.2


def test_tied_and_triple_start_as_the_same_circuit():
    features = np.random.default_rng(1).normal(size=(4, 5)).astype(np.float32)
    scores = []
    for rotations in ("triple", "tied"):
        model = build_model(small(rotations=rotations), 5, 2)
        scores.append(model.apply(model.initialise(np.random.default_rng(3)), jnp.asarray(features)))
    np.testing.assert_allclose(*scores, atol=1e-6)


def test_names_are_dotted_paths():
    names = list(name_arrays(build_model(small(), 5, 2).initialise(np.random.default_rng(0))))
    assert names == [
        *("encoding.weight", "encoding.bias", "angles.ry", "angles.rzz", "angles.rz", "readout.weight", "readout.bias")
    ]


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_scorer_gives_each_seed_and_row_its_scores(rows):
    config = small()
    model = build_model(config, 5, 2)
    draws = [model.initialise(np.random.default_rng(seed)) for seed in range(2)]
    features = np.random.default_rng(1).normal(size=(rows, 5)).astype(np.float32)
    score, stacked = build_scorer(model, config.precision), jax.tree.map(lambda *arrays: np.stack(arrays), *draws)
    found = score(stacked, features)
    assert found.shape == (2, rows, 2)
    assert score(stacked, features[:0]).shape == (2, 0, 2)
    for seed, draw in enumerate(draws):
        np.testing.assert_allclose(found[seed], model.apply(draw, jnp.asarray(features)), atol=1e-6)


@pytest.mark.parametrize("enabled", [False, True])
def test_a_student_of_float64_is_scored_in_float64(enabled):
    """Wherever the scorer is called: parameters that were rounded to float32 on their way would be off by 1e-8."""
    config = replace(small(), precision="float64")
    model = build_model(config, 5, 2)
    one = model.initialise(np.random.default_rng(0))
    features = np.random.default_rng(1).normal(size=(4, 5))
    with jax.enable_x64(True):
        expected = np.asarray(model.apply(one, jnp.asarray(features)))
    with jax.enable_x64(enabled):
        found = build_scorer(model, "float64")(jax.tree.map(lambda array: array[None], one), features)[0]
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)


def test_scorer_cuts_long_inputs_into_batches(monkeypatch):
    monkeypatch.setattr("student_jax.model.MAX_BATCH", 4)
    config = small()
    model = build_model(config, 5, 2)
    parameters = jax.tree.map(lambda array: array[None], model.initialise(np.random.default_rng(0)))
    features = np.random.default_rng(1).normal(size=(11, 5)).astype(np.float32)
    whole = model.apply(jax.tree.map(lambda array: array[0], parameters), jnp.asarray(features))
    np.testing.assert_allclose(build_scorer(model, config.precision)(parameters, features)[0], whole, atol=1e-6)


def test_auto_becomes_a_name_once():
    found = resolve_engine(replace(small(), engine="auto"), 2)
    assert found.engine in ENGINES
    assert resolve_engine(found, 2) is found


def test_more_classes_than_first_can_read_are_refused():
    with pytest.raises(UserError, match="3 qubits for 4 classes"):
        build_model(small(readout="first"), 5, 4)
