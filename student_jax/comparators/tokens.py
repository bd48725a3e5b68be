"""Texts -> token ids, with a tokenizer of words and their pieces fitted on the training split, or a checkpoint's own.

In: texts, BaselineConfig.  Out: fit_tokenizer(), load_tokenizer(), encode(), PADDING.  Imports: NumPy, tokenizers.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from teacher_cache.errors import UserError

# BERT's; the first is number 0, by which a network knows what is no token of the text.
PADDING, UNKNOWN, FIRST, LAST = "[PAD]", "[UNK]", "[CLS]", "[SEP]"


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


def encode(tokenizer: Tokenizer, texts: Sequence[str], max_length: int) -> Int[np.ndarray, "rows tokens"]:
    """Token ids, int32, cut or padded with 0 to `max_length`: tasks of one shape share compiled programs."""
    tokenizer.enable_truncation(max_length)
    tokenizer.no_padding()
    ids = np.zeros((len(texts), max_length), np.int32)
    for row, encoding in zip(ids, tokenizer.encode_batch(list(texts)), strict=True):
        row[: len(encoding.ids)] = encoding.ids
    return ids
