"""A trained circuit as the trigonometric polynomial that it is, exactly.

In: CircuitConfig, trained angles and readout.  Out: build_coefficients(), find_obstacle().
Imports: numpy.

RX(z)|0> has the Bloch vector (0, -sin z, cos z): its density matrix is (1 - sin z Y + cos z Z) / 2. With U what comes
after the encoding and O_c the observable of a class, O_c = sum_k w_kc Z_k + b_c or Z_c,

    score_c(z) = Tr(U^+ O_c U rho(z)) = sum over t in {0, 1, 2}^n of A_c[t] prod_i f_(t_i)(z_i),
    f(z) = (1, -sin z, cos z),    A_c[t] = Tr(U^+ O_c U P_t) / 2^n,    P_t the product of 1, Y and Z that t spells.

U^+ O_c U is made by moving O_c back through the layers, as a matrix. A Hermitian matrix R + iA (R symmetric, A
antisymmetric, both real) is kept as the real matrix K = R + A, which has all of it in half of the room:

- Real orthogonal matrices, the CNOTs and the RYs, move R and A alike: K becomes Q^T K Q.
- Phases, the RZs and RZZs, multiply R + iA by exp(i (theta_i - theta_j)) elementwise. So R becomes C R - S A and A
  becomes C A + S R with C, S = cos, sin of the difference, of which S is antisymmetric: K becomes C K + S K^T.
- With J = [[0, -1], [1, 0]] a Y is iJ. A product Q of 1, J and Z with k factors J is symmetric for even k, and sees
  R alone; for odd k it sees A alone: Tr((R + iA) i^k Q) is i^k Tr(K Q) or i^(k+1) Tr(K Q), a sign.

Only the light cone of the measured qubits is moved; outside of it no coefficient but that of 1 is left.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from jaxtyping import Float

from student_jax.circuit.gates import list_gates
from student_jax.circuit.lightcone import find_live_gates
from student_jax.circuit.notation import INPUT, Gate, index_bits, measured_wires
from student_jax.config import CircuitConfig
from teacher_cache.errors import UserError

MAX_QUBITS = 13
MAX_COEFFICIENTS = 1 << 25  # of all classes: 256 MiB
# Rows of a matrix whose phases are turned at once hold so many numbers: 1 MiB.
_BLOCK = 1 << 17

_Move = Callable[[np.ndarray], np.ndarray]


def build_coefficients(
    circuit: CircuitConfig, classes: int, angles: Any, readout: tuple[np.ndarray, np.ndarray] | None
) -> Float[np.ndarray, "classes ..."]:
    """All coefficients A_c, in float64 whatever the angles have.

    Args:
        circuit: of the ansatz `layers`.
        classes: number of classes.
        angles: the ansatz's Angles, of one seed.
        readout: weight (qubits, classes) and bias (classes) of a `linear` readout; None for `first`.

    Returns:
        An axis of length 3 for every qubit, in order, whose entries belong to 1, -sin z_i and cos z_i. Needs, besides,
        two matrices of 4^n numbers: 64 MiB for 11 qubits, 1 GiB for 13.

    Raises:
        UserError: another circuit than the shipped one, or more qubits or coefficients than are built.
    """
    obstacle = find_obstacle(circuit, classes)
    if obstacle is not None:
        raise UserError(obstacle)
    gates, alive = list_gates(circuit), find_live_gates(circuit, classes)
    read = measured_wires(circuit, classes)
    live = [gate for gate, acts in zip(gates, alive, strict=True) if acts]
    wires = sorted({wire for gate in live for wire in gate.wires} | set(read))
    place = {wire: index for index, wire in enumerate(wires)}
    weight, bias = (np.eye(classes), np.zeros(classes)) if readout is None else map(np.float64, readout)
    read_alone = classes > len(read)  # then fewer are moved, and mixed afterwards
    signs = 1.0 - 2 * index_bits(len(wires))[:, [place[wire] for wire in read]]
    observables = (signs if read_alone else signs @ weight).T
    moves = _list_moves(
        [gate for gate in live if gate.parameter is None or gate.parameter.array != INPUT], place, angles
    )
    coefficients = np.zeros((classes, *(3,) * circuit.qubits))
    cone = tuple(slice(None) if wire in place else 0 for wire in range(circuit.qubits))
    built = np.stack([_contract(_move_back(observable, moves), len(wires)) for observable in observables])
    coefficients[(slice(None), *cone)] = np.tensordot(weight.T, built, 1) if read_alone else built
    coefficients.reshape(classes, -1)[:, 0] += bias
    return coefficients


def find_obstacle(circuit: CircuitConfig, classes: int) -> str | None:
    """Why a circuit has no such form, or too large a one: a rule and the value got. None where it has."""
    found = circuit.ansatz if circuit.file is None else f"the circuit of {circuit.file}"
    if found != "layers":
        return (
            f"a surrogate is made of the ansatz layers alone, whose encoding stands once before all else, got {found}"
        )
    coefficients = classes * 3**circuit.qubits
    if circuit.qubits <= MAX_QUBITS and coefficients <= MAX_COEFFICIENTS:
        return None
    return (
        f"a surrogate must have at most {MAX_QUBITS} qubits and {MAX_COEFFICIENTS:,} coefficients, got "
        f"{circuit.qubits} qubits and {coefficients:,} coefficients, which would need "
        f"{(2 * 4**circuit.qubits + coefficients) >> 17:,} MiB; train a narrower circuit"
    )


def _list_moves(gates: Sequence[Gate], place: dict[int, int], angles: Any) -> list[_Move]:
    """What each run of gates of a kind makes of an observable that is moved back past it, in order of time."""
    moves = []
    for kind, group in groupby(gates, key=lambda gate: "diagonal" if gate.kind in {"RZ", "RZZ"} else gate.kind):
        run = list(group)
        places = [[place[wire] for wire in gate.wires] for gate in run]
        turns = [float(getattr(angles, p.array)[p.place]) for gate in run if (p := gate.parameter) is not None]
        moves.append({"RY": _rotate, "diagonal": _turn_phases, "CNOT": _permute}[kind](places, turns, len(place)))
    return moves


def _move_back(observable: np.ndarray, moves: Sequence[_Move]) -> np.ndarray:
    """The matrix of a diagonal observable before `moves`, which are in order of time."""
    matrix = np.diag(observable)
    for move in reversed(moves):
        matrix = move(matrix)
    return matrix


def _rotate(places: Sequence[Sequence[int]], turns: Sequence[float], qubits: int) -> _Move:
    """K -> Q^T K Q, Q the Kronecker product of all rotations, applied in two halves to rows and columns."""
    halves = np.bincount([first for (first,) in places], turns, qubits) / 2
    matrices = [np.array([[c, -s], [s, c]]) for c, s in zip(np.cos(halves), np.sin(halves), strict=True)]
    high, low = (_multiply(part) for part in (matrices[: qubits // 2], matrices[qubits // 2 :]))

    def move(matrix: np.ndarray) -> np.ndarray:
        shape = matrix.shape
        matrix = matrix.reshape(-1, len(low)) @ low
        matrix = high.T @ matrix.reshape(-1, len(high), len(low))
        matrix = high.T @ matrix.reshape(len(high), -1)
        return (low.T @ matrix.reshape(len(high), len(low), -1)).reshape(shape)

    return move


def _multiply(matrices: Sequence[np.ndarray]) -> np.ndarray:
    """The Kronecker product of any number of matrices."""
    product = np.eye(1)
    for matrix in matrices:
        product = np.kron(product, matrix)
    return product


def _turn_phases(places: Sequence[Sequence[int]], turns: Sequence[float], qubits: int) -> _Move:
    """K -> C K + S K^T, with cosine and sine of the difference of two angles spelled out: see above."""
    signs = 1 - 2 * index_bits(qubits)
    theta = sum(turn * signs[:, place].prod(axis=1) for place, turn in zip(places, turns, strict=True)) / 2
    cosine, sine = np.cos(theta), np.sin(theta)
    rows = max(1, _BLOCK >> qubits)

    def move(matrix: np.ndarray) -> np.ndarray:
        moved = np.empty_like(matrix)
        for start in range(0, len(matrix), rows):
            block = slice(start, start + rows)
            direct, mirrored = matrix[block], matrix[:, block].T
            moved[block] = cosine[block, None] * (cosine * direct - sine * mirrored)
            moved[block] += sine[block, None] * (sine * direct + cosine * mirrored)
        return moved

    return move


def _permute(places: Sequence[Sequence[int]], turns: Sequence[float], qubits: int) -> _Move:
    moved = index_bits(qubits)
    for control, target in places:
        moved[:, target] ^= moved[:, control]
    image = moved @ (1 << np.arange(qubits)[::-1])
    return lambda matrix: matrix[image[:, None], image]


def _contract(matrix: np.ndarray, qubits: int) -> np.ndarray:
    """Tr(M P) / 2^n for every product P of 1, Y and Z, one qubit after the other."""
    tensor = matrix[None]
    for _ in range(qubits):
        half = tensor.shape[-1] // 2
        (a, b), (c, d) = np.moveaxis(tensor.reshape(-1, 2, half, 2, half), (1, 3), (0, 1))
        tensor = np.stack([a + d, b - c, a - d], axis=1).reshape(-1, half, half) / 2
    return _count_signs(qubits) * tensor.reshape((3,) * qubits)


def _count_signs(qubits: int) -> np.ndarray:
    """1, -1, -1, 1, and so on by the number of Ys: what i^k or i^(k+1) is."""
    number = sum(np.ix_(*[np.array([0, 1, 0])] * qubits))
    return np.array([1.0, -1.0, -1.0, 1.0])[number % 4]
