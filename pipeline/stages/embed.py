"""Stage embed: examples -> features.parquet and the frozen embedder that made them.

Run as dvc.yaml does: python -m pipeline.stages.embed --task T --data FOLDER --features FOLDER --record FILE
"""

import shutil
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus.prepared import open_examples, read_training
from pipeline.corpus.task_config import PrepareConfig
from pipeline.encoder import find_encoder
from pipeline.entry import PATH, require, run, write_record
from pipeline.params import read_block
from student_jax.config import EmbedConfig
from student_jax.data.embedder import fit_embedder
from student_jax.data.features import write_features
from student_jax.data.training_rows import HIDDEN
from student_jax.data.vector_file import take_vectors
from teacher_cache.manifest import fingerprint_examples
from teacher_cache.publish import publish_folder

# How many texts are embedded at once. Those of an encoder are computed in batches of like length, the more alike the
# more there are to choose from; each of the others has the same vector beside any.
TEXTS = {"corpus": 8192, "static": 8192, "encoder": 65536}


@click.command()
@require("task")
@require("data", "features", "record", kind=PATH)
def main(task: str, data: Path, features: Path, record: Path) -> None:
    """Turn every text of one task into a vector, fitting on its training split and its pool alone."""
    examples, config = open_examples(data), read_block("embed", EmbedConfig)
    fingerprint = fingerprint_examples(examples.iter_batches())
    rows, rules = examples.read(["example_id", "split"]), read_block("prepare", PrepareConfig).rules
    if config.kind == "file":
        training = pc.is_in(rows["split"].cast(pa.string()), pa.array(["train", "pool"])).to_numpy()
        embedder, vectors = take_vectors(config, task, rows["example_id"], training)
    else:
        embedder = fit_embedder(config, *read_training(data, *[config.fit_texts] * 2), find_encoder(config), rules)
        texts = examples.iter_batches(TEXTS[config.kind], columns=["text"])
        vectors = (embedder.transform(batch["text"].to_pylist()) for batch in texts)
    with publish_folder(features) as folder:
        embedder.save(folder)
        write_features(folder / "features.parquet", rows["example_id"], vectors, embedder.dimensions, fingerprint)
        if (data / HIDDEN).exists():  # where who has no texts finds them, too
            shutil.copyfile(data / HIDDEN, folder / HIDDEN)
    write_record(record, "embed", task=task)


if __name__ == "__main__":
    run(main, "embed")
