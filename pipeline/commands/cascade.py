"""`qdllm cascade`: what part of the texts must go to the teacher for its accuracy, and what that costs.

In: a student folder, its features and cache.  Out: cascade (a click command).  Imports: jax when it runs; never torch.
"""

import json
from dataclasses import asdict
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.diagnose import FOLDER, read_splits
from teacher_cache.errors import UserError

if TYPE_CHECKING:
    from pipeline.evaluation.confidence import Cascade
    from student_jax.checkpoint import Checkpoint
    from student_jax.data.dataset import Split

# Of what `--json` prints; raised when a field gets another name or meaning.
FORMAT = 1
WIDTH = 80
HEADER = "    sent  confidence  accuracy     95 % interval  at random"


@click.command()
@click.option("--student", type=FOLDER, required=True, help="A folder students/{task}/{teacher}.")
@click.option("--features", type=FOLDER, help="Its task's features.  [default: features/{task}]")
@click.option("--cache", type=FOLDER, help="The cache it was trained on.  [default: cache/{task}/{teacher}]")
@click.option("--circuit", type=FOLDER, help="The file of a circuit of your own.")
@click.option("--records", type=FOLDER, default=Path("records"), show_default=True, help="Where the capture's time is.")
@click.option(
    "--cost",
    type=click.FloatRange(min=0, min_open=True),
    help="What a text costs with the teacher, in texts of the student.  [default: measured, where there is a record]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def cascade(
    student: Path,
    features: Path | None,
    cache: Path | None,
    circuit: Path | None,
    records: Path,
    cost: float | None,
    as_json: bool,
) -> None:
    """Accuracy where the student answers what it is sure of, and the teacher the rest.

    A row sends the texts whose confidence is below a threshold. Thresholds are chosen on validation, for each part of
    its texts, and all numbers are of the test split; the interval is the bootstrap's, over the choice of test texts
    alone. Beside it: as many texts sent at random, and the cost, where the teacher's of every text is 1. Measured is
    the teacher's capture, its start included, against the student from features on.
    """
    from student_jax.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(student, circuit)
    dataset, manifest = read_splits(checkpoint, student, features, cache)
    found, seconds = measure(checkpoint, dataset)
    if cost is None:
        captured = read_seconds(records / "cache_teacher" / manifest.task / f"{manifest.teacher}.json")
        cost = captured and captured / manifest.rows / seconds
    if as_json:
        click.echo(json.dumps({"format": FORMAT, "cost": cost, **asdict(found)}))
        return
    from pipeline.report.confidence_tables import sum_up_cascade

    counts = f"{found.test_texts} test texts; thresholds chosen on {found.validation_texts} of validation"
    click.echo(f"{manifest.task}, {manifest.teacher}: {counts}\n")
    click.echo("\n".join(format_cascade(found, cost)))
    click.echo("\n" + fill(sum_up_cascade(found, cost), WIDTH))
    if cost is None:
        click.echo(fill("No record says what the teacher costs; name it with --cost, in texts of the student.", WIDTH))
    else:
        click.echo(f"A text costs {cost:,.4g} times as much with the teacher as with the student.")


def measure(checkpoint: "Checkpoint", dataset: "dict[str, Split]") -> "tuple[Cascade, float]":
    """The cascade of the chosen seed, and the student's seconds a text."""
    from pipeline.evaluation.pair_summary import predict_chosen
    from pipeline.evaluation.predictions import score_splits
    from pipeline.evaluation.sending import judge, measure_cascade
    from student_jax.model import build_model, build_scorer, time_scoring

    description, test = checkpoint.description, dataset["test"].features
    model = build_model(description.config, description.dimensions, len(description.labels))
    score = build_scorer(model, description.config.precision)
    scores = score_splits(score, checkpoint.parameters, dataset)
    said = {name: judge(split) for name, split in predict_chosen(scores, checkpoint, dataset).items()}
    seconds = time_scoring(score, checkpoint.selected_parameters, test) / len(test)
    return measure_cascade(said["validation"], said["test"]), seconds


def read_seconds(path: Path) -> float | None:
    """How long the capture took by its record; None where there is none.

    Raises:
        UserError: the record is damaged.
    """
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        seconds = float(found["seconds"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        seconds = float("nan")
    if not 0 < seconds < float("inf"):
        raise UserError(f"{path} must say the seconds of a capture; name the cost with --cost, or remove the file")
    return seconds


def format_cascade(found: "Cascade", ratio: float | None) -> list[str]:
    """A line for each part of the texts."""
    from pipeline.report.confidence_tables import weigh_cost

    lines = [HEADER + ("" if ratio is None else "    cost")]
    for step in found.curve:
        rule = "all" if step.threshold is None else f"< {step.threshold:.4f}" if step.threshold else "none"
        interval = f"{step.accuracy_low:.4f} to {step.accuracy_high:.4f}"
        cost = weigh_cost(step.sent, ratio)
        line = f"{step.sent:>8.4f}{rule:>12}{step.accuracy:>10.4f}{interval:>18}{step.random:>11.4f}"
        lines.append(line + ("" if cost is None else f"{cost:>8.4f}"))
    return lines
