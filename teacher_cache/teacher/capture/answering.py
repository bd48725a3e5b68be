"""Base + adapter -> the fine-tuned teacher as one plain network that gives logits.

In: the folders of stages base and finetune.  Out: load_teacher(), Teacher, read_record().
Imports: torch, transformers, peft.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from teacher_cache.errors import UserError
from teacher_cache.teacher.base.checkpoints import open_base
from teacher_cache.teacher.batches import pad_batch
from teacher_cache.teacher.classifier import load_classifier
from teacher_cache.teacher.lora import RECORD, merge_adapter
from teacher_cache.teacher.sharding import Turns, is_sharded, shard_model
from teacher_cache.teacher.threads import fix_threads
from teacher_cache.teacher.tokenization import encode, load_tokenizer
from teacher_cache.teacher.torch_device import find_device


@dataclass(frozen=True)
class Teacher:
    """A fine-tuned classifier in evaluation mode; `turns` where all processes share one (sharding.py).

    `counts` says how many `texts` it was given, and how many of these were `cut`.
    """

    model: Any
    tokenizer: Any
    labels: tuple[str, ...]
    max_length: int
    prompt: str
    cut: str | None
    turns: Turns | None = None
    counts: Counter[str] = field(default_factory=Counter)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, put into the prompt and cut to `max_length`."""
        rows, cut = encode(self.tokenizer, texts, self.max_length, self.prompt, self.cut)
        self.counts.update(texts=len(texts), cut=cut)
        return rows

    def logits(self, tokens: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Logits[rows, classes] of one batch, padded on the right; not checked for NaN."""
        return self.answer(tokens, ())[0]

    def answer(
        self, tokens: Sequence[Sequence[int]], layers: Sequence[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float16] | None]:
        """Logits[rows, classes] of one batch, and hidden[rows, layers x width], None without `layers`.

        A layer's states are averaged over a text's own tokens, in float32. Nothing is checked for NaN.
        """
        if self.turns:
            self.turns.next(working=True)
        return self._forward(tokens, layers)

    def lend(self) -> None:
        """Take part in the other processes' forward passes, where they share a sharded model, until all are done."""
        while self.turns and self.turns.next(working=False):
            self._forward([[self.tokenizer.pad_token_id]], ())

    @torch.inference_mode()
    def _forward(
        self, tokens: Sequence[Sequence[int]], layers: Sequence[int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float16] | None]:
        batch = pad_batch(tokens, self.tokenizer.pad_token_id, find_device())
        try:
            output = self.model(**batch, output_hidden_states=bool(layers))
            mask = batch["attention_mask"][:, :, None]  # (rows, tokens, 1)
            states = output.get("hidden_states") or output.get("encoder_hidden_states")  # an encoder-decoder's
            means = [(states[layer].float() * mask).sum(1) / mask.sum(1) for layer in layers]
            hidden = torch.cat(means, dim=1).half().cpu().numpy() if layers else None
            return output.logits.float().cpu().numpy(), hidden
        except torch.OutOfMemoryError:
            raise UserError(
                f"the GPU's memory is too small for a batch of {batch['input_ids'].numel()} tokens; "
                "lower cache_teacher.tokens_per_batch or take dtype bfloat16"
            ) from None


def load_teacher(base: Path, adapter: Path, dtype: str) -> Teacher:
    """Load the base, put the adapter into its weights (eq. 13), and move it to this process's GPU where there is one.

    With QDLLM_SHARD=1 the processes of a launch share one teacher; all of them must load it.

    Args:
        base: folder of make_base().
        adapter: folder of finetune().
        dtype: of the weights: float32, bfloat16 or float16.

    Raises:
        UserError: a folder is missing, incomplete, changed, or they do not belong together.
    """
    checkpoint, identity = open_base(base)
    fix_threads(identity)
    record = read_record(adapter)
    if record["base"] != identity:
        raise UserError(
            f"{adapter} must be fine-tuned from the base in {base}, got another's; run stage finetune again"
        )
    tokenizer = load_tokenizer(checkpoint)
    labels, quantization = tuple(record["labels"]), identity.get("quantization")
    plain = load_classifier(checkpoint, tokenizer, labels, dtype, record["max_length"], quantization)
    model = merge_adapter(plain.model, adapter).eval()
    facts = tokenizer, labels, record["max_length"], record["prompt"], record.get("cut")
    if not is_sharded():
        return Teacher(model if quantization else model.to(find_device()), *facts)
    shard_model(model.requires_grad_(False), find_device())
    return Teacher(model, *facts, Turns(find_device()))


def read_record(adapter: Path) -> dict[str, Any]:
    """What fine-tuning says of its adapter: finetune.json."""
    try:
        return json.loads((adapter / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{adapter / RECORD} must exist; run stage finetune") from None
    except ValueError:
        raise UserError(f"{adapter / RECORD} must be JSON; run stage finetune again") from None
