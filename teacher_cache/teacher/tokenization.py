"""Checkpoint folder -> tokenizer; texts -> token ids.

In: a folder with tokenizer files, or a GGUF file.  Out: load_tokenizer(), require_tokens(), encode(),
tokenize(), first_line().
Imports: transformers, not peft, which takes seconds to import and is nothing to a base.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerFast

from teacher_cache.errors import UserError
from teacher_cache.teacher.base.gguf_file import split_place

WHOLE = "{text}"  # the prompt that is nothing but the text
CHUNK = 1024  # texts that are encoded at once: uncut, they may be a hundred times as long as what is kept of them


def load_tokenizer(checkpoint: Path) -> Any:
    """The checkpoint's tokenizer, padding and truncating on the right, always with a pad token.

    Where it has none, or one for which the model has no embedding, its end-of-text token pads, else its unknown token.
    All are safe: padding is masked, and the classifier reads the last token that is not padding.

    Raises:
        UserError: the files make no tokenizer, or it has none of the three tokens.
    """
    # tokenizer.json says all by itself; the classes that AutoTokenizer picks by model type rebuild parts of it.
    folder, file = split_place(checkpoint)
    loader = PreTrainedTokenizerFast if file or (folder / "tokenizer.json").is_file() else AutoTokenizer
    try:
        tokenizer = loader.from_pretrained(
            folder, padding_side="right", truncation_side="right", trust_remote_code=False, **file
        )
    except (OSError, ValueError, KeyError, ImportError, TypeError, AttributeError) as error:
        cure = "" if loader is PreTrainedTokenizerFast else "; bring its tokenizer.json"
        raise UserError(f"{checkpoint}: tokenizer cannot be loaded: {first_line(error)}{cure}") from None
    # Of another kind's files transformers makes a tokenizer of special tokens alone, to which all words are one.
    if not set(tokenizer.get_vocab()) - {token.content for token in tokenizer.added_tokens_decoder.values()}:
        raise UserError(f"{checkpoint}: tokenizer must have words, got special tokens alone; bring its tokenizer.json")
    if tokenizer.pad_token is None or tokenizer.pad_token_id >= _count_embeddings(checkpoint):
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise UserError(f"{checkpoint}: tokenizer must have a pad, end-of-text or unknown token, got none of them")
    return tokenizer


def require_tokens(tokenizer: Any, rows: int) -> None:
    """Refuse a tokenizer that gives tokens for which the model's embeddings have no row.

    A special token may lie past the table where no text can bring it up: such are pad tokens that were added late.

    Raises:
        UserError: there is such a token.
    """
    unheard = {row for row, token in tokenizer.added_tokens_decoder.items() if token.special}
    unheard -= set(tokenizer("")["input_ids"])
    past = sorted(name for name, row in tokenizer.get_vocab().items() if row >= rows and row not in unheard)
    if past:
        raise UserError(
            f"the tokenizer's tokens must be among the {rows} that the base has embeddings for, got "
            f"{', '.join(past[:3])}{' and others' * (len(past) > 3)} past them; call "
            "model.resize_token_embeddings(len(tokenizer)) and save the base again, or bring the base's own tokenizer"
        )


def encode(
    tokenizer: Any, texts: Sequence[str], max_length: int, prompt: str = WHOLE, cut: str | None = None
) -> tuple[list[list[int]], int]:
    """At most `max_length` token ids of each text put into `prompt`, and how many texts were cut to that.

    A special token's name in a text is plain text. A text without any token is one of padding, so that no row is empty.

    Args:
        tokenizer: of load_tokenizer().
        texts: the texts.
        max_length: most tokens of a row.
        prompt: holds {text} once.
        cut: which end of the text gives way, "end" or "start", the prompt staying whole; None cuts the end of the
            prompted text, whatever stands there.

    Raises:
        UserError: the prompt by itself is longer, or the tokenizer cannot tell it from the text.
    """
    rows: list[list[int]] = []
    too_long = 0
    for start in range(0, len(texts), CHUNK):
        prompted = [prompt.replace(WHOLE, text) for text in texts[start : start + CHUNK]]
        found = _call(tokenizer, prompted, truncation=True, max_length=max_length + 1)["input_ids"]
        longer = [row for row, tokens in enumerate(found) if len(tokens) > max_length]
        too_long += len(longer)
        chosen = [prompted[row] for row in longer]
        if cut is None or (prompt, cut) == (WHOLE, "end"):
            shorter = _call(tokenizer, chosen, truncation=True, max_length=max_length)["input_ids"] if chosen else []
        else:
            shorter = [_cut_text(tokenizer, text, max_length, prompt, cut) for text in chosen]
        for row, tokens in zip(longer, shorter, strict=True):
            found[row] = tokens
        rows += [tokens or [tokenizer.pad_token_id] for tokens in found]
    return rows, too_long


def tokenize(tokenizer: Any, texts: Sequence[str], max_length: int) -> list[list[int]]:
    """At most `max_length` token ids of each text, as of encode(), with which the tokenizer may be saved.

    Its files keep the length that it last cut to, and with that a local base its identity.
    """
    if not texts:  # of which transformers makes an IndexError
        return []
    rows = _call(tokenizer, texts, truncation=True, max_length=max_length)["input_ids"]
    return [tokens or [tokenizer.pad_token_id] for tokens in rows]


def first_line(error: BaseException) -> str:
    """The first line of what a library says, or its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _call(tokenizer: Any, texts: Sequence[str], **more: Any) -> Any:
    return tokenizer(texts, split_special_tokens=True, return_attention_mask=False, **more)


def _cut_text(tokenizer: Any, prompted: str, max_length: int, prompt: str, cut: str) -> list[int]:
    """The tokens of one prompted text without as many of the text's own as are too many."""
    if not tokenizer.is_fast:
        raise UserError(
            f"finetune.prompt must be {WHOLE} and finetune.cut end for a tokenizer without tokenizer.json, got "
            f"{prompt} and {cut}"
        )
    encoded = _call(tokenizer, prompted, return_offsets_mapping=True, return_special_tokens_mask=True)
    first = prompt.index(WHOLE)
    last = len(prompted) - (len(prompt) - first - len(WHOLE))
    own = [
        index
        for index, (start, end) in enumerate(encoded["offset_mapping"])
        if start < last and end > first and not encoded["special_tokens_mask"][index]
    ]
    excess = len(encoded["input_ids"]) - max_length
    if excess >= len(own):
        needed = len(encoded["input_ids"]) - len(own)
        raise UserError(f"finetune.max_length must be > {needed}, the tokens of finetune.prompt, got {max_length}")
    dropped = set(own[:excess] if cut == "start" else own[-excess:])
    return [token for index, token in enumerate(encoded["input_ids"]) if index not in dropped]


def _count_embeddings(checkpoint: Path) -> float:
    """How many tokens the model embeds, by its configuration; without end where that does not say."""
    try:
        config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
        return int(config.get("vocab_size") or config["text_config"]["vocab_size"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return float("inf")
