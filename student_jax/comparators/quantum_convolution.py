"""Quantum convolution: a random circuit slides over frozen token vectors, and a dense layer reads its maxima.

In: QuantumConvolutionConfig, Facts, a Bert or None.  Out: build_quantum_convolution(), fit_vectors().
Imports: flax, jax, numpy.

After the random quantum temporal convolution of Yang et al. 2022, arXiv:2203.03550 (BERT-QTC), and not that method, as
no BERT is run. Kept: a circuit of few qubits that reads a window of tokens at a time and whose angles are drawn once
and never trained; the maximum over the windows; a dense layer that is trained. Changed: the features are a checkpoint's
word embeddings and not BERT's last layer; without a checkpoint they are singular vectors of the training texts' token
counts. A trained linear map takes a window to one angle a qubit; the circuit is this project's (RX encoding, then RY,
RZZ, RZ and CNOTs on neighbours), on its engine. Eq. 24 of QD-LLM in place of the cross entropy. The number of qubits,
the window and the range of the random angles are our choice.
"""

import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from flax import nnx
from jaxtyping import Float, Int

from student_jax.circuit.gates import angle_shapes
from student_jax.circuit.layers import Angles
from student_jax.comparators.bert import Bert
from student_jax.comparators.comparator_config import QuantumConvolutionConfig
from student_jax.comparators.network import Scores, Tokens, build_network
from student_jax.comparators.token_dataset import Facts
from student_jax.config import CircuitConfig
from student_jax.engines import build_engine
from student_jax.model import Model

# Width of the token vectors where they are fitted here.
SIZES = {"paper": 768, "small": 64}
SMALLEST_LENGTH = 1e-6
FROZEN = ("word.embedding", *(f"circuit.{name}" for name in Angles._fields))


class _Circuit(nnx.Module):
    def __init__(self, circuit: CircuitConfig) -> None:
        for name, shape in angle_shapes(circuit).items():
            setattr(self, name, nnx.Param(jnp.zeros(shape)))

    def angles(self) -> Angles:
        return Angles(*(getattr(self, name)[...] for name in Angles._fields))


class _Network(nnx.Module):
    def __init__(
        self, config: QuantumConvolutionConfig, vocabulary: int, width: int, classes: int, rngs: nnx.Rngs
    ) -> None:
        circuit = CircuitConfig(qubits=config.qubits, layers=config.layers)
        self.window, self.engine = config.window, build_engine("fused", circuit, classes, "float32")
        self.word = nnx.Embed(vocabulary, width, rngs=rngs)
        self.encoding = nnx.Linear(config.window * width, config.qubits, rngs=rngs)
        self.circuit = _Circuit(circuit)
        self.classifier = nnx.Linear(config.qubits, classes, rngs=rngs)

    def __call__(self, tokens: Tokens) -> Scores:
        words, own = self.word(tokens), tokens != 0
        windows = tokens.shape[1] - self.window + 1
        parts = [words[:, shift : shift + windows] for shift in range(self.window)]
        # A quarter turn, as a Hadamard gate's: <Z> then has the window's sign, which cos would hide from the maximum.
        z = self.encoding(jnp.concatenate(parts, axis=2)) + np.pi / 2
        values = self.engine(z.reshape(-1, z.shape[2]), self.circuit.angles()).reshape(len(tokens), windows, -1)
        # A window that begins behind the text has read nothing; the first one counts in any case.
        read = (own[:, :windows] | (jnp.arange(windows) == 0)[None])[:, :, None]
        return self.classifier(jnp.max(jnp.where(read, values, -1.0), axis=1))


def build_quantum_convolution(config: QuantumConvolutionConfig, facts: Facts, bert: Bert | None = None) -> Model:
    """The convolution over the token vectors of `bert`, or over fitted ones."""
    if bert is None:
        vectors = fit_vectors(facts.training, facts.vocabulary, SIZES[config.size])
    else:
        table = bert.read("embeddings.word_embeddings.weight")
        vectors = (table - table.mean(axis=0)) / table.std()
    return build_network(
        lambda rngs: _Network(config, len(vectors), vectors.shape[1], facts.classes, rngs),
        start={"word.embedding": vectors},
        rates=dict.fromkeys(FROZEN, 0.0),
    )


def fit_vectors(
    tokens: Int[np.ndarray, "rows tokens"], vocabulary: int, width: int
) -> Float[np.ndarray, "vocabulary width"]:
    """Right singular vectors of log(1 + count) of every token in every text, times singular values.

    Each has mean square 1, however rare its token is; padding and tokens that no text has are 0.
    """
    from student_jax.data.corpus_fit import find_directions  # scikit-learn takes a second to import

    rows = np.repeat(np.arange(len(tokens)), tokens.shape[1])
    counts = sp.csr_array((np.ones(tokens.size, np.float32), (rows, tokens.ravel())), shape=(len(tokens), vocabulary))
    counts.sum_duplicates()
    vectors, singular = find_directions(counts.log1p(), width)
    vectors = vectors * singular
    lengths = np.sqrt(np.mean(vectors**2, axis=1, keepdims=True))
    vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > SMALLEST_LENGTH)
    vectors[0] = 0
    return vectors.astype(np.float32)
