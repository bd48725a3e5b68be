"""What each rival of the student is and how it is trained: the `baseline` block of params.yaml.

In: nothing.  Out: METHODS, BaselineConfig and one dataclass a method.  Imports: pydantic alone.

The defaults of a loss are those of the method's own paper where it names them, else equation 24 as the student has it.
"""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from student_jax.config import STRICT, LossConfig, NotNegative, Positive, TrainingConfig

Method = Literal["tinybert", "minillm", "distilbert", "pkd", "textrcnn", "hitin", "lsfls", "bertqtc"]
Size = Literal["small", "paper"]
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, config=STRICT)
class BaselineConfig:
    """What every method has.

    `size`: the paper's network, or one for two cores. `init`: the folder of a BERT checkpoint that the methods which
    start from one start from. A tokenizer of `vocabulary` words is fitted on the training split where there is no
    `init`; texts are cut at `max_length` tokens.
    """

    size: Size = "small"
    init: str | None = None
    vocabulary: Annotated[int, Field(ge=100)] = 2000
    max_length: Annotated[int, Field(ge=4, le=512)] = 48
    loss: LossConfig = field(default_factory=LossConfig)
    learning_rate: Positive = 2e-3
    schedule: Literal["constant", "cosine"] = "cosine"
    weight_decay: NotNegative = 0.01
    clip_norm: Positive | None = 1.0
    batch_size: Count = 32
    epochs: Count = 4
    patience: Count | None = None
    seeds: Count = 2

    def to_training(self) -> TrainingConfig:
        """The same numbers as the shared trainer reads them."""
        names = ("loss", "learning_rate", "schedule", "weight_decay", "clip_norm", "batch_size", "epochs", "patience")
        return TrainingConfig(seeds=self.seeds, **{name: getattr(self, name) for name in names})


@dataclass(frozen=True, config=STRICT)
class TinyBertConfig(BaselineConfig):
    """TinyBERT; `hidden` weighs its states' term."""

    loss: LossConfig = field(default_factory=lambda: LossConfig(soft=1.0, hard=0.0, kl=1.0, js=0.0))
    hidden: NotNegative = 1.0


@dataclass(frozen=True, config=STRICT)
class DistilBertConfig(BaselineConfig):
    """DistilBERT; `cosine` weighs its states' term."""

    loss: LossConfig = field(default_factory=lambda: LossConfig(soft=0.5, hard=0.5, kl=1.0, js=0.0, temperature=2.0))
    cosine: NotNegative = 0.1


@dataclass(frozen=True, config=STRICT)
class PkdConfig(BaselineConfig):
    """PKD; `patience_weight` weighs its states' term (beta of the method's paper)."""

    loss: LossConfig = field(default_factory=lambda: LossConfig(soft=0.5, hard=0.5, kl=1.0, js=0.0, temperature=5.0))
    patience_weight: NotNegative = 10.0


@dataclass(frozen=True, config=STRICT)
class MiniLlmConfig(BaselineConfig):
    """MiniLLM; `loss.soft` weighs its reverse KL, `loss.hard` the cross entropy."""

    loss: LossConfig = field(default_factory=lambda: LossConfig(soft=1.0, hard=0.0, kl=1.0, js=0.0))


@dataclass(frozen=True, config=STRICT)
class LsflsConfig(BaselineConfig):
    """LSFLS; `labelled` texts of each class have their label, the teacher's word is taken from `confidence` on."""

    labelled: Count = 32
    confidence: Annotated[float, Field(ge=0, lt=1)] = 0.7


@dataclass(frozen=True, config=STRICT)
class BertQtcConfig(BaselineConfig):
    """BERT-QTC: `qubits` of a circuit of `layers` layers read a window of `window` tokens at a time."""

    qubits: Annotated[int, Field(ge=2, le=12)] = 4
    layers: Count = 1
    window: Count = 3


METHODS: dict[Method, type[BaselineConfig]] = {
    "tinybert": TinyBertConfig,
    "minillm": MiniLlmConfig,
    "distilbert": DistilBertConfig,
    "pkd": PkdConfig,
    "textrcnn": BaselineConfig,
    "hitin": BaselineConfig,
    "lsfls": LsflsConfig,
    "bertqtc": BertQtcConfig,
}
