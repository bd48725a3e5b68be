"""How large a BERT-like network is and what it starts from: its method's own sizes, or a checkpoint's.

In: TransformerSize, TextConfig, Facts, a Bert or None.  Out: plan_encoder(), start_encoder().  Imports: NumPy.
"""

from dataclasses import replace

import numpy as np

from student_jax.comparators.bert import Bert
from student_jax.comparators.comparator_config import TextConfig
from student_jax.comparators.network import TransformerSize
from student_jax.comparators.token_dataset import Facts
from teacher_cache.errors import UserError

POSITIONS = 512  # BERT's


def plan_encoder(size: TransformerSize, config: TextConfig, facts: Facts, bert: Bert | None) -> TransformerSize:
    """`size` with what the data say; a checkpoint keeps its own width, and as many layers as `size` has.

    Raises:
        UserError: the checkpoint has too few layers, positions or words.
    """
    if bert is None:
        positions = POSITIONS if config.size == "paper" else facts.length
        return replace(size, vocabulary=facts.vocabulary, positions=positions)
    needs = {"layers": size.layers, "positions": facts.length, "vocabulary": facts.vocabulary}
    for name, least in needs.items():
        if getattr(bert.size, name) < least:
            raise UserError(f"{bert.folder}: {name} must be at least {least}, got {getattr(bert.size, name)}")
    return replace(bert.size, layers=size.layers)


def start_encoder(size: TransformerSize, bert: Bert | None, spread: bool) -> dict[str, np.ndarray]:
    """Initial values: the checkpoint's first layers, or some spread over all of them; none without a checkpoint."""
    if bert is None:
        return {}
    step = bert.size.layers // size.layers if spread else 1
    return bert.take([place * step for place in range(size.layers)])
