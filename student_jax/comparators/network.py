"""What the networks that read texts are made of, and how a network becomes a Model that the shared trainer trains.

In: sizes and Facts.  Out: TransformerSize, Transformer, Classifier, build_network(), pool_tokens(), count_inference().
Imports: flax, jax.

No network has dropout: the trainer's steps take no random numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from student_jax.circuit.layers import Angles
from student_jax.comparators.token_dataset import Facts
from student_jax.data.dataset import Split
from student_jax.model import Model, name_arrays

EPSILON = 1e-12  # of BERT's layer norms
# In radians, as the student's angles start. Drawn from a whole turn, the first qubit's can leave all outputs near 0.
ANGLE = 0.3
# Only training looks at it; no part of the network that classifies.
PROJECTION = "projection"

Tokens = Int[Array, "rows tokens"]
Scores = Float[Array, "rows classes"]
States = Float[Array, "rows states width"]


@dataclass(frozen=True)
class TransformerSize:
    """Sizes of a transformer; `types` is BERT's number of token types, of which texts have the first alone."""

    layers: int
    width: int
    heads: int
    inner: int
    vocabulary: int = 0
    positions: int = 0
    types: int = 2
    causal: bool = False


class Layer(nnx.Module):
    """Attention and two dense layers, each added to its input and normalised after: a layer of BERT."""

    def __init__(self, size: TransformerSize, rngs: nnx.Rngs) -> None:
        width, self.heads = size.width, size.heads
        self.query, self.key, self.value = (nnx.Linear(width, width, rngs=rngs) for _ in range(3))
        self.attended = nnx.Linear(width, width, rngs=rngs)
        self.attended_norm = nnx.LayerNorm(width, epsilon=EPSILON, rngs=rngs)
        self.widen = nnx.Linear(width, size.inner, rngs=rngs)
        self.narrow = nnx.Linear(size.inner, width, rngs=rngs)
        self.narrow_norm = nnx.LayerNorm(width, epsilon=EPSILON, rngs=rngs)

    def __call__(
        self, states: Float[Array, "rows tokens width"], mask: Bool[Array, "rows 1 #tokens tokens"]
    ) -> Float[Array, "rows tokens width"]:
        """The states behind this layer; a token sees those that `mask` lets it see."""
        shape = (*states.shape[:2], self.heads, -1)
        query, key, value = (part(states).reshape(shape) for part in (self.query, self.key, self.value))
        seen = jax.nn.dot_product_attention(query, key, value, mask=mask).reshape(states.shape)
        states = self.attended_norm(states + self.attended(seen))
        return self.narrow_norm(states + self.narrow(jax.nn.gelu(self.widen(states), approximate=False)))


class Transformer(nnx.Module):
    """BERT without its pooler; `causal` makes a decoder of it, whose tokens see those before them alone.

    Source: Devlin et al. 2019, arXiv:1810.04805.
    """

    def __init__(self, size: TransformerSize, rngs: nnx.Rngs) -> None:
        self.word = nnx.Embed(size.vocabulary, size.width, rngs=rngs)
        self.position = nnx.Embed(size.positions, size.width, rngs=rngs)
        self.type = nnx.Embed(size.types, size.width, rngs=rngs) if size.types else None
        self.norm = nnx.LayerNorm(size.width, epsilon=EPSILON, rngs=rngs)
        self.layers = nnx.List([Layer(size, rngs) for _ in range(size.layers)])
        self.causal = size.causal

    def __call__(self, tokens: Tokens) -> list[Float[Array, "rows tokens width"]]:
        """The states behind the embeddings and behind every layer."""
        length = tokens.shape[1]
        mask = (tokens != 0)[:, None, None]
        if self.causal:
            mask = mask & jnp.tri(length, dtype=bool)[None, None]
        embedded = self.word(tokens) + self.position(jnp.arange(length))[None]
        if self.type is not None:
            embedded += self.type(jnp.zeros((1, 1), jnp.int32))
        states = [self.norm(embedded)]
        for layer in self.layers:
            states.append(layer(states[-1], mask))
        return states


