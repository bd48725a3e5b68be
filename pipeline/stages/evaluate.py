"""Stage evaluate: student and teacher on validation and test -> metrics, answers, curves; nothing is trained.

Run as dvc.yaml does: python -m pipeline.stages.evaluate --task T --teacher M --features FOLDER --cache FOLDER
--student FOLDER --compiled FOLDER --evaluation FOLDER --answers FILE --metrics FILE
"""

from dataclasses import asdict
from pathlib import Path

import click

from pipeline.entry import PATH, require, run
from pipeline.evaluation.answers import write_answers
from pipeline.evaluation.pair_summary import summarise_pair, write_table
from pipeline.evaluation.scoring import tabulate_confusion
from pipeline.evaluation.summary import list_metrics, write_summary
from pipeline.params import read_block
from student_jax.checkpoint import load_checkpoint
from student_jax.compilation import keep_compiled
from student_jax.config import CircuitConfig
from student_jax.data.dataset import open_dataset
from student_jax.devices import use_cores
from teacher_cache.publish import write_json


@click.command()
@require("task", "teacher")
@require("features", "cache", "student", "compiled", "evaluation", "answers", "metrics", kind=PATH)
def main(
    task: str,
    teacher: str,
    features: Path,
    cache: Path,
    student: Path,
    compiled: Path,
    evaluation: Path,
    answers: Path,
    metrics: Path,
) -> None:
    """Evaluate one student beside its teacher."""
    dataset, manifest = open_dataset(features, cache, task, teacher)
    own = read_block("student.circuit", CircuitConfig).file
    checkpoint = load_checkpoint(student, None if own is None else Path(own))
    keep_compiled(compiled)
    use_cores()
    summary, probabilities = summarise_pair(dataset, manifest, checkpoint, student)
    write_summary(evaluation / "summary.json", summary)
    write_table(evaluation / "curves.csv", [asdict(row) for row in summary.curves])
    write_table(evaluation / "confusion.csv", tabulate_confusion(summary.confusion.student, manifest.labels))
    write_answers(answers, dataset["test"].ids, dataset["test"].labels, probabilities)
    write_json(metrics, list_metrics(summary))


if __name__ == "__main__":
    run(main, "evaluate")
