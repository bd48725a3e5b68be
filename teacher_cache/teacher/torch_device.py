"""Where this process computes.

In: the machine, the environment of a launch.  Out: find_device().  Imports: torch.
"""

import os

import torch


def find_device() -> torch.device:
    """This process's GPU where there is one, else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
