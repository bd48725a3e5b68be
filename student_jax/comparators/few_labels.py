"""Few labels: an encoder that learns from a few labelled texts, and from its teacher where the teacher is sure.

In: FewLabelsConfig, Facts, a Bert or None.  Out: build_few_labels(), hide_labels().  Imports: flax, jax, numpy.

A method of our own. Its setting is that of LSFLS (Wang et al. 2023, "Linguistic Steganalysis in Few-Shot Scenario",
doi:10.1109/TIFS.2023.3298210): few labels, many texts without. It is not LSFLS, of which we know the abstract alone and
which trains itself on its own guesses: here the guesses are the teacher's, soft, and counted from a threshold on.
The backbone has BERT-base's sizes, or is a small encoder; without a checkpoint nothing is pretrained.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from student_jax.comparators.bert import Bert
from student_jax.comparators.bert_size import plan_encoder, start_encoder
from student_jax.comparators.comparator_config import FewLabelsConfig
from student_jax.comparators.network import Classifier, Scores, TransformerSize, build_network
from student_jax.comparators.token_dataset import Facts
from student_jax.data.dataset import Split
from student_jax.model import Model
from student_jax.training.losses import cross_entropy, find_sure, jensen_shannon, kullback_leibler
from teacher_cache.schema import NO_LABEL

SIZES = {"paper": TransformerSize(12, 768, 12, 3072), "small": TransformerSize(2, 64, 2, 128)}


def build_few_labels(config: FewLabelsConfig, facts: Facts, bert: Bert | None = None) -> Model:
    """The encoder; its training split is one whose labels `hide_labels` hid."""
    size = plan_encoder(SIZES[config.size], config, facts, bert)

    def compute_loss(network: Classifier, batch: Split) -> Float[Array, ""]:
        return semi_supervised_loss(network(batch.features), batch.logits, batch.labels, config)

    start = start_encoder(size, bert, spread=False)
    return build_network(lambda rngs: Classifier(size, facts, pooler=True, rngs=rngs), compute_loss, start)


def hide_labels(dataset: Mapping[str, Split], labelled: int) -> dict[str, Split]:
    """`dataset` with the labels of all but the first `labelled` training texts of each class hidden.

    Texts are ordered by example ids, which are hashes: the first are as good as drawn.
    """
    labels = dataset["train"].labels
    kept = np.concatenate([np.flatnonzero(labels == label)[:labelled] for label in np.unique(labels)])
    seen = np.full_like(labels, NO_LABEL)
    seen[kept] = labels[kept]
    return {**dataset, "train": dataset["train"]._replace(labels=seen)}


def semi_supervised_loss(
    scores: Scores, teacher_logits: Scores, labels: Int[Array, " rows"], config: FewLabelsConfig
) -> Float[Array, ""]:
    """`hard` * CE of the labelled rows + `soft` * (kl * KL + js * JS) of the others where the teacher is sure.

    Each part is a mean over all rows, so that a text weighs the same whatever its batch.
    """
    teacher, loss = jax.nn.softmax(teacher_logits), config.loss
    known = labels != NO_LABEL
    sure = ~known & find_sure(teacher_logits, config.confidence)
    guesses = loss.kl * kullback_leibler(scores, teacher) + loss.js * jensen_shannon(scores, teacher)
    supervised = cross_entropy(scores, jnp.maximum(labels, 0))
    return jnp.mean(jnp.where(known, loss.hard * supervised, 0.0) + jnp.where(sure, loss.soft * guesses, 0.0))
