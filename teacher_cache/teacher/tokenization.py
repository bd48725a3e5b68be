"""Checkpoint folder -> tokenizer; texts -> token ids.

In: a folder with tokenizer files.  Out: load_tokenizer(), tokenize(), first_line().  Imports: transformers, not peft,
which takes seconds to import and is nothing to a base.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerFast

from teacher_cache.errors import UserError


def load_tokenizer(checkpoint: Path) -> Any:
    """The checkpoint's tokenizer, padding and truncating on the right, always with a pad token.

    Where it has none, its end-of-text token pads, else its unknown token. Both are safe: padding is masked, and
    the classifier reads the last token that is not padding.

    Raises:
        UserError: the files make no tokenizer, or it has none of the three tokens.
    """
    # tokenizer.json says all by itself; the classes that AutoTokenizer picks by model type rebuild parts of it.
    loader = PreTrainedTokenizerFast if (checkpoint / "tokenizer.json").is_file() else AutoTokenizer
    try:
        tokenizer = loader.from_pretrained(checkpoint, padding_side="right", truncation_side="right")
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise UserError(f"{checkpoint}: tokenizer cannot be loaded: {first_line(error)}") from None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise UserError(f"{checkpoint}: tokenizer must have a pad, end-of-text or unknown token, got none of them")
    return tokenizer


def tokenize(tokenizer: Any, texts: Sequence[str], max_length: int, prompt: str = "{text}") -> list[list[int]]:
    """At most `max_length` token ids of each text put into `prompt`; a special token's name in a text is plain text."""
    prompted = [prompt.replace("{text}", text) for text in texts]
    encoded = tokenizer(
        prompted, truncation=True, max_length=max_length, split_special_tokens=True, return_attention_mask=False
    )
    return encoded["input_ids"]


def first_line(error: BaseException) -> str:
    """The first line of what a library says, or its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
