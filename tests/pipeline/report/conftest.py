"""Runs as the stages write them, with made-up numbers that look like a real run's."""

from typing import Any

import numpy as np
import pytest

from pipeline.evaluation.confidence import Calibrated, Errors
from pipeline.evaluation.metrics import Discordance
from pipeline.evaluation.scoring import average_scores
from pipeline.evaluation.sending import Said, measure_cascade, measure_coverage_area, tabulate_coverage
from pipeline.evaluation.summary import (
    Bin,
    Comparison,
    Cut,
    Epoch,
    PairSummary,
    Parameters,
    Reliability,
    Scores,
    SeedScores,
    Sides,
    StudentParameters,
    StudentScores,
    Surrogate,
    TeacherScores,
    TrainedOn,
)
from pipeline.report.runs import Run
from student_jax.tunable import Setting, Tuning

TEXTS = ("tinybert", "minillm", "distilbert", "pkd", "textrcnn")
CONTROLS = ("linear", "mlp", "no_entanglement", "frozen_circuit")
CIRCUIT = {
    "ansatz": "layers",
    "qubits": 11,
    "layers": 4,
    "entanglement": "chain",
    "rotations": "triple",
    "readout": "linear",
}
LOSS = {"soft": 0.9, "hard": 0.1, "kl": 1.0, "js": 1.0, "temperature": 1.0}


class Maker:
    """Makes the parts of one run from one generator."""

    def __init__(self, seed: int, seeds: int, epochs: int, accuracy: float) -> None:
        self.random, self.seeds, self.epochs, self.accuracy = np.random.default_rng(seed), seeds, epochs, accuracy

    def score(self, level: float, kind: Any = StudentScores) -> Any:
        level = float(np.clip(level + self.random.normal(0, 0.004), 0, 1))
        found = dict.fromkeys(("accuracy", "precision", "recall", "f1"), level)
        found |= {"ece": float(self.random.uniform(0.01, 0.06)), "nll": float(self.random.uniform(0.4, 0.6))}
        close = {"agreement": min(0.99, level + 0.08), "kl": float(self.random.uniform(0.03, 0.2))}
        return kind(**found, **(close if kind is StudentScores else {}))

    def learn(self, seed: int) -> list[dict[str, Any]]:
        steps = np.exp(-np.arange(self.epochs) / 2) * (1 + self.random.normal(0, 0.08))
        return [
            {
                "seed": seed,
                "epoch": epoch + 1,
                "train_loss": float(0.25 + 0.4 * steps[epoch]),
                "validation_loss": float(0.31 + 0.33 * steps[epoch] + 0.006 * epoch),
                "validation_accuracy": float(self.accuracy - 0.25 * steps[epoch]),
            }
            for epoch in range(self.epochs)
        ]

    def confuse(self, level: float, classes: int) -> list[list[int]]:
        wrong = (1 - level) / (classes - 1)
        share = np.full((classes, classes), wrong) + np.eye(classes) * (level - wrong)
        return [self.random.multinomial(400, row / row.sum()).tolist() for row in share]

    def bin(self, gap: float, classes: int) -> list[Bin]:
        places = np.linspace(1 / classes + 0.03, 0.98, 11)
        return [
            Bin(
                confidence=float(place),
                accuracy=float(np.clip(place - gap * (place - 0.3) + self.random.normal(0, 0.02), 0, 1)),
                count=int(20 + 300 * place**4),
            )
            for place in places
        ]

    def answer(self, rows: int = 400) -> Said:
        """The student is right as often as it is sure, the teacher a little more often and of every text alike."""
        confidence = self.random.beta(4, 1.2, rows) * 0.5 + 0.5
        right = self.random.uniform(size=rows) < confidence
        return Said(confidence, right, self.random.uniform(size=rows) < confidence.mean() + 0.05)

    def expand(self, classes: int) -> Surrogate:
        cuts = [
            Cut(
                error=error,
                terms=int(9_000 / error**0.6),
                bound=error * 0.99,
                labels_changed=0,
                largest_error=error / 99,
            )
            for error in (0.3, 0.1, 0.01, 0.001)
        ]
        return Surrogate(coefficients=classes * 3**11, exact_terms=classes * 3**11 - 500, cuts=cuts)

    def train(self, step: float, settings: int, **names: Any) -> dict[str, Any]:
        seeds = [
            SeedScores(seed=seed, validation=self.score(self.accuracy + step), test=self.score(self.accuracy + step))
            for seed in range(self.seeds)
        ]
        tried = [
            Setting(
                values={"learning_rate": 0.001 * 3**k} if settings > 1 else {},
                validation_loss=0.4 + k / 100,
                validation_accuracy=0.8,
            )
            for k in range(settings)
        ]
        return names | {
            "tuning": Tuning(settings=tried, chosen=0),
            "seeds": seeds,
            "selected_seed": 0,
            "metrics": average_scores(seeds),
            "curves": [Epoch(**row) for seed in range(self.seeds) for row in self.learn(seed)],
            "seconds_per_epoch": 0.61,
            "inference_seconds": 0.02,
            "inference_texts": 800,
            "trained_on": TrainedOn(labelled=300, pool=2000),
            "cache": "abc",
        }


