"""`qdllm sweep`: many settings of the student in one process, on caches that are loaded once.

In: params.yaml, features/, cache/.  Out: sweep (a click command), which writes sweeps/NAME.
Imports: jax and matplotlib when it runs; never torch.
"""

import json
import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache as cache_calls
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from pipeline.commands.grid import Point, choose_points, parse_axes, set_point, write_command
from pipeline.commands.sweep_progress import FINISHED, Progress, identify
from pipeline.evaluation.metrics import estimate_mean
from pipeline.params import PARAMS, parse, read_active, read_seed, read_yaml
from student_jax.config import StudentConfig
from teacher_cache.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from student_jax.data.dataset import Split
    from student_jax.model import Model
    from student_jax.training.best_epochs import Training
    from student_jax.training.settings import Failure

SHOWN = 5
ACCURACIES = ("validation_accuracy", "test_accuracy")
SCORES = (*ACCURACIES, "validation_loss")
FOLDER = click.Path(path_type=Path)


class Outcome(NamedTuple):
    """What the seeds of one setting reached, each in its best epoch; without seeds, `problem` says why."""

    validation_loss: Sequence[float] = ()
    validation_accuracy: Sequence[float] = ()
    test_accuracy: Sequence[float] = ()
    parameters: int | None = None
    problem: str = ""


