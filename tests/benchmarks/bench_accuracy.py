"""What a student reaches on features and caches that are there, beside a linear model on the same features.

Run: python -m tests.benchmarks.bench_accuracy FEATURES:CACHE ... [--settings NAME ...] [--seeds 5]
In: folders of stages embed and cache_teacher.  Out: build/bench/accuracy.json and the same as a table.
Imports: jax, scikit-learn.

Every setting is trained as train_student does it. Logistic regression is fitted on the training split's true labels,
its strength chosen on validation. Choose between settings by the column `validation`; `test` is for the report.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t
from sklearn.linear_model import LogisticRegression

from student_jax.compilation import keep_compiled
from student_jax.config import CircuitConfig, LossConfig, StudentConfig
from student_jax.data.dataset import Split, open_dataset
from student_jax.devices import use_cores
from student_jax.model import build_model
from student_jax.training.trainer import train
from teacher_cache.manifest import read_manifest
from tests.benchmarks.timing import describe_machine

OUTPUT = Path("build/bench/accuracy.json")
TUNED = StudentConfig(loss=LossConfig(soft=0.5, hard=0.5), l2=0.05, encoding_scale=0.3)
SETTINGS = {
    "tuned": TUNED,
    "soft labels": replace(TUNED, loss=LossConfig(soft=1.0, hard=0.0)),
    "hard labels": replace(TUNED, loss=LossConfig(soft=0.0, hard=1.0)),
    "no penalty": replace(TUNED, l2=0.0),
    "l2 0.02": replace(TUNED, l2=0.02),
    "l2 0.1": replace(TUNED, l2=0.1),
    "decay 1": replace(TUNED, l2=0.0, weight_decay=1.0),
    "scale 0.03": replace(TUNED, encoding_scale=0.03),
    "ring": replace(TUNED, circuit=CircuitConfig(entanglement="ring")),
    "2 layers": replace(TUNED, circuit=CircuitConfig(layers=2)),
    "temperature 2": replace(TUNED, loss=replace(TUNED.loss, temperature=2.0)),
    "paper": StudentConfig(learning_rate=0.06, schedule="constant", batch_size=8, epochs=10),
}


def fit_linear(dataset: dict[str, Split]) -> dict[str, float]:
    """Accuracy of logistic regression on each split, C chosen on validation."""
    fits = [
        LogisticRegression(C=strength, max_iter=2000).fit(dataset["train"].features, dataset["train"].labels)
        for strength in (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
    ]
    scored = [
        {name: fit.score(dataset[name].features, dataset[name].labels) for name in ("validation", "test")}
        for fit in fits
    ]
    return max(scored, key=lambda scores: scores["validation"])


def score_seeds(config: StudentConfig, dataset: dict[str, Split], seed: int, name: str) -> dict[str, np.ndarray]:
    """Accuracy of every seed on each split."""
    model = build_model(config, dataset["train"].features.shape[1], dataset["train"].logits.shape[1])
    trained = train(model, dataset, config, seed, name)
    splits = {split: dataset[split] for split in ("validation", "test")}
    said = {split: trained.score(trained.parameters, rows.features).argmax(-1) for split, rows in splits.items()}
    return {split: (said[split] == rows.labels).mean(axis=1) for split, rows in splits.items()}


def half_width(values: np.ndarray) -> float:
    """Half of the 95 % interval of the mean over seeds (Student's t)."""
    if len(values) < 2:
        return float("nan")
    return float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", nargs="+", metavar="FEATURES:CACHE")
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=list(SETTINGS), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    keep_compiled(Path("build/compiled"))
    use_cores()
    rows: list[dict[str, Any]] = []
    head = ("task", "teacher", "setting", "validation", "test", "±", "- linear", "/ teacher")
    print("{:<15} {:<11} {:<15} {:>10} {:>7} {:>7} {:>9} {:>9}".format(*head))
    for pair in options.pairs:
        features, cache = map(Path, pair.split(":"))
        manifest = read_manifest(cache)
        dataset, _ = open_dataset(features, cache, manifest.task, manifest.teacher)
        linear = fit_linear(dataset)
        teacher = float((dataset["test"].logits.argmax(1) == dataset["test"].labels).mean())
        for name in ["linear", *options.settings]:
            config = replace(SETTINGS.get(name, TUNED), seeds=options.seeds)
            found = (
                {split: np.array([score]) for split, score in linear.items()}
                if name == "linear"
                else score_seeds(config, dataset, options.seed, name)
            )
            row = {
                "task": manifest.task, "teacher": manifest.teacher, "features": str(features), "setting": name,
                "validation": float(found["validation"].mean()), "test": float(found["test"].mean()),
                "half_width": half_width(found["test"]), "minus_linear": float(found["test"].mean() - linear["test"]),
                "of_teacher": float(found["test"].mean() / teacher), "seeds": len(found["test"]),
            }  # fmt: skip
            rows.append(row)
            print(
                f"{row['task']:<15} {row['teacher']:<11} {name:<15} {row['validation']:10.4f} {row['test']:7.4f} "
                f"{row['half_width']:7.4f} {row['minus_linear']:+9.4f} {row['of_teacher']:9.3f}",
                flush=True,
            )
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(
        json.dumps({"machine": describe_machine(), "rows": rows}, indent=1) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
