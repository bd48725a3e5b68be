"""Whether a checkpoint can become a teacher, before anything is trained: by its shapes alone, without its memory.

In: a checkpoint folder, or a GGUF file.  Out: try_checkpoint().  Imports: transformers, peft, torch.
"""

import json
from pathlib import Path

from teacher_cache.errors import UserError
from teacher_cache.teacher.classifier import load_classifier
from teacher_cache.teacher.lora import attach_lora
from teacher_cache.teacher.teacher_config import FinetuneConfig
from teacher_cache.teacher.tokenization import load_tokenizer, tokenize

# Its attention puts the least float32 into scores of half precision (transformers 5.23, modeling_deberta.py).
SINGLE = {"deberta"}
# Their logits depend on how much padding a text has, whatever is masked, by a hundredth to a fifth of the largest: a
# text alone would be answered otherwise than beside longer ones.
PADDED = {"convbert", "fnet", "nystromformer", "xlnet", "yoso"}


def try_checkpoint(checkpoint: Path, dtype: str) -> None:
    """Load the checkpoint as a classifier of two classes on the meta device, and put LoRA onto it.

    Raises:
        UserError: its weights are quantized, or incomplete, it is no text classifier's base, its answers depend on
            padding, it cannot be trained in `dtype`, its tokenizer is another's, or LoRA finds nothing to adapt.
    """
    if checkpoint.is_dir():  # a GGUF file's weights are dequantised in loading
        _require_whole_numbers(checkpoint)
    tokenizer = load_tokenizer(checkpoint)
    classifier = load_classifier(checkpoint, tokenizer, ("one", "other"), "float32", 1, device="meta")
    config = classifier.model.config
    if config.model_type in SINGLE and dtype != "float32":
        raise UserError(f"{checkpoint}: base.dtype must be float32 for {config.model_type}, got {dtype}")
    if config.model_type in PADDED:
        raise UserError(
            f"{checkpoint}: a teacher's answer must not depend on padding, and that of {config.model_type} does"
        )
    if config.is_encoder_decoder and getattr(config, "decoder_start_token_id", None) is None:
        raise UserError(
            f"{checkpoint}: config.json must have a decoder_start_token_id, got none; take the base's own config.json"
        )
    if config.is_encoder_decoder and tokenize(tokenizer, ["a"], 8)[0].count(config.eos_token_id) != 1:
        raise UserError(
            f"{checkpoint}: the tokenizer must end every text with the end token, which a classifier of "
            f"{config.model_type} reads, got a text without it; take the base's own tokenizer"
        )
    attach_lora(classifier, FinetuneConfig(dropout=0.0))


def _require_whole_numbers(folder: Path) -> None:
    method = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("quantization_config")
    if method:
        name = method.get("quant_method", "some method") if isinstance(method, dict) else method
        raise UserError(
            f"{folder}: weights must be whole numbers of floating point, got weights quantized by {name}; take the "
            "checkpoint that they were made of, and base.quantization for fewer bits"
        )
