"""Texts -> token ids, with a tokenizer of words and their pieces fitted on the training split, or a checkpoint's own.

In: texts.  Out: Encoded, fit_tokenizer(), load_tokenizer(), encode(), PADDING.  Imports: NumPy, tokenizers.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from teacher_cache.errors import UserError

# BERT's: what it has positions for.
MAX_LENGTH = 512
STEP = 16
# BERT's; the first is number 0, by which a network knows what is no token of the text.
PADDING, UNKNOWN, FIRST, LAST = "[PAD]", "[UNK]", "[CLS]", "[SEP]"


class Encoded(NamedTuple):
    """Token ids, int32, and how many texts were cut."""

    tokens: Int[np.ndarray, "rows tokens"]
    cut: int


def fit_tokenizer(texts: Sequence[str], vocabulary: int) -> Tokenizer:
    """A tokenizer of at most `vocabulary` pieces of words, lower case, that puts each text between [CLS] and [SEP].

    Byte-pair merges and not BERT's word pieces: those come out in another order on every run.
    """
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = [PADDING, UNKNOWN, FIRST, LAST]
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    numbers = [(token, special.index(token)) for token in (FIRST, LAST)]
    tokenizer.post_processor = processors.TemplateProcessing(f"{FIRST} $A {LAST}", special_tokens=numbers)
    return tokenizer


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a BERT checkpoint.

    Raises:
        UserError: there is no readable tokenizer.json, or its padding is not token 0.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise UserError(f"{path} must exist; save the checkpoint with a fast tokenizer")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # of tokenizers, which has no narrower one
        raise UserError(f"{path} must be a tokenizer: {str(error).splitlines()[0]}") from None
    if tokenizer.token_to_id(PADDING) != 0:
        raise UserError(f"{path}: {PADDING} must be token 0, got {tokenizer.token_to_id(PADDING)}")
    return tokenizer


def encode(tokenizer: Tokenizer, texts: Sequence[str], max_length: int | None) -> Encoded:
    """Token ids of all texts in one array, cut or padded with 0 at `max_length`.

    Where that is None no text is cut but one of more than MAX_LENGTH tokens: the array is as wide as the longest text,
    rounded up to a multiple of STEP, so that tasks of one shape share compiled programs.
    """
    tokenizer.no_truncation()
    tokenizer.no_padding()
    encodings = tokenizer.encode_batch(list(texts))
    longest = max(len(encoding.ids) for encoding in encodings)
    width = max_length or min(MAX_LENGTH, -(-longest // STEP) * STEP)
    tokens = np.zeros((len(texts), width), np.int32)
    cut = 0
    for row, encoding in zip(tokens, encodings, strict=True):
        if len(encoding.ids) > width:
            cut += 1
            row[:] = [*encoding.ids[: width - 1], encoding.ids[-1]]  # [SEP] still ends it
        else:
            row[: len(encoding.ids)] = encoding.ids
    return Encoded(tokens, cut)
