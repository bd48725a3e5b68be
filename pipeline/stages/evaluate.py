"""Stage evaluate: student against teacher -> metrics, and all that the report tells of this pair.

Run as dvc.yaml does: python -m pipeline.stages.evaluate --task T --teacher M --features FOLDER --cache FOLDER
--student FOLDER --compiled FOLDER --card FILE --records FOLDER --evaluation FOLDER --metrics FILE
"""

from pathlib import Path

import click

from pipeline.entry import PATH, measure_run, require, run
from pipeline.evaluation.answers import write_predictions
from pipeline.evaluation.pair_summary import find_peak, read_records, summarise_pair, write_table
from pipeline.evaluation.scoring import tabulate_confusion
from pipeline.params import read_block, read_seed
from student_jax.checkpoint import load_checkpoint, read_curves
from student_jax.compilation import keep_compiled
from student_jax.config import CircuitConfig, EvaluateConfig
from student_jax.data.dataset import open_dataset
from student_jax.devices import use_cores
from teacher_cache.publish import publish_folder, write_json


@click.command()
@require("task", "teacher")
@require("features", "cache", "student", "compiled", "card", "records", "evaluation", "metrics", kind=PATH)
def main(
    task: str,
    teacher: str,
    features: Path,
    cache: Path,
    student: Path,
    compiled: Path,
    card: Path,
    records: Path,
    evaluation: Path,
    metrics: Path,
) -> None:
    """Evaluate one student, and what is trained beside it, on validation and test."""
    config = read_block("evaluate", EvaluateConfig)
    dataset, manifest = open_dataset(features, cache, task, teacher)
    own = read_block("student.circuit", CircuitConfig).file
    checkpoint = load_checkpoint(student, None if own is None else Path(own))
    keep_compiled(compiled)
    use_cores()
    curves = read_curves(student / "curves.csv")
    summary, predicted = summarise_pair(dataset, manifest, checkpoint, student, config, read_seed())
    summary |= read_records(card, records, task, teacher) | {"curves": [row._asdict() for row in curves]}
    summary["student"]["peak_memory_bytes"] = find_peak(summary["records"], "train_student")
    summary["records"].append(measure_run("evaluate", task=task, teacher=teacher))
    with publish_folder(evaluation / "summary") as folder:
        write_json(folder / "summary.json", summary)
        write_predictions(folder / "predictions.parquet", dataset["test"].ids, dataset["test"].labels, predicted)
    write_table(evaluation / "curves.csv", summary["curves"])
    write_table(evaluation / "confusion.csv", tabulate_confusion(summary["confusion"]["student"], manifest.labels))
    write_json(metrics, summary["metrics"])


if __name__ == "__main__":
    run(main, "evaluate")
