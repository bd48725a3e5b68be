"""Data re-uploading: its gates in order, what its outputs are, and the ways out of it that need a student."""

import jax
import jax.numpy as jnp
import numpy as np
import pennylane as qml
import pytest

from student_jax.checkpoint import load_checkpoint, save_student
from student_jax.circuit.gates import angle_shapes, fill_angles, list_gates
from student_jax.circuit.notation import INPUT, Gate, Parameter
from student_jax.circuit.qnode import build_qnode
from student_jax.circuit.reupload import Angles
from student_jax.comparators.controls import build_control
from student_jax.config import CircuitConfig, EmbedConfig, StudentConfig
from student_jax.data.dataset import Split
from student_jax.data.embedder import fit_embedder
from student_jax.diagnosis.gradients import measure_gradient_variance
from student_jax.diagnosis.live_parameters import count_angles, count_parameters
from student_jax.diagnosis.robustness import measure_robustness
from student_jax.engines import build_engine, choose_engine
from student_jax.export.openqasm import export_student
from student_jax.model import build_model, name_arrays
from student_jax.student import Student
from student_jax.training.trainer import train
from teacher_cache.errors import UserError


def make_circuit(**changes):
    return CircuitConfig(**{"qubits": 2, "layers": 2, "rotations": "tied", "ansatz": "reupload", **changes})


def test_gates_come_in_the_stated_order():
    def layer(k):
        return [
            *(Gate("RX", (qubit,), Parameter(INPUT, (qubit,))) for qubit in range(2)),
            *(Gate("RZ", (qubit,), Parameter("rz", (k, qubit, 0))) for qubit in range(2)),
            *(Gate("RY", (qubit,), Parameter("ry", (k, qubit, 0))) for qubit in range(2)),
            Gate("CNOT", (0, 1)),
        ]

    assert list_gates(make_circuit()) == layer(0) + layer(1)
    assert len(list_gates(make_circuit(rotations="triple", entanglement="ring"))) == 2 * (2 + 6 + 6 + 2)
    assert angle_shapes(make_circuit(rotations="triple")) == {"rz": (2, 2, 3), "ry": (2, 2, 3)}


def test_one_layer_by_hand():
    """<Z> of a qubit is cos t cos z - sin t sin z sin f: RX gives (0, -sin z, cos z); the CNOT makes Z_1 Z_0 Z_1."""
    circuit = make_circuit(layers=1)
    z, f, t = np.random.default_rng(0).normal(size=(3, 2))
    alone = np.cos(t) * np.cos(z) - np.sin(t) * np.sin(z) * np.sin(f)
    found = build_qnode(circuit, 2)(z, Angles(f[None, :, None], t[None, :, None]))
    np.testing.assert_allclose(found, [alone[0], alone.prod()], atol=1e-12)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_degree_in_a_texts_angle_grows_with_the_layers(layers):
    """The Fourier spectrum of an output along one z ends at the number of encodings (Schuld, Sweke and Meyer 2021)."""
    circuit = make_circuit(layers=layers)
    random = np.random.default_rng(1)
    angles = fill_angles(circuit, lambda shape: random.normal(size=shape))
    z = np.stack([np.linspace(0, 2 * np.pi, 16, endpoint=False), np.full(16, 0.3)], axis=1)
    spectrum = abs(np.fft.rfft(build_qnode(circuit, 2)(z, angles)[1]))
    assert spectrum[layers] > 1e-6
    np.testing.assert_allclose(spectrum[layers + 1 :], 0, atol=1e-10)


@pytest.mark.parametrize("name", ["default.qubit", "lightning.qubit"])
def test_pennylane_engines_agree_with_the_qnode(name):
    """Values and gradients, in float64, the engines with summed rotations."""
    circuit = make_circuit(qubits=3, rotations="triple", entanglement="ring")
    random = np.random.default_rng(2)
    z, angles = random.normal(size=(2, 3)), fill_angles(circuit, lambda shape: random.normal(size=shape))
    weights = random.normal(size=(2, 3))
    qnode = build_qnode(circuit, 2)

    def value(z, *arrays):
        return qml.math.sum(weights * qml.math.stack(qnode(z, Angles(*arrays)), axis=-1))

    expected = qml.grad(value)(*(qml.numpy.array(array, requires_grad=True) for array in (z, *angles)))
    with jax.enable_x64(True):
        engine = build_engine(name, circuit, 2, "float64")
        arguments = jax.tree.map(jnp.asarray, (z, angles))
        found = jax.jit(jax.grad(lambda z, angles: jnp.sum(weights * engine(z, angles)), argnums=(0, 1)))(*arguments)
    for gradient, one in zip(jax.tree.leaves(found), expected, strict=True):
        np.testing.assert_allclose(gradient, one, rtol=0, atol=1e-10)


