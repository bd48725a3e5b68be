"""The student against its comparators: one paired test for all of them, their scores, their tuning.

In: runs.  Out: tabulate_verdicts, tabulate_counts, tabulate_comparators, tabulate_tuning, sum_up, TITLES.
Imports: pipeline.evaluation.metrics.

A verdict is McNemar's exact test on the test split between the chosen seed of each, at 5 % after Holm's adjustment for
all tests of the table. Means and intervals are over the seeds, and decide nothing.
"""

from collections.abc import Sequence
from dataclasses import asdict

from pipeline.evaluation.metrics import adjust_p_values
from pipeline.evaluation.summary import Trained
from pipeline.report.columns import INTERVAL, QUALITY, TASK, TEACHER, Column, Table
from pipeline.report.runs import Record, Run
from student_jax.tunable import Tuning

STUDENT = "student"
BETTER, WORSE, LEVEL = "better", "worse", "no difference shown"
LEVEL_OF_TEST = 0.05
# What a reader is told that a comparator is; others go by their name.
TITLES = {
    STUDENT: "student",
    "labels_alone": "student of the labels alone",
    "all_labels": "student of all labels, the pool's too",
    "logistic": "logistic regression of the labels",
    "logistic_distilled": "logistic regression of the teacher's answers",
    "linear": "linear model",
    "mlp": "MLP",
    "no_entanglement": "circuit without entanglement",
    "frozen_circuit": "circuit frozen at its random start",
    "kl": "student with KL alone (teacher)",
    "js": "student with JS alone (teacher)",
    "textrcnn": "TextRCNN",
    "minillm": "MiniLLM",
    "tinybert": "TinyBERT",
    "distilbert": "DistilBERT",
    "pkd": "PKD",
    "few_labels": "self-training from few labels",
    "quantum_convolution": "quantum convolution",
}
_COMPARATOR = Column("comparator", "Comparator")


def name_comparator(name: str) -> str:
    """What the page calls it."""
    return TITLES.get(name, name)


def tabulate_verdicts(runs: Sequence[Run]) -> Table:
    """Every test, of all tasks, teachers and comparators; Holm's adjustment counts all of them."""
    columns = (
        *(TASK, TEACHER, _COMPARATOR, Column("verdict", "Student")),
        *(Column("p_adjusted", "p (Holm)", "significant"), Column("settings", "Settings tried (student : comparator)")),
        *(Column("student_accuracy", "Student, chosen seed", "fraction"), Column("accuracy", "Comparator", "fraction")),
        Column("student_alone", "Only student right", "count"),
        Column("comparator_alone", "Only comparator right", "count"),
        *(Column("p_value", "p (McNemar)", "significant"), Column("texts", "Test texts", "count")),
    )
    records: list[Record] = [
        run.names
        | {
            "comparator": name,
            "texts": run.texts,
            "student_accuracy": run.summary.chosen.test.accuracy,
            "accuracy": run.comparisons[name].chosen.test.accuracy,
            "student_alone": test.first_alone,
            "comparator_alone": test.second_alone,
            "p_value": test.p_value,
            "settings": _compare_tuning(run.summary, run.comparisons[name]),
        }
        for run in runs
        for name, test in run.tests.items()
    ]
    for record, adjusted in zip(records, adjust_p_values([one["p_value"] for one in records]), strict=True):
        side = BETTER if record["student_alone"] > record["comparator_alone"] else WORSE
        record |= {"p_adjusted": adjusted, "verdict": side if adjusted < LEVEL_OF_TEST else LEVEL}
    return Table.build("verdicts", "Student against comparators: McNemar's test of the chosen seeds", columns, records)


def tabulate_counts(verdicts: Table) -> Table:
    """Against each comparator: of how many students the test shows one better or worse."""
    columns = (
        *(_COMPARATOR, Column("better", "Student better", "count")),
        *(Column("level", "No difference shown", "count"), Column("worse", "Student worse", "count")),
    )
    found: dict[str, list[str]] = {}
    for record in verdicts.records():
        found.setdefault(record["comparator"], []).append(record["verdict"])
    records = (
        {"comparator": name, "better": said.count(BETTER), "level": said.count(LEVEL), "worse": said.count(WORSE)}
        for name, said in found.items()
    )
    return Table.build("counts", "Verdicts by comparator, number of students", columns, records)


