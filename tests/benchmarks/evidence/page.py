"""docs/evidence.md from the parts that are there: tables, paired tests, what they say of the claims.

In: the folder of run_evidence.  Out: write_page().  Imports: NumPy, SciPy by way of pipeline.evaluation.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.evaluation.metrics import adjust_p_values, compare_answers, estimate_mean
from teacher_cache.publish import publish_file
from tests.benchmarks.evidence.parts import LAYERS, QUBITS

POOLS = ("0", "1000", "6000", "all")
BEHIND, WORSE = 0.005, 0.002
TARGETS = {"thematic": (0.75, 0.15), "emotion": (0.79, 0.08)}
Found = dict[tuple[str, ...], dict[str, Any]]


def write_page(out: Path, page: Path) -> None:
    """Write `page` from what is in `out`."""
    parts, units = _read(out / "parts"), _read(out / "units")
    if not parts:
        return
    settings = json.loads((out / "settings.json").read_text(encoding="utf-8"))
    kinds = sorted({key[3] for key in parts})
    tasks = sorted({key[0] for key in parts}, key=lambda task: (task not in TARGETS, task))
    lines = [*_head(units, parts, settings), *_describe_encoder(out)]
    for task in tasks:
        for kind in kinds:
            lines += _tabulate(task, kind, parts, units)
    lines += _judge(tasks, parts, units)
    for task in tasks:
        lines += _tabulate_ceiling(task, kinds[0], parts, units)
    lines += _tabulate_lelp(tasks, parts)
    with publish_file(page) as temporary:
        temporary.write_text("\n".join(lines).rstrip("\n") + "\n", encoding="utf-8")


def _read(folder: Path) -> Found:
    files = sorted(folder.rglob("*.json"))
    return {
        file.relative_to(folder).with_suffix("").parts: json.loads(file.read_text(encoding="utf-8")) for file in files
    }


def _head(units: Found, parts: Found, settings: dict[str, Any]) -> list[str]:
    first = next(iter(units.values()))
    machine, base, teacher = first["machine"], first["base"], settings["teacher"]
    versions = {**first["versions"], **machine["versions"]}
    named = ", ".join(
        f"{name} {versions[name]}" for name in ("torch", "transformers", "peft", "jax", "numpy") if name in versions
    )
    commits = ", ".join(sorted({one["commit"] or "not known" for one in [*units.values(), *parts.values()]}))
    processors = ", ".join(
        sorted({one["machine"]["cpu"] for one in units.values()} | {one["cpu"] for one in parts.values()})
    )
    chosen = {"loss": "plain", "calibrated_loss": "calibrated"}[teacher["finetune"].get("epoch_by", "loss")]
    limit = f" Of each task the first {settings['limit']} texts alone: a trial." if settings["limit"] else ""
    return [
        f"# What a teacher is worth: {first['dtype']}, epochs by the {chosen} loss",
        "",
        "```sh",
        f'make evidence DATA=FOLDER LLM=FOLDER OPTIONS="--dtype {first["dtype"]}"    # goes on where it was stopped',
        "```",
        "",
        "Written by that command from what it measured; not by hand. In a cell test texts choose nothing: setting,",
        "epoch and seed are those of validation, a quarter of the labels. The teacher's learning rate, the students'",
        "loss, steps and grid were found before on texts of the same files, in part by accuracy on test texts.",
        "",
        f"**Teacher**: {Path(base['model']).name} ({base['weights']}), {base['parameters']:,} parameters, LoRA of rank "
        f"{teacher['finetune']['rank']}, computed in {first['dtype']}, every number of this page; of its epochs "
        f"the one with the smallest {chosen} loss on validation.{limit}",
        f"**Students**: the quantum student (11 qubits, 4 layers, engine `{settings['student']['engine']}`; the mean",
        "over its seeds) and logistic regression",
        "(LR), both on the same features, both tuned, both trained on the teacher's probabilities of labelled and",
        "unlabelled texts and on the labels. **Labels alone** is the same student, tuned with the same grid, on the",
        "labelled texts; **all labels** on all texts of the training split, its setting and epoch still chosen on the",
        "few validation labels (in a row of all labels it is labels alone). Features are fitted on all texts of the",
        "training split, in every cell; their class weights see the labels that the row has. The pool is the training",
        "split without the labelled texts; the test",
        "split is the last fifth of a file. Each draw of labels has a teacher of its own; a row's columns are means",
        "over the same draws, ± is half of the 95 % interval over them, and a cell that is empty was not measured.",
        "",
        f"Machine: {processors}, {machine['cores']} cores, load {machine['load']:.1f} at the start; Python "
        f"{machine['python']}; {named}; commit {commits}.",
        "",
    ]


def _describe_encoder(out: Path) -> list[str]:
    """Whose features those of the kind `encoder` are; nothing where there are none."""
    file = next(iter(sorted(out.glob("*/*/*/features-encoder/embedder.json"))), None)
    if file is None:
        return []
    embedder = json.loads(file.read_text(encoding="utf-8"))
    return [
        "Features `encoder`: the mean of the last hidden states of the frozen encoder `"
        f"{Path(embedder['config']['checkpoint']).name}`, {embedder['dimensions']} numbers a text. Its "
        f"{embedder['inference_parameters']:,} parameters are the student's too when it answers; what it was trained "
        "on, maybe labels of other texts, is not counted among the labels.",
        "",
    ]


def _tabulate(task: str, kind: str, parts: Found, units: Found) -> list[str]:
    rows = []
    for name in ("64", "240", "1200", "all"):
        for pool in POOLS:
            needed = [f"quantum-distilled-{pool}", "quantum-labels_alone-0"]
            draws = sorted({key[2] for key in parts if key[:2] == (task, name) and key[3] == kind})
            draws = [draw for draw in draws if all((task, name, draw, kind, part) in parts for part in needed)]
            if not draws:
                continue

            def take(model: str, how: str, name: str = name, draws: Sequence[str] = draws) -> list[float | None]:
                return [_mean(parts, (task, name, draw, kind), model, how) for draw in draws]

            distilled, alone = take("quantum", f"distilled-{pool}"), take("quantum", "labels_alone-0")
            gains = [a - b for a, b in zip(distilled, alone, strict=True) if a is not None and b is not None]
            teacher = _spread([_score_teacher(units[task, name, draw]) for draw in draws])
            quantum = [_spread(alone), _spread(distilled), _spread(gains, sign=True), teacher]
            linear = [take("logistic", how) for how in ("labels_alone-0", f"distilled-{pool}", "all_labels-all")]
            whole = _spread(take("quantum", "all_labels-all"))
            rows.append([name, pool, str(len(draws)), *quantum, whole, *map(_spread, linear)])
    if not rows:
        return []
    head = [
        "labels",
        "pool",
        "draws",
        "labels alone",
        "distilled",
        "gain",
        "teacher",
        "all labels",
        "LR: labels alone",
        "LR: distilled",
        "LR: all labels",
    ]
    return [f"## {task}, features `{kind}`, test accuracy", "", *_format(head, rows), ""]


def _judge(tasks: Sequence[str], parts: Found, units: Found) -> list[str]:
    """What the cells say of the claims."""
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
        truth = _from_digits(units[key[:3]]["classes"])
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
    test = compare_answers(truth, _from_digits(one["answers"]), _from_digits(other["answers"]))
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
    pairs = [[_mean(parts, (task, "240", draw, "corpus"), *part) for part in _OF_TARGET] for draw in draws]
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


def _tabulate_ceiling(task: str, kind: str, parts: Found, units: Found) -> list[str]:
    unit = (task, "240", "0")
    found = {key[4].removeprefix("quantum-").partition("-")[0]: one for key, one in parts.items()
             if key[:4] == (*unit, kind) and "x" in key[4].split("-")[1]}  # fmt: skip
    if not found:
        return []
    rows = [[str(qubits), *(_show(found.get(f"{qubits}x{layers}")) for layers in LAYERS)] for qubits in QUBITS]
    mlp = parts.get((*unit, kind, "mlp-distilled-all"))
    return [
        f"## {task}: the student's ceiling",
        "",
        "240 labels (the first draw), all of the pool, three seeds, without a grid. The teacher: "
        f"{_score_teacher(units[unit]):.4f}" + (f"; an MLP of the student's size: {_show(mlp)}." if mlp else "."),
        "",
        *_format(["qubits", *(f"{layers} layers" for layers in LAYERS)], rows),
        "",
    ]


def _tabulate_lelp(tasks: Sequence[str], parts: Found) -> list[str]:
    rows = []
    for task in tasks:
        for key in sorted(key for key in parts if key[0] == task and key[4] == "lelp-distilled-all"):
            plain = parts.get((*key[:4], "quantum-distilled-all"))
            rows.append([task, _show(parts[key]), _show(plain)])
    if not rows:
        return []
    return [
        "## One trial of subclasses (LELP, arXiv:2409.20449)",
        "",
        "Each class is cut into four by the first two principal directions of the teacher's last hidden states; the",
        "student learns the subclasses' probabilities. 240 labels (the first draw), all of the pool.",
        "",
        *_format(["task", "subclasses", "classes"], rows),
        "",
    ]


def _score_teacher(unit: dict[str, Any]) -> float:
    return float((_from_digits(unit["teacher"]) == _from_digits(unit["classes"])).mean())


def _mean(parts: Found, unit: tuple[str, ...], model: str, how: str) -> float | None:
    found = parts.get((*unit, f"{model}-{how}"))
    return None if found is None else float(np.mean(found["accuracy"]))


def _spread(values: Sequence[float | None], sign: bool = False) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    mean = f"{np.mean(known):+.3f}" if sign else f"{np.mean(known):.3f}"
    if len(known) < 2:
        return mean
    interval = estimate_mean(known)
    return f"{mean} ± {interval.mean - interval.low:.3f}"


def _show(found: dict[str, Any] | None) -> str:
    return "" if found is None else f"{np.mean(found['accuracy']):.4f}"


def _from_digits(digits: str) -> np.ndarray:
    return np.frombuffer(digits.encode(), np.uint8) - ord("0")


def _format(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]
