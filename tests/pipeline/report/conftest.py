"""Summaries as the stage evaluate writes them, with made-up numbers that look like a real run's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

CIRCUIT = """<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 900 120">
  <defs><clipPath id="box"><rect width="900" height="120"/></clipPath><path id="gate" d="M0 0h40v40h-40z"/></defs>
  <g clip-path="url(#box)"><use xlink:href="#gate" x="40" y="20" style="fill: #ffffff; stroke: #000000"/></g>
  <text x="44" y="45">RX</text>
</svg>"""


def make_summary(
    task: str = "emotion",
    teacher: str = "bloom-local",
    labels: tuple[str, ...] = ("negative", "positive"),
    seeds: int = 5,
    controls: bool = True,
    rivals: tuple[str, ...] = (),
    losses: tuple[str, ...] = (),
    accuracy: float = 0.81,
    epochs: int = 6,
) -> dict[str, Any]:
    """One summary; `accuracy` is about the student's."""
    random = np.random.default_rng(len(task) * 31 + len(teacher))
    classes = len(labels)

    def score(level: float, close: bool = True, interval: bool = True) -> dict[str, Any]:
        level = float(level + random.normal(0, 0.004))
        names = ("precision", "recall", "f1")
        found = {"accuracy": level} | {name: level + float(random.normal(0, 0.003)) for name in names}
        found |= {"ece": float(random.uniform(0.01, 0.06)), "nll": float(random.uniform(0.4, 0.6))}
        if close:
            found |= {"agreement": min(0.99, level + 0.08), "kl": float(random.uniform(0.03, 0.2))}
        if interval:
            margin = float(random.uniform(0.003, 0.009)) if seeds > 1 else 0.0
            found |= {"accuracy_low": level - margin, "accuracy_high": level + margin}
        return found

    def learn(seed: int | None, base: float) -> list[dict[str, Any]]:
        steps = np.exp(-np.arange(epochs) / 2) * (1 + random.normal(0, 0.08))
        return [
            ({} if seed is None else {"seed": seed})
            | {
                "epoch": epoch + 1,
                "train_loss": float(0.25 + 0.4 * steps[epoch]),
                "validation_loss": float(0.31 + 0.33 * steps[epoch] + 0.006 * epoch),
                "validation_accuracy": float(base - 0.25 * steps[epoch]),
            }
            for epoch in range(epochs)
        ]

    def confuse(level: float) -> list[list[int]]:
        wrong = (1 - level) / (classes - 1)
        share = np.full((classes, classes), wrong) + np.eye(classes) * (level - wrong)
        return [random.multinomial(400, row / row.sum()).tolist() for row in share]

    def bin_confidence(gap: float) -> list[dict[str, Any]]:
        places = np.linspace(1 / classes + 0.03, 0.98, 11)
        counts = (20 + 300 * places**4).astype(int)
        rows = zip(places, counts, strict=True)
        return [
            {
                "confidence": float(place),
                "accuracy": float(np.clip(place - gap * (place - 0.3) + random.normal(0, 0.02), 0, 1)),
                "count": int(count),
            }
            for place, count in rows
        ]

    def record(stage: str, seconds: float, memory: float, **names: str) -> dict[str, Any]:
        return {
            "stage": stage,
            **names,
            "seconds": seconds,
            "peak_memory_mib": memory,
            "started": "2025-05-04T10:20:30+00:00",
            "machine": {"system": "Linux", "processor": "x86_64", "cores": 2},
            "versions": {"python": "3.11.2", "jax": "0.10.2"},
            "commit": "0123456789ab",
        }

    lengths = random.gamma(4, 5, 4000) + 3
    counts, edges = np.histogram(lengths, bins=20)
    texts = dict.fromkeys(labels, 2000 // classes)
    pair = {"task": task, "teacher": teacher}
    history = learn(None, accuracy + 0.04)
    summary = pair | {
        "labels": list(labels),
        "card": {
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
        },
        "teacher_model": {
            "kind": "local",
            "name": teacher,
            "revision": None,
            "parameters": 1_065_314_304,
            "trainable_parameters": 29_497_344,
            "finetune": {"history": history, "best_epoch": max(1, epochs - 2)},
        },
        "student": {
            "config": {
                "circuit": {
                    "qubits": 11,
                    "layers": 4,
                    "entanglement": "chain",
                    "rotations": "triple",
                    "readout": "linear",
                },
                "loss": {"soft": 0.9, "hard": 0.1, "kl": 1.0, "js": 1.0, "temperature": 1.0},
                "engine": "fused",
                "learning_rate": 0.003,
                "schedule": "cosine",
                "batch_size": 64,
                "epochs": epochs,
                "clip_norm": None,
                "seeds": seeds,
            },
            "embed": {"kind": "corpus", "dimensions": 768},
            "trainable_parameters": 8_811,
            "dead_parameters": 33,
            "inference_parameters": 8_811 + 768 * 9_000,
            "selected_seed": 0,
            "seconds_per_epoch": 0.61,
            "inference_seconds": 0.02,
            "inference_texts": 800,
            "peak_memory_bytes": 860 * 2**20,
            "engine": "fused",
        },
        "metrics": {
            split: {"teacher": score(accuracy + 0.04, close=False, interval=False), "student": score(accuracy)}
            for split in ("validation", "test")
        },
        "seeds": [
            {"seed": seed, "validation": score(accuracy, interval=False), "test": score(accuracy, interval=False)}
            for seed in range(seeds)
        ],
        "confusion": {"teacher": confuse(accuracy + 0.04), "student": confuse(accuracy)},
        "reliability": {"teacher": bin_confidence(0.12), "student": bin_confidence(-0.05)},
        "curves": [row for seed in range(seeds) for row in learn(seed, accuracy)],
        "records": [
            record("prepare", 3.2, 210.0, task=task),
            record("base", 61.8, 1400.0, **pair),
            record("finetune", 44.1, 1630.0, **pair),
            record("cache_teacher", 12.0, 1500.0, **pair),
            record("train_student", 21.7, 820.0, **pair),
        ],
    }
    if controls:
        levels = {"linear": -0.012, "mlp": -0.002, "no_entanglement": -0.03, "frozen_circuit": -0.06}
        summary["controls"] = {
            name: {"test": score(accuracy + step), "trainable_parameters": 1_538 if name == "linear" else 8_800}
            for name, step in levels.items()
        }
    summary["losses"] = {
        name: {"seeds": [{"seed": seed, "test": score(accuracy - 0.02)} for seed in range(seeds)]} for name in losses
    }
    summary["baselines"] = {
        name: {
            "seeds": [{"seed": seed, "test": score(accuracy + 0.01)} for seed in range(seeds)],
            "parameters": {"trainable": 14_350_000 + place, "inference": 14_350_000 + place},
            "seconds_per_epoch": 4.2,
            "inference_seconds": 1.6,
            "inference_texts": 800,
            "peak_memory_bytes": 1_900 * 2**20,
            "initialised_from": "scratch",
            "size": "small",
            "curves": learn(0, accuracy),
        }
        for place, name in enumerate(rivals)
    }
    summary["mcnemar"] = {
        name: {"texts": 800, "student_alone": 40, "rival_alone": 70 + place, "p_value": 0.005 / (1 + place)}
        for place, name in enumerate(rivals)
    }
    return summary


@pytest.fixture(name="make_summary", scope="session")
def fixture_make_summary() -> Callable[..., dict[str, Any]]:
    """The maker itself, for tests that vary it."""
    return make_summary


@pytest.fixture(scope="session")
def circuit() -> str:
    """A small drawn circuit with ids that refer to each other."""
    return CIRCUIT