@click.command()
@click.option("--set", "texts", multiple=True, metavar="KEY=VALUE,...", help="A key of the block student, its values.")
@click.option("--random", "count", type=click.IntRange(min=1), help="Train so many settings drawn from the grid.")
@click.option("--task", "tasks", multiple=True, help="A task.  [default: the active ones]")
@click.option("--teacher", "teachers", multiple=True, help="A teacher.  [default: the active ones]")
@click.option("--name", help="Of the folder in sweeps/.  [default: date and time]")
@click.option("--features", type=FOLDER, default=Path("features"), show_default=True)
@click.option("--caches", type=FOLDER, default=Path("cache"), show_default=True)
@click.option("--params", "path", type=FOLDER, default=PARAMS, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def sweep(
    texts: tuple[str, ...],
    count: int | None,
    tasks: tuple[str, ...],
    teachers: tuple[str, ...],
    name: str | None,
    features: Path,
    caches: Path,
    path: Path,
    as_json: bool,
) -> None:
    """Train the student with every combination of values, and say which is best on validation.

    Such as: qdllm sweep --set student.learning_rate=1.0e-3,3.0e-3 --set student.circuit.layers=2,4
    """
    folder = find_folder(name)
    student, seed = read_student(path), read_seed(path)
    axes = parse_axes(texts)
    points = choose_points(axes, count, seed)
    configs = [set_point(student, point) for point in points]
    active_tasks, active_teachers = read_active(path)
    pairs = [(task, teacher) for task in tasks or active_tasks for teacher in teachers or active_teachers]
    started = time.perf_counter()
    progress = Progress(folder)
    rows: list[dict[str, Any]] = []
    try:
        for task, teacher in pairs:
            places = (features / task, caches / task / teacher)
            outcomes = train_pair(configs, *places, task, teacher, seed, progress)
            rows += [
                describe(task, teacher, number, point, outcome)
                for number, (point, outcome) in enumerate(zip(points, outcomes, strict=True))
            ]
    except BaseException:
        if progress.found:
            kept = f"{len(progress.found)} of {len(points) * len(pairs)} settings are kept"
            click.echo(f"{kept}; the same command with --name {folder.name} goes on", err=True)
        raise
    ranked = rank(rows)
    write_folder(folder, rows, ranked)
    if not ranked:
        raise UserError(f"one setting at least must train to an end, got none; {folder / 'table.csv'} says why")
    best = points[ranked[0]["setting"]]
    command = write_command(student, best)
    if as_json:
        click.echo(json.dumps({"folder": str(folder), "rows": rows, "best": ranked[0], "command": command}))
        return
    students = len(pairs) * sum(config.seeds for config in configs)
    named = ", ".join("-".join(pair) for pair in pairs)
    click.echo(f"{len(points)} settings, {students} students in {time.perf_counter() - started:.0f} s: {named}\n")
    varied = [key for key, values in axes.items() if len(values) > 1]
    click.echo("\n".join([*format_best(ranked, varied, len(pairs)), *format_problems(rows), ""]))
    click.echo(f"Best on validation: {command}\nTable and figure: {folder}")


def find_folder(name: str | None) -> Path:
    """The folder to write, which must not be there yet, or be an interrupted sweep's.

    Raises:
        UserError: it is there, or the name is none for a folder.
    """
    name = name or datetime.now().strftime("%Y-%m-%d-%H%M%S")
    if not re.fullmatch(r"[\w][\w.-]*", name):
        raise UserError(f"--name must be letters, digits, _, . and -, got {name}")
    folder = Path("sweeps", name)
    if folder.exists() and not (folder / FINISHED).exists():
        raise UserError(f"{folder} must not be there yet; take another --name or delete it")
    return folder


def read_student(path: Path) -> dict[str, Any]:
    """The block `student` of params.yaml as it is written, once it is checked."""
    content = read_yaml(path).get("student", {})
    parse(content, StudentConfig, "student", path)
    return content


def train_pair(
    configs: Sequence[StudentConfig],
    features: Path,
    cache: Path,
    task: str,
    teacher: str,
    seed: int,
    progress: Progress,
) -> list[Outcome]:
    """Train all settings against one teacher's cache, but for those that `progress` has; it keeps the others."""
    from student_jax.compilation import keep_compiled
    from student_jax.data.dataset import open_dataset
    from student_jax.devices import use_cores
    from student_jax.model import build_model
    from student_jax.training.settings import train_settings

    keep_compiled(Path("work/compiled"))
    use_cores()
    dataset, manifest = open_dataset(features, cache, task, teacher)
    dimensions, classes = dataset["train"].features.shape[1], len(manifest.labels)

    @cache_calls
    def build(config: StudentConfig) -> "Model":
        return build_model(config, dimensions, classes)

    names = [identify(config, seed, task, teacher, features, cache) for config in configs]
    open_places = [place for place, name in enumerate(names) if name not in progress.found]

    def keep(place: int, found: "Training | Failure") -> None:
        at = open_places[place]
        progress.keep(names[at], judge(found, configs[at], build, dataset["test"])._asdict())

    remaining = [configs[place] for place in open_places]
    train_settings(remaining, build, dataset, seed, f"sweep: {task}, {teacher}", keep)
    return [Outcome(**progress.found[name]) for name in names]


def judge(
    found: "Training | Failure", config: StudentConfig, build: "Callable[[StudentConfig], Model]", test: "Split"
) -> Outcome:
    """What a setting's seeds reached, each in its best epoch."""
    import numpy as np

    from student_jax.model import count_trainable
    from student_jax.training.settings import Failure

    if isinstance(found, Failure):
        return Outcome(problem=found.problem)
    best = found.best_results()
    hits = found.score(found.parameters, test.features).argmax(axis=-1) == test.labels
    return Outcome(
        validation_loss=[row.validation_loss for row in best],
        validation_accuracy=[row.validation_accuracy for row in best],
        test_accuracy=np.mean(hits, axis=-1).tolist(),
        parameters=count_trainable(build(config)),
    )


def describe(task: str, teacher: str, number: int, point: Point, outcome: Outcome) -> dict[str, Any]:
    """A row of the table: means over the seeds, with 95 % intervals of the accuracies."""
    row: dict[str, Any] = {"task": task, "teacher": teacher, "setting": number, **point}
    for key in ACCURACIES:
        values = getattr(outcome, key)
        interval = estimate_mean(values) if values else (None, None, None)
        row |= zip([key, f"{key}_low", f"{key}_high"], interval, strict=True)
    loss = estimate_mean(outcome.validation_loss).mean if outcome.validation_loss else None
    facts = {"seeds": len(outcome.test_accuracy), "parameters": outcome.parameters, "problem": outcome.problem}
    return row | {"validation_loss": loss} | facts


def rank(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The settings that no pair has a problem with, best first: means over the pairs.

    Best is the highest validation accuracy; the test split has no say. Of equals, the one with fewer parameters.
    """
    settings: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        settings.setdefault(row["setting"], []).append(row)
    means = [
        {**own[0], **{key: sum(row[key] for row in own) / len(own) for key in (*SCORES, "parameters")}}
        for own in settings.values()
        if not any(row["problem"] for row in own)
    ]
    return sorted(means, key=lambda row: (-row["validation_accuracy"], row["parameters"], row["setting"]))


def write_folder(folder: Path, rows: Sequence[Mapping[str, Any]], ranked: Sequence[Mapping[str, Any]]) -> None:
    """Publish table.csv and, where a setting ended well, accuracy.png."""
    from pipeline.commands.sweep_figure import draw_sweep
    from pipeline.evaluation.pair_summary import write_table
    from teacher_cache.publish import publish_folder

    with publish_folder(folder) as temporary:
        write_table(temporary / "table.csv", rows)
        if ranked:
            draw_sweep(rows, ranked[0]["setting"], temporary / "accuracy.png")


def format_best(ranked: Sequence[Mapping[str, Any]], keys: Sequence[str], pairs: int) -> list[str]:
    """The best settings, a line each."""
    names = [key.removeprefix("student.") for key in keys]
    table = [["validation", "test", "loss", "parameters", *names]]
    for row in ranked[:SHOWN]:
        scores = [f"{row[key]:.4f}" for key in SCORES]
        table.append([*scores, f"{row['parameters']:,.0f}", *(row[key] for key in keys)])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in table]
    means = "seeds" if pairs == 1 else f"seeds and {pairs} pairs of task and teacher"
    return [*lines, f"Accuracies and validation loss are means over {means}."]


def format_problems(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """How many settings failed, and why the first one did."""
    failed = [row for row in rows if row["problem"]]
    return [f"{len(failed)} failed, such as setting {failed[0]['setting']}: {failed[0]['problem']}"] if failed else []
