"""A base that is too large for one GPU, spread over those of all processes (fully sharded data parallelism).

In: the environment variable QDLLM_SHARD, a loaded model.  Out: is_sharded(), shard_model(), average_gradients(), Turns.
Imports: torch.

Each process keeps a slice of every frozen matrix; a block's whole matrices are put together when it computes, and
dropped after it. What is trained (LoRA, head, trained embeddings) is small: each process keeps it whole, so that an
adapter, its optimizer and its checkpoints are what they are without sharding. Torch's own FSDP does it, on GPUs and on
CPUs alike; accelerate's configuration of FSDP knows GPUs only, and would shard the adapter too.
"""

import os
from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from teacher_cache.errors import UserError


def is_sharded() -> bool:
    """Whether QDLLM_SHARD=1 asks for a base that is spread over all processes.

    Raises:
        UserError: it has another value, or FSDP was switched on in accelerate's configuration.
    """
    if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true":
        raise UserError("sharding is switched on by QDLLM_SHARD=1, not by accelerate's FSDP; see docs/scale.md")
    value = os.environ.get("QDLLM_SHARD", "0")
    if value not in {"0", "1"}:
        raise UserError(f"QDLLM_SHARD must be 0 or 1, got {value}")
    return value == "1" and int(os.environ.get("WORLD_SIZE", "1")) > 1


def shard_model(model: Any, device: torch.device) -> None:
    """Leave this process, in place, its slice of each frozen matrix of `model`; the rest moves to `device` whole.

    Every process must hold the same model, and call this.

    Raises:
        UserError: the architecture does not say what its blocks are, or the model is quantized.
    """
    if getattr(model, "is_quantized", False):
        raise UserError("QDLLM_SHARD must be 0 for a base with base.quantization, got 1: take one of the two")
    names = model._no_split_modules
    blocks = [module for module in model.modules() if type(module).__name__ in (names or ())]
    if not blocks:
        raise UserError(f"QDLLM_SHARD must be 0 for {model.config.model_type}: transformers does not name its blocks")
    kept = {parameter for parameter in model.parameters() if parameter.requires_grad}
    for tensor in (*kept, *model.buffers()):
        tensor.data = tensor.data.to(device)
    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    for module in (*blocks, model):
        # The outermost module would stay whole after a forward pass until one process alone saves a checkpoint: from
        # then on the processes would no longer put the same matrices together.
        fully_shard(module, mesh=mesh, ignored_params=kept, reshard_after_forward=True)


def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace the gradient of each of `parameters` by its mean over all processes."""
    for parameter in parameters:
        if parameter.grad is not None:
            dist.all_reduce(parameter.grad)
            parameter.grad /= dist.get_world_size()


class Turns:
    """Forward passes of a sharded model, which all processes make together, though some have fewer to make.

    Each of them calls next() before its own forward, and when it has no more, lends itself to the others':
    `while turns.next(working=False): forward(anything)`.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def next(self, working: bool) -> bool:
        """Whether any process is about to compute."""
        count = torch.tensor(float(working), device=self.device)
        dist.all_reduce(count)
        return count.item() > 0
