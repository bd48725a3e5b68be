"""A student that was never trained, on disk as training writes one.

In: a folder, texts with their classes, configs.  Out: write_student().  Imports: the student's half, no jax.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from student_jax.checkpoint import Checkpoint, Description, save_checkpoint
from student_jax.config import EmbedConfig, StudentConfig
from student_jax.data.embedder import fit_embedder, identify_embedder
from student_jax.parameters import arrange_parameters, initialise_parameters, name_parameters


def write_student(
    folder: Path,
    texts: Sequence[str],
    classes: Sequence[int],
    labels: Sequence[str],
    config: StudentConfig,
    embed: EmbedConfig,
) -> Checkpoint:
    """What was written into `folder`: parameters as they are drawn, and features fitted on `texts`."""
    embedder = fit_embedder(embed, list(texts), list(classes))
    embedder.save(folder)
    drawn = initialise_parameters(config, embedder.dimensions, len(labels), np.random.default_rng(0))
    parameters = arrange_parameters(config, {name: array[None] for name, array in name_parameters(drawn).items()})
    description = Description(
        labels=list(labels),
        dimensions=embedder.dimensions,
        config=config,
        seeds=[0],
        best_epochs=[0],
        selected=0,
        seconds_per_epoch=0.0,
        embedder=identify_embedder(folder),
        origin={"task": "t", "teacher": "nobody"},
    )
    checkpoint = Checkpoint(description, parameters)
    save_checkpoint(checkpoint, folder)
    return checkpoint
