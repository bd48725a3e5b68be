"""The student's circuit in simulators that are called on the host, each by its own gradient in C++ where it has one.

In: CircuitConfig, number of classes.  Out: HOST_PEERS: name -> function that builds a circuit; split_angles().
Imports: mindquantum, scaluq, qulacs, flagquantum with torch where they are asked for.
What they build takes (z, angles, pull), pull mapping expectation values to a loss and their cotangents, and returns the
loss, the gradient of z, (batch, qubits), and that of all summed angles in a row. The adjoint simulators go through a
batch text by text: none of them differentiates several states at once.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from student_jax.circuit.gates import angle_shapes, list_gates, sum_rotations
from student_jax.circuit.layers import Angles
from student_jax.circuit.notation import INPUT, index_bits, measured_wires
from student_jax.config import CircuitConfig

Pull: TypeAlias = Callable[[np.ndarray], tuple[Any, Any]]
HostCircuit: TypeAlias = Callable[[Any, Angles, Pull], tuple[Any, np.ndarray, np.ndarray]]


def number_gates(circuit: CircuitConfig) -> Iterator[tuple[str, tuple[int, ...], int | None]]:
    """The gates in time: kind, wires, and where the angle stands in a row of z and, behind it, all summed angles."""
    tied = replace(circuit, rotations="tied")
    firsts, first = {INPUT: 0}, circuit.qubits
    shapes = {INPUT: (circuit.qubits,), **angle_shapes(tied)}
    for name, shape in angle_shapes(tied).items():
        firsts[name], first = first, first + int(np.prod(shape))
    for kind, wires, parameter in list_gates(tied):
        if parameter is None:
            yield kind, wires, None
        else:
            place = np.ravel_multi_index(parameter.place, shapes[parameter.array])
            yield kind, wires, firsts[parameter.array] + int(place)


def join_angles(circuit: CircuitConfig, angles: Angles) -> np.ndarray:
    """The summed angles in a row."""
    return np.concatenate([np.asarray(array).ravel() for array in sum_rotations(circuit, angles)])


def split_angles(circuit: CircuitConfig, row: np.ndarray) -> Angles:
    """The same backwards."""
    shapes = angle_shapes(replace(circuit, rotations="tied")).values()
    stops = np.cumsum([np.prod(shape) for shape in shapes])[:-1]
    return Angles(*(part.reshape(shape) for part, shape in zip(np.split(row, stops), shapes, strict=True)))


def measure_signs(circuit: CircuitConfig, classes: int, first_is_lowest: bool) -> np.ndarray:
    """The diagonals of the measured Z, (outputs, 2**qubits)."""
    bits = index_bits(circuit.qubits)[:, :: -1 if first_is_lowest else 1]
    return 1.0 - 2 * bits.T[list(measured_wires(circuit, classes))]


def mindquantum(circuit: CircuitConfig, classes: int) -> HostCircuit:
    """The state-vector simulator with its own adjoint gradient, complex64."""
    import mindquantum as mq
    from mindquantum.core.circuit import Circuit
    from mindquantum.core.gates import RX, RY, RZ, Rzz, X
    from mindquantum.core.operators import Hamiltonian, QubitOperator
    from mindquantum.simulator import Simulator

    rotations = {"RX": RX, "RY": RY, "RZZ": Rzz, "RZ": RZ}
    encoder, ansatz, n = Circuit(), Circuit(), circuit.qubits
    for kind, wires, index in number_gates(circuit):
        if index is None:
            ansatz += X.on(wires[1], wires[0])
        elif index < n:
            encoder += RX(f"z{index}").on(*wires)
        else:
            ansatz += rotations[kind](f"a{index}").on(list(wires))
    whole = encoder.as_encoder() + ansatz.as_ansatz()
    order = [int(name[1:]) - n for name in whole.ansatz_params_name]
    hams = [Hamiltonian(QubitOperator(f"Z{wire}")).astype(mq.complex64) for wire in measured_wires(circuit, classes)]
    simulator = Simulator("mqvector", n, dtype=mq.complex64)
    evaluate = simulator.get_expectation_with_grad(hams, whole)

    def run(z: Any, angles: Angles, pull: Pull) -> tuple[Any, np.ndarray, np.ndarray]:
        values, dz, dangles = evaluate(np.asarray(z), join_angles(circuit, angles)[order])
        loss, pulled = pull(values.real.astype(np.float32))
        cotangents = np.asarray(pulled)
        total = np.empty(len(order))
        total[order] = np.einsum("bo,boa->a", cotangents, dangles.real)
        return loss, np.einsum("bo,boq->bq", cotangents, dz.real), total

    return run


def scaluq(circuit: CircuitConfig, classes: int) -> HostCircuit:
    """Back propagation of Scaluq from a state and its cotangent: one pass a text, however many outputs; complex64."""
    import scaluq as sq

    precision = {"precision": "f32"}
    here = {**precision, "space": "host_serial"}  # a state of 16 KiB is too small to be shared out
    make_pauli = sq.PauliOperator.from_targets_and_pauli_ids
    n, wires = circuit.qubits, measured_wires(circuit, classes)
    z_of = [sq.Operator([make_pauli([wire], [3], **precision)], **here) for wire in wires]
    rotations = {"RX": sq.gate.ParamRX, "RY": sq.gate.ParamRY, "RZ": sq.gate.ParamRZ}
    made, last = sq.Circuit(**precision), 0
    for kind, targets, index in number_gates(circuit):
        if index is None:
            made.add_gate(sq.gate.CX(*targets, **precision))
            continue
        if kind == "RZZ":
            gate = sq.gate.ParamPauliRotation(make_pauli(list(targets), [3, 3], **precision), **precision)
        else:
            gate = rotations[kind](*targets, **precision)
        made.add_param_gate(gate, str(index))
        last = max(last, index)
    keys = [str(index) for index in range(last + 1)]

    def run(z: Any, angles: Angles, pull: Pull) -> tuple[Any, np.ndarray, np.ndarray]:
        shared = join_angles(circuit, angles).tolist()
        texts = [dict(zip(keys, row + shared, strict=True)) for row in np.asarray(z).tolist()]
        states = [sq.StateVector(n, **here) for _ in texts]
        for state, numbers in zip(states, texts, strict=True):
            made.update_quantum_state(state, params=numbers)
        values = [[operator.get_expectation_value(state).real for operator in z_of] for state in states]
        loss, pulled = pull(np.asarray(values, np.float32))
        found = []
        for state, numbers, weights in zip(states, texts, np.asarray(pulled).tolist(), strict=True):
            terms = [make_pauli([wire], [3], weight, **precision) for wire, weight in zip(wires, weights, strict=True)]
            cotangent = state.copy()
            sq.Operator(terms, **here).apply_to_state(cotangent)
            found.append(made.compute_expectation_gradient_backprop(state, cotangent, numbers))
        gradients = np.array([[one[key] for key in keys] for one in found])
        return loss, gradients[:, :n], gradients[:, n:].sum(axis=0)

    return run


def qulacs(circuit: CircuitConfig, classes: int) -> HostCircuit:
    """Back propagation of Qulacs from a state's cotangent: one pass a text, however many outputs; always complex128."""
    from qulacs import ParametricQuantumCircuit, QuantumState

    n, signs = circuit.qubits, measure_signs(circuit, classes, first_is_lowest=True)
    made = ParametricQuantumCircuit(n)
    order = []
    for kind, wires, index in number_gates(circuit):
        if index is None:
            made.add_CNOT_gate(*wires)
            continue
        if kind == "RZZ":
            made.add_parametric_multi_Pauli_rotation_gate(list(wires), [3, 3], 0.0)
        else:
            getattr(made, f"add_parametric_{kind}_gate")(*wires, 0.0)
        order.append(index)
    state, cotangent = QuantumState(n), QuantumState(n)

    def run(z: Any, angles: Angles, pull: Pull) -> tuple[Any, np.ndarray, np.ndarray]:
        # Its rotations turn the other way: exp(+i angle / 2 P).
        shared = np.tile(join_angles(circuit, angles), (len(z), 1))
        texts = -np.concatenate([np.asarray(z), shared], axis=1)[:, order]
        vectors = []
        for row in texts:
            _set_parameters(made, row)
            state.set_zero_state()
            made.update_quantum_state(state)
            vectors.append(state.get_vector())
        values = [signs @ (vector.real**2 + vector.imag**2) for vector in vectors]
        loss, pulled = pull(np.asarray(values, np.float32))
        found = []
        for row, vector, weights in zip(texts, vectors, np.asarray(pulled, np.float64) @ signs, strict=True):
            _set_parameters(made, row)
            cotangent.load(weights * vector)
            found.append(made.backprop_inner_product(cotangent))
        gradients = np.empty(texts.shape)
        gradients[:, order] = -2 * np.array(found)  # it differentiates the inner product by one of its two states
        return loss, gradients[:, :n], gradients[:, n:].sum(axis=0)

    return run


