import jax
import jax.numpy as jnp
import numpy as np
import pennylane as qml
import pytest

from student_jax.circuit.gates import angle_shapes, fill_angles
from student_jax.circuit.layers import Angles
from student_jax.circuit.lightcone import find_light_cone, find_live_gates
from student_jax.circuit.notation import neighbours
from student_jax.circuit.qnode import apply_gates, build_qnode
from student_jax.config import CircuitConfig
from student_jax.engines import build_engine


def test_cone_of_two_classes_and_three_layers():
    """By hand, n = 11, C = 2, p = 3: the layers touch 6, 4 and 2 qubits; before the last, 5 and 3 of them have X."""
    cone = find_light_cone(CircuitConfig(layers=3, readout="first", rotations="tied"), 2)
    assert cone.encoding.tolist() == [True] * 6 + [False] * 5
    assert cone.angles.ry[..., 0].sum(axis=1).tolist() == [6, 4, 2]
    assert cone.angles.rzz.sum(axis=1).tolist() == [5, 3, 0]
    assert cone.angles.rz[..., 0].sum(axis=1).tolist() == [5, 3, 0]


@pytest.mark.parametrize(("classes", "layers"), [(2, 1), (2, 4), (4, 3), (3, 8)])
def test_a_chain_widens_by_two_qubits_a_layer(classes, layers):
    cone = find_light_cone(CircuitConfig(layers=layers, readout="first"), classes)
    widths = [min(11, classes + 2 * (layers - layer)) for layer in range(1, layers + 1)]
    assert cone.angles.ry.any(axis=-1).sum(axis=1).tolist() == widths


def test_all_but_the_last_diagonals_act_on_a_linear_readout():
    cone = find_light_cone(CircuitConfig(layers=3), 4)
    assert cone.encoding.all()
    assert cone.angles.ry.all()
    assert cone.angles.rz[:-1].all()
    assert cone.angles.rzz[:-1].all()
    assert not cone.angles.rz[-1].any()
    assert not cone.angles.rzz[-1].any()


def test_a_ring_breaks_the_cone():
    cone = find_light_cone(CircuitConfig(layers=3, entanglement="ring", readout="first"), 2)
    assert cone.encoding.all()
    assert cone.angles.ry[0].all()


@pytest.mark.parametrize("entanglement", ["chain", "ring"])
@pytest.mark.parametrize("qubits", [2, 3, 6])
@pytest.mark.parametrize("layers", [1, 2, 5])
def test_the_walk_agrees_with_whole_layers_moved_at_once(qubits, layers, entanglement):
    """The closed form: a layer's CNOTs are one linear map over GF(2) of X and of Z factors; see `_closed_form`."""
    for classes in range(2, min(qubits, 4) + 1):
        circuit = CircuitConfig(
            qubits=qubits, layers=layers, entanglement=entanglement, readout="first", rotations="tied"
        )
        cone = find_light_cone(circuit, classes)
        for found, expected in zip((cone.encoding, *cone.angles), _closed_form(circuit, classes), strict=True):
            np.testing.assert_array_equal(np.squeeze(found, -1) if found.ndim == 3 else found, expected)


def _closed_form(circuit, classes):
    """Masks of RX, RY, RZZ, RZ: RY keeps a layer's support and makes X of any Z; RZ and RZZ act where there is X."""
    pairs = np.array(neighbours(circuit))
    x_image, z_image = np.eye(circuit.qubits, dtype=bool), np.eye(circuit.qubits, dtype=bool)
    for control, target in reversed(pairs):
        x_image[:, target] ^= x_image[:, control]
        z_image[:, control] ^= z_image[:, target]
    ry, rz = np.zeros((2, circuit.layers, circuit.qubits), bool)
    rzz = np.zeros((circuit.layers, len(pairs)), bool)
    support = z_image[:classes].any(axis=0)
    ry[-1] = support
    for layer in range(circuit.layers - 2, -1, -1):
        rz[layer] = x_image[support].any(axis=0)
        rzz[layer] = rz[layer][pairs].any(axis=1)
        support = rz[layer] | z_image[support].any(axis=0)
        support[pairs[rzz[layer]].ravel()] = True
        ry[layer] = support
    return support, ry, rzz, rz


CONES = [
    CircuitConfig(qubits=7, layers=2, readout="first", rotations="tied"),
    CircuitConfig(qubits=5, layers=2, readout="first", rotations="tied", entanglement="ring"),
    CircuitConfig(qubits=6, layers=2, readout="first", rotations="tied", ansatz="reupload"),
]


@pytest.mark.parametrize("circuit", CONES)
def test_exactly_the_live_gates_change_an_output(circuit):
    """On default.qubit, gate by gate: a turn more, or a CNOT less, leaves an output as it was just where it is dead."""
    random = np.random.default_rng(0)
    z, angles = random.uniform(-1, 1, circuit.qubits), fill_angles(circuit, lambda s: random.uniform(-1, 1, s))
    with qml.queuing.AnnotatedQueue() as queue:
        apply_gates(circuit, z, angles)
    gates = qml.tape.QuantumScript.from_queue(queue).operations
    measured = [qml.expval(qml.Z(wire)) for wire in range(2)]

    def change(gate):
        return [type(gate)(gate.parameters[0] + 1, wires=gate.wires)] if gate.parameters else []

    changed = [[*gates[:k], *change(gate), *gates[k + 1 :]] for k, gate in enumerate(gates)]
    tapes = [qml.tape.QuantumScript(one, measured) for one in (gates, *changed)]
    start, *values = np.array(qml.execute(tapes, qml.device("default.qubit", wires=circuit.qubits)))
    live = find_live_gates(circuit, 2)
    assert [bool(abs(value - start).max() > 1e-9) for value in values] == live
    assert not all(live)


@pytest.mark.parametrize("entanglement", ["chain", "ring"])
def test_exactly_the_dead_have_no_gradient(entanglement):
    """In the engine exactly 0; in the whole circuit, by finite differences on default.qubit, 0 up to rounding."""
    circuit = CircuitConfig(qubits=7, layers=2, entanglement=entanglement, readout="first", rotations="tied")
    random = np.random.default_rng(0)
    z = random.uniform(-1, 1, (2, circuit.qubits))
    angles = Angles(*(random.uniform(-1, 1, shape) for shape in angle_shapes(circuit).values()))
    cone = find_light_cone(circuit, 2)
    engine = build_engine("fused", circuit, 2, "float32")
    gradients = jax.jit(jax.grad(lambda *a: jnp.sum(engine(*a) ** 2), argnums=(0, 1)))(
        *jax.tree.map(jnp.float32, (z, angles))
    )
    qnode = build_qnode(circuit, 2)
    start = np.array(qnode(z, angles))
    np.testing.assert_array_equal(np.asarray(gradients[0] != 0).all(axis=0), cone.encoding)
    for field, live, gradient in zip(Angles._fields, cone.angles, gradients[1], strict=True):
        np.testing.assert_array_equal(np.asarray(gradient) != 0, live)
        for index in np.argwhere(~live):
            moved = getattr(angles, field).copy()
            moved[tuple(index)] += 1
            np.testing.assert_allclose(np.array(qnode(z, angles._replace(**{field: moved}))), start, atol=1e-12)
