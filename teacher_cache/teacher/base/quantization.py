"""A base whose frozen matrices are held in 8 or 4 bits (bitsandbytes), for bases that do not fit a GPU otherwise.

In: "8bit" or "4bit".  Out: make_quantization(), HEAD.  Imports: transformers; bitsandbytes must be installed.
"""

import logging
from importlib.util import find_spec
from typing import Any

import torch

from teacher_cache.errors import UserError

HEAD = "score"  # the classifier's own matrix, which is trained and so stays whole


def make_quantization(bits: str, dtype: str) -> Any:
    """Transformers' description of the loading: LLM.int8, or NF4 computed in `dtype`.

    Source: Dettmers et al. 2022, arXiv:2208.07339, and 2023, arXiv:2305.14314.

    Raises:
        UserError: bitsandbytes is not installed.
    """
    if find_spec("bitsandbytes") is None:
        raise UserError(f"base.quantization {bits} needs bitsandbytes: pip install 'qdllm[quantize]'")
    from transformers import BitsAndBytesConfig

    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it tells of every cast to the float16 of LLM.int8
    if bits == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=[HEAD])
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=getattr(torch, dtype),
        llm_int8_skip_modules=[HEAD],  # transformers reads this one for 4 bits, too
    )
