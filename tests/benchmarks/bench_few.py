"""The student beside logistic regression where labels are all there is: equal features, both tuned, by number of texts.

Run: python -m tests.benchmarks.bench_few --data FOLDER [--tasks thematic ...] [--sizes 500 ...]
In: {task}.parquet with text and label.  Out: build/bench/few.json, and a table in Markdown.
Imports: jax, scikit-learn.

Texts in the order of their ids: TEXTS to test on, then the training texts, then a third as many to validate on.
What trains the student is the profile `pretrained` without its teacher. Test texts choose nothing.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.evaluation.metrics import adjust_p_values, compare_answers
from student_jax.comparators.comparator_config import LogisticConfig
from student_jax.comparators.logistic import fit_logistic
from student_jax.compilation import keep_compiled
from student_jax.config import EmbedConfig, LossConfig, StudentConfig
from student_jax.data.dataset import Split
from student_jax.data.embedder import fit_embedder
from student_jax.model import build_model
from student_jax.training.tuning import tune
from teacher_cache.publish import write_json
from tests.benchmarks.bench_devices import Rows, read_rows
from tests.benchmarks.timing import describe_machine

OUTPUT = Path("build/bench/few.json")
TASKS, SIZES, TEXTS = ("thematic", "emotion", "hiding"), (180, 500, 2_000, 6_000, 12_000), 2_000
SEED = 20
STUDENT = StudentConfig(
    engine="native", loss=LossConfig(soft=0.0, hard=1.0), learning_rate=0.01, l2=0.1, l2_readout=True, epochs=6,
    min_steps=1000, seeds=3, grid={"l2": [0.02, 0.1, 0.2, 0.4]},
)  # fmt: skip
LOGISTIC = LogisticConfig(grid={"C": [0.003, 0.01, 0.03, 0.1, 1.0]})


def cut_splits(rows: Rows, size: int) -> dict[str, Split]:
    """Splits by name, their features fitted on the training texts and their labels."""
    starts = {"test": 0, "train": TEXTS, "validation": TEXTS + size}
    ends = {"test": TEXTS, "train": TEXTS + size, "validation": TEXTS + size + size // 3}
    places = {name: slice(starts[name], ends[name]) for name in starts}
    embedder = fit_embedder(EmbedConfig(), rows.texts[places["train"]], rows.labels[places["train"]])
    classes = int(rows.labels.max()) + 1
    return {
        name: Split(
            embedder.transform(rows.texts[place]),
            np.zeros((len(rows.labels[place]), classes), np.float32),
            rows.labels[place],
        )
        for name, place in places.items()
    }


def measure(task: str, rows: Rows, size: int) -> dict[str, Any]:
    """One row of the table; McNemar's test is of the student's seed that validation selected."""
    dataset = cut_splits(rows, size)
    test, classes = dataset["test"], dataset["test"].logits.shape[1]
    _, linear, of_linear = fit_logistic(LOGISTIC, dataset, SEED, f"{task} {size}")
    _, found, of_student = tune(
        STUDENT, lambda one: build_model(one, test.features.shape[1], classes), dataset, SEED, f"{task} {size}"
    )
    answers = np.asarray(found.score(found.parameters, test.features)).argmax(axis=-1)
    said = linear.score(linear.parameters, test.features)[0].argmax(axis=-1)
    tested = compare_answers(test.labels, answers[found.selected], said)
    return {
        "task": task,
        "texts": size,
        "logistic": float((said == test.labels).mean()),
        "seeds": [float((one == test.labels).mean()) for one in answers],
        "selected": found.selected,
        "C": of_linear.settings[of_linear.chosen].values["C"],
        "l2": of_student.settings[of_student.chosen].values["l2"],
        "p": tested.p_value,
    }


def tabulate(found: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = ["| texts | | logistic regression | student | difference | p | p (Holm) |", "|---|---|---|---|---|---|---|"]
    for row, p in zip(found, adjust_p_values([row["p"] for row in found]), strict=True):
        mean = float(np.mean(row["seeds"]))
        models = f"{row['logistic']:.4f} (C {row['C']:g}) | {mean:.4f} (`l2` {row['l2']:g})"
        tested = f"{mean - row['logistic']:+.4f} | {row['p']:.2g} | {p:.2g}"
        lines.append(f"| {row['texts']:,} | {row['task']} | {models} | {tested} |")
    difference = np.mean([np.mean(row["seeds"]) - row["logistic"] for row in found])
    return "\n".join([*lines, f"mean difference {difference:+.4f}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES))
    options = parser.parse_args()
    keep_compiled(OUTPUT.parent / "compiled")
    found: list[dict[str, Any]] = []
    for size in options.sizes:
        for task in options.tasks:
            rows = read_rows(options.data / f"{task}.parquet")
            if len(rows.texts) < TEXTS + size + size // 3:
                print(f"{task} has too few texts for {size}")
                continue
            found.append(measure(task, rows, size))
            print(json.dumps(found[-1]), flush=True)
            write_json(OUTPUT, {"machine": describe_machine(), "rows": found})
    print(tabulate(found))


if __name__ == "__main__":
    main()
