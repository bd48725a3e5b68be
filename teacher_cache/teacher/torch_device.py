"""Where this process computes.

In: the machine, the environment of a launch.  Out: find_device(), describe_slowness().  Imports: torch.
"""

import os
from typing import Any

import torch

# Any of them computes in that dtype. Without, torch converts each number there and back.
INSTRUCTIONS = {"bfloat16": ("avx512_bf16", "amx_bf16", "avx_ne_convert"), "float16": ("avx512_fp16", "amx_fp16")}


def find_device() -> torch.device:
    """This process's GPU where there is one, else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def describe_slowness(dtype: str) -> str:
    """What is to be known of `dtype` before hours are spent in it; empty where nothing is.

    Of a processor other than x86-64, or by a torch that does not tell what a processor has, nothing is known.
    """
    has: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    if dtype == "float32" or find_device().type != "cpu" or has.get("architecture") != "x86_64":
        return ""
    if any(has.get(name) for name in INSTRUCTIONS[dtype]):
        return ""
    return f"this processor has no instructions for {dtype}, which takes several times as long as float32 here"
