import jax
import jax.numpy as jnp
import numpy as np
import pytest

from student_jax.circuit.qnode import Angles, angle_shapes, build_qnode
from student_jax.config import CircuitConfig
from student_jax.engines import build_engine
from student_jax.engines.lightcone import find_light_cone


def test_cone_of_two_classes_and_three_layers():
    """By hand, n = 11, C = 2, p = 3: the layers touch 6, 4 and 2 qubits; before the last, 5 and 3 of them have X."""
    cone = find_light_cone(CircuitConfig(layers=3, readout="first", rotations="tied"), 2)
    assert cone.encoding.tolist() == [True] * 6 + [False] * 5
    assert cone.ry[..., 0].sum(axis=1).tolist() == [6, 4, 2]
    assert cone.rzz.sum(axis=1).tolist() == [5, 3, 0]
    assert cone.rz[..., 0].sum(axis=1).tolist() == [5, 3, 0]


@pytest.mark.parametrize(("classes", "layers"), [(2, 1), (2, 4), (4, 3), (3, 8)])
def test_a_chain_widens_by_two_qubits_a_layer(classes, layers):
    cone = find_light_cone(CircuitConfig(layers=layers, readout="first"), classes)
    widths = [min(11, classes + 2 * (layers - layer)) for layer in range(1, layers + 1)]
    assert cone.ry.any(axis=-1).sum(axis=1).tolist() == widths


def test_all_but_the_last_diagonals_act_on_a_linear_readout():
    cone = find_light_cone(CircuitConfig(layers=3), 4)
    assert cone.encoding.all()
    assert cone.ry.all()
    assert cone.rz[:-1].all()
    assert cone.rzz[:-1].all()
    assert not cone.rz[-1].any()
    assert not cone.rzz[-1].any()


def test_a_ring_breaks_the_cone():
    cone = find_light_cone(CircuitConfig(layers=3, entanglement="ring", readout="first"), 2)
    assert cone.encoding.all()
    assert cone.ry[0].all()


@pytest.mark.parametrize("entanglement", ["chain", "ring"])
def test_exactly_the_dead_have_no_gradient(entanglement):
    """In the engine exactly 0; in the whole circuit, by finite differences on default.qubit, 0 up to rounding."""
    circuit = CircuitConfig(qubits=7, layers=2, entanglement=entanglement, readout="first", rotations="tied")
    random = np.random.default_rng(0)
    z = random.uniform(-1, 1, (2, circuit.qubits))
    angles = Angles(*(random.uniform(-1, 1, shape) for shape in angle_shapes(circuit)))
    cone = find_light_cone(circuit, 2)
    engine = build_engine("fused", circuit, 2, "float32")
    gradients = jax.jit(jax.grad(lambda *a: jnp.sum(engine(*a) ** 2), argnums=(0, 1)))(
        *jax.tree.map(jnp.float32, (z, angles))
    )
    qnode = build_qnode(circuit, 2)
    start = np.array(qnode(z, angles))
    np.testing.assert_array_equal(np.asarray(gradients[0] != 0).all(axis=0), cone.encoding)
    for field, live, gradient in zip(Angles._fields, cone[1:], gradients[1], strict=True):
        np.testing.assert_array_equal(np.asarray(gradient) != 0, live)
        for index in np.argwhere(~live):
            moved = getattr(angles, field).copy()
            moved[tuple(index)] += 1
            np.testing.assert_allclose(np.array(qnode(z, angles._replace(**{field: moved}))), start, atol=1e-12)
