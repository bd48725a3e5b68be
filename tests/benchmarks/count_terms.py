"""How many terms a circuit's polynomial has, by layers, qubits, entanglement and training.

Run: python -m tests.benchmarks.count_terms [--students FOLDER ...]
In: nothing, or folders of trained students.  Out: build/bench/terms.json and the same as two tables.
Imports: numpy.

Nothing is timed. Circuits have two classes and a linear readout as it is drawn at a student's start; their angles are
those of a start (uniform within 0.3) or any (uniform within pi). A student is set beside the same student, its readout
and all, with the angles of a start and with any.
"""

import argparse
import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from student_jax.checkpoint import Checkpoint, load_checkpoint
from student_jax.circuit.gates import fill_angles
from student_jax.circuit.surrogate import build_coefficients
from student_jax.circuit.terms import Terms, cut_terms, sort_terms
from student_jax.config import CircuitConfig
from student_jax.export.certificate import sort_student

OUTPUT = Path("build/bench/terms.json")
ERRORS = (0.1, 0.01, 0.001)
QUBITS, LAYERS = (5, 7, 9, 11), (1, 2, 3, 4, 6, 8)
SCALES = {"start": 0.3, "any": np.pi}
SEED = 20


def count(terms: Terms, temperature: float = 1.0) -> dict[str, int]:
    """Terms by error, the exact number last."""
    counts = {f"{error:g}": len(cut_terms(terms, error, temperature)[0].positions) for error in ERRORS}
    return {**counts, "exact": len(terms.positions)}


def draw_angles(circuit: CircuitConfig, scale: float, random: np.random.Generator) -> Any:
    """Angles uniform within `scale`."""
    return fill_angles(circuit, lambda shape: random.uniform(-scale, scale, shape))


def count_circuit(qubits: int, layers: int, entanglement: str, angles: str) -> dict[str, Any]:
    """A row of the first table."""
    random = np.random.default_rng(SEED)
    circuit = replace(CircuitConfig(), qubits=qubits, layers=layers, entanglement=entanglement)
    readout = random.normal(0, qubits**-0.5, (qubits, 2)), np.zeros(2)
    drawn = draw_angles(circuit, SCALES[angles], random)
    found = count(sort_terms(build_coefficients(circuit, 2, drawn, readout)))
    return {"qubits": qubits, "layers": layers, "entanglement": entanglement, "angles": angles, **found}


def count_student(folder: Path) -> list[dict[str, Any]]:
    """Its rows of the second table: as it is, and with other angles."""
    checkpoint = load_checkpoint(folder)
    temperature, random = checkpoint.description.temperature, np.random.default_rng(SEED)
    rows = [{"student": str(folder), "angles": "trained", **count(sort_student(checkpoint), temperature)}]
    for name, scale in SCALES.items():
        drawn = draw_angles(checkpoint.description.config.circuit, scale, random)
        other = replace(checkpoint, parameters=put_angles(checkpoint, drawn))
        rows.append({"student": str(folder), "angles": name, **count(sort_student(other), temperature)})
    return rows


def put_angles(checkpoint: Checkpoint, angles: Any) -> Any:
    """The parameters with the same new angles for every seed."""
    seeds = len(checkpoint.description.seeds)
    repeated = type(angles)(*(np.repeat(array[None], seeds, axis=0) for array in angles))
    return checkpoint.parameters._replace(angles=repeated)


def show(row: dict[str, Any]) -> str:
    """One line, numbers with thousands apart."""
    return "  ".join(f"{value:>9,}" if isinstance(value, int) else f"{value:<9}" for value in row.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", nargs="*", type=Path, default=[], metavar="FOLDER")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    circuits, students = [], []
    for folder in options.students:
        for row in count_student(folder):
            students.append(row)
            print(show(row), flush=True)
    for setting in product(QUBITS, LAYERS, ("chain", "ring"), SCALES):
        circuits.append(count_circuit(*setting))
        print(show(circuits[-1]), flush=True)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(
        json.dumps({"circuits": circuits, "students": students}, indent=1) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