def _set_parameters(made: Any, values: np.ndarray) -> None:
    for index, value in enumerate(values.tolist()):
        made.set_parameter(index, value)


def flagquantum(circuit: CircuitConfig, classes: int) -> HostCircuit:
    """A batch of states at once, through torch's reverse mode, complex64.

    Its own adjoint takes one state at a time, and was slower; so was `fq.run`, by its records of every instruction.
    """
    import flagquantum as fq
    import torch

    n, numbered = circuit.qubits, list(number_gates(circuit))
    signs = torch.tensor(measure_signs(circuit, classes, first_is_lowest=False), dtype=torch.float32)

    def run(z: Any, angles: Angles, pull: Pull) -> tuple[Any, np.ndarray, np.ndarray]:
        inputs = torch.tensor(np.asarray(z), requires_grad=True)
        shared = torch.tensor(join_angles(circuit, angles), requires_grad=True)
        made = fq.Circuit(n, bsz=len(inputs), dtype=torch.complex64)
        gates = {"RX": made.rx, "RY": made.ry, "RZZ": made.rzz, "RZ": made.rz}
        for kind, wires, index in numbered:
            if index is None:
                made.cx(*wires)
            else:
                gates[kind](*wires, inputs[:, index] if index < n else shared[index - n])
        state = made.state()
        values = (state.real**2 + state.imag**2) @ signs.T
        loss, pulled = pull(values.detach().numpy())
        values.backward(torch.tensor(np.asarray(pulled)))
        return loss, inputs.grad.numpy(), shared.grad.numpy()

    return run


HOST_PEERS = {
    "mindquantum": mindquantum,
    "scaluq": scaluq,
    "qulacs": qulacs,
    "flagquantum": flagquantum,
}
