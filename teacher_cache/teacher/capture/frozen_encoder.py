"""A frozen encoder: text -> the mean of its last hidden states, for students whose features need context.

In: a checkpoint folder, or a hub id with its revision.  Out: FrozenEncoder, load_encoder().
Imports: torch, transformers.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import AutoModel

from teacher_cache.errors import UserError
from teacher_cache.outside import locate
from teacher_cache.teacher.base.snapshot import fetch_snapshot
from teacher_cache.teacher.batches import pad_batch, plan_batches
from teacher_cache.teacher.progress import track
from teacher_cache.teacher.tokenization import load_tokenizer, tokenize

TOKENS_PER_BATCH = 8192


class FrozenEncoder:
    """A model without its head, on the GPU where there is one; nothing of it is ever trained."""

    def __init__(self, model: Any, tokenizer: Any, max_length: int) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model, self.tokenizer, self.max_length = model.to(self.device).eval(), tokenizer, max_length

    @property
    def parameters(self) -> int:
        """How many numbers the model has."""
        return int(self.model.num_parameters())

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Mean of the last hidden states over a text's own tokens: (rows, width) float32."""
        tokens = tokenize(self.tokenizer, texts, self.max_length)
        vectors = np.zeros((len(texts), self.model.config.get_text_config().hidden_size), np.float32)
        batches = plan_batches([len(row) for row in tokens], TOKENS_PER_BATCH)
        for rows in track(batches, "embed", "batch", enabled=len(batches) > 1):
            batch = pad_batch([tokens[row] for row in rows], self.tokenizer.pad_token_id, self.device)
            states = self.model(**batch).last_hidden_state.float()  # (rows, tokens, width)
            mask = batch["attention_mask"][:, :, None].float()
            means = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
            vectors[rows] = means.cpu().numpy()
        return vectors


def load_encoder(checkpoint: str | None, revision: str | None, max_length: int) -> FrozenEncoder:
    """Load a frozen encoder from safetensors.

    Args:
        checkpoint: a folder, or a hub id.
        revision: the hub id's 40 hex digits.
        max_length: tokens of a text that count; at most the model's positions do.

    Raises:
        UserError: no such folder, no pinned revision, or a checkpoint that cannot be loaded without running its code.
    """
    if checkpoint is None:
        raise UserError("embed.checkpoint must be a folder or a hub id for kind encoder, got none")
    folder = locate(checkpoint)
    if not folder.is_dir():
        if revision is None:
            raise UserError(f"embed.checkpoint must be a folder, or a hub id with embed.revision, got {checkpoint}")
        folder = fetch_snapshot(checkpoint, revision, ask_hub=False)
    try:
        model = AutoModel.from_pretrained(folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise UserError(f"{folder}: cannot be loaded as an encoder: {' '.join(str(error).split())[:200]}") from None
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None) or max_length
    return FrozenEncoder(model, load_tokenizer(folder), min(max_length, positions))
