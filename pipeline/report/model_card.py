"""The model card of a published student: what it is, how good, beside what, from what, and what nobody knows.

In: a Run, and what only who publishes knows.  Out: write_card().  Imports: jinja2; huggingface_hub for the card's head.

Every number is of the evaluation's summary, the comparisons, the data card or the records.
"""

import re
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.corpus.card import describe_losses
from pipeline.report.card_tables import (
    Publication,
    escape,
    find_margin,
    find_source,
    list_facts,
    list_licences,
    shorten_path,
    tabulate_controls,
    tabulate_results,
    write_rows,
)
from pipeline.report.paired_tests import sum_up, tabulate_verdicts
from pipeline.report.runs import Run
from pipeline.report.trivial import list_warnings
from pipeline.report.worth import measure_worth


def write_card(run: Run, publication: Publication) -> str:
    """The card in Markdown, after a head in YAML that a hub reads."""
    summary, name = run.summary, publication.repo.split("/")[-1]
    verdicts = tabulate_verdicts([run])
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["md"] = escape
    body = environment.get_template("model_card.md").render(
        run=run,
        summary=summary,
        chosen=summary.chosen.test,
        circuit=summary.settings["circuit"],
        name=name,
        publication=publication,
        version=version("qdllm"),
        labels=", ".join(escape(label) for label in summary.labels),
        needs=_name_needs(run),
        results=tabulate_results(run),
        mean=_name_mean(run),
        gain=_name_gain(run),
        confidence=_name_confidence(run),
        verdicts=tabulate_controls(verdicts.records()),
        finding=sum_up(verdicts),
        facts=write_rows(("what", "of this student"), list_facts(run)),
        limits=_list_limits(run),
        licences=write_rows(("of", "licence"), list_licences(run, publication).items()),
    )
    body = re.sub(r"\n{3,}", "\n\n", body)
    return f"---\n{_write_head(run, publication)}\n---\n\n{body}"


def _write_head(run: Run, publication: Publication) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    source, test = find_source(run), run.summary.chosen.test
    data = {"dataset_type": source.get("dataset", "private"), "dataset_name": run.task, "dataset_split": "test"}
    found = {"accuracy": test.accuracy, "f1": test.f1}
    head = ModelCardData(
        license=publication.licence,
        library_name="qdllm",
        pipeline_tag="text-classification",
        tags=["qdllm", "quantum-machine-learning", "knowledge-distillation"],
        datasets=[source["dataset"]] if "dataset" in source else None,
        model_name=publication.repo.split("/")[-1],
        eval_results=[
            EvalResult(task_type="text-classification", metric_type=metric, metric_value=round(value, 4), **data)
            for metric, value in found.items()
        ],
    )
    return str(head.to_yaml()).strip()


def _name_mean(run: Run) -> str:
    mean = run.summary.metrics.test
    if not run.summary.has_interval:
        return "One seed was trained, so how much the seed matters is not known."
    return (
        f"Over the {len(run.summary.seeds)} seeds the mean accuracy is {mean.accuracy:.4f}, with a 95 % interval from "
        f"{mean.accuracy_low:.4f} to {mean.accuracy_high:.4f}, which covers the seeds and not the choice of texts."
    )


def _name_gain(run: Run) -> str:
    worth = measure_worth(run)
    if worth.gain is None or worth.p_value is None:
        return "Nothing was trained on the labels alone, so what the teacher was worth is not known."
    low, high = worth.gain.low, worth.gain.high
    return (
        f"What the teacher was worth: {worth.gain.mean:+.4f} in accuracy over the labels alone (95 % interval "
        f"{low:+.4f} to {high:+.4f}, paired bootstrap over the test texts; McNemar's p = {worth.p_value:.3g})."
    )


def _name_confidence(run: Run) -> str:
    ece, fitted = run.summary.chosen.test.ece, run.summary.calibrated
    text = f"The expected calibration error is {ece:.4f}: so far confidence is from accuracy, on average."
    if fitted is None:
        return f"{text} No temperature was fitted: validation has too few labels."
    return (
        f"{text} Divided by the temperature {fitted.temperature:.4g}, which was fitted on {fitted.labels} validation "
        f"labels and is used by default, the scores have {fitted.test.ece:.4f}."
    )


def _name_needs(run: Run) -> str:
    embed = run.summary.embed
    needs = {
        "encoder": f"Its features need the encoder {shorten_path(embed.get('checkpoint'))}, which is not here.",
        "file": "Its features were read from a file: it takes vectors made as those were, by predict_features.",
    }
    own = "Its circuit is code of its author's, which is not here: name it with circuit=..."
    parts = [needs.get(embed["kind"], ""), own if run.summary.settings["circuit"].get("file") else ""]
    return " ".join(filter(None, parts))


def _list_limits(run: Run) -> list[str]:
    embed, texts = run.summary.embed, run.texts
    words = {
        False: "embedder.json names the terms of the training texts.",
        True: "embedder.json has the terms of the training texts as keyed hashes: they hide words from a reader, not "
        "from somebody with a dictionary.",
    }
    return [
        "It gives every text one of its classes, whatever the text is about.",
        "Test and training texts come from the same place; texts from elsewhere may be answered worse.",
        f"{texts} test texts leave an accuracy uncertain by {find_margin(run.summary.chosen.test.accuracy, texts):.3f} "
        "either way (95 %).",
        "Numbers are of exact expectation values: shots and noise of a quantum device lower them.",
        "What its teacher has wrong it was taught, too.",
        *([words[bool(embed.get("hashed"))]] if embed["kind"] == "corpus" else []),
        *list_warnings([run]),
        *(describe_losses(run.card) if run.card else []),
    ]
