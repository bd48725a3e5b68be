"""`qdllm surrogate`: a student's circuit as the polynomial that it is, and how few of its terms answer for it.

In: a student folder, its features and cache.  Out: surrogate (a click command).  Imports: jax when it runs.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click
from tabulate import tabulate

from pipeline.commands.diagnose import read_test
from student_jax.circuit.stored_terms import DESCRIPTION, TENSORS
from teacher_cache.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from student_jax.checkpoint import Checkpoint
    from student_jax.data.dataset import Split
    from student_jax.export.certificate import Cut

FOLDER = click.Path(path_type=Path)
WIDTH = 80


@click.command()
@click.option("--student", type=FOLDER, required=True, help="A folder students/{task}/{teacher}.")
@click.option("--error", type=click.FloatRange(0, 1), default=0.01, show_default=True, help="In probabilities.")
@click.option("--features", type=FOLDER, help="Its task's features.  [default: features/{task}]")
@click.option("--cache", type=FOLDER, help="The cache it was trained on.  [default: cache/{task}/{teacher}]")
@click.option("--write", is_flag=True, help="Store it beside the student, as train_student does.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def surrogate(
    student: Path, error: float, features: Path | None, cache: Path | None, write: bool, as_json: bool
) -> None:
    """Write a student's circuit down as a polynomial, exactly, and cut it to a certified error.

    Every score is a sum of products of 1, -sin z and cos z of each qubit's angle. The bound holds for every text there
    will ever be; changed labels and the largest error are those of the test texts, beside the simulated circuit.
    """
    if math.isnan(error):
        raise UserError("--error must be from 0 to 1, got nan")
    from student_jax.checkpoint import load_checkpoint, read_description
    from student_jax.circuit.surrogate import find_obstacle
    from student_jax.export.certificate import ERRORS, add_surrogate, find_angles, sort_student, tabulate_cuts

    described = read_description(student)[0]
    if obstacle := find_obstacle(described.config.circuit, len(described.labels)):
        raise UserError(f"{student}: {obstacle}")
    checkpoint = load_checkpoint(student)
    terms = sort_student(checkpoint)
    if write:
        add_surrogate(student, checkpoint, terms)
    errors = sorted({*ERRORS, error, 0.0}, reverse=True)
    named = features is not None or cache is not None
    task = Path("features", checkpoint.description.origin.get("task", ""))
    test = read_test(checkpoint, student, features, cache) if named or (task / "features.parquet").exists() else None
    texts = (None, None) if test is None else (find_angles(checkpoint, test.features), simulate(checkpoint, test))
    cuts = tabulate_cuts(terms, errors, checkpoint.description.temperature, *texts)
    wanted = next(cut for cut in cuts if cut.error == error)
    size = describe_size(checkpoint, len(terms.positions), 0 if test is None else len(test.labels))
    if as_json:
        click.echo(json.dumps({**size, **wanted._asdict(), "cuts": [cut._asdict() for cut in cuts]}))
        return
    click.echo("\n".join([*format_size(size), "", format_cuts(cuts), "", fill(say_meaning(size, wanted), WIDTH)]))
    if write:
        click.echo(f"\nWritten into {student}: {TENSORS} and {DESCRIPTION}")


def simulate(checkpoint: "Checkpoint", split: "Split") -> "np.ndarray":
    """The chosen seed's scores of a split, by the circuit's simulation in float64."""
    import jax
    import numpy as np

    from student_jax.model import build_model, build_scorer

    description = checkpoint.description
    config = replace(description.config, engine="fused", precision="float64")
    parameters = jax.tree.map(np.float64, checkpoint.selected_parameters)
    score = build_scorer(build_model(config, description.dimensions, len(description.labels)), "float64")
    return score(parameters, split.features)[0]


def describe_size(checkpoint: "Checkpoint", exact_terms: int, texts: int) -> dict[str, Any]:
    """What the polynomial is, before it is cut."""
    circuit, classes = checkpoint.description.config.circuit, len(checkpoint.description.labels)
    return {
        "qubits": circuit.qubits,
        "layers": circuit.layers,
        "classes": classes,
        "coefficients": classes * 3**circuit.qubits,
        "exact_terms": exact_terms,
        "texts": texts,
    }


def format_size(size: dict[str, Any]) -> list[str]:
    """Circuit and polynomial, a line each."""
    return [
        f"circuit      {size['qubits']} qubits, {size['layers']} layers, {size['classes']} classes",
        f"polynomial   {size['exact_terms']:,} terms over all classes, of {size['coefficients']:,} that there can be",
    ]


def format_cuts(cuts: "Sequence[Cut]") -> str:
    """A row for each error, all terms last; a dash where there are no texts to look at."""

    def show(cut: "Cut") -> tuple[str, ...]:
        changed = "-" if cut.labels_changed is None else f"{cut.labels_changed:,}"
        largest = "-" if cut.largest_error is None else f"{cut.largest_error:.1e}"
        return f"{cut.error:g}" if cut.error else "exact", f"{cut.terms:,}", f"{cut.bound:.1e}", changed, largest

    titles = ("error", "terms", "bound", "labels changed", "largest error")
    return tabulate(map(show, cuts), titles, disable_numparse=True, colalign=("right",) * len(titles))


def say_meaning(size: dict[str, Any], cut: "Cut") -> str:
    """What the cut says of the circuit, in a sentence, and of the test texts in another."""
    share = cut.terms / max(size["exact_terms"], 1)
    circuit = (
        f"To within {cut.error:g} in every probability, of any text, this circuit is a sum of {cut.terms:,} products "
        f"of sines and cosines ({share:.1%} of its terms): NumPy answers for it, and neither a quantum computer nor "
        "a simulator is needed."
    )
    if cut.labels_changed is None:
        return f"{circuit} No test texts are here to try it on."
    changed = f"{cut.labels_changed:,} get" if cut.labels_changed else "none gets"
    return (
        f"{circuit} Of {size['texts']:,} test texts {changed} another label by it, and no probability of theirs is off "
        f"by more than {cut.largest_error:.1g}."
    )