class Classifier(nnx.Module):
    """A transformer that is read at one token: at the first, or at the last where it is causal.

    With `pooler`, a dense layer of tanh stands before the scores, as in BERT. Where the teacher's states are known, a
    projection takes ours to their width.
    """

    def __init__(self, size: TransformerSize, facts: Facts, pooler: bool, rngs: nnx.Rngs) -> None:
        self.transformer = Transformer(size, rngs)
        self.pooler = nnx.Linear(size.width, size.width, rngs=rngs) if pooler else None
        self.classifier = nnx.Linear(size.width, facts.classes, rngs=rngs)
        self.projection = nnx.Linear(size.width, facts.width, use_bias=False, rngs=rngs) if facts.width else None

    def __call__(self, tokens: Tokens) -> Scores:
        """One score a class."""
        return self._read(tokens, self.transformer(tokens)[-1])

    def look(self, tokens: Tokens) -> tuple[Scores, States]:
        """The scores, and the projected means over each text's own tokens of all states, embeddings first."""
        if self.projection is None:
            raise ValueError("states must be compared with a teacher's, got none of it")
        states = self.transformer(tokens)
        pooled = jnp.stack([pool_tokens(state, tokens) for state in states], axis=1)
        return self._read(tokens, states[-1]), self.projection(pooled)

    def _read(self, tokens: Tokens, states: Float[Array, "rows tokens width"]) -> Scores:
        place = (tokens != 0).sum(axis=1) - 1 if self.transformer.causal else jnp.zeros(len(tokens), jnp.int32)
        state = jnp.take_along_axis(states, place[:, None, None], axis=1)[:, 0]
        return self.classifier(state if self.pooler is None else jnp.tanh(self.pooler(state)))


def pool_tokens(states: Float[Array, "rows tokens width"], tokens: Tokens) -> Float[Array, "rows width"]:
    """Means over each text's own tokens, as the cache has the teacher's."""
    own = (tokens != 0)[:, :, None].astype(states.dtype)
    return (states * own).sum(axis=1) / own.sum(axis=1)


def build_network(
    make: Callable[[nnx.Rngs], Any],
    loss: Callable[[Any, Split], Float[Array, ""]] | None = None,
    start: Mapping[str, np.ndarray] | None = None,
    rates: Mapping[str, float] | None = None,
) -> Model:
    """A Model of the network that `make` makes.

    Args:
        make: random streams -> a module that maps tokens to scores.
        loss: of the module and a batch, where it is not the shared one of the scores.
        start: initial values by name, in place of drawn ones.
        rates: see Model.
    """
    graph, shapes = nnx.split(nnx.eval_shape(lambda: make(nnx.Rngs(0))))
    tree, given = nnx.to_pure_dict(shapes), start or {}

    def initialise(generator: np.random.Generator) -> Any:
        drawn = (
            given[name] if name in given else _draw(name, array.shape, generator)
            for name, array in name_arrays(tree).items()
        )
        return jax.tree.unflatten(jax.tree.structure(tree), list(drawn))

    def apply(parameters: Any, tokens: Tokens) -> Scores:
        return nnx.merge(graph, parameters)(tokens)

    def compute_loss(parameters: Any, batch: Split) -> Float[Array, ""]:
        return loss(nnx.merge(graph, parameters), batch) if loss is not None else jnp.zeros(())

    return Model(initialise, apply, rates or {}, compute_loss if loss is not None else None)


def _draw(name: str, shape: tuple[int, ...], generator: np.random.Generator) -> Float[np.ndarray, "..."]:
    """Initial values by the last part of the name, in NumPy, as compiling Flax's own costs seconds a network.

    Matrices are normal with standard deviation 1 / sqrt(inputs), embeddings 1 / sqrt(width); a circuit's angles are
    uniform within +-ANGLE; norms start as the identity.
    """
    part = name.rpartition(".")[2]
    if part in {"kernel", "embedding"}:
        size = shape[0] if part == "kernel" else shape[1]
        return generator.standard_normal(shape, np.float32) / np.float32(size**0.5)
    if part in Angles._fields:
        return generator.uniform(-ANGLE, ANGLE, shape).astype(np.float32)
    return np.full(shape, 1.0 if part == "scale" else 0.0, np.float32)


def count_inference(parameters: Any) -> int:
    """How many numbers classify a text, what is only trained with left out."""
    return sum(array.size for name, array in name_arrays(parameters).items() if not name.startswith(PROJECTION))
