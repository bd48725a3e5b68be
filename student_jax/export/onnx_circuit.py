"""A circuit as nodes of ONNX: angles of the encoding -> probabilities of the basis states.

In: a Nodes to write into, CircuitConfig, its angles.  Out: Nodes, OPSET, write_circuit().  Imports: onnx, numpy.

The state vector, with the batch in the last axis, so that every gate is a plain loop over neighbouring numbers.  The
other form that is exact, the multilinear one of 3^n coefficients a class, is fifteen times the size for a default
student (2.9 MB against 0.2 with four classes) and saves a third of the operations (1.4 million a text against 2.4); it
ends at 13 qubits and cannot hold an encoding that is repeated.

A run of gates of one kind is one step: trained RYs a real Kronecker product in two halves, RZ and RZZ one phase a
basis state, CNOTs one permutation.  After the encoding and the RYs behind it the state is a product, and made as one.
Gates that can change no output are left out, and so are qubits that only such gates touch.  What is left of the last
diagonals and CNOTs cannot change a probability but its place, which the readout's table takes in.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from student_jax.circuit.gates import list_gates
from student_jax.circuit.lightcone import find_live_gates
from student_jax.circuit.notation import INPUT, Gate, index_bits, measured_wires
from student_jax.config import CircuitConfig

# ONNX 1.12's; onnxruntime reads it from 1.12 on. No operator here has changed its meaning since.
OPSET = 17
_DIAGONAL = {"RZ", "RZZ"}


class Nodes:
    """The nodes of a graph that is being written, and its constants, each of which is there once."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self._constants: dict[tuple[Any, ...], TensorProto] = {}

    @property
    def constants(self) -> list[TensorProto]:
        """All constants, in the order in which they were asked for."""
        return list(self._constants.values())

    def hold(self, values: Any, dtype: str = "float32") -> str:
        """The name of a constant."""
        array = np.ascontiguousarray(values, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = numpy_helper.from_array(array, f"constant_{len(self._constants)}")
        return self._constants[key].name

    def add(self, kind: str, *inputs: str, outputs: Sequence[str] = (), **attributes: Any) -> str:
        """Write a node; returns the name of its first output."""
        outputs = list(outputs) or [f"value_{len(self.nodes)}"]
        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        return outputs[0]

    def shape(self, value: str, *sizes: int) -> str:
        """`value` in another shape; one size may be -1, what is left."""
        return self.add("Reshape", value, self.hold(sizes, "int64"))


class State(NamedTuple):
    """Real and imaginary part, each (basis states, rows)."""

    real: str
    imaginary: str


class Live(NamedTuple):
    """The gates that act, on qubits that are numbered anew: `qubits` has their old numbers, `wires` those read."""

    gates: list[Gate]
    qubits: list[int]
    wires: list[int]


def find_live(circuit: CircuitConfig, classes: int) -> Live:
    """What of `circuit` can change an output.

    Raises:
        UserError: a circuit of the user's own.
    """
    gates = list_gates(circuit)
    live = [gate for gate, acts in zip(gates, find_live_gates(circuit, classes), strict=True) if acts]
    read = measured_wires(circuit, classes)
    qubits = sorted({*read, *(wire for gate in live for wire in gate.wires)})
    places = {qubit: place for place, qubit in enumerate(qubits)}
    renamed = [gate._replace(wires=tuple(places[wire] for wire in gate.wires)) for gate in live]
    return Live(renamed, qubits, [places[wire] for wire in read])


def write_circuit(nodes: Nodes, halves: str, live: Live, angles: Mapping[str, np.ndarray]) -> tuple[str, np.ndarray]:
    """Write the circuit.

    Args:
        nodes: to write into.
        halves: the name of half the encoding's angles, (qubits, rows).
        live: the circuit.
        angles: its trained arrays, by name.

    Returns:
        The name of the probabilities (basis states, rows), and what each measured Z is there, (wires, basis states).
    """
    qubits = len(live.qubits)
    runs = [(kind, list(run)) for kind, run in groupby(live.gates, key=_name_kind)]
    if not runs or runs.pop(0)[0] != INPUT:
        raise ValueError("a circuit must begin with its encoding")
    first = runs.pop(0)[1] if runs and runs[0][0] == "RY" else []
    signs = 1 - 2 * index_bits(qubits)[:, live.wires].T
    while runs and runs[-1][0] in ("diagonal", "CNOT"):
        kind, run = runs.pop()
        if kind == "CNOT":
            signs = signs[:, _move_strings(run, qubits)]
    state = _write_product(nodes, halves, _sum_angles(first, angles, qubits))
    for kind, run in runs:
        if kind == "diagonal":
            state = _write_phases(nodes, state, run, angles, qubits)
        elif kind == "CNOT":
            sources = nodes.hold(np.argsort(_move_strings(run, qubits)), "int32")
            state = State(*(nodes.add("Gather", part, sources, axis=0) for part in state))
        elif kind == "RY":
            state = _write_rotations(nodes, state, _sum_angles(run, angles, qubits))
        else:
            state = _write_encoding(nodes, state, halves, [gate.wires[0] for gate in run], qubits)
    squares = [nodes.add("Mul", part, part) for part in state]
    return nodes.add("Add", *squares), signs


def _name_kind(gate: Gate) -> str:
    if gate.parameter is not None and gate.parameter.array == INPUT:
        if gate.kind != "RX":
            raise ValueError(f"an encoding must be by RX, got {gate.kind}")
        return INPUT
    if gate.kind == "RX":
        raise ValueError("a trained rotation must be RY, RZ or RZZ, got RX")
    return "diagonal" if gate.kind in _DIAGONAL else gate.kind


def _sum_angles(run: Sequence[Gate], angles: Mapping[str, np.ndarray], qubits: int) -> np.ndarray:
    """The angle of every qubit, several rotations in a row as one."""
    sums = np.zeros(qubits)
    for gate in run:
        assert gate.parameter is not None
        sums[gate.wires[0]] += angles[gate.parameter.array][gate.parameter.place]
    return sums


def _move_strings(run: Sequence[Gate], qubits: int) -> np.ndarray:
    """Where CNOTs take each basis state."""
    bits = index_bits(qubits)
    for gate in run:
        control, target = gate.wires
        bits[:, target] ^= bits[:, control]
    return bits @ (1 << np.arange(qubits)[::-1])


def _write_product(nodes: Nodes, halves: str, thetas: np.ndarray) -> State:
    """The product state after RX of each row's own angles and RY by `thetas`.

    RY(t) RX(z) |0> = (c cos - s (-i sin)) |0> + (s cos + c (-i sin)) |1>, c and s of t/2, cos and sin of z/2.
    """
    qubits = len(thetas)
    c, s = np.cos(thetas / 2), np.sin(thetas / 2)
    parts = []
    for function, first, second in (("Cos", c, s), ("Sin", s, -c)):
        column = nodes.add("Unsqueeze", nodes.add(function, halves), nodes.hold([1], "int64"))
        both = nodes.add("Mul", column, nodes.hold(np.stack([first, second], axis=1)[:, :, None]))
        names = [f"{function.lower()}_{qubit}" for qubit in range(qubits)]
        nodes.add("Split", both, nodes.hold([1] * qubits, "int64"), outputs=names, axis=0)
        parts.append(names)
    single = [State(*(nodes.shape(part, 2, -1) for part in pair)) for pair in zip(*parts, strict=True)]
    # Two halves, so that all products but the last are small.
    sides = [side for side in (single[: qubits // 2], single[qubits // 2 :]) if side]
    states = [(len(side), _multiply_states(nodes, side)) for side in sides]
    return _multiply_states(nodes, [state for _, state in states], [size for size, _ in states])


def _multiply_states(nodes: Nodes, states: Sequence[State], sizes: Sequence[int] | None = None) -> State:
    """The Kronecker product of states of so many qubits each, 1 by default."""
    product, *others = states
    done, *left = sizes or [1] * len(states)
    for state, size in zip(others, left, strict=True):
        done += size
        a = State(*(nodes.add("Unsqueeze", part, nodes.hold([1], "int64")) for part in product))
        b = State(*(nodes.add("Unsqueeze", part, nodes.hold([0], "int64")) for part in state))
        product = State(*(nodes.shape(part, 2**done, -1) for part in _multiply(nodes, a, b)))
    return product


def _multiply(nodes: Nodes, a: State, b: State) -> State:
    """Complex numbers by complex numbers."""
    real = nodes.add("Sub", nodes.add("Mul", a.real, b.real), nodes.add("Mul", a.imaginary, b.imaginary))
    imaginary = nodes.add("Add", nodes.add("Mul", a.real, b.imaginary), nodes.add("Mul", a.imaginary, b.real))
    return State(real, imaginary)


def _write_phases(
    nodes: Nodes, state: State, run: Sequence[Gate], angles: Mapping[str, np.ndarray], qubits: int
) -> State:
    """exp(-i angle/2) where the product of the gate's Zs is 1, exp(i angle/2) where it is -1; all gates at once."""
    signs, phases = 1 - 2 * index_bits(qubits), np.zeros(2**qubits)
    for gate in run:
        assert gate.parameter is not None
        angle = float(angles[gate.parameter.array][gate.parameter.place])
        phases -= angle / 2 * signs[:, list(gate.wires)].prod(axis=1)
    turn = State(nodes.hold(np.cos(phases)[:, None]), nodes.hold(np.sin(phases)[:, None]))
    return _multiply(nodes, state, turn)


def _write_rotations(nodes: Nodes, state: State, thetas: np.ndarray) -> State:
    """RY on every qubit: one matrix for the first half of them, one for the second."""
    matrices: list[np.ndarray] = [np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]]) for t in thetas / 2]
    middle, one = len(thetas) // 2, np.array([[1.0]])
    high, low = (reduce(np.kron, side, one) for side in (matrices[:middle], matrices[middle:]))
    parts = []
    for part in state:
        rotated = nodes.add("MatMul", nodes.hold(high), nodes.shape(part, len(high), -1))
        rotated = nodes.add("MatMul", nodes.hold(low), nodes.shape(rotated, len(high), len(low), -1))
        parts.append(nodes.shape(rotated, len(high) * len(low), -1))
    return State(*parts)


def _write_encoding(nodes: Nodes, state: State, halves: str, wires: Sequence[int], qubits: int) -> State:
    """RX of each row's own angles, qubit by qubit: cos - i sin X."""
    swap = nodes.hold([1, 0], "int64")
    for wire in wires:
        half = nodes.add("Gather", halves, nodes.hold([wire], "int64"), axis=0)
        cosine, sine = nodes.add("Cos", half), nodes.add("Sin", half)
        split = [nodes.shape(part, 2**wire, 2, 2 ** (qubits - wire - 1), -1) for part in state]
        flipped = [nodes.add("Mul", nodes.add("Gather", part, swap, axis=1), sine) for part in split]
        kept = [nodes.add("Mul", part, cosine) for part in split]
        turned = nodes.add("Add", kept[0], flipped[1]), nodes.add("Sub", kept[1], flipped[0])
        state = State(*(nodes.shape(part, 2**qubits, -1) for part in turned))
    return state
