"""Stage compare_texts: texts + teacher cache -> one comparator that reads texts, tuned, trained and evaluated.

Run as dvc.yaml does: python -m pipeline.stages.compare_texts --task T --teacher M --comparator C --data FOLDER
--cache FOLDER --compiled FOLDER --comparison FOLDER --metrics FILE --record FILE
"""

from pathlib import Path

import click

from pipeline.corpus.prepared import read_examples, read_training
from pipeline.entry import run
from pipeline.evaluation.comparator_summary import Outs, publish_comparison, take_options
from pipeline.evaluation.summary import Start
from pipeline.params import parse, read_over, read_pool, read_seed
from student_jax.comparators.bert import read_bert
from student_jax.comparators.comparator_config import TEXT_CONFIGS, TextConfig, TextName
from student_jax.comparators.text_comparators import TEXT_COMPARATORS, learn_from_texts
from student_jax.comparators.token_dataset import find_facts, join_tokens
from student_jax.comparators.tokens import encode, fit_tokenizer, load_tokenizer
from student_jax.compilation import keep_compiled
from student_jax.data.training_rows import limit_pool
from student_jax.devices import use_cores
from teacher_cache.manifest import fingerprint_examples
from teacher_cache.reader import ids_to_numpy, open_cache


@click.command()
@take_options("data")
def main(task: str, teacher: str, comparator: str, data: Path, cache: Path, compiled: Path, **outs: Path) -> None:
    """Tune, train and evaluate one comparator against one teacher's cache."""
    name: TextName = parse(comparator, TextName, "text_comparators")
    config = read_over("comparator.shared.texts", f"comparator.{name}", TEXT_CONFIGS[name], TextConfig)
    method = TEXT_COMPARATORS[name]
    bert = read_bert(Path(config.init)) if config.init and method.starts else None
    examples = read_examples(data)
    opened = open_cache(
        cache, {"task": task, "teacher": teacher, "identity.examples": fingerprint_examples(examples.to_batches())}
    )
    tokenizer = load_tokenizer(bert.folder) if bert else fit_tokenizer(read_training(data)[0], config.vocabulary)
    encoded = encode(tokenizer, examples["text"].to_pylist(), config.max_length)
    dataset = join_tokens(ids_to_numpy(examples["example_id"]), encoded.tokens, opened, method.states)
    dataset = limit_pool(dataset, read_pool())
    facts = find_facts(dataset, max(config.vocabulary, tokenizer.get_vocab_size()), opened)
    keep_compiled(compiled)
    use_cores()
    label = f"compare_texts: {name}, {task}, {teacher}"
    learned = learn_from_texts(name, config, facts, bert, dataset, read_seed(), label)
    publish_comparison(
        *(Outs(**outs), "compare_texts", name, learned, dataset, opened.manifest),
        reads="texts",
        cut_texts=encoded.cut,
        initialised_from=Start(path=str(bert.folder), sha256=bert.sha256) if bert else "scratch",
    )


if __name__ == "__main__":
    run(main, "compare_texts")
