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
from teacher_cache.teacher.base.architectures import count_positions
from teacher_cache.teacher.base.snapshot import fetch_snapshot
from teacher_cache.teacher.batches import pad_batch, plan_batches
from teacher_cache.teacher.classifier import UNLOADABLE, require_weights
from teacher_cache.teacher.progress import track
from teacher_cache.teacher.tokenization import load_tokenizer, require_tokens, tokenize

TOKENS_PER_BATCH = 8192
# Their decoders read nothing by themselves, where that of a BART reads the same text.
ENCODER_ALONE = {"t5", "mt5", "umt5"}


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
        config = self.model.config.get_text_config()
        # OPT's of 350 million parameters gives its last states another width than its others.
        width = getattr(config, "word_embed_proj_dim", config.hidden_size)
        vectors = np.zeros((len(texts), width), np.float32)
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
        model, loading = AutoModel.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
    except UNLOADABLE as error:
        raise UserError(f"{folder}: cannot be loaded as an encoder: {' '.join(str(error).split())[:200]}") from None
    tokenizer = load_tokenizer(folder)
    require_weights(folder, model, loading["missing_keys"], ())
    require_tokens(tokenizer, model.config.get_text_config().vocab_size)
    if model.config.model_type in ENCODER_ALONE:
        model = model.get_encoder()
    return FrozenEncoder(model, tokenizer, min(max_length, count_positions(model) or max_length))