def tabulate_comparators(runs: Sequence[Run]) -> Table:
    """Student and comparators, test split, means over the seeds; a run without comparators has no rows."""
    columns = (
        *(TASK, TEACHER, _COMPARATOR, Column("reads", "Reads"), Column("accuracy", "Accuracy", "fraction")),
        *(*INTERVAL, *QUALITY, Column("trainable_parameters", "Parameters", "count")),
        *(Column("seeds", "Seeds", "count"), Column("settings", "Settings tried", "count")),
        *(Column("cut_texts", "Texts cut", "count"), Column("saw_labels", "Features saw labels")),
    )
    records = (
        run.names
        | drop_interval(one)
        | {
            "comparator": name,
            "reads": getattr(one, "reads", "features"),
            "trainable_parameters": one.parameters.trainable,
            "seeds": len(one.seeds),
            "settings": len(one.tuning.settings),
            "cut_texts": getattr(one, "cut_texts", None),
            "saw_labels": {True: "yes", False: "no", None: None}[one.features_saw_labels],
        }
        for run in runs
        if run.comparisons
        for name, one in {STUDENT: run.summary, **run.comparisons}.items()
    )
    return Table.build("comparators", "Student and comparators, test split", columns, records)


def tabulate_tuning(runs: Sequence[Run]) -> Table:
    """Every setting that was tried, what validation said of it, and which was chosen."""
    columns = (
        *(TASK, TEACHER, _COMPARATOR, Column("setting", "Setting")),
        Column("validation_loss", "Validation loss (nats)", "nats"),
        Column("calibrated_loss", "At its best temperature (nats)", "nats"),
        *(Column("validation_accuracy", "Validation accuracy", "fraction"), Column("chosen", "Chosen")),
    )
    records = (
        run.names
        | {
            "comparator": name,
            "setting": ", ".join(f"{key} {value}" for key, value in setting.values.items()) or "not tuned",
            "validation_loss": setting.validation_loss,
            "calibrated_loss": setting.calibrated_loss,
            "validation_accuracy": setting.validation_accuracy,
            "chosen": _describe_choice(one.tuning) if place == one.tuning.chosen else None,
        }
        for run in runs
        for name, one in {STUDENT: run.summary, **run.comparisons}.items()
        for place, setting in enumerate(one.tuning.settings)
    )
    return Table.build("tuning", "Tuning: settings tried and chosen on validation", columns, records)


def sum_up(verdicts: Table) -> str | None:
    """One sentence on the verdicts of one task and teacher; None where nothing was compared."""
    groups: dict[str, list[str]] = {}
    for record in verdicts.records():
        groups.setdefault(record["verdict"], []).append(f"the {name_comparator(record['comparator'])}")
    words = {BETTER: "is better than", WORSE: "is worse than", LEVEL: "shows no difference from"}
    parts = [f"{text} {_join(groups[verdict])}" for verdict, text in words.items() if verdict in groups]
    return f"By its chosen seed the student {'; '.join(parts)}." if parts else None


def drop_interval(one: Trained) -> Record:
    """Mean scores of the test split; the interval of a single seed, which would have no width, is left out."""
    return {
        key: value
        for key, value in asdict(one.metrics.test).items()
        if one.has_interval or not key.startswith("accuracy_")
    }


def _compare_tuning(student: Trained, comparator: Trained) -> str:
    counts = [len(one.tuning.settings) for one in (student, comparator)]
    return "not tuned" if counts == [1, 1] else f"{counts[0]} : {counts[1]}"


def _describe_choice(tuning: Tuning) -> str:
    edges = tuning.list_edges()
    return f"chosen (end of {', '.join(edges)})" if edges else "chosen"


def _join(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
