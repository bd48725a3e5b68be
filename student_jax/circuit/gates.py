"""The circuit, written down once: its gates in order of time, whatever the ansatz.

In: CircuitConfig.
Out: list_gates(), angle_shapes(), fill_angles(), repeated_arrays(), sum_rotations(), count_outputs().
Imports: the standard library.

The QNode, drawings, OpenQASM, noise, shots, light cone, live parameters and the circuit without entanglement read this
list. The engine `fused` alone has a form of its own, which is tested against the QNode. A new ansatz is a module as
layers.py, its name here and in CircuitConfig.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from student_jax.circuit import layers, reupload
from student_jax.circuit.notation import Gate, measured_wires
from student_jax.config import CircuitConfig
from teacher_cache.errors import UserError

_ANSATZE: dict[str, Any] = {"layers": layers, "reupload": reupload}


def list_gates(circuit: CircuitConfig) -> list[Gate]:
    """All gates in order of time.

    Raises:
        UserError: the circuit is one of the user's own, whose gates are not known here.
    """
    if circuit.file is not None:
        raise UserError(
            f"the gates must be the shipped circuit's, got the circuit of {circuit.file}, which can be trained, "
            "evaluated and asked, but not drawn, exported, diagnosed or stripped of its entanglement"
        )
    return list(_ANSATZE[circuit.ansatz].write_gates(circuit))


def angle_shapes(circuit: CircuitConfig) -> dict[str, tuple[int, ...]]:
    """The shapes of the trainable arrays by name, of a circuit of the user's own too."""
    if circuit.file is not None:
        return {name: tuple(shape) for name, shape in circuit.arrays.items()}
    return _ANSATZE[circuit.ansatz].angle_shapes(circuit)


def fill_angles(circuit: CircuitConfig, make: Callable[[tuple[int, ...]], Any]) -> Any:
    """The ansatz's Angles, or a dict for a circuit of the user's own, with make(shape) for every array, in order."""
    arrays = {name: make(shape) for name, shape in angle_shapes(circuit).items()}
    return arrays if circuit.file is not None else _ANSATZE[circuit.ansatz].Angles(**arrays)


def repeated_arrays(circuit: CircuitConfig) -> list[str]:
    """The arrays whose last axis is that of equal rotations in a row: those whose shape `rotations` changes."""
    triple, tied = (angle_shapes(replace(circuit, rotations=rotations)) for rotations in ("triple", "tied"))
    return [name for name in triple if triple[name] != tied[name]]


def sum_rotations(circuit: CircuitConfig, angles: Any) -> Any:
    """The angles in `tied` form: equal rotations in a row are one rotation by the sum of their angles."""
    sums = {name: getattr(angles, name).sum(-1, keepdims=True) for name in repeated_arrays(circuit)}
    return angles._replace(**sums) if sums else angles


def count_outputs(circuit: CircuitConfig, classes: int) -> int:
    """How many expectation values the circuit has.

    Raises:
        UserError: `first` with more classes than qubits.
    """
    return len(measured_wires(circuit, classes)) if circuit.outputs is None else circuit.outputs
