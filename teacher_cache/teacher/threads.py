"""How many threads a small model computes with.

In: the identity of a base.  Out: fix_threads().  Imports: torch.
"""

from collections.abc import Mapping
from typing import Any

import torch


def fix_threads(identity: Mapping[str, Any]) -> None:
    """Let a local base compute on one thread.

    Its matrices are too small to gain much from a second one, and beside another busy process two threads that wait
    for each other take several times as long (33 s against 12 s for one base). And one thread gives the same bytes on
    any number of cores. A pretrained model keeps torch's own choice.
    """
    if identity["kind"] == "local":
        torch.set_num_threads(1)
