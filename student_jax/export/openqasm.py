"""The trained circuit as OpenQASM text, for other simulators and for hardware.

In: a Checkpoint, or a CircuitConfig with its angles.  Out: export_student(), export_qasm().  Imports: jax, numpy.
Equal rotations in a row are written as one, by the sum of their angles.  An RZZ is written as CX, RZ, CX, because the
standard gates of OpenQASM 3 have none, and not every reader of OpenQASM 2 knows one.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from student_jax.checkpoint import Checkpoint
from student_jax.circuit.gates import list_gates, sum_rotations
from student_jax.circuit.notation import INPUT, Gate, measured_wires
from student_jax.config import CircuitConfig
from student_jax.parameters import Parameters
from teacher_cache.errors import UserError

HEADS = {
    2: 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[{qubits}];\ncreg c[{bits}];',
    3: 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[{qubits}] q;\nbit[{bits}] c;',
}
MEASURE = {2: "measure q[{wire}] -> c[{bit}];", 3: "c[{bit}] = measure q[{wire}];"}


def export_student(checkpoint: Checkpoint, features: Float[np.ndarray, " dimensions"] | None, version: int) -> str:
    """The best seed's circuit as an OpenQASM program, after comments that say how a class follows from its outcomes.

    Args:
        checkpoint: a trained student.
        features: of the text whose angles are written; None for named inputs z0, z1, ... (version 3 alone).
        version: 2 or 3.

    Raises:
        UserError: another version, or named inputs in version 2.
    """
    description = checkpoint.description
    parameters: Parameters = jax.tree.map(lambda array: np.float64(array[0]), checkpoint.selected_parameters)
    encoding, angles, readout = parameters
    comments = [f"classes: {json.dumps(description.labels)}; the answer is the one with the largest score"]
    if readout is None:
        comments.append("the score of class k is the mean of 1 - 2 c[k]")
    else:
        comments.append("scores = v W + b, where v[k] is the mean of 1 - 2 c[k]")
        comments += [f"W = {json.dumps(readout.weight.tolist())}", f"b = {json.dumps(readout.bias.tolist())}"]
    if features is None:
        comments.append("z = E w + b, where E are a text's features, and w and b encoding.* of student.safetensors")
    z = None if features is None else (features @ encoding.weight + encoding.bias).tolist()
    program = export_qasm(description.config.circuit, len(description.labels), angles, z, version)
    return "".join(f"// {comment}\n" for comment in comments) + program


def export_qasm(circuit: CircuitConfig, classes: int, angles: Any, z: Sequence[float] | None, version: int) -> str:
    """The circuit as an OpenQASM program that measures the readout's qubits, in order, into c[0], c[1], ...

    Args:
        circuit: which circuit.
        classes: number of classes; only readout `first` depends on it.
        angles: the ansatz's Angles, in arrays of NumPy or JAX.
        z: the encoding's angle of every qubit, in radians; None for named inputs z0, z1, ... (version 3 alone).
        version: 2 or 3.

    Raises:
        UserError: another version, named inputs in version 2, a wrong number of angles, or one that is not finite.
    """
    if version not in HEADS:
        raise UserError(f"OpenQASM version must be 2 or 3, got {version}")
    if z is None and version == 2:
        raise UserError("OpenQASM 2 has no named inputs; give a text or take version 3, got version 2 without a text")
    if z is not None and len(z) != circuit.qubits:
        raise UserError(f"z must have one angle per qubit, {circuit.qubits}, got {len(z)}")
    numbers = np.concatenate([np.ravel(np.asarray(a, np.float64)) for a in (*angles, *([] if z is None else [z]))])
    if not np.isfinite(numbers).all():
        raise UserError(f"angles must be finite, got {numbers[~np.isfinite(numbers)][0]}")
    wires = measured_wires(circuit, classes)
    lines = [HEADS[version].format(qubits=circuit.qubits, bits=len(wires))]
    if z is None:
        # Inputs come before all statements that use them; the standard asks for no other place.
        lines += [f"input float[64] z{qubit};" for qubit in range(circuit.qubits)]
    inputs = [f"z{qubit}" if z is None else _number(z[qubit]) for qubit in range(circuit.qubits)]
    tied = sum_rotations(circuit, jax.tree.map(lambda array: np.asarray(array, np.float64), angles))
    for gate in list_gates(replace(circuit, rotations="tied")):
        lines += _write_gate(gate, inputs, tied)
    lines += [MEASURE[version].format(wire=wire, bit=bit) for bit, wire in enumerate(wires)]
    return "\n".join(lines) + "\n"


def _write_gate(gate: Gate, inputs: Sequence[str], angles: Any) -> list[str]:
    first, last = gate.wires[0], gate.wires[-1]
    if gate.parameter is None:
        return [f"cx q[{first}], q[{last}];"]
    array, place = gate.parameter
    angle = inputs[place[0]] if array == INPUT else _number(getattr(angles, array)[place])
    if gate.kind == "RZZ":
        return [f"cx q[{first}], q[{last}];", f"rz({angle}) q[{last}];", f"cx q[{first}], q[{last}];"]
    return [f"{gate.kind.lower()}({angle}) q[{first}];"]


def _number(value: Any) -> str:
    """The shortest decimal that reads back as the same double, with a point in every case, as OpenQASM 2 wants it."""
    text = repr(float(value))
    return text if "." in text else text.replace("e", ".0e")
