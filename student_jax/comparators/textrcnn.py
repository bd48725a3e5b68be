"""TextRCNN: each word with the contexts to its left and right from two recurrences, then the maximum over the words.

In: TextConfig, Facts.  Out: TextRcnn, build_textrcnn().  Imports: flax, jax.

Source: Lai et al. 2015, "Recurrent Convolutional Neural Networks for Text Classification", AAAI. Kept: equations 1 to 7
and the sizes of section 4.3 (words and contexts of 50, 100 hidden units). Changed for distillation from a cache: eq. 24
of QD-LLM in place of the cross entropy alone; Adam; word vectors are trained from scratch, where the method's paper has
pretrained ones of Wikipedia, and words are word pieces. The nonlinearity f, which that paper leaves open, is tanh.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from student_jax.comparators.bert import Bert
from student_jax.comparators.comparator_config import TextConfig
from student_jax.comparators.network import Scores, Tokens, build_network
from student_jax.comparators.token_dataset import Facts
from student_jax.model import Model

# Width of words and of contexts, hidden units.
SIZES = {"paper": (50, 100), "small": (32, 64)}


class TextRcnn(nnx.Module):
    """Tokens -> hidden units, the maximum over the text."""

    def __init__(self, vocabulary: int, width: int, units: int, rngs: nnx.Rngs) -> None:
        self.word = nnx.Embed(vocabulary, width, rngs=rngs)
        self.left, self.right = (nnx.Linear(width, width, use_bias=False, rngs=rngs) for _ in range(2))
        self.left_word, self.right_word = (nnx.Linear(width, width, use_bias=False, rngs=rngs) for _ in range(2))
        self.first, self.last = nnx.Param(jnp.zeros(width)), nnx.Param(jnp.zeros(width))
        self.hidden = nnx.Linear(3 * width, units, rngs=rngs)

    def __call__(self, tokens: Tokens) -> Float[Array, "rows units"]:
        """The hidden units' maxima; each unit is in [-1, 1]."""
        words, own = self.word(tokens), (tokens != 0)[:, :, None]
        left = _recur(self.left.kernel[...], self.left_word(words), own, self.first[...], reverse=False)
        right = _recur(self.right.kernel[...], self.right_word(words), own, self.last[...], reverse=True)
        units = jnp.tanh(self.hidden(jnp.concatenate([left, words, right], axis=2)))
        return jnp.max(jnp.where(own, units, -1.0), axis=1)


class _Network(nnx.Module):
    def __init__(self, config: TextConfig, facts: Facts, rngs: nnx.Rngs) -> None:
        width, units = SIZES[config.size]
        self.text = TextRcnn(facts.vocabulary, width, units, rngs)
        self.classifier = nnx.Linear(units, facts.classes, rngs=rngs)

    def __call__(self, tokens: Tokens) -> Scores:
        return self.classifier(self.text(tokens))


def build_textrcnn(config: TextConfig, facts: Facts, bert: Bert | None = None) -> Model:
    """TextRCNN; it takes nothing from a `bert`."""
    return build_network(lambda rngs: _Network(config, facts, rngs))


def _recur(
    matrix: Float[Array, "width width"],
    words: Float[Array, "rows tokens width"],
    own: Bool[Array, "rows tokens 1"],
    start: Float[Array, " width"],
    reverse: bool,
) -> Float[Array, "rows tokens width"]:
    """The context of each token: c_i = tanh(W c_(i-1) + W' e_(i-1)), `start` at a text's own first token.

    With `reverse` the recurrence runs from the text's last token, not from the padding behind it.
    """
    begin = jnp.broadcast_to(start[None], words[:, 0].shape)

    def step(context: Array, token: tuple[Array, Array]) -> tuple[Array, Array]:
        word, known = token
        return jnp.where(known, jnp.tanh(context @ matrix + word), begin), context

    _, contexts = jax.lax.scan(step, begin, (words.swapaxes(0, 1), own.swapaxes(0, 1)), reverse=reverse)
    return contexts.swapaxes(0, 1)
