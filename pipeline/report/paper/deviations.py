"""Where a run differs from the paper's text and from its authors' code, and what that does to a comparison.

In: summaries.  Out: tabulate_deviations.  Imports: the modules of this folder.
"""

from collections.abc import Sequence
from typing import Any

from pipeline.report.columns import Column, Table
from pipeline.report.paper.published import METHODS, find_published, name_task, name_teacher
from pipeline.report.summary_checks import Record, Summary

_NOT_SAID = "not said"
_AS_THE_TEXT = "as the text"


def tabulate_deviations(summaries: Sequence[Summary]) -> Table:
    """One row for each subject: the paper's text, the authors' public code, this run, and what the difference does."""
    columns = (
        *(Column("subject", "Subject"), Column("paper", "Paper's text"), Column("code", "Authors' code")),
        *(Column("ours", "This run"), Column("effect", "Why, and what it does")),
    )
    rows = (*_list_material(summaries), *_list_method(summaries), *_list_measurement(summaries))
    records: list[Record] = [dict(zip((column.key for column in columns), row, strict=True)) for row in rows]
    return Table.build("deviations", "Deviations", columns, records)


def _list_material(summaries: Sequence[Summary]) -> list[tuple[str, ...]]:
    """Teachers, data, machine."""
    teachers = {one["teacher"]: name_teacher(one["teacher_model"]) for one in summaries}
    foreign = [teacher for teacher, name in teachers.items() if name is None]
    sources = {one["task"]: f"{one['card']['source']['kind']}, {one['card']['rows']:,d} texts" for one in summaries}
    sizes = (
        find_published("table_1", task=name_task(one["task"])).get("texts") == one["card"]["rows"] for one in summaries
    )
    hub = {one["card"]["source"]["kind"] for one in summaries} == {"hub"}
    machines = {
        "{system}, {processor}, {cores} cores".format(**one["machine"]) for run in summaries for one in run["records"]
    }
    return [
        (
            "Teachers",
            "five LLMs of 1.1 to 8 billion parameters, LoRA rank 200",
            "an 8-bit LLM",
            "; ".join(_describe_teacher(one) for one in {one["teacher"]: one for one in summaries}.values()),
            f"Not the paper's: {', '.join(foreign)}. Their rows have no number of the paper's beside them."
            if foreign
            else "The paper's own.",
        ),
        (
            "Data",
            "24,000, 10,000 and 20,000 texts; which ones is not said",
            _NOT_SAID,
            "; ".join(f"{task}: {source}" for task, source in sources.items()),
            "The sizes are the paper's, the choice of texts is not known to be."
            if all(sizes) and hub
            else "Other texts: accuracies differ for that alone, in either direction.",
        ),
        (
            "Hardware",
            "one RTX 4090",
            _NOT_SAID,
            "; ".join(sorted(machines)),
            "Times are not comparable across machines.",
        ),
        (
            "Teacher's work",
            "the teacher runs in every step of the distillation",
            _AS_THE_TEXT,
            "the teacher runs once, its distributions are cached",
            "Our seconds of distillation hold no teacher; the table of costs adds its share.",
        ),
    ]


def _list_method(summaries: Sequence[Summary]) -> list[tuple[str, ...]]:
    """Student, loss, training."""
    return [
        (
            "Embedding E",
            "a frozen embedding layer, not named",
            "BERT-base, its last position",
            _list_values(summaries, lambda one: f"{one['embed']['kind']}, {one['embed']['dimensions']} wide"),
            "The kind corpus is fitted on the training texts and needs no download.",
        ),
        (
            "Circuit",
            "RX encoding, then RY, RZZ, RZ, CNOT; number of layers not said",
            "H, RX, RY, RZ and a ring of CNOTs; angles scaled to 0 to 10",
            _list_values(
                summaries,
                lambda one: "{qubits} qubits, {layers} layers, {entanglement}, {rotations} rotations".format(
                    **one["config"]["circuit"]
                ),
            ),
            "Equations 17 and 20 add rotations that the text applies one after another; we apply them.",
        ),
        (
            "Readout",
            "Z expectations, softmax",
            "a layer from 11 values to the classes",
            _list_values(summaries, lambda one: one["config"]["circuit"]["readout"]),
            "The text does not say which of 11 qubits stand for 2 or 4 classes.",
        ),
        (
            "Loss",
            "equation 24, guidance weight 0.9",
            "(1 - a) CE + a T\N{SUPERSCRIPT TWO} KL + a JS, a = 0.5, T = 2",
            _list_values(
                summaries,
                lambda one: "{soft} (KL {kl}, JS {js}) + {hard} CE, T = {temperature}".format(**one["config"]["loss"]),
            ),
            "The text names one weight of the two; ours sum to 1 unless set otherwise.",
        ),
        (
            "Training",
            "Adam, rate 0.06, batch 8, 10 epochs",
            "batch 1",
            _list_values(
                summaries,
                lambda one: "Adam, rate {learning_rate}, {schedule}, batch {batch_size}, {epochs} epochs".format(
                    **one["config"]
                ),
            ),
            "The profile paper has the paper's values; the others use what trains fast and stably.",
        ),
        (
            "Which epoch",
            _NOT_SAID,
            _NOT_SAID,
            "of each seed the one with the smallest validation loss",
            "The test split is used once, after the choice.",
        ),
        (
            "Software",
            "MindQuantum 0.9.0, Python 3.8 (table 2)",
            _AS_THE_TEXT,
            _list_values(summaries, lambda one: f"exact simulation in JAX, engine {one['engine']}"),
            "Both compute the state exactly; make bench checks that loss and gradients agree.",
        ),
    ]


def _list_measurement(summaries: Sequence[Summary]) -> list[tuple[str, ...]]:
    """Repeats, scores, times, rivals."""
    rivals = sorted({name for one in summaries for name in one["baselines"]})
    described = {
        f"{METHODS[name]}: {one['baselines'][name]['size']} size, "
        f"from {'scratch' if one['baselines'][name]['initialised_from'] == 'scratch' else 'a checkpoint'}"
        for one in summaries
        for name in one["baselines"]
    }
    return [
        (
            "Repeats",
            "five, their mean; no spread given",
            _NOT_SAID,
            f"{', '.join(sorted({str(len(one['seeds'])) for one in summaries}))} seeds, mean and 95 % interval",
            "The interval covers the seeds, not the choice of test texts nor the paper's own spread.",
        ),
        (
            "P, R, F1",
            "equations 26 to 28, of the positive class",
            _NOT_SAID,
            "means over the classes",
            "Four classes have no positive one. Where classes are equally large our R is Acc.",
        ),
        (
            "Seconds per epoch",
            "training per epoch",
            _NOT_SAID,
            "all seeds side by side, the median epoch",
            "Ours is for several students at once, so Acc/Tkd is, if anything, too low.",
        ),
        (
            "Compared methods",
            "eight; what they start from is not said",
            _NOT_SAID,
            "; ".join(sorted(described)) or "none was run",
            "A rival from scratch is weaker than a pretrained one: it is no evidence against the published method."
            if rivals
            else "The list baselines of params.yaml turns them on.",
        ),
    ]


def _describe_teacher(summary: Summary) -> str:
    model = summary["teacher_model"]
    return f"{summary['teacher']}: {model['name']}, {model['parameters']:,d} parameters"


def _list_values(summaries: Sequence[Summary], describe: Any) -> str:
    """Each different description of a student once."""
    return "; ".join(dict.fromkeys(describe(one["student"]) for one in summaries))
