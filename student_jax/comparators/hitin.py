"""HiTIN: a text's features go to the leaves of a tree of labels and are gathered up to its root.

In: BaselineConfig, Facts.  Out: build_hitin().  Imports: flax, jax.

Source: Zhu et al. 2023, arXiv:2305.15182. Kept: TextRCNN as text encoder (one of that paper's two); a linear map from
the text to a vector for each label; a two-layer perceptron of the sum of the children for every inner node; the
classifier of the levels' sums, side by side. Changed: our labels have no hierarchy. The coding tree of least structural
entropy then has no labels to merge and is a root with the labels as leaves: there is one inner node, and the penalty
that draws a class towards its parent's weights has no pairs. One label is right, so scores are softmaxed and not put
through sigmoids, and eq. 24 of QD-LLM stands in place of the binary cross entropy. No batch normalisation. The sizes of
300 are a usual width of word vectors, not that paper's, which we could not check.
"""

import jax
import jax.numpy as jnp
from flax import nnx

from student_jax.comparators.bert import Bert
from student_jax.comparators.comparator_config import BaselineConfig
from student_jax.comparators.network import Scores, Tokens, build_network
from student_jax.comparators.textrcnn import TextRcnn
from student_jax.comparators.token_dataset import Facts
from student_jax.model import Model

# Width of words and of contexts, hidden units, width of a node.
SIZES = {"paper": (300, 300, 300), "small": (32, 64, 32)}


class _Network(nnx.Module):
    def __init__(self, config: BaselineConfig, facts: Facts, rngs: nnx.Rngs) -> None:
        width, units, self.node = SIZES[config.size]
        self.text = TextRcnn(facts.vocabulary, width, units, rngs)
        self.leaves = nnx.Linear(units, facts.classes * self.node, rngs=rngs)
        self.inner, self.outer = (nnx.Linear(self.node, self.node, rngs=rngs) for _ in range(2))
        self.classifier = nnx.Linear(2 * self.node, facts.classes, rngs=rngs)

    def __call__(self, tokens: Tokens) -> Scores:
        leaves = self.leaves(self.text(tokens)).reshape(len(tokens), -1, self.node)
        children = leaves.sum(axis=1)
        root = self.outer(jax.nn.relu(self.inner(children)))
        return self.classifier(jnp.concatenate([children, root], axis=1))


def build_hitin(config: BaselineConfig, facts: Facts, bert: Bert | None = None) -> Model:
    """HiTIN with TextRCNN as text encoder; it takes nothing from a `bert`."""
    return build_network(lambda rngs: _Network(config, facts, rngs))