def test_fused_refuses_it_and_auto_does_without():
    with pytest.raises(UserError, match=r"simulates the ansatz layers alone, got reupload; take engine default\.qubit"):
        build_engine("fused", make_circuit(), 2, "float32")
    assert choose_engine(make_circuit(), 2, "float32", batch=2) in {"default.qubit", "lightning.qubit"}


def test_every_parameter_of_a_linear_readout_is_alive():
    """By hand: 2 layers of 2 qubits with an RZ and an RY; 2 times 7 of the encoding, 2 times 3 of the readout."""
    config = StudentConfig(circuit=make_circuit(), engine="default.qubit")
    assert count_angles(config.circuit, 2) == (8, 0)
    assert count_parameters(config, 6, 2) == (14 + 8 + 6, 0)
    model = build_model(config, 6, 2)
    assert list(name_arrays(model.initialise(np.random.default_rng(0)).angles)) == ["rz", "ry"]
    assert dict(model.rates) == {"angles.rz": 3.0, "angles.ry": 3.0}


def test_gradient_variance_of_one_layer_by_hand():
    """d<Z_0>/dt = -sin t cos z - cos t sin z sin f: 1/4 + 1/8; of <Z_0 Z_1> times <Z_1^2> = 1/4 + 1/8.

    20,000 samples leave a relative standard error below 0.02.
    """
    found = measure_gradient_variance(make_circuit(layers=1), 2, samples=20_000)
    np.testing.assert_allclose(found, [3 / 8, 9 / 64], rtol=0.1)


def test_without_entanglement_it_is_the_qnode_of_its_rotations():
    """Scores of the control, by PennyLane: the CNOTs left out."""
    config = StudentConfig(circuit=make_circuit(readout="first"), engine="default.qubit", encoding_scale=1.0)
    control = build_control("no_entanglement", config, 4, 2)
    assert "angles.rz" in control.rates  # of the tied rotations; no array turns a gate on two qubits
    parameters = control.initialise(np.random.default_rng(0))
    features = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
    z = features @ parameters.encoding.weight + parameters.encoding.bias

    @qml.qnode(qml.device("default.qubit", wires=2))
    def run():
        for layer in range(2):
            for qubit in range(2):
                qml.RX(z[:, qubit], wires=qubit)
                qml.RZ(parameters.angles.rz[layer, qubit, 0], wires=qubit)
                qml.RY(parameters.angles.ry[layer, qubit, 0], wires=qubit)
        return [qml.expval(qml.Z(0)), qml.expval(qml.Z(1))]

    np.testing.assert_allclose(control.apply(parameters, jnp.asarray(features)), np.stack(run(), axis=-1), atol=1e-5)


def test_a_student_is_trained_saved_asked_exported_and_diagnosed(tmp_path):
    config = StudentConfig(
        circuit=make_circuit(),
        engine="default.qubit",
        epochs=20,
        batch_size=8,
        seeds=2,
        learning_rate=0.05,
        encoding_scale=0.5,
    )
    texts = [f"{mood} film {k}" for k, mood in enumerate(["good", "bad"] * 16)]
    labels = np.array([0, 1] * 16, np.int32)
    embedder = fit_embedder(EmbedConfig(dimensions=6), texts, labels)
    features, folder = tmp_path / "features", tmp_path / "student"
    features.mkdir(), folder.mkdir()
    embedder.save(features)
    logits = np.where(labels[:, None] == np.arange(2), 2.0, -2.0).astype(np.float32)
    split = Split(embedder.transform(texts), logits, labels)
    training = train(build_model(config, 6, 2), {"train": split, "validation": split}, config, 0, "test")
    save_student(folder, training, config, ["fine", "poor"], features, {"task": "mood"})

    assert Student.load(folder).predict(["good film", "bad film"]).labels == ["fine", "poor"]
    checkpoint = load_checkpoint(folder)
    assert export_student(checkpoint, None, 3).count("rx(z0)") == 2
    [exact] = measure_robustness(checkpoint, split, [0.0], [])
    assert exact.accuracy > 0.9
