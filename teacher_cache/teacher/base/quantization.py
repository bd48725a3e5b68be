"""A base whose frozen matrices are held in 8 or 4 bits (bitsandbytes), for bases that do not fit a GPU otherwise.

In: "8bit" or "4bit"; a loaded model.  Out: make_quantization(), keep_layout(), do_without().
Imports: transformers; bitsandbytes must be installed.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import torch

from teacher_cache.errors import UserError


def make_quantization(bits: str, dtype: str, whole: list[str]) -> Any:
    """Transformers' description of the loading: LLM.int8, or NF4 computed in `dtype`.

    The modules of `whole` (the head) are trained themselves, so they stay as they are.

    Source: Dettmers et al. 2022, arXiv:2208.07339, and 2023, arXiv:2305.14314.

    Raises:
        UserError: bitsandbytes is not installed.
    """
    if find_spec("bitsandbytes") is None:
        raise UserError(f"base.quantization {bits} needs bitsandbytes: pip install 'qdllm[quantize]'")
    from transformers import BitsAndBytesConfig

    if bits == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=whole)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=getattr(torch, dtype),
        llm_int8_skip_modules=whole,  # transformers reads this one for 4 bits, too
    )


def keep_layout(model: Any) -> None:
    """Keep the 4-bit matrices of `model` as they were loaded, on every CPU.

    On one with AVX-512-BF16 bitsandbytes (0.50, Linear4bit.forward) repacks each matrix when it first computes without
    gradients. That asks for multiples of 32 rows and whole blocks of columns, rounds the scales to bfloat16, and leaves
    a matrix that gives no gradient: training after the first validation would teach the lower layers nothing.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


@contextmanager
def do_without() -> Iterator[None]:
    """Let peft think that bitsandbytes is not installed: it would import it, for seconds, whatever the base."""
    if "bitsandbytes" in sys.modules:
        yield
        return
    sys.modules["bitsandbytes"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["bitsandbytes"]
        if "peft.import_utils" in sys.modules:  # which remembers its answer
            sys.modules["peft.import_utils"].is_bnb_available.cache_clear()
