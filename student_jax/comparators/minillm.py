"""MiniLLM: a small decoder that minimises the reverse KL divergence to its teacher.

In: MiniLlmConfig, Facts.  Out: build_minillm().  Imports: flax, jax.

Source: Gu et al. 2024, arXiv:2306.08543. Kept: a decoder, and KL(q || f) of our distribution q to the teacher's f,
which seeks the teacher's modes (equation 1). Changed for distillation of classes from a cache: an answer is one class
and not a text, so the expectation over q is a sum over the classes, whose gradient is exact; policy gradients and their
three remedies (single-step decomposition, teacher-mixed sampling, length normalisation) have nothing left to mend, and
the language model's loss on a corpus falls away with the language model's head. From scratch: the method starts from a
pretrained decoder, which BERT is not. 12 layers of 384 with a dense layer before the scores have the 33.36 million
parameters of QD-LLM's Table 3. So does MiniLM (Wang et al. 2020, arXiv:2002.10957), a method of a similar name.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from student_jax.comparators.bert import Bert
from student_jax.comparators.bert_size import plan_encoder
from student_jax.comparators.comparator_config import MiniLlmConfig
from student_jax.comparators.network import Classifier, Scores, TransformerSize, build_network
from student_jax.comparators.token_dataset import Facts
from student_jax.data.dataset import Split
from student_jax.model import Model
from student_jax.training.losses import cross_entropy, find_sure

SIZES = {"paper": TransformerSize(12, 384, 12, 1536), "small": TransformerSize(1, 32, 2, 64)}


def build_minillm(config: MiniLlmConfig, facts: Facts, bert: Bert | None = None) -> Model:
    """MiniLLM's decoder; it takes nothing from a `bert`."""
    size = replace(plan_encoder(SIZES[config.size], config, facts, None), types=0, causal=True)

    def compute_loss(network: Classifier, batch: Split) -> Float[Array, ""]:
        scores = network(batch.features)
        temperature = config.loss.temperature
        reverse = reverse_divergence(scores / temperature, batch.logits / temperature) * temperature**2
        if batch.known is not None:
            reverse = jnp.where(batch.known | find_sure(batch.logits, config.loss.confidence), reverse, 0.0)
        labels = cross_entropy(scores, batch.labels, batch.known)
        return jnp.mean(config.loss.soft * reverse + config.loss.hard * labels)

    return build_network(lambda rngs: Classifier(size, facts, pooler=True, rngs=rngs), compute_loss)


def reverse_divergence(scores: Scores, teacher_logits: Scores) -> Float[Array, " rows"]:
    """KL(q || f) = sum_i q_i log(q_i / f_i) of each row in nats; q and f are the softmax of scores and of logits."""
    log_student, log_teacher = jax.nn.log_softmax(scores), jax.nn.log_softmax(teacher_logits)
    return jnp.sum(jnp.exp(log_student) * (log_student - log_teacher), axis=-1)
