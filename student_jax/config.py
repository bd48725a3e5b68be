"""What a student is and how it is trained: the `embed` and `student` blocks of params.yaml.

In: nothing.  Out: EmbedConfig, TrainingConfig, StudentConfig and their parts.  Imports: pydantic alone.
"""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from student_jax.tunable import STRICT, Tunable

Positive = Annotated[float, Field(gt=0)]
EngineName = Literal["auto", "fused", "native", "default.qubit", "lightning.qubit", "lightning.gpu"]
NotNegative = Annotated[float, Field(ge=0)]
ArrayName = Annotated[str, Field(pattern="^[a-zA-Z][a-zA-Z0-9_]*$")]
Shape = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)]


@dataclass(frozen=True, config=STRICT)
class EmbedConfig:
    """The frozen features of a text (block `embed`).

    `corpus`: TF-IDF of words and characters fitted on the training split and the pool, its terms weighted by how far
    they tell the labelled texts' classes apart where `class_weights`, truncated SVD to `dimensions`.  `static`: mean of
    the token-embedding table of the folder `checkpoint`.  `encoder`: mean-pooled last hidden state of `checkpoint`, a
    folder or a hub id with its `revision`. These two have the checkpoint's width.  `file`: the user's own vectors, in
    the column `column` of the Parquet file `path`, whose checksum must be `sha256` where that is given. All kinds are
    fitted on the training split and the pool, on the `fit_texts` first of their ids where they have more, labelled ones
    before the others.  `hashed`: the terms of `corpus` are kept as hashes.
    """

    kind: Literal["corpus", "static", "encoder", "file"] = "corpus"
    dimensions: Annotated[int, Field(ge=1)] = 768
    class_weights: bool = True
    min_document_frequency: Annotated[int, Field(ge=1)] = 2
    max_ngram: Annotated[int, Field(ge=1, le=5)] = 2
    max_terms: Annotated[int, Field(ge=1)] = 20_000
    checkpoint: str | None = None
    revision: str | None = None
    max_length: Annotated[int, Field(ge=1)] = 256
    path: str | None = None
    column: str = "features"
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    fit_texts: Annotated[int, Field(ge=1)] = 100_000
    hashed: bool = False

    def __post_init__(self) -> None:
        if self.hashed and self.kind == "static":
            raise ValueError("hashed must go with another kind than static, which needs its tokenizer's words")


@dataclass(frozen=True, config=STRICT)
class CircuitConfig:
    """The circuit: one of the shipped ansätze (student_jax/circuit/), or one of the user's own, in a Python file.

    `layers` is the paper's, equations 15 to 23: one encoding, then the layers; `reupload` has the encoding before every
    layer.
    Of a circuit in `file`, whose checksum is `sha256`, there are the names and shapes of the trainable `arrays` and the
    number of `outputs`, which a trained affine map reads; of the other settings it has `qubits` alone.
    """

    qubits: Annotated[int, Field(ge=2, le=30)] = 11
    ansatz: Literal["layers", "reupload"] = "layers"
    layers: Annotated[int, Field(ge=1)] = 4
    entanglement: Literal["chain", "ring"] = "chain"
    rotations: Literal["triple", "tied"] = "triple"
    readout: Literal["linear", "first"] = "linear"
    file: str | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    arrays: dict[ArrayName, Shape] = field(default_factory=dict, hash=False)
    outputs: Annotated[int, Field(ge=1)] | None = None

    def __post_init__(self) -> None:
        given = [bool(self.arrays), self.outputs is not None]
        if self.file is not None and not (all(given) and self.readout == "linear"):
            raise ValueError("a circuit of a file must have arrays, outputs and readout linear")
        if self.file is None and (any(given) or self.sha256 is not None):
            raise ValueError("sha256, arrays and outputs must go with a file")


@dataclass(frozen=True, config=STRICT)
class LossConfig:
    """The loss, equation 24: `soft` * (kl * KL + js * JS) + `hard` * CE; a weight of 0 switches its term off.

    A text of the pool has no label and no CE; it has the other terms where its teacher gives a class the probability
    `confidence` at least.
    """

    soft: NotNegative = 0.9
    hard: NotNegative = 0.1
    kl: NotNegative = 1.0
    js: NotNegative = 1.0
    temperature: Positive = 1.0
    confidence: Annotated[float, Field(ge=0, lt=1)] = 0.0

    def __post_init__(self) -> None:
        if not self.hard and not self.soft * (self.kl + self.js):
            raise ValueError("loss must have a term, all its weights are 0: set hard, or soft with kl or js")


@dataclass(frozen=True, config=STRICT)
class TrainingConfig:
    """How anything is trained, the student or what it is measured against; of what is trained it says nothing.

    `l2` / 2 times the sum of the squares of the weights that meet the features is part of the loss, so that the optimum
    is that of a penalised loss, as in logistic regression. With `l2_readout` it holds the readout's weights, too: left
    free they grow as the others shrink, so that long training undoes the penalty. `weight_decay` is decoupled from
    Adam, and takes all parameters.

    `epochs` become as many as `min_steps` steps of the optimizer take, where they are fewer: of few texts an epoch is a
    few steps. Of a task's pool the first `pool` texts by id are trained on beside the labelled ones; all where it is
    null.

    Source: Loshchilov and Hutter 2019, arXiv:1711.05101, for what tells the two apart.
    """

    loss: LossConfig = field(default_factory=LossConfig)
    precision: Literal["float32", "float64"] = "float32"
    learning_rate: Positive = 0.003
    schedule: Literal["constant", "cosine"] = "cosine"
    l2: NotNegative = 0.0
    l2_readout: bool = False
    weight_decay: NotNegative = 0.0
    clip_norm: Positive | None = None
    batch_size: Annotated[int, Field(ge=1)] = 64
    epochs: Annotated[int, Field(ge=1)] = 6
    min_steps: Annotated[int, Field(ge=0)] = 0
    pool: Annotated[int, Field(ge=0)] | None = None
    patience: Annotated[int, Field(ge=1)] | None = None
    seeds: Annotated[int, Field(ge=1)] = 5


@dataclass(frozen=True, config=STRICT)
class StudentConfig(TrainingConfig, Tunable):
    """A student and its training (block `student`).

    `encoding_scale` and `angle_scale` are those of its initial values, in radians. `grid` has other values to try.
    """

    circuit: CircuitConfig = field(default_factory=CircuitConfig)
    engine: EngineName = "fused"
    encoding_scale: Positive = 0.03
    angle_scale: NotNegative = 0.3
