"""TinyBERT: a small BERT that imitates its teacher's hidden states and its predictions.

In: TinyBertConfig, Facts, a Bert or None.  Out: build_tinybert().  Imports: flax, jax.

Source: Jiao et al. 2020, arXiv:1909.10351. Kept: 4 layers, 312 wide, 14.35 million parameters; the mean squared error
between the teacher's states and our projected ones (equations 8 and 9); the soft cross entropy of the predictions
(equation 10, whose gradient is that of the KL divergence). Changed, because a cache holds one vector a layer and text:
states are compared as means over a text's tokens and not token by token, by layers spread evenly over ours; the error
between attention matrices (equation 7), which no cache has, is left out; both stages are one sum, as the cache is there
from the beginning; one projection serves all layers; texts are not augmented, for the teacher would have to read them.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from student_jax.comparators.bert import Bert
from student_jax.comparators.bert_size import plan_encoder, start_encoder
from student_jax.comparators.comparator_config import TinyBertConfig
from student_jax.comparators.network import Classifier, States, TransformerSize, build_network
from student_jax.comparators.token_dataset import Facts, spread_layers
from student_jax.data.dataset import Split
from student_jax.model import Model
from student_jax.training.losses import distillation_loss

SIZES = {"paper": TransformerSize(4, 312, 12, 1200), "small": TransformerSize(2, 64, 2, 128)}


def build_tinybert(config: TinyBertConfig, facts: Facts, bert: Bert | None = None) -> Model:
    """TinyBERT for the cache that `facts` are of."""
    size = plan_encoder(SIZES[config.size], config, facts, bert)
    pairs = jnp.array(spread_layers(facts.layers, size.layers))

    def compute_loss(network: Classifier, batch: Split) -> Float[Array, ""]:
        scores, states = network.look(batch.features)
        soft = distillation_loss(scores, batch.logits, batch.labels, config.loss, batch.known)
        return soft + config.hidden * measure_distance(states[:, pairs], batch.hidden)

    start = start_encoder(size, bert, spread=False)
    return build_network(lambda rngs: Classifier(size, facts, pooler=True, rngs=rngs), compute_loss, start)


def measure_distance(states: States, teacher: States) -> Float[Array, ""]:
    """The mean squared difference, summed over the layers."""
    return jnp.sum(jnp.mean((states - teacher) ** 2, axis=(0, 2)))
