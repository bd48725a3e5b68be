"""Stage compare: features + teacher cache -> one comparator that reads features, tuned, trained and evaluated.

Run as dvc.yaml does: python -m pipeline.stages.compare --task T --teacher M --comparator C --features FOLDER
--cache FOLDER --compiled FOLDER --learned FOLDER --comparison FOLDER --metrics FILE --record FILE
"""

from pathlib import Path

import click

from pipeline.entry import PATH, require, run
from pipeline.evaluation.comparator_summary import Outs, publish_comparison, take_options
from pipeline.evaluation.predictions import read_embedder, sees_labels
from pipeline.params import parse, read_block, read_over, read_pool, read_seed
from student_jax.comparators.all_labels import reveal_labels
from student_jax.comparators.comparator_config import FEATURE_CONFIGS, FeatureConfig, FeatureName
from student_jax.comparators.kept_learned import learn_once
from student_jax.compilation import keep_compiled
from student_jax.config import CircuitConfig
from student_jax.data.dataset import open_dataset
from student_jax.data.training_rows import HIDDEN, limit_pool
from student_jax.devices import use_cores


@click.command()
@take_options("features")
@require("learned", kind=PATH)
def main(
    task: str,
    teacher: str,
    comparator: str,
    features: Path,
    cache: Path,
    compiled: Path,
    learned: Path,
    **outs: Path,
) -> None:
    """Tune, train and evaluate one comparator against one teacher's cache."""
    name: FeatureName = parse(comparator, FeatureName, "comparators")
    config = read_over("comparator.shared.features", f"comparator.{name}", FEATURE_CONFIGS[name], FeatureConfig)
    circuit = read_block("student.circuit", CircuitConfig)
    dataset, manifest = open_dataset(features, cache, task, teacher)
    if name == "all_labels":
        dataset = reveal_labels(dataset, features / HIDDEN, task)
    else:
        dataset = limit_pool(dataset, read_pool())
    embedder = read_embedder(features)
    keep_compiled(compiled)
    use_cores()
    label = f"compare: {name}, {task}, {teacher}"
    found = learn_once(learned, name, config, circuit, dataset, read_seed(), label)
    publish_comparison(
        *(Outs(**outs), "compare", name, found, dataset, manifest, embedder["inference_parameters"]),
        reads="features",
        features_saw_labels=sees_labels(embedder["config"]),
    )


if __name__ == "__main__":
    run(main, "compare")
