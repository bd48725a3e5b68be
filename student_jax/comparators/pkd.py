"""PKD, patient knowledge distillation: a BERT of fewer layers that follows its teacher's layers step by step.

In: PkdConfig, Facts, a Bert or None.  Out: build_pkd().  Imports: flax, jax.

Source: Sun et al. 2019, arXiv:1908.09355. Kept: cross entropy and soft targets, equations 3 to 5; the squared distance
between normalised states of intermediate layers, equation 7, without the last layer, which the soft targets already
speak for; the first layers of a BERT checkpoint to start from. Changed for distillation of classes from a cache: the
states are means over a text's tokens and not those of [CLS], which a decoder does not have, and ours are projected to
the teacher's width; the layers are those that were cached, spread evenly over ours (PKD-Skip where they are evenly
spaced). A cache of one layer alone keeps that one. Without BERT's pooler the four layers of 768 have the 52.2 million
parameters that QD-LLM's Table 3 implies.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from student_jax.comparators.bert import Bert
from student_jax.comparators.bert_size import plan_encoder, start_encoder
from student_jax.comparators.comparator_config import PkdConfig
from student_jax.comparators.network import Classifier, States, TransformerSize, build_network
from student_jax.comparators.token_dataset import Facts, spread_layers
from student_jax.data.dataset import Split
from student_jax.model import Model
from student_jax.training.losses import distillation_loss

SIZES = {"paper": TransformerSize(4, 768, 12, 3072), "small": TransformerSize(2, 64, 2, 128)}
# Keeps the gradient of a state of zeros finite.
SMALLEST_SQUARE = 1e-12


def build_pkd(config: PkdConfig, facts: Facts, bert: Bert | None = None) -> Model:
    """PKD's student for the cache that `facts` are of."""
    size = plan_encoder(SIZES[config.size], config, facts, bert)
    kept = max(1, len(facts.layers) - 1)
    pairs = jnp.array(spread_layers(facts.layers, size.layers)[:kept])

    def compute_loss(network: Classifier, batch: Split) -> Float[Array, ""]:
        scores, states = network.look(batch.features)
        soft = distillation_loss(scores, batch.logits, batch.labels, config.loss, batch.known)
        return soft + config.patience_weight * measure_patience(states[:, pairs], batch.hidden[:, :kept])

    start = start_encoder(size, bert, spread=False)
    return build_network(lambda rngs: Classifier(size, facts, pooler=False, rngs=rngs), compute_loss, start)


def measure_patience(states: States, teacher: States) -> Float[Array, ""]:
    """The squared distance between normalised states, summed over the layers, its mean over rows; at most 4 a layer."""
    return jnp.mean(jnp.sum((_normalise(states) - _normalise(teacher)) ** 2, axis=(1, 2)))


def _normalise(states: States) -> States:
    return states / jnp.sqrt(jnp.sum(states**2, axis=2, keepdims=True) + SMALLEST_SQUARE)
