"""What each comparator is, how it is trained and tuned: the block `comparator` of params.yaml.

In: nothing.  Out: FeatureConfig, LogisticConfig, DistilledConfig, TextConfig and those that extend it;
FEATURE_CONFIGS, TEXT_CONFIGS.  Imports: pydantic alone.

The defaults of a loss are those of the method's own paper where it names them, else equation 24 as the student has it.
"""

from dataclasses import field, fields
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from student_jax.config import (
    CircuitConfig,
    EngineName,
    LossConfig,
    NotNegative,
    Positive,
    StudentConfig,
    TrainingConfig,
)
from student_jax.tunable import STRICT, Tunable

# What reads features, and what reads texts.
FeatureName = Literal[
    "labels_alone",
    "all_labels",
    "logistic",
    "logistic_distilled",
    "linear",
    "mlp",
    "no_entanglement",
    "frozen_circuit",
    "kl",
    "js",
]
TextName = Literal["textrcnn", "minillm", "tinybert", "distilbert", "pkd", "few_labels", "quantum_convolution"]
Size = Literal["small", "paper"]
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, config=STRICT)
class ComparatorConfig(Tunable):
    """What every comparator has: a grid of other values of its keys."""


@dataclass(frozen=True, config=STRICT)
class LogisticConfig(ComparatorConfig):
    """Logistic regression of the labels; `C` is the inverse of its L2 penalty's weight, as scikit-learn counts it."""

    C: Positive = 1.0
    # How many texts of the pool it is trained on, as TrainingConfig says it.
    pool: ClassVar[int | None] = 0


@dataclass(frozen=True, config=STRICT)
class DistilledConfig(LogisticConfig):
    """Logistic regression of the teacher's answers; `soft` is their share in a labelled text, the rest the label's.

    A text of the pool counts where its teacher gives a class the probability `confidence` at least.
    """

    soft: Annotated[float, Field(ge=0, le=1)] = 0.5
    confidence: Annotated[float, Field(ge=0, lt=1)] = 0.0
    pool: ClassVar[int | None] = None


@dataclass(frozen=True, config=STRICT)
class FeatureConfig(TrainingConfig, ComparatorConfig):
    """A model of the same features, trained as the student is.

    Those with a circuit have the student's, `student.circuit`. Where no `engine` is named it is `fused`, and
    `default.qubit` for a circuit that `fused` does not know.
    """

    engine: EngineName | None = None
    encoding_scale: Positive = 0.03
    angle_scale: NotNegative = 0.3

    def to_student(self, circuit: CircuitConfig) -> StudentConfig:
        """The student of `circuit` that is trained with these numbers."""
        numbers = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in {"engine", "grid"}}
        fast = circuit.file is None and circuit.ansatz == "layers"
        known: EngineName = "fused" if fast else "default.qubit"
        return StudentConfig(circuit=circuit, engine=self.engine or known, **numbers)


@dataclass(frozen=True, config=STRICT)
class TextConfig(TrainingConfig, ComparatorConfig):
    """A network that reads texts.

    `size`: the paper's network, or one for two cores. `init`: the folder of a BERT checkpoint that those which start
    from one start from. A tokenizer of `vocabulary` words is fitted on the training split where there is no `init`;
    texts are cut at `max_length` tokens, which is the longest text's where it is null, 512 at most.
    """

    FIXED: ClassVar[frozenset[str]] = Tunable.FIXED | {"init", "vocabulary", "max_length", "labelled"}

    size: Size = "small"
    init: str | None = None
    vocabulary: Annotated[int, Field(ge=100)] = 8000
    max_length: Annotated[int, Field(ge=4, le=512)] | None = None
    learning_rate: Positive = 2e-3
    weight_decay: NotNegative = 0.01
    clip_norm: Positive | None = 1.0
    batch_size: Count = 32
    epochs: Count = 4
    seeds: Count = 2
    # Networks are drawn in float32, and what meets the tokens is no weight to penalise.
    precision: Literal["float32"] = "float32"
    l2: Annotated[float, Field(ge=0, le=0)] = 0.0
    l2_readout: Literal[False] = False


@dataclass(frozen=True, config=STRICT)
class TinyBertConfig(TextConfig):
    """TinyBERT; `hidden` weighs its states' term."""

    loss: LossConfig = field(default_factory=lambda: LossConfig(soft=1.0, hard=0.0, kl=1.0, js=0.0))
    hidden: NotNegative = 1.0


@dataclass(frozen=True, config=STRICT)
class DistilBertConfig(TextConfig):
    """DistilBERT; `cosine` weighs its states' term."""

    loss: LossConfig = field(default_factory=lambda: LossConfig(soft=0.5, hard=0.5, kl=1.0, js=0.0, temperature=2.0))
    cosine: NotNegative = 0.1


@dataclass(frozen=True, config=STRICT)
class PkdConfig(TextConfig):
    """PKD; `patience_weight` weighs its states' term (beta of the method's paper)."""

    loss: LossConfig = field(default_factory=lambda: LossConfig(soft=0.5, hard=0.5, kl=1.0, js=0.0, temperature=5.0))
    patience_weight: NotNegative = 10.0


@dataclass(frozen=True, config=STRICT)
class MiniLlmConfig(TextConfig):
    """MiniLLM; `loss.soft` weighs its reverse KL, `loss.hard` the cross entropy."""

    loss: LossConfig = field(default_factory=lambda: LossConfig(soft=1.0, hard=0.0, kl=1.0, js=0.0))


@dataclass(frozen=True, config=STRICT)
class FewLabelsConfig(TextConfig):
    """Few labels: `labelled` texts of each class have theirs, the teacher's word is taken from `confidence` on.

    That is of all other texts, those of the pool among them, so that `loss.confidence` would say it twice.
    """

    labelled: Count = 32
    confidence: Annotated[float, Field(ge=0, lt=1)] = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loss.confidence:
            raise ValueError("loss.confidence must be 0 in few_labels, whose own confidence says how sure a teacher is")


@dataclass(frozen=True, config=STRICT)
class QuantumConvolutionConfig(TextConfig):
    """A random circuit of `qubits` and `layers` that reads a window of `window` tokens at a time."""

    qubits: Annotated[int, Field(ge=2, le=12)] = 4
    layers: Count = 1
    window: Count = 3


FEATURE_CONFIGS: dict[FeatureName, type[LogisticConfig | FeatureConfig]] = {
    "labels_alone": FeatureConfig,
    "all_labels": FeatureConfig,
    "logistic": LogisticConfig,
    "logistic_distilled": DistilledConfig,
    "linear": FeatureConfig,
    "mlp": FeatureConfig,
    "no_entanglement": FeatureConfig,
    "frozen_circuit": FeatureConfig,
    "kl": FeatureConfig,
    "js": FeatureConfig,
}
TEXT_CONFIGS: dict[TextName, type[TextConfig]] = {
    "textrcnn": TextConfig,
    "minillm": MiniLlmConfig,
    "tinybert": TinyBertConfig,
    "distilbert": DistilBertConfig,
    "pkd": PkdConfig,
    "few_labels": FewLabelsConfig,
    "quantum_convolution": QuantumConvolutionConfig,
}
