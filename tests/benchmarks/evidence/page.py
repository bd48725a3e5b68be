"""docs/evidence.md from the parts that are there: tables, and what they say of the claims.

In: the folder of run_evidence.  Out: write_page().  Imports: NumPy, SciPy by way of pipeline.evaluation.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.evaluation.metrics import estimate_mean
from teacher_cache.publish import publish_file
from tests.benchmarks.evidence.parts import LAYERS, QUBITS
from tests.benchmarks.evidence.verdicts import TARGETS, Found, find_mean, from_digits, judge

POOLS = ("0", "1000", "6000", "all")


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
    lines += judge(tasks, parts, units)
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
    file = next(out.glob("*/*/*/features-encoder/embedder.json"), None)
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
                return [find_mean(parts, (task, name, draw, kind), model, how) for draw in draws]

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
    return float((from_digits(unit["teacher"]) == from_digits(unit["classes"])).mean())


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


def _format(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]
