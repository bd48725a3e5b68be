"""What a trained student says of the validation and test splits, and what is trained beside it: controls, losses.

In: a Checkpoint, the dataset.  Out: predict_splits(), train_control(), train_terms().  Imports: jax.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy.special import softmax

from student_jax.checkpoint import Checkpoint
from student_jax.comparators.controls import build_control
from student_jax.config import StudentConfig, Term
from student_jax.data.dataset import EVALUATED, Split
from student_jax.model import build_model, build_scorer, count_trainable
from student_jax.training.losses import isolate_term
from student_jax.training.trainer import train


def predict_splits(
    checkpoint: Checkpoint, dataset: Mapping[str, Split]
) -> dict[str, Float[np.ndarray, "seeds rows classes"]]:
    """Probabilities of every seed for each evaluated split, in the order of the dataset's rows."""
    description = checkpoint.description
    model = build_model(description.config, description.dimensions, len(description.labels))
    score = build_scorer(model, description.config.precision)
    return {name: softmax(score(checkpoint.parameters, dataset[name].features), axis=-1) for name in EVALUATED}


def train_control(
    name: str, config: StudentConfig, dataset: Mapping[str, Split], seed: int
) -> tuple[Float[np.ndarray, "seeds rows classes"], int]:
    """Train one control as the student was trained; its probabilities for the test split, and its size.

    Raises:
        UserError: its loss became NaN or infinite.
    """
    dimensions, classes = dataset["train"].features.shape[1], dataset["train"].logits.shape[1]
    model = build_control(name, config, dimensions, classes)
    training = train(model, dataset, config, seed, f"evaluate: control {name}")
    scores = training.score(training.parameters, dataset["test"].features)
    return softmax(scores, axis=-1), count_trainable(model)


def train_terms(
    terms: Sequence[Term], config: StudentConfig, dataset: Mapping[str, Split], seed: int
) -> dict[Term, dict[int, Float[np.ndarray, "rows classes"]]]:
    """Train the student with each of several terms of its loss alone, in one program.

    Returns:
        By term, each seed's probabilities for the test split by the seed's number.

    Raises:
        UserError: a loss became NaN or infinite.
    """
    if not terms:
        return {}
    dimensions, classes = dataset["train"].features.shape[1], dataset["train"].logits.shape[1]
    model = build_model(config, dimensions, classes)
    configs = [replace(config, loss=isolate_term(term, config.loss)) for term in terms]
    name = f"evaluate: losses {', '.join(terms)}"
    trained = [train(model, dataset, config, seed, name) for config in configs]
    test = dataset["test"].features
    return {
        term: dict(zip(training.seeds, softmax(training.score(training.parameters, test), axis=-1), strict=True))
        for term, training in zip(terms, trained, strict=True)
    }
