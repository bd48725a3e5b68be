"""Tables of where the results come from: data, teachers, settings, parameters, time and memory.

In: summaries.  Out: one function per table.  Imports: the cache's schema, for the splits' names.
"""

from collections.abc import Sequence

from pipeline.report.columns import EPOCHS, TASK, TEACHER, Column, Table
from pipeline.report.summary_checks import Record, Summary, flatten, name_pair
from teacher_cache.schema import SPLITS


def tabulate_data(summaries: Sequence[Summary]) -> Table:
    """The chief numbers of every task's data card."""
    columns = (
        *(TASK, Column("source", "Source"), Column("rows_read", "Texts read", "count")),
        *(Column("dropped", "Dropped", "count"), Column("rows", "Kept", "count")),
        *(
            Column("mean_words", "Mean length (words)", "words"),
            Column("median_words", "Median length (words)", "words"),
        ),
        Column("distinct_words", "Distinct words", "count"),
    )
    records = (
        card
        | {
            "source": card["source"]["kind"],
            "dropped": sum(card["drops"].values()),
            "mean_words": card["words"]["mean"],
            "median_words": card["words"]["median"],
        }
        for card in _cards(summaries).values()
    )
    return Table.build("data", "Texts", columns, records)


def tabulate_cards(summaries: Sequence[Summary]) -> Table:
    """Every entry of every task's data card but its split sizes and histograms, which have tables of their own."""
    columns = (TASK, Column("entry", "Entry"), Column("value", "Value"))
    records = (
        {"task": task, "entry": entry, "value": value}
        for task, card in _cards(summaries).items()
        for entry, value in flatten({key: inner for key, inner in card.items() if key not in {"task", "splits"}})
        if ".histogram." not in entry
    )
    return Table.build("cards", "Data cards", columns, records)


def tabulate_splits(summaries: Sequence[Summary]) -> Table:
    """Texts of every class in every split."""
    columns = (TASK, Column("label", "Class"), *(Column(split, split.capitalize(), "count") for split in SPLITS))
    labels = {one["task"]: one["labels"] for one in summaries}
    records = (
        {"task": task, "label": label} | {split: card["splits"][split][label] for split in SPLITS}
        for task, card in _cards(summaries).items()
        for label in labels[task]
    )
    return Table.build("splits", "Texts by class and split", columns, records)


def tabulate_lengths(summaries: Sequence[Summary]) -> Table:
    """Histogram of the texts' lengths in words."""
    columns = (
        *(TASK, Column("from_words", "From (words)", "words"), Column("to_words", "To (words)", "words")),
        Column("count", "Texts", "count"),
    )
    records = (
        {"task": task, "from_words": low, "to_words": high, "count": count}
        for task, card in _cards(summaries).items()
        for low, high, count in zip(
            card["words"]["histogram"]["edges"][:-1],
            card["words"]["histogram"]["edges"][1:],
            card["words"]["histogram"]["counts"],
            strict=True,
        )
    )
    return Table.build("lengths", "Lengths of the texts", columns, records)


def tabulate_teachers(summaries: Sequence[Summary]) -> Table:
    """What each teacher is."""
    columns = (
        *(TASK, TEACHER, Column("kind", "Kind"), Column("name", "Model"), Column("revision", "Revision")),
        Column("parameters", "Parameters", "count"),
        Column("trainable_parameters", "Trained in fine-tuning", "count"),
        Column("best_epoch", "Best epoch", "count"),
    )
    records = (
        one["teacher_model"] | {"best_epoch": one["teacher_model"]["finetune"]["best_epoch"]} | name_pair(one)
        for one in summaries
    )
    return Table.build("teachers", "Teachers", columns, records)


def tabulate_finetune(summaries: Sequence[Summary]) -> Table:
    """The teacher's fine-tuning, one row per epoch."""
    records = (name_pair(one) | epoch for one in summaries for epoch in one["teacher_model"]["finetune"]["history"])
    return Table.build("finetune", "Fine-tuning, by epoch", (TASK, TEACHER, *EPOCHS), records)


def tabulate_settings(summaries: Sequence[Summary]) -> Table:
    """Every setting of every student: its blocks of params.yaml, the engine that ran, the seed that was selected."""
    columns = (TASK, TEACHER, Column("entry", "Setting"), Column("value", "Value"))
    records = (
        name_pair(one) | {"entry": entry, "value": value}
        for one in summaries
        for entry, value in flatten(
            {
                "student": one["student"]["config"],
                "embed": one["student"]["embed"],
                "engine used": one["student"]["engine"],
                "selected seed": one["student"]["selected_seed"],
            }
        )
    )
    return Table.build("settings", "Settings of the students", columns, records)


def tabulate_parameters(summaries: Sequence[Summary]) -> Table:
    """Parameters of student and teacher."""
    columns = (
        *(TASK, TEACHER, Column("trainable_parameters", "Student: trainable", "count")),
        Column("dead_parameters", "Student: dead", "count"),
        Column("inference_parameters", "Student: total at inference", "count"),
        Column("teacher_parameters", "Teacher: total", "count"),
        Column("teacher_trainable_parameters", "Teacher: trained", "count"),
    )
    records = (
        one["student"]
        | {
            "teacher_parameters": one["teacher_model"]["parameters"],
            "teacher_trainable_parameters": one["teacher_model"]["trainable_parameters"],
        }
        | name_pair(one)
        for one in summaries
    )
    return Table.build("parameters", "Parameters", columns, records)


def tabulate_speed(summaries: Sequence[Summary]) -> Table:
    """How fast the students trained; an epoch trains all seeds side by side."""
    columns = (
        *(TASK, TEACHER, Column("engine", "Engine"), Column("seeds", "Seeds", "count")),
        Column("seconds_per_epoch", "Time per epoch, all seeds (s)", "seconds"),
    )
    records = (one["student"] | {"seeds": len(one["seeds"])} | name_pair(one) for one in summaries)
    return Table.build("speed", "Training of the students", columns, records)


def tabulate_stages(summaries: Sequence[Summary]) -> Table:
    """Time and memory of every stage's run; a run that several summaries share appears once."""
    columns = (
        *(Column("stage", "Stage"), TASK, TEACHER, Column("seconds", "Time (s)", "seconds")),
        *(Column("peak_memory_mib", "Peak memory (MiB)", "mebibytes"), Column("started", "Started")),
    )
    records: list[Record] = []
    for record in (record for one in summaries for record in one["records"]):
        if record not in records:
            records.append(record)
    return Table.build("stages", "Time and peak memory, by stage", columns, records)


def list_machines(summaries: Sequence[Summary]) -> list[str]:
    """What ran the stages: each machine with each set of package versions, once."""
    found = {
        "; ".join(
            ", ".join(f"{key} {value}" for key, value in record[part].items()) for part in ("machine", "versions")
        )
        for one in summaries
        for record in one["records"]
    }
    return sorted(found)


def _cards(summaries: Sequence[Summary]) -> dict[str, Record]:
    return {one["task"]: one["card"] for one in summaries}
