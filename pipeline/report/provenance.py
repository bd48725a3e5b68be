"""Tables of where the results come from: what was run, data, teachers, settings, parameters, time and memory.

In: runs.  Out: one function per table, name_pair.  Imports: the cache's schema, for the splits' names.

Cards and records may be missing; then a value is missing, or the row that would hold it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.evaluation.summary import Start
from pipeline.report.columns import EPOCHS, TASK, TEACHER, Column, Table
from pipeline.report.paired_tests import STUDENT
from pipeline.report.runs import Record, Run
from teacher_cache.schema import LABELLED_SPLITS

_ENTRY, _VALUE = Column("entry", "Entry"), Column("value", "Value")
_MODEL = Column("model", "Model")


def tabulate_run(runs: Sequence[Run], profile: str) -> Table:
    """Profile, tasks, teachers, seeds, dates, commits, machines; each once for each different value."""
    records = _list_records(runs)
    started = sorted(record["started"] for record in records if "started" in record)
    found: list[tuple[str, Any]] = [
        ("profile chosen last", profile),
        ("tasks", ", ".join(dict.fromkeys(run.task for run in runs))),
        ("teachers", ", ".join(dict.fromkeys(run.teacher for run in runs))),
        ("seeds per student", ", ".join(sorted({str(len(run.summary.seeds)) for run in runs}))),
        *([("first and last run", f"{started[0]} to {started[-1]}")] if started else []),
        *(("commit", commit) for commit in sorted({record.get("commit") or "not known" for record in records})),
        *(("machine", machine) for machine in list_machines(runs)),
    ]
    return Table.build(
        "run", "What was run", (_ENTRY, _VALUE), [{"entry": key, "value": value} for key, value in found]
    )


def tabulate_data(runs: Sequence[Run]) -> Table:
    """The chief numbers of every task's data card."""
    columns = (
        *(TASK, Column("source", "Source"), Column("rows_read", "Texts read", "count")),
        *(Column("dropped", "Dropped", "count"), Column("rows", "Kept", "count")),
        *(Column("labelled", "Labelled", "count"), Column("pool", "Pool", "count")),
        Column("mean_words", "Mean length (words)", "words"),
        Column("median_words", "Median length (words)", "words"),
        Column("distinct_words", "Distinct words", "count"),
    )
    records = (
        {
            **card,
            "source": card["source"]["kind"],
            "dropped": sum(card["drops"].values()),
            "labelled": card["rows"] - card.get("pool", {}).get("texts", 0),
            "pool": card.get("pool", {}).get("texts", 0),
            "mean_words": card["words"]["mean"],
            "median_words": card["words"]["median"],
        }
        for card in list_cards(runs).values()
    )
    return Table.build("data", "Texts", columns, records)


def tabulate_cards(runs: Sequence[Run]) -> Table:
    """Every entry of every task's data card but its split sizes and histograms, which have tables of their own."""
    records = (
        {"task": task, "entry": entry, "value": value}
        for task, card in list_cards(runs).items()
        for entry, value in _flatten({key: inner for key, inner in card.items() if key not in {"task", "splits"}})
        if ".histogram." not in entry
    )
    return Table.build("cards", "Data cards", (TASK, _ENTRY, _VALUE), records)


def tabulate_splits(runs: Sequence[Run]) -> Table:
    """Texts of every class in every split."""
    columns = (
        TASK,
        Column("label", "Class"),
        *(Column(split, split.capitalize(), "count") for split in LABELLED_SPLITS),
    )
    labels = {run.task: run.summary.labels for run in runs}
    records = (
        {"task": task, "label": label} | {split: card["splits"].get(split, {}).get(label) for split in LABELLED_SPLITS}
        for task, card in list_cards(runs).items()
        for label in labels[task]
    )
    return Table.build("splits", "Texts by class and split", columns, records)


def tabulate_lengths(runs: Sequence[Run]) -> Table:
    """Histogram of the texts' lengths in words."""
    columns = (
        *(TASK, Column("from_words", "From (words)", "words"), Column("to_words", "To (words)", "words")),
        Column("count", "Texts", "count"),
    )
    histograms = {task: card["words"]["histogram"] for task, card in list_cards(runs).items()}
    records = (
        {"task": task, "from_words": low, "to_words": high, "count": count}
        for task, found in histograms.items()
        for low, high, count in zip(found["edges"][:-1], found["edges"][1:], found["counts"], strict=True)
    )
    return Table.build("lengths", "Lengths of the texts", columns, records)


def tabulate_teachers(runs: Sequence[Run]) -> Table:
    """What each teacher is, as far as its records say."""
    columns = (
        *(TASK, TEACHER, Column("kind", "Kind"), Column("name", "Model"), Column("revision", "Revision")),
        Column("parameters", "Parameters", "count"),
        Column("trainable_parameters", "Trained in fine-tuning", "count"),
        Column("best_epoch", "Best epoch", "count"),
    )
    return Table.build("teachers", "Teachers", columns, (run.describe_teacher() | run.names for run in runs))


