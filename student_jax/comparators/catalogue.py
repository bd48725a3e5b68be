"""The eight rivals by name: what builds each, and what it wants of the data.

In: a method's name.  Out: Rival, RIVALS, train_rival().  Imports: flax, jax.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from student_jax.comparators.bert import Bert
from student_jax.comparators.bertqtc import build_bertqtc
from student_jax.comparators.comparator_config import BaselineConfig, LsflsConfig, Method
from student_jax.comparators.distilbert import build_distilbert
from student_jax.comparators.hitin import build_hitin
from student_jax.comparators.lsfls import build_lsfls, hide_labels
from student_jax.comparators.minillm import build_minillm
from student_jax.comparators.pkd import build_pkd
from student_jax.comparators.textrcnn import build_textrcnn
from student_jax.comparators.tinybert import build_tinybert
from student_jax.comparators.token_dataset import Facts
from student_jax.data.dataset import Split
from student_jax.model import Model
from student_jax.training.best_epochs import Training
from student_jax.training.trainer import train


class Rival(NamedTuple):
    """How a method's Model is built; whether it compares hidden states, and whether it can start from a BERT."""

    build: Callable[[Any, Facts, Bert | None], Model]
    states: bool = False
    starts: bool = False


RIVALS: dict[Method, Rival] = {
    "tinybert": Rival(build_tinybert, states=True, starts=True),
    "minillm": Rival(build_minillm),
    "distilbert": Rival(build_distilbert, states=True, starts=True),
    "pkd": Rival(build_pkd, states=True, starts=True),
    "textrcnn": Rival(build_textrcnn),
    "hitin": Rival(build_hitin),
    "lsfls": Rival(build_lsfls, starts=True),
    "bertqtc": Rival(build_bertqtc, starts=True),
}


def train_rival(model: Model, dataset: Mapping[str, Split], config: BaselineConfig, seed: int, name: str) -> Training:
    """Train every seed of a rival as the student is trained: the same steps, the same choice of epoch and seed.

    Raises:
        UserError: a validation loss is not finite.
    """
    if isinstance(config, LsflsConfig):
        dataset = hide_labels(dataset, config.labelled)
    return train(model, dataset, config.to_training(), seed, name)
