"""DistilBERT: a BERT of fewer layers, taught by soft targets and by the direction of the teacher's last states.

In: DistilBertConfig, Facts, a Bert or None.  Out: build_distilbert().  Imports: flax, jax.

Source: Sanh et al. 2019, arXiv:1910.01108. Kept: BERT's width, no token types and no pooler; soft targets at a
temperature of 2; the cosine between hidden states; layers spread over a BERT checkpoint's to start from. Changed for
distillation of classes from a cache: the masked language model's loss is replaced by the cross entropy of the labels,
as there are no words to predict; the cosine is that of the means over a text's tokens, our last layer against the last
cached one, projected to the teacher's width. Four layers and not the six of the method's paper: QD-LLM's Table 3
implies 52.2 million parameters, which are 4 layers of 768 (52.19 million).
"""

from dataclasses import replace

import jax.numpy as jnp
from jaxtyping import Array, Float

from student_jax.comparators.bert import Bert
from student_jax.comparators.bert_size import plan_encoder, start_encoder
from student_jax.comparators.comparator_config import DistilBertConfig
from student_jax.comparators.network import Classifier, TransformerSize, build_network
from student_jax.comparators.token_dataset import Facts
from student_jax.data.dataset import Split
from student_jax.model import Model
from student_jax.training.losses import distillation_loss

SIZES = {"paper": TransformerSize(4, 768, 12, 3072), "small": TransformerSize(2, 64, 2, 128)}
# A state of zeros has no direction; its cosine counts as 0.
SMALLEST_LENGTH = 1e-6


def build_distilbert(config: DistilBertConfig, facts: Facts, bert: Bert | None = None) -> Model:
    """DistilBERT for the cache that `facts` are of."""
    size = replace(plan_encoder(SIZES[config.size], config, facts, bert), types=0)

    def compute_loss(network: Classifier, batch: Split) -> Float[Array, ""]:
        scores, states = network.look(batch.features)
        soft = distillation_loss(scores, batch.logits, batch.labels, config.loss, batch.known)
        return soft + config.cosine * measure_turn(states[:, -1], batch.hidden[:, -1])

    start = start_encoder(size, bert, spread=True)
    return build_network(lambda rngs: Classifier(size, facts, pooler=False, rngs=rngs), compute_loss, start)


def measure_turn(states: Float[Array, "rows width"], teacher: Float[Array, "rows width"]) -> Float[Array, ""]:
    """1 - cosine of the angle between the rows, their mean; from 0 to 2."""
    lengths = jnp.linalg.norm(states, axis=1) * jnp.linalg.norm(teacher, axis=1)
    return jnp.mean(1 - jnp.sum(states * teacher, axis=1) / jnp.maximum(lengths, SMALLEST_LENGTH))
