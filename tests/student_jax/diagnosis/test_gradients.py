import numpy as np
import pennylane as qml
import pytest

from student_jax.circuit.gates import angle_shapes
from student_jax.circuit.layers import Angles
from student_jax.circuit.qnode import build_qnode
from student_jax.config import CircuitConfig
from student_jax.diagnosis.gradients import measure_gradient_variance


@pytest.mark.parametrize("qubits", [2, 3])
def test_gradient_variance_of_one_layer(qubits):
    """By hand: <Z_k> is the product over i <= k of cos(theta_i) cos(z_i), so d<Z_k>/d theta_0 has variance 4^-(k + 1).

    theta is a sum of uniform angles, uniform again.  The relative standard error of 20,000 samples of a product of six
    such squares, each with a mean fourth power of 3/8, is sqrt(((3/8) / (1/4))^6 / 20000) = 0.024 at most.
    """
    variance = measure_gradient_variance(CircuitConfig(qubits=qubits, layers=1), 2, samples=20_000)
    np.testing.assert_allclose(variance, [1 / 4, 4.0**-qubits], rtol=0.1)


@pytest.mark.parametrize("settings", [{"entanglement": "ring"}, {"readout": "first"}])
def test_derivatives_are_the_qnodes(settings):
    """The same draws, differentiated by PennyLane through the reference circuit."""
    circuit = CircuitConfig(qubits=3, layers=2, **settings)
    random = np.random.default_rng(0)
    z, ry, rzz, rz = (
        random.uniform(-np.pi, np.pi, (4, *shape)).astype(np.float32)
        for shape in ((1, circuit.qubits), *angle_shapes(circuit).values())
    )
    qnode = build_qnode(circuit, 2)

    def differentiate(sample, output):
        def value(angle):
            turned = qml.math.concatenate([qml.math.reshape(angle, (1,)), ry[sample].ravel()[1:]])
            angles = Angles(qml.math.reshape(turned, ry[sample].shape), rzz[sample], rz[sample])
            return qnode(z[sample, 0], angles)[output]

        return qml.grad(value)(qml.numpy.array(ry[sample, 0, 0, 0], requires_grad=True))

    expected = [np.var([differentiate(sample, output) for sample in range(4)]) for output in (0, -1)]
    np.testing.assert_allclose(measure_gradient_variance(circuit, 2, samples=4), expected, rtol=1e-3, atol=1e-6)
