"""What a model costs: the times of figure 3, and what the paper leaves out.

In: summaries.  Out: tabulate_times, tabulate_related, tabulate_costs, tabulate_tests.
Imports: pipeline.evaluation.metrics.
"""

from collections.abc import Sequence
from typing import Any

from pipeline.evaluation.metrics import adjust_p_values
from pipeline.report.columns import TASK, TEACHER, Column, Table
from pipeline.report.paper.beside import Cell
from pipeline.report.paper.models import average_cost, average_score, list_models
from pipeline.report.paper.published import COMPRESSING, METHODS, OVERALL, RELATED, STUDENT, find_published, name_task
from pipeline.report.summary_checks import Record, Summary, name_pair

_METHOD = Column("method", "Method")
_TEACHER = "teacher"  # what figure 3 calls the original LLMs
_MEBIBYTE = 2**20


def tabulate_times(summaries: Sequence[Summary]) -> Table:
    """Figure 3's bars, means over the teachers: the paper's distillation times follow from its Acc and Acc/Tkd."""
    columns = (
        *(TASK, Column("time", "Time"), _METHOD),
        *(Column("paper", "Paper (s)", "significant"), Column("ours", "Ours (s)", "significant")),
    )
    records: list[Record] = []
    for task in dict.fromkeys(one["task"] for one in summaries):
        chosen = [one for one in summaries if one["task"] == task]
        models = [model for one in chosen for model in list_models(one)]
        for method in (*COMPRESSING.values(), STUDENT):
            mine = [model for model in models if model.method == method]
            names = {"task": task, "method": method}
            paper = find_published("tables_4_to_6", task=name_task(task), teacher=OVERALL, method=method)
            seconds = paper["accuracy"] / paper["accuracy_per_second"] if paper else None
            ours = average_cost(mine, lambda model: model.seconds_per_epoch)
            records.append(names | {"time": "distillation", "paper": seconds, "ours": ours})
            ours = average_cost(mine, lambda model: model.inference_seconds)
            records.append(names | {"time": "inference", "paper": None, "ours": ours})
        captures = [_find_record(one, "cache_teacher")["seconds"] / one["card"]["rows"] * 1000 for one in chosen]
        names = {"task": task, "time": "inference", "method": _TEACHER}
        records.append(names | {"paper": None, "ours": sum(captures) / len(captures)})
    known = [one for one in records if one["paper"] is not None or one["ours"] is not None]
    known.sort(key=lambda one: one["time"])
    title = "Figure 3: seconds for an epoch of distillation, and for inference on 1,000 texts"
    return Table.build("figure_3", title, columns, known)


def tabulate_related(summaries: Sequence[Summary]) -> Table:
    """Figure 4's bars, means over the teachers; of the paper's bars, tables 4 to 6 print QD-LLM's alone."""
    columns = (
        *(TASK, Column("measure", "Measure"), _METHOD, Column("paper", "Paper", "fraction")),
        *(Column("ours", "Ours", "fraction"), Column("low", "95 % low", "fraction")),
        Column("high", "95 % high", "fraction"),
    )
    records: list[Record] = []
    for task in dict.fromkeys(one["task"] for one in summaries):
        models = [model for one in summaries if one["task"] == task for model in list_models(one)]
        for key, measure in {"accuracy": "Acc", "f1": "F1"}.items():
            for method in (*RELATED.values(), STUDENT):
                mine = [model for model in models if model.method == method]
                if mine:
                    paper = find_published("tables_4_to_6", task=name_task(task), teacher=OVERALL, method=method)
                    cell = Cell(paper.get(key), average_score(mine, key))
                    ends: dict[str, Any] = cell.interval._asdict() if cell.interval else {}
                    names = {"task": task, "measure": measure, "method": method}
                    records.append(ends | names | {"paper": cell.paper, "ours": cell.mean})
    return Table.build("figure_4", "Figure 4: models made for these tasks", columns, records)


def tabulate_costs(summaries: Sequence[Summary]) -> Table:
    """Every model's parameters with the frozen encoder counted, its memory, its time and where it started from."""
    columns = (
        *(TASK, TEACHER, _METHOD, Column("trained_parameters", "Trained parameters", "count")),
        Column("inference_parameters", "Parameters at inference", "count"),
        Column("peak_memory_mib", "Peak memory (MiB)", "mebibytes"),
        Column("seconds_per_epoch", "Epoch, all seeds (s)", "seconds"),
        Column("seconds_with_teacher", "Epoch with its share of the capture (s)", "seconds"),
        Column("inference_seconds", "Inference, 1,000 texts (s)", "significant"),
        *(Column("size", "Size"), Column("initialised_from", "Started from")),
    )
    records: list[Record] = []
    for one in summaries:
        capture, size = _find_record(one, "cache_teacher"), one["teacher_model"]
        teacher = {
            "method": _TEACHER,
            "trained_parameters": size["trainable_parameters"],
            "inference_parameters": size["parameters"],
            "peak_memory_mib": capture["peak_memory_mib"],
            "inference_seconds": capture["seconds"] / one["card"]["rows"] * 1000,
        }
        records.append(name_pair(one) | teacher)
        for model in list_models(one):
            whole = model.whole
            measured = {
                "method": model.method,
                "trained_parameters": model.trained_parameters,
                "inference_parameters": model.inference_parameters,
                "peak_memory_mib": whole["peak_memory_bytes"] / _MEBIBYTE,
                "seconds_per_epoch": model.seconds_per_epoch,
                "seconds_with_teacher": model.seconds_per_epoch + capture["seconds"] / model.epochs,
                "inference_seconds": model.inference_seconds,
                "size": whole.get("size"),
                "initialised_from": _describe_start(whole.get("initialised_from")),
            }
            records.append(name_pair(one) | measured)
    return Table.build("costs", "Parameters, memory and time of every model", columns, records)


def tabulate_tests(summaries: Sequence[Summary]) -> Table:
    """McNemar's test between the student and each rival, on the test split, each by its selected seed."""
    columns = (
        *(TASK, TEACHER, Column("rival", "Rival"), Column("texts", "Texts", "count")),
        *(Column("student_alone", "Only QD-LLM right", "count"), Column("rival_alone", "Only rival right", "count")),
        *(Column("p_value", "p (McNemar)", "significant"), Column("p_adjusted", "p (Holm)", "significant")),
        Column("verdict", "At 5 %"),
    )
    records: list[Record] = [
        name_pair(one) | {"rival": title} | one["mcnemar"][name]
        for one in summaries
        for name, title in METHODS.items()
        if name in one["mcnemar"]
    ]
    adjusted = adjust_p_values([record["p_value"] for record in records])
    for record, p_adjusted in zip(records, adjusted, strict=True):
        record |= {"p_adjusted": p_adjusted, "verdict": _judge(record, p_adjusted)}
    return Table.build("mcnemar", "McNemar's test: QD-LLM against each rival", columns, records)


def _judge(record: Record, p_adjusted: float) -> str:
    if p_adjusted >= 0.05:
        return "no difference found"
    return "QD-LLM better" if record["student_alone"] > record["rival_alone"] else "rival better"


def _find_record(summary: Summary, stage: str) -> Record:
    return next(record for record in summary["records"] if record["stage"] == stage)


def _describe_start(start: Any) -> str | None:
    """`scratch`, or a checkpoint's name with the head of its checksum."""
    return f"{start['path']} ({start['sha256'][:12]})" if isinstance(start, dict) else start
