"""What the measured cells say of the claims: targets, paired tests, break-even.

In: parts and units, as the page reads them.  Out: judge(), find_mean(), from_digits(), TARGETS, Found.
Imports: NumPy, SciPy by way of pipeline.evaluation.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.evaluation.metrics import adjust_p_values, compare_answers

BEHIND, WORSE = 0.005, 0.002
TARGETS = {"thematic": (0.75, 0.15), "emotion": (0.79, 0.08)}
Found = dict[tuple[str, ...], dict[str, Any]]


def judge(tasks: Sequence[str], parts: Found, units: Found) -> list[str]:
    """What the cells say of the claims, as lines of the page."""
    lines = ["## What it says", ""]
    for task in tasks:
        if task in TARGETS:
            lines += _judge_target(task, parts)
        lines += _judge_break_even(task, parts)
    against: list[tuple[tuple[str, ...], float, Any]] = []
    worse: list[tuple[tuple[str, ...], float, Any]] = []
    alone: list[tuple[tuple[str, ...], float, Any]] = []
    for key, found in sorted(parts.items()):
        model, _, how = key[4].partition("-")
        truth = from_digits(units[key[:3]]["classes"])
        if key[4] == "quantum-labels_alone-0" and (other := parts.get((*key[:4], "logistic-labels_alone-0"))):
            alone.append(_compare(key, found, other, truth))
        if model != "quantum" or not how.startswith("distilled-"):
            continue
        if (other := parts.get((*key[:4], f"logistic-{how}"))) is not None:
            against.append(_compare(key, found, other, truth))
        if key[1] == "all" and (other := parts.get((*key[:4], "quantum-labels_alone-0"))) is not None:
            worse.append(_compare(key, found, other, truth))
    lines += _judge_pairs("Distilled, the quantum student against logistic regression", against, BEHIND)
    lines += _judge_pairs("Labels alone, the quantum student against logistic regression", alone, BEHIND)
    lines += _judge_pairs("With all labels, distilled against labels alone", worse, WORSE)
    return [*lines, ""]


def _compare(key: tuple[str, ...], one: dict[str, Any], other: dict[str, Any], truth: np.ndarray) -> Any:
    test = compare_answers(truth, from_digits(one["answers"]), from_digits(other["answers"]))
    return key, float(np.mean(one["accuracy"]) - np.mean(other["accuracy"])), test


def _judge_pairs(title: str, pairs: Sequence[Any], most: float) -> list[str]:
    if not pairs:
        return []
    adjusted = adjust_p_values([test.p_value for _, _, test in pairs])
    behind = [
        "/".join([*key[:4], key[4].rpartition("-")[2]])
        for (key, _, test), p in zip(pairs, adjusted, strict=True)
        if p < 0.05 and test.second_alone > test.first_alone
    ]
    ahead = sum(
        p < 0.05 and test.first_alone > test.second_alone for (_, _, test), p in zip(pairs, adjusted, strict=True)
    )
    mean = float(np.mean([difference for _, difference, _ in pairs]))
    word = "holds" if mean >= -most and not behind else "does not hold"
    where = f" ({', '.join(behind)})" if behind else ""
    return [
        f"- {title}: {mean:+.4f} in the mean of {len(pairs)} cells (no more than {most} behind is asked for); "
        f"significantly ahead in {ahead}, behind in {len(behind)}{where} (McNemar, Holm over the table). This {word}."
    ]


_OF_TARGET = (("quantum", "distilled-6000"), ("quantum", "labels_alone-0"), ("logistic", "labels_alone-0"))


def _judge_target(task: str, parts: Found) -> list[str]:
    draws = sorted({key[2] for key in parts if key[:2] == (task, "240")})
    pairs = [[find_mean(parts, (task, "240", draw, "corpus"), *part) for part in _OF_TARGET] for draw in draws]
    pairs = [pair for pair in pairs if None not in pair]
    if not pairs:
        return []
    distilled, alone, linear = np.mean(np.array(pairs, float), axis=0)
    accuracy, gain = TARGETS[task]
    met = ["met" if distilled >= accuracy else "missed", "met" if distilled - alone >= gain else "missed"]
    return [
        f"- {task}, 240 labels, 6,000 unlabelled texts, `corpus`: {distilled:.3f} (asked for: {accuracy}, {met[0]}), "
        f"{distilled - alone:+.3f} over labels alone, {alone:.3f} (asked for: {gain}, {met[1]}); "
        f"{distilled - linear:+.3f} over logistic regression of the labels alone, {linear:.3f}; draws: {len(pairs)}."
    ]


def _judge_break_even(task: str, parts: Found) -> list[str]:
    """How many labels the better of both models needs without a teacher for what the student has with 240 and one."""
    curve = []
    for labels in (64, 240, 1200):
        reach = []
        for model in ("quantum", "logistic"):
            wanted = (task, str(labels)), ("corpus", f"{model}-labels_alone-0")
            keys = [key for key in parts if (key[:2], key[3:]) == wanted]
            reach += [float(np.mean([np.mean(parts[key]["accuracy"]) for key in keys]))] if keys else []
        if reach:
            curve.append((labels, max(reach)))
    keys = [key for key in parts if key[:2] == (task, "240") and key[3:] == ("corpus", "quantum-distilled-6000")]
    if not keys or len(curve) < 2:
        return []
    reached = float(np.mean([np.mean(parts[key]["accuracy"]) for key in keys]))
    above = next((one for one in curve if one[1] >= reached), None)
    if above is None:
        return [f"- {task}: what 240 labels, a teacher and 6,000 unlabelled texts give ({reached:.3f}) takes more than "
                f"{curve[-1][0]:,} labels without one, the better of both models ({curve[-1][1]:.3f})."]  # fmt: skip
    below = max((one for one in curve if one[0] < above[0]), default=above)
    share = 0.0 if above == below else (reached - below[1]) / (above[1] - below[1])
    labels = round(float(np.exp(np.log(below[0]) + share * np.log(above[0] / below[0]))), -1)
    return [
        f"- {task}: what 240 labels, a teacher and 6,000 unlabelled texts give ({reached:.3f}) takes some "
        f"{labels:,.0f} labels without one, the better of both models (between cells by the logarithm of their number)."
    ]


def find_mean(parts: Found, unit: tuple[str, ...], model: str, how: str) -> float | None:
    """Accuracy of one cell, the mean over its seeds; None where it was not measured."""
    found = parts.get((*unit, f"{model}-{how}"))
    return None if found is None else float(np.mean(found["accuracy"]))


def from_digits(digits: str) -> np.ndarray:
    """Classes (texts,) that were kept as one digit each."""
    return np.frombuffer(digits.encode(), np.uint8) - ord("0")
