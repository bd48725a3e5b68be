"""Stage train_baseline: texts + teacher cache -> one of the student's rivals, trained and evaluated.

Run as dvc.yaml does: python -m pipeline.stages.train_baseline --task T --teacher M --method N --data FOLDER
--cache FOLDER --baseline FOLDER --compiled FOLDER --evaluation FOLDER --metrics FILE
"""

from pathlib import Path

import click

from pipeline.corpus.prepared import read_examples, read_training
from pipeline.entry import PATH, measure_run, require, run
from pipeline.evaluation.answers import write_predictions
from pipeline.evaluation.comparator_summary import summarise_rival
from pipeline.params import parse, read_over, read_seed
from student_jax.comparators.bert import read_bert
from student_jax.comparators.catalogue import RIVALS, train_rival
from student_jax.comparators.comparator_config import METHODS, Method
from student_jax.comparators.saving import save_rival
from student_jax.comparators.token_dataset import find_facts, join_texts
from student_jax.comparators.tokens import fit_tokenizer, load_tokenizer
from student_jax.compilation import keep_compiled
from student_jax.devices import use_cores
from teacher_cache.manifest import fingerprint_examples
from teacher_cache.publish import publish_folder, write_json
from teacher_cache.reader import ids_to_numpy, open_cache


@click.command()
@require("task", "teacher", "method")
@require("data", "cache", "baseline", "compiled", "evaluation", "metrics", kind=PATH)
def main(
    task: str,
    teacher: str,
    method: str,
    data: Path,
    cache: Path,
    baseline: Path,
    compiled: Path,
    evaluation: Path,
    metrics: Path,
) -> None:
    """Train and evaluate one rival against one teacher's cache."""
    name: Method = parse(method, Method, "baselines")
    config, rival = read_over("baseline.shared", f"baseline.{name}", METHODS[name]), RIVALS[name]
    bert = read_bert(Path(config.init)) if config.init and rival.starts else None
    examples = read_examples(data)
    opened = open_cache(
        cache, {"task": task, "teacher": teacher, "identity.examples": fingerprint_examples(examples.to_batches())}
    )
    tokenizer = load_tokenizer(bert.folder) if bert else fit_tokenizer(read_training(data)[0], config.vocabulary)
    ids, texts = ids_to_numpy(examples["example_id"]), examples["text"].to_pylist()
    dataset = join_texts(ids, texts, tokenizer, config.max_length, opened, rival.states)
    keep_compiled(compiled)
    use_cores()
    vocabulary = max(config.vocabulary, tokenizer.get_vocab_size())
    model = rival.build(config, find_facts(dataset, vocabulary, opened), bert)
    training = train_rival(model, dataset, config, read_seed(), f"train_baseline: {name}, {task}, {teacher}")
    manifest = opened.manifest
    summary, predicted = summarise_rival(name, model, training, config, dataset, manifest)
    summary["initialised_from"] = {"path": str(bert.folder), "sha256": bert.sha256} if bert else "scratch"
    summary["record"] = measure_run("train_baseline", task=task, teacher=teacher, method=name)
    summary["peak_memory_bytes"] = round(summary["record"]["peak_memory_mib"] * 2**20)
    origin = {"task": task, "teacher": teacher, "cache": manifest.fingerprint}
    with publish_folder(baseline) as folder:
        save_rival(folder, name, training, config, manifest.labels, tokenizer, origin)
    with publish_folder(evaluation) as folder:
        write_json(folder / "summary.json", summary)
        write_predictions(folder / "predictions.parquet", dataset["test"].ids, dataset["test"].labels, predicted)
    write_json(metrics, summary["metrics"])


if __name__ == "__main__":
    run(main, "train_baseline")
