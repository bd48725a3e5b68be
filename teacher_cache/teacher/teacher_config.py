"""What a teacher is: the parts of a `teacher.NAME` block of params.yaml.

In: nothing.  Out: BaseConfig, FinetuneConfig, CaptureConfig, TeacherConfig.  Imports: pydantic alone, never torch.
"""

from dataclasses import field
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from teacher_cache.imports.import_config import FileBase

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[\w.]+$")]
Names = Annotated[tuple[Name, ...], Field(min_length=1)]
Dtype = Literal["float32", "bfloat16", "float16"]


def _require_order(layers: tuple[int, ...]) -> tuple[int, ...]:
    if list(layers) != sorted(set(layers)):
        raise ValueError("must be layer numbers in rising order")
    return layers


def _require_one_place(prompt: str) -> str:
    if prompt.count("{text}") != 1:
        raise ValueError("must hold {text} once")
    return prompt


Layers = Annotated[tuple[Annotated[int, Field(ge=0)], ...], AfterValidator(_require_order)]


@dataclass(frozen=True, config=STRICT)
class LocalBase:
    """A small causal language model that the `base` stage trains from scratch on a task's unlabelled training text."""

    kind: Literal["local"]
    architecture: Literal["bloom", "opt", "llama"]
    layers: Count = 2
    width: Count = 128
    heads: Count = 4
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    vocabulary: Annotated[int, Field(ge=300)] = 4000
    epochs: Annotated[int, Field(ge=0)] = 2
    batch_size: Count = 32
    learning_rate: Positive = 1e-3
    max_length: Count = 64


@dataclass(frozen=True, config=STRICT)
class HubBase:
    """A pretrained model: a hub id with its pinned revision (40 hex digits), or a local folder.

    `dtype` is that of its frozen weights in stage `finetune`, where half precision computes in half precision too.
    `quantization` holds its matrices in fewer bits in both stages, and the adapter beside them instead of merged.
    """

    kind: Literal["hub"]
    model: Annotated[str, Field(min_length=1)]
    revision: Annotated[str, Field(pattern="^[0-9a-f]{40}$")] | None = None
    dtype: Dtype = "bfloat16"
    quantization: Literal["8bit", "4bit"] | None = None


@dataclass(frozen=True, config=STRICT)
class GgufBase:
    """A pretrained model in a GGUF file, known by its SHA-256; its weights are dequantised to `dtype` in loading."""

    kind: Literal["gguf"]
    path: Annotated[str, Field(min_length=1)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    dtype: Dtype = "bfloat16"


BaseConfig = Annotated[LocalBase | HubBase | GgufBase | FileBase, Field(discriminator="kind")]


@dataclass(frozen=True, config=STRICT)
class FinetuneConfig:
    """LoRA fine-tuning of a base as a sequence classifier (stage `finetune`).

    `target_modules` are the linear layers that LoRA adapts, by the ends of their names; without it those that are known
    of the architecture (docs/teachers.md). `modules_to_save` are trained whole, beside the head. `cut` says which end
    of a text that is too long gives way; a prompt stays whole. `epoch_by` is the validation loss whose smallest value
    is the best epoch's: as it is, or at the temperature that makes it smallest, for few labels make an LLM too sure of
    itself long before its answers are the best.
    """

    rank: Count = 16
    alpha: Positive = 32.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    train_embeddings: bool = False
    epochs: Count = 3
    batch_size: Count = 32
    gradient_accumulation: Count = 1
    learning_rate: Positive = 1e-3
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    clip_norm: Positive = 1.0
    patience: Count = 2
    epoch_by: Literal["loss", "calibrated_loss"] = "loss"
    gradient_checkpointing: bool = False
    max_length: Count = 64
    prompt: Annotated[str, AfterValidator(_require_one_place)] = "{text}"
    cut: Literal["end", "start"] = "end"
    target_modules: Literal["all-linear"] | Names | None = None
    modules_to_save: tuple[Name, ...] = ()


@dataclass(frozen=True, config=STRICT)
class CaptureConfig:
    """One pass of the fine-tuned teacher over every example (stage `cache_teacher`).

    The default of `tokens_per_batch` suits a CPU, whose cache then holds a batch: a fifth faster there than 4,096,
    512 wide. Take more on a GPU.

    `hidden_layers` are those whose states, averaged over a text's tokens, are cached beside the logits: 0 is the
    embeddings' output, L the last of L layers after the final norm.
    """

    rows_per_part: Count = 2048
    tokens_per_batch: Count = 1024
    dtype: Dtype = "float32"
    hidden_layers: Layers = ()


@dataclass(frozen=True, config=STRICT)
class TeacherConfig:
    """One teacher (block `teacher.NAME`): one part per stage."""

    base: BaseConfig
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    cache_teacher: CaptureConfig = field(default_factory=CaptureConfig)

    def __post_init__(self) -> None:
        if isinstance(self.base, FileBase) and self.cache_teacher.hidden_layers:
            raise ValueError("cache_teacher.hidden_layers must be [] beside a base of kind file, which has no layers")
