"""`qdllm diagnose`: how a student holds up under few shots and noisy gates, and whether its circuit could be trained.

In: a student folder, its features and cache.  Out: diagnose (a click command).  Imports: jax when it runs; never torch.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from teacher_cache.errors import UserError

if TYPE_CHECKING:
    from student_jax.checkpoint import Checkpoint
    from student_jax.data.dataset import Split
    from teacher_cache.manifest import Manifest

Number = TypeVar("Number", int, float)
FOLDER = click.Path(path_type=Path)


def parse_list(
    number: Callable[[str], Number], least: Number, most: Number | None = None
) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """A click callback: numbers from `least` to `most`, with commas between them -> a sorted list without repeats."""

    def parse(_: click.Context, option: click.Parameter, value: str | None) -> list[Number] | None:
        if value is None:
            return None
        try:
            numbers = sorted({number(part) for part in value.split(",")})
        except ValueError:
            raise UserError(f"--{option.name} must be numbers with commas between them, got {value}") from None
        if not (least <= numbers[0] and (most is None or numbers[-1] <= most)):
            rule = f"at least {least}" if most is None else f"from {least} to {most}"
            raise UserError(f"--{option.name} must be {rule}, got {value}")
        return numbers

    return parse


@click.command()
@click.option("--student", type=FOLDER, required=True, help="A folder students/{task}/{teacher}.")
@click.option("--features", type=FOLDER, help="Its task's features.  [default: features/{task}]")
@click.option("--cache", type=FOLDER, help="The cache it was trained on.  [default: cache/{task}/{teacher}]")
@click.option("--rows", type=click.IntRange(min=1), default=200, show_default=True, help="Test texts, drawn at random.")
@click.option("--noise", callback=parse_list(float, 0, 0.75), default="0,0.001,0.003,0.01,0.03", show_default=True)
@click.option("--shots", callback=parse_list(int, 1), default="4,16,64,256,1024", show_default=True)
@click.option("--qubits", callback=parse_list(int, 2), help="For gradients.  [default: 4,6,8 and the student's]")
@click.option("--layers", callback=parse_list(int, 1), help="For gradients.  [default: 2,4,8 and the student's]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--out", type=FOLDER, help="A folder for accuracy.csv, gradients.csv, diagnosis.png and diagnosis.svg.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def diagnose(
    student: Path,
    features: Path | None,
    cache: Path | None,
    rows: int,
    noise: list[float],
    shots: list[int],
    qubits: list[int] | None,
    layers: list[int] | None,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Accuracy against shots and depolarising noise, and the gradient's variance against qubits and layers.

    Noise is the probability of an error, X, Y or Z alike, on a qubit that leaves a gate.
    """
    from student_jax.checkpoint import load_checkpoint
    from student_jax.diagnosis.gradients import tabulate_gradients
    from student_jax.diagnosis.robustness import measure_robustness

    checkpoint = load_checkpoint(student)
    split = draw_rows(read_test(checkpoint, student, features, cache), rows, seed)
    config, classes = checkpoint.description.config.circuit, len(checkpoint.description.labels)
    accuracy = [row._asdict() for row in measure_robustness(checkpoint, split, noise, shots, seed=seed)]
    least = classes if config.readout == "first" else 2
    widths = qubits or sorted({width for width in (4, 6, 8) if width >= least} | {config.qubits})
    gradients = tabulate_gradients(config, classes, widths, layers or sorted({2, 4, 8, config.layers}), seed)
    if out is not None:
        from pipeline.commands.diagnosis_figure import draw_diagnosis
        from pipeline.evaluation.pair_summary import write_table

        write_table(out / "accuracy.csv", accuracy)
        write_table(out / "gradients.csv", gradients)
        for ending in ("png", "svg"):
            draw_diagnosis(accuracy, gradients, out / f"diagnosis.{ending}")
    if as_json:
        click.echo(json.dumps({"rows": len(split.labels), "accuracy": accuracy, "gradients": gradients}))
        return
    click.echo("\n".join([*format_accuracy(accuracy, len(split.labels)), "", *format_gradients(gradients)]))
    if out is not None:
        click.echo(f"\nTables and figure: {out}")


def read_test(checkpoint: "Checkpoint", student: Path, features: Path | None, cache: Path | None) -> "Split":
    """The test split that belongs to a student.

    Raises:
        UserError: features or cache are missing, damaged, or another student's.
    """
    return read_splits(checkpoint, student, features, cache)[0]["test"]


def read_splits(
    checkpoint: "Checkpoint", student: Path, features: Path | None, cache: Path | None
) -> "tuple[dict[str, Split], Manifest]":
    """All splits that belong to a student, and the manifest of its cache.

    Raises:
        UserError: features or cache are missing, damaged, or another student's.
    """
    from pipeline.evaluation.pair_summary import require_cache
    from student_jax.data.dataset import open_dataset
    from student_jax.data.embedder import identify_embedder

    task, teacher = (checkpoint.description.origin.get(key, "") for key in ("task", "teacher"))
    features = features or Path("features", task)
    dataset, manifest = open_dataset(features, cache or Path("cache", task, teacher), task, teacher)
    require_cache(checkpoint, manifest, student)
    if identify_embedder(features) != checkpoint.description.embedder:
        raise UserError(f"{features} must be the features that {student} was trained on; run `dvc repro train_student`")
    return dataset, manifest


def draw_rows(split: "Split", rows: int, seed: int) -> "Split":
    """At most `rows` rows of `split`, drawn at random, in their order."""
    import numpy as np

    chosen = np.sort(np.random.default_rng(seed).permutation(len(split.labels))[:rows])
    return type(split)(*(None if array is None else array[chosen] for array in split))


def format_accuracy(accuracy: Sequence[dict[str, Any]], rows: int) -> list[str]:
    """A line per number of shots, a column per noise level."""
    noises = list(dict.fromkeys(row["noise"] for row in accuracy))
    cells = {(row["noise"], row["shots"]): row for row in accuracy}
    lines = [f"Accuracy on {rows} test texts, by shots per text (rows) and noise (columns)"]
    lines.append("".join(["   shots", *(f"{noise:>13g}" for noise in noises)]))
    for shots in dict.fromkeys(row["shots"] for row in accuracy):
        found = [cells[noise, shots] for noise in noises]
        spread = [f"{row['accuracy']:.3f}" + ("" if shots is None else f" ±{row['deviation']:.3f}") for row in found]
        lines.append("".join([f"{shots or 'exact':>8}", *(f"{cell:>13}" for cell in spread)]))
    margin = 1.96 * (accuracy[0]["accuracy"] * (1 - accuracy[0]["accuracy"]) / rows) ** 0.5
    lines.append("± one standard deviation between repeats of all shots; exact: expectation values, no shots")
    return [*lines, f"The choice of the texts alone makes the first number uncertain by ±{margin:.3f} (95 %)"]


def format_gradients(gradients: Sequence[dict[str, Any]]) -> list[str]:
    """A line per circuit."""
    lines = ["Variance of d<Z>/d angle (1/rad²) at random angles, of the first and of the last qubit read"]
    lines.append(f"{'qubits':>8}{'layers':>8}{'first':>11}{'last':>11}")
    return lines + [f"{r['qubits']:>8}{r['layers']:>8}{r['first']:>11.2e}{r['last']:>11.2e}" for r in gradients]