def make_run(
    task: str = "emotion",
    teacher: str = "bloom-local",
    labels: tuple[str, ...] = ("negative", "positive"),
    seeds: int = 5,
    comparators: tuple[str, ...] = CONTROLS,
    accuracy: float = 0.81,
    epochs: int = 6,
    settings: int = 1,
    model: str | None = None,
    telemetry: bool = True,
    calibrated: bool = True,
) -> Run:
    """One run; `accuracy` is about the student's, `settings` the size of every grid, `model` the teacher's hub id."""
    maker, classes = Maker(len(task) * 31 + len(teacher), seeds, epochs, accuracy), len(labels)
    names = {"task": task, "teacher": teacher, "labels": list(labels)}
    said, errors = maker.answer(), Errors(ece=0.01, nll=0.41)
    config = {"circuit": CIRCUIT, "loss": LOSS, "learning_rate": 0.003, "schedule": "cosine", "batch_size": 64}
    summary = PairSummary(
        **maker.train(0.0, settings, **names),
        settings=config | {"epochs": epochs, "seeds": seeds, "clip_norm": None},
        parameters=StudentParameters(trainable=8_811, dead=33, inference=8_811 + 768 * 9_000),
        embed={"kind": "corpus", "dimensions": 768},
        engine="fused",
        features_saw_labels=True,
        teacher_metrics=TeacherScores(
            validation=maker.score(accuracy + 0.04, Scores), test=maker.score(accuracy + 0.04, Scores)
        ),
        confusion=Sides(teacher=maker.confuse(accuracy + 0.04, classes), student=maker.confuse(accuracy, classes)),
        reliability=Reliability(
            teacher=maker.bin(0.12, classes),
            student=maker.bin(-0.05, classes),
            calibrated=maker.bin(0.0, classes) if calibrated else None,
        ),
        calibrated=Calibrated(temperature=1.25, labels=120, validation=errors, test=errors) if calibrated else None,
        coverage=tabulate_coverage(said),
        coverage_area=measure_coverage_area(said),
        cascade=measure_cascade(maker.answer(), said),
        surrogate=maker.expand(classes),
    )
    comparisons = {
        name: Comparison(
            **maker.train(-0.01 * place, settings, **names),
            settings={"learning_rate": 0.001},
            parameters=Parameters(trainable=1_538 + place, inference=1_538 + place),
            comparator=name,
            reads="texts" if name in TEXTS else "features",
            cut_texts=3 if name in TEXTS else None,
            features_saw_labels=None if name in TEXTS else True,
        )
        for place, name in enumerate(comparators)
    }
    tests = {name: Discordance(40, 70 + place, 0.005 / (1 + place)) for place, name in enumerate(comparators)}
    if not telemetry:
        return Run(summary, comparisons, tests)
    return Run(summary, comparisons, tests, make_card(maker, task, labels), make_records(maker, task, teacher, model))


def make_card(maker: Maker, task: str, labels: tuple[str, ...]) -> dict[str, Any]:
    lengths = maker.random.gamma(4, 5, 4000) + 3
    counts, edges = np.histogram(lengths, bins=20)
    texts = dict.fromkeys(labels, 2000 // len(labels))
    return {
        "task": task,
        "source": {"kind": "embedded", "generator": task, "rows": 4000},
        "rows_read": 4012,
        "rows": 4000,
        "drops": {"empty": 2, "duplicate": 9, "contradicting": 1},
        "splits": {"train": texts, "validation": texts, "test": texts},
        "words": {
            "mean": float(lengths.mean()),
            "median": 21.5,
            "percentiles": {"5": 9.1, "95": 44.0},
            "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
        },
        "distinct_words": 3120,
    }


def make_records(maker: Maker, task: str, teacher: str, model: str | None) -> list[dict[str, Any]]:
    shared = {
        "started": "2025-05-04T10:20:30+00:00",
        "machine": {"system": "Linux", "processor": "x86_64", "cores": 2},
        "versions": {"python": "3.11.2", "jax": "0.10.2"},
        "commit": "0123456789ab",
    }
    pair = {"task": task, "teacher": teacher}
    finetune = {
        "base": {"kind": "local", "model": model, "architecture": "bloom", "revision": None},
        "parameters": 1_065_314_304,
        "trainable_parameters": 29_497_344,
        "history": [{key: value for key, value in row.items() if key != "seed"} for row in maker.learn(0)],
        "best_epoch": max(1, maker.epochs - 2),
    }
    found: list[tuple[str, float, float, dict[str, Any]]] = [
        ("prepare", 3.2, 210.0, {"task": task}),
        ("base", 61.8, 1400.0, pair),
        ("finetune", 44.1, 1630.0, pair | {"finetune": finetune}),
        ("cache_teacher", 12.0, 1500.0, pair),
        ("train_student", 21.7, 820.0, pair),
        ("compare", 5.0, 500.0, pair | {"comparator": "linear"}),
    ]
    return [
        {"stage": stage, "seconds": seconds, "peak_memory_mib": memory, **own, **shared}
        for stage, seconds, memory, own in found
    ]


@pytest.fixture(name="make_run", scope="session")
def fixture_make_run() -> Any:
    """The maker itself, for tests that vary it."""
    return make_run
