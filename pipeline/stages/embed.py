"""Stage embed: examples -> features.parquet and the frozen embedder that made them.

Run as dvc.yaml does: python -m pipeline.stages.embed --task T --data FOLDER --features FOLDER --record FILE
"""

from pathlib import Path

import click
import numpy as np

from pipeline.corpus.prepared import read_examples, read_training
from pipeline.encoder import find_encoder
from pipeline.entry import PATH, require, run, write_record
from pipeline.params import read_block
from student_jax.config import EmbedConfig
from student_jax.data.features import fit_embedder, take_vectors, write_features
from teacher_cache.manifest import fingerprint_examples
from teacher_cache.publish import publish_folder


@click.command()
@require("task")
@require("data", "features", "record", kind=PATH)
def main(task: str, data: Path, features: Path, record: Path) -> None:
    """Turn every text of one task into a vector, fitting on the training split alone."""
    examples = read_examples(data)
    config = read_block("embed", EmbedConfig)
    if config.kind == "file":
        training = np.asarray(examples["split"]) == "train"
        embedder, values = take_vectors(config, task, examples["example_id"], training)
    else:
        embedder = fit_embedder(config, *read_training(data), find_encoder(config))
        values = embedder.transform(examples["text"].to_pylist())
    with publish_folder(features) as folder:
        embedder.save(folder)
        write_features(
            folder / "features.parquet",
            examples["example_id"],
            values,
            fingerprint_examples(examples.to_batches()),
        )
    write_record(record, "embed", task=task)


if __name__ == "__main__":
    run(main, "embed")