def tabulate_finetune(runs: Sequence[Run]) -> Table:
    """The teacher's fine-tuning, one row per epoch."""
    records = (run.names | epoch for run in runs for epoch in run.describe_teacher().get("history", []))
    return Table.build("finetune", "Fine-tuning, by epoch", (TASK, TEACHER, *EPOCHS), records)


def tabulate_settings(runs: Sequence[Run]) -> Table:
    """Every setting of every student and comparator, the engine that ran, the seed that was selected."""
    columns = (TASK, TEACHER, _MODEL, Column("entry", "Setting"), _VALUE)
    records = (
        run.names | {"model": name, "entry": entry, "value": value}
        for run in runs
        for name, said in (
            (STUDENT, {"embed": run.summary.embed, "engine used": run.summary.engine}),
            (STUDENT, _list_settings(run.summary)),
            *((name, _list_settings(one)) for name, one in run.comparisons.items()),
        )
        for entry, value in _flatten(said)
    )
    return Table.build("settings", "Settings of students and comparators", columns, records)


def tabulate_costs(runs: Sequence[Run]) -> Table:
    """Parameters, time and memory of every model; the teacher's time is that of its capture, its start included."""
    columns = (
        *(TASK, TEACHER, _MODEL, Column("trained_parameters", "Trained parameters", "count")),
        Column("dead_parameters", "Dead parameters", "count"),
        Column("inference_parameters", "Parameters at inference", "count"),
        Column("seconds_per_epoch", "Epoch, all seeds (s)", "seconds"),
        Column("seconds_with_teacher", "Epoch with its share of the capture (s)", "seconds"),
        Column("inference_seconds", "Inference, 1,000 texts (s)", "significant"),
        Column("peak_memory_mib", "Peak memory (MiB)", "mebibytes"),
        Column("started_from", "Started from"),
    )
    records = (record for run in runs for record in _list_costs(run))
    return Table.build("costs", "Parameters, time and memory of every model", columns, records)


def tabulate_stages(runs: Sequence[Run]) -> Table:
    """Time and memory of every stage's run; a run that several pairs share appears once."""
    columns = (
        *(Column("stage", "Stage"), TASK, TEACHER, Column("comparator", "Comparator")),
        *(Column("seconds", "Time (s)", "seconds"), Column("peak_memory_mib", "Peak memory (MiB)", "mebibytes")),
        Column("started", "Started"),
    )
    return Table.build("stages", "Time and peak memory, by stage", columns, _list_records(runs))


def list_machines(runs: Sequence[Run]) -> list[str]:
    """What ran the stages: each machine with each set of package versions, once."""
    found = {
        "; ".join(", ".join(f"{key} {value}" for key, value in record.get(part, {}).items()) for part in _MACHINE)
        for record in _list_records(runs)
    }
    return sorted(found)


_MACHINE = ("machine", "versions")


def list_cards(runs: Sequence[Run]) -> dict[str, Mapping[str, Any]]:
    """The data card of each task that has one."""
    return {run.task: run.card for run in runs if run.card is not None}


def _list_records(runs: Sequence[Run]) -> list[Record]:
    found: list[Record] = []
    for record in (record for run in runs for record in run.records):
        if record not in found:
            found.append(record)
    return found


def _list_costs(run: Run) -> Iterator[Record]:
    capture, teacher = run.find_record("cache_teacher"), run.describe_teacher()
    rows = run.card["rows"] if run.card else None
    yield run.names | {
        "model": "teacher",
        "trained_parameters": teacher.get("trainable_parameters"),
        "inference_parameters": teacher.get("parameters"),
        "inference_seconds": capture["seconds"] / rows * 1000 if capture and rows else None,
        "peak_memory_mib": capture.get("peak_memory_mib"),
    }
    for name, one in {STUDENT: run.summary, **run.comparisons}.items():
        stage = {"features": "compare", "texts": "compare_texts"}.get(getattr(one, "reads", ""), "train_student")
        record = run.find_record(stage, None if one is run.summary else name)
        epochs = max((epoch.epoch for epoch in one.curves), default=0)
        share = capture["seconds"] / epochs if capture and epochs else None
        start = getattr(one, "initialised_from", "scratch")
        yield run.names | {
            "model": name,
            "trained_parameters": one.parameters.trainable,
            "dead_parameters": getattr(one.parameters, "dead", None),
            "inference_parameters": one.parameters.inference,
            "seconds_per_epoch": one.seconds_per_epoch,
            "seconds_with_teacher": None if share is None else one.seconds_per_epoch + share,
            "inference_seconds": one.inference_seconds / one.inference_texts * 1000,
            "peak_memory_mib": record.get("peak_memory_mib"),
            "started_from": f"{start.path} ({start.sha256[:12]})" if isinstance(start, Start) else start,
        }


def _list_settings(one: Any) -> Record:
    return {**one.settings, "selected seed": one.selected_seed}


def _flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings and lists, each with its path, the levels joined by dots."""
    if isinstance(value, Mapping):
        steps: Iterator[tuple[Any, Any]] = iter(value.items())
    elif isinstance(value, list):
        steps = enumerate(value)
    else:
        yield path, value
        return
    for key, inner in steps:
        yield from _flatten(inner, f"{path}.{key}" if path else str(key))
