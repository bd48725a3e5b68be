"""The comparators that read texts: what builds each, what it wants of the data, and how it is tuned and trained.

In: a comparator's name and config, a dataset of tokens.  Out: TEXT_COMPARATORS, learn_from_texts().
Imports: flax, jax.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from student_jax.comparators.bert import Bert
from student_jax.comparators.comparator_config import FewLabelsConfig, TextConfig, TextName
from student_jax.comparators.distilbert import build_distilbert
from student_jax.comparators.few_labels import build_few_labels, hide_labels
from student_jax.comparators.learned import Learned
from student_jax.comparators.minillm import build_minillm
from student_jax.comparators.network import count_inference
from student_jax.comparators.pkd import build_pkd
from student_jax.comparators.quantum_convolution import build_quantum_convolution
from student_jax.comparators.textrcnn import build_textrcnn
from student_jax.comparators.tinybert import build_tinybert
from student_jax.comparators.token_dataset import Facts
from student_jax.data.dataset import Split
from student_jax.model import Model, count_trainable
from student_jax.training.tuning import tune


class TextComparator(NamedTuple):
    """How the Model is built; whether it compares hidden states, and whether it can start from a BERT."""

    build: Callable[[Any, Facts, Bert | None], Model]
    states: bool = False
    starts: bool = False


TEXT_COMPARATORS: dict[TextName, TextComparator] = {
    "textrcnn": TextComparator(build_textrcnn),
    "minillm": TextComparator(build_minillm),
    "tinybert": TextComparator(build_tinybert, states=True, starts=True),
    "distilbert": TextComparator(build_distilbert, states=True, starts=True),
    "pkd": TextComparator(build_pkd, states=True, starts=True),
    "few_labels": TextComparator(build_few_labels, starts=True),
    "quantum_convolution": TextComparator(build_quantum_convolution, starts=True),
}


def learn_from_texts(
    name: TextName,
    config: TextConfig,
    facts: Facts,
    bert: Bert | None,
    dataset: Mapping[str, Split],
    seed: int,
    label: str,
) -> Learned:
    """Tune and train a comparator that reads texts, in the student's steps, its epoch and seed chosen as the student's.

    Args:
        name: of the comparator.
        config: of its class.
        facts: what the data say of the network's sizes.
        bert: the checkpoint that it starts from, if any.
        dataset: splits by name, of tokens.
        seed: of the first of its seeds.
        label: prefix of progress bar and log lines.

    Raises:
        UserError: no setting trains to an end, or the checkpoint does not fit.
    """
    if isinstance(config, FewLabelsConfig):
        dataset = hide_labels(dataset, config.labelled)

    def build(config: TextConfig) -> Model:
        return TEXT_COMPARATORS[name].build(config, facts, bert)

    found, training, tuning = tune(config, build, dataset, seed, label)
    learned = Learned(found, training, tuning, count_trainable(build(found)), 0)
    return learned._replace(inference=count_inference(learned.selected_parameters))
