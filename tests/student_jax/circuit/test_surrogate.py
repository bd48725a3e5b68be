import itertools
import subprocess
import sys

import jax
import numpy as np
import pytest

from student_jax.circuit.gates import fill_angles
from student_jax.circuit.qnode import build_qnode
from student_jax.circuit.surrogate import build_coefficients
from student_jax.config import CircuitConfig
from teacher_cache.errors import UserError


def draw(circuit, classes, seed=0):
    """Random angles and readout of a circuit."""
    random = np.random.default_rng(seed)
    angles = fill_angles(circuit, lambda shape: random.uniform(-np.pi, np.pi, shape))
    if circuit.readout == "first":
        return angles, None
    return angles, (random.normal(size=(circuit.qubits, classes)), random.normal(size=classes))


def evaluate(coefficients, z):
    """Scores (rows, classes) of angles (rows, qubits), written down term by term from the definition."""
    factors = np.stack([np.ones_like(z), -np.sin(z), np.cos(z)], axis=-1)
    scores = np.zeros((len(z), len(coefficients)))
    for term in itertools.product(range(3), repeat=z.shape[1]):
        product = factors[:, np.arange(z.shape[1]), list(term)].prod(axis=1)
        scores += product[:, None] * coefficients[(slice(None), *term)]
    return scores


def simulate(circuit, classes, angles, readout, z):
    """Scores by PennyLane's circuit, in float64."""
    with jax.enable_x64(True):
        values = np.stack(build_qnode(circuit, classes)(z, angles), axis=-1)
    return values if readout is None else values @ readout[0] + readout[1]


@pytest.mark.parametrize("readout", ["linear", "first"])
@pytest.mark.parametrize("entanglement", ["chain", "ring"])
@pytest.mark.parametrize("qubits", range(2, 10))
def test_every_coefficient_is_the_circuits(qubits, entanglement, readout):
    layers, classes = 1 + qubits % 4, min(qubits, 3)
    rotations = "tied" if qubits % 2 else "triple"
    circuit = CircuitConfig(
        qubits=qubits, layers=layers, entanglement=entanglement, readout=readout, rotations=rotations
    )
    angles, read = draw(circuit, classes)
    z = np.random.default_rng(1).uniform(-np.pi, np.pi, (5, qubits))
    coefficients = build_coefficients(circuit, classes, angles, read)
    assert coefficients.shape == (classes, *(3,) * qubits)
    np.testing.assert_allclose(
        evaluate(coefficients, z), simulate(circuit, classes, angles, read, z), rtol=0, atol=1e-10
    )


def test_one_layer_is_a_product_of_cosines():
    """By hand, p = 1 on a chain: Z_k behind the CNOTs is Z_0 ... Z_k, so <Z_k> = prod_(i <= k) cos(y_i) cos(z_i)."""
    circuit = CircuitConfig(qubits=4, layers=1, rotations="tied")
    angles, (weight, bias) = draw(circuit, 2)
    expected = np.zeros((2, 3, 3, 3, 3))
    expected[:, 0, 0, 0, 0] = bias
    products = np.cumprod(np.cos(angles.ry[0, :, 0]))
    for k, term in enumerate([(2, 0, 0, 0), (2, 2, 0, 0), (2, 2, 2, 0), (2, 2, 2, 2)]):
        expected[(slice(None), *term)] = products[k] * weight[k]
    np.testing.assert_allclose(build_coefficients(circuit, 2, angles, (weight, bias)), expected, atol=1e-15)


def test_outside_of_the_light_cone_there_is_nothing():
    """Two layers on a chain, two qubits read: the cone is four qubits wide."""
    circuit = CircuitConfig(qubits=6, layers=2, readout="first")
    coefficients = build_coefficients(circuit, 2, draw(circuit, 2)[0], None)
    assert np.count_nonzero(coefficients) == np.count_nonzero(coefficients[..., 0, 0]) > 0


@pytest.mark.parametrize(
    ("circuit", "rule"),
    [
        (CircuitConfig(ansatz="reupload"), "ansatz layers alone, .* got reupload$"),
        (CircuitConfig(file="own.py", arrays={"a": [2]}, outputs=2), "got the circuit of own.py$"),
        # By hand: 2 matrices of 4^14 numbers of 8 bytes are 4,096 MiB, 4 times 3^14 of them 145.
        (CircuitConfig(qubits=14), "at most 13 qubits and .* got 14 qubits and .* need 4,241 MiB"),
    ],
)
def test_refusals(circuit, rule):
    with pytest.raises(UserError, match=rule):
        build_coefficients(circuit, 4, None, None)


def test_too_many_classes_are_refused():
    """By hand: 200 times 3^11 are 35,429,400; with two matrices of 4^11, of 8 bytes each, 334 MiB."""
    with pytest.raises(UserError, match=r"33,554,432 coefficients, got 11 qubits and 35,429,400 .* need 334 MiB"):
        build_coefficients(CircuitConfig(), 200, None, None)


def test_more_classes_than_qubits():
    circuit = CircuitConfig(qubits=3, layers=2)
    angles, read = draw(circuit, 7)
    z = np.random.default_rng(1).uniform(-np.pi, np.pi, (5, 3))
    found = evaluate(build_coefficients(circuit, 7, angles, read), z)
    np.testing.assert_allclose(found, simulate(circuit, 7, angles, read, z), rtol=0, atol=1e-10)


def test_neither_jax_nor_pennylane_is_imported():
    code = "import sys, student_jax.circuit.surrogate; sys.exit(bool({'jax', 'pennylane'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)
