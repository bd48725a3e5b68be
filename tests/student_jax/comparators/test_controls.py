"""The controls: what each can and cannot do, and that it is as large as it says."""

import jax
import jax.numpy as jnp
import numpy as np
import pennylane as qml
import pytest

from student_jax.circuit.layers import Angles
from student_jax.comparators.controls import CONTROLS, build_control
from student_jax.config import CircuitConfig, StudentConfig
from student_jax.data.dataset import Split
from student_jax.model import build_model, count_trainable, name_arrays
from student_jax.training.trainer import train

CONFIG = StudentConfig(circuit=CircuitConfig(qubits=3, layers=2), epochs=2, batch_size=8, seeds=2)


def draw(name, config=CONFIG, dimensions=5, classes=2):
    model = build_control(name, config, dimensions, classes)
    return model, model.initialise(np.random.default_rng(0))


def test_sizes_of_the_default_controls():
    """By hand, for 768 features and 4 classes: the MLP is the widest that has no more parameters than the student."""
    sizes = {name: count_trainable(build_control(name, StudentConfig(), 768, 4)) for name in CONTROLS}
    assert sizes == {
        "linear": 769 * 4,
        "mlp": 769 * 11 + 12 * 4,
        "no_entanglement": 8811 - 4 * 10,
        "frozen_circuit": 8811 - 4 * (33 + 10 + 33),
    }
    assert sizes["mlp"] <= 8811 < 769 * 12 + 13 * 4


@pytest.mark.parametrize("name", [None, *CONTROLS])
def test_the_penalty_holds_what_meets_the_features_and_nothing_else(name):
    model = build_model(CONFIG, 97, 2) if name is None else draw(name, dimensions=97)[0]
    arrays = name_arrays(model.initialise(np.random.default_rng(0)))
    assert list(model.penalised) == [name for name, array in arrays.items() if len(array) == 97]


def test_linear_control_is_affine():
    model, parameters = draw("linear")
    one, two = np.random.default_rng(1).normal(size=(2, 4, 5)).astype(np.float32)
    middle = model.apply(parameters, jnp.asarray((one + two) / 2))
    np.testing.assert_allclose(
        middle, (model.apply(parameters, jnp.asarray(one)) + model.apply(parameters, jnp.asarray(two))) / 2, atol=1e-6
    )


def test_mlp_by_hand():
    model, parameters = draw("mlp")
    features = np.random.default_rng(1).normal(size=(4, 5)).astype(np.float32)
    hidden = np.tanh(features @ parameters.hidden.weight + parameters.hidden.bias)
    np.testing.assert_allclose(
        model.apply(parameters, jnp.asarray(features)),
        hidden @ parameters.output.weight + parameters.output.bias,
        atol=1e-6,
    )


@pytest.mark.parametrize("readout", ["linear", "first"])
def test_circuit_without_entanglement_is_pennylanes_without_two_qubit_gates(readout):
    circuit = CircuitConfig(qubits=3, layers=2, readout=readout)
    model, parameters = draw("no_entanglement", StudentConfig(circuit=circuit))
    features = np.random.default_rng(1).normal(size=(4, 5)).astype(np.float32)

    @qml.qnode(qml.device("default.qubit"))
    def run(z):
        for qubit in range(3):
            qml.RX(z[:, qubit], wires=qubit)
            for ry, rz in zip(parameters.angles.ry, parameters.angles.rz, strict=True):
                qml.RY(ry[qubit].sum(), wires=qubit)
                qml.RZ(rz[qubit].sum(), wires=qubit)
        return [qml.expval(qml.Z(qubit)) for qubit in range(3)]

    values = np.stack(run(features @ parameters.encoding.weight + parameters.encoding.bias), axis=-1)
    readout = parameters.readout
    expected = values[:, :2] if readout is None else values @ readout.weight + readout.bias
    np.testing.assert_allclose(model.apply(parameters, jnp.asarray(features)), expected, atol=1e-5)


def test_frozen_circuit_starts_as_the_student_and_keeps_its_angles():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(24, 5)).astype(np.float32)
    split = Split(features, np.hstack([features[:, :1], -features[:, :1]]), (features[:, 0] < 0).astype(np.int32))
    model = build_control("frozen_circuit", CONFIG, 5, 2)
    found = train(model, {"train": split, "validation": split}, CONFIG, 0, "test").parameters
    for index in range(2):
        start = build_model(CONFIG, 5, 2).initialise(np.random.default_rng(index))
        trained = jax.tree.map(lambda array, index=index: array[index], found)
        for name in Angles._fields:
            np.testing.assert_array_equal(getattr(trained.angles, name), getattr(start.angles, name))
        assert np.abs(trained.encoding.weight - start.encoding.weight).max() > 1e-3
        assert np.abs(trained.readout.weight - start.readout.weight).max() > 1e-3


def test_unknown_controls_are_refused():
    with pytest.raises(ValueError, match="must be one of linear, mlp, no_entanglement, frozen_circuit, got magic"):
        build_control("magic", CONFIG, 5, 2)
