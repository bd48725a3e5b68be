"""Stage train_student: features + teacher cache -> the best setting's quantum student, calibrated, and its polynomial.

Run as dvc.yaml does: python -m pipeline.stages.train_student --task T --teacher M --features FOLDER --cache FOLDER
--student FOLDER --compiled FOLDER --record FILE
"""

from pathlib import Path

import click

from pipeline.entry import PATH, require, run, write_record
from pipeline.params import read_block, read_seed
from student_jax.checkpoint import save_student
from student_jax.compilation import keep_compiled
from student_jax.config import StudentConfig
from student_jax.data.dataset import open_dataset
from student_jax.devices import use_cores
from student_jax.export.certificate import complete_student
from student_jax.model import Model, build_model, resolve_engine
from student_jax.training.temperature import calibrate
from student_jax.training.tuning import tune
from teacher_cache.publish import publish_folder


@click.command()
@require("task", "teacher")
@require("features", "cache", "student", "compiled", "record", kind=PATH)
def main(task: str, teacher: str, features: Path, cache: Path, student: Path, compiled: Path, record: Path) -> None:
    """Tune and train one student against one teacher's cache."""
    config = read_block("student", StudentConfig)
    keep_compiled(compiled)
    use_cores()
    dataset, manifest = open_dataset(features, cache, task, teacher)
    dimensions, classes = dataset["train"].features.shape[1], len(manifest.labels)

    def build(setting: StudentConfig) -> Model:
        return build_model(setting, dimensions, classes)

    config = resolve_engine(config, classes)
    label = f"train_student: {task}, {teacher}"
    chosen, training, tuning = tune(config, build, dataset, read_seed(), label)
    origin = {"task": task, "teacher": teacher, "cache": manifest.fingerprint}
    calibration = calibrate(training, dataset["validation"], label)
    with publish_folder(student) as folder:
        save_student(folder, training, chosen, manifest.labels, features, origin, tuning, calibration)
        complete_student(folder, chosen.circuit, classes)
    write_record(record, "train_student", task=task, teacher=teacher)


if __name__ == "__main__":
    run(main, "train_student")
