"""The comparators that read the student's features: what builds each, and how it is tuned and trained.

In: a comparator's name and config, a dataset of features.  Out: learn_from_features(), prepare_config(),
size_up().  Imports: jax; scikit-learn for `logistic`.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from student_jax.comparators.comparator_config import FeatureConfig, FeatureName, LogisticConfig
from student_jax.comparators.controls import CONTROLS, build_control
from student_jax.comparators.learned import Learned
from student_jax.comparators.logistic import fit_logistic
from student_jax.config import CircuitConfig
from student_jax.data.dataset import Split
from student_jax.model import Model, build_model, count_trainable, name_arrays
from student_jax.training.best_epochs import Training
from student_jax.training.losses import isolate_term
from student_jax.training.tuning import tune


def learn_from_features(
    name: FeatureName,
    config: FeatureConfig | LogisticConfig,
    circuit: CircuitConfig,
    dataset: Mapping[str, Split],
    seed: int,
    label: str,
) -> Learned:
    """Tune and train a comparator that reads features.

    Args:
        name: of the comparator.
        config: of its class.
        circuit: the student's, which some share and the MLP is as large as.
        dataset: splits by name; for `all_labels` with the pool's labels.
        seed: of the first of its seeds.
        label: prefix of progress bar and log lines.

    Raises:
        UserError: no setting trains to an end, or the circuit cannot be had.
    """
    dimensions, classes = dataset["train"].features.shape[1], dataset["train"].logits.shape[1]
    if isinstance(config, LogisticConfig):
        chosen, training, tuning = fit_logistic(config, dataset, seed, label)
        trained = (dimensions + 1) * (1 if classes == 2 else classes)
        return Learned(chosen, training, tuning, trained, trained)
    build = partial(_build_on_features, name, circuit, dimensions, classes)
    found, training, tuning = tune(prepare_config(name, config), build, dataset, seed, label)
    return Learned(found, training, tuning, *size_up(build(found), training))


def prepare_config(name: FeatureName, config: FeatureConfig) -> FeatureConfig:
    """`config` with the loss and the pool that comparator `name` is trained on."""
    if name == "labels_alone":
        return replace(config, loss=isolate_term("ce", config.loss), pool=0)
    if name == "all_labels":
        return replace(config, loss=isolate_term("ce", config.loss), pool=None)
    if name == "kl" or name == "js":
        return replace(config, loss=isolate_term(name, config.loss))
    return config


def size_up(model: Model, training: Training) -> tuple[int, int]:
    """How many numbers training changed, and how many classify."""
    size = sum(array.size // len(training.seeds) for array in name_arrays(training.parameters).values())
    return count_trainable(model), size


def _build_on_features(
    name: FeatureName, circuit: CircuitConfig, dimensions: int, classes: int, config: FeatureConfig
) -> Model:
    student = config.to_student(circuit)
    if name in CONTROLS:
        return build_control(name, student, dimensions, classes)
    return build_model(student, dimensions, classes)
