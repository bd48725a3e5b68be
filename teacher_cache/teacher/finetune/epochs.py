"""Where a fine-tuning stands after each epoch, on disk without pickle.

In: tensors and the history.  Out: write_epoch, read_latest, prune, best_epoch.  Imports: safetensors, torch.

    {work}/{fingerprint}/epoch-0002/  model.safetensors  optimizer.safetensors  state.json

Random numbers need no file: every epoch draws from seeds of its own (finetune.py).
"""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from teacher_cache.publish import publish_folder, write_json

MODEL, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"
Tensors = dict[str, torch.Tensor]


@dataclass
class Standing:
    """What is known after the last finished epoch; epochs count from 1."""

    history: list[dict[str, Any]] = field(default_factory=list)
    scaler: dict[str, Any] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return len(self.history)

    @property
    def best_epoch(self) -> int:
        """The earliest epoch with the lowest validation loss, the calibrated one where it was asked for."""
        return min(self.history, key=lambda entry: entry.get("calibrated_loss", entry["validation_loss"]))["epoch"]


def epoch_folder(work: Path, epoch: int) -> Path:
    """Folder of one finished epoch."""
    return work / f"epoch-{epoch:04d}"


def write_epoch(work: Path, standing: Standing, model: Tensors, optimizer: torch.optim.Optimizer) -> None:
    """Publish the finished epoch in one rename, then drop the epochs that neither resuming nor the result needs."""
    with publish_folder(epoch_folder(work, standing.epoch)) as folder:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in model.items()}, folder / MODEL)
        save_file(_flatten(optimizer), folder / OPTIMIZER)
        write_json(folder / STATE, {"history": standing.history, "scaler": standing.scaler})
    keep = {epoch_folder(work, standing.epoch), epoch_folder(work, standing.best_epoch)}
    for folder in set(work.glob("epoch-*")) - keep:
        shutil.rmtree(folder)


def read_latest(work: Path) -> Standing:
    """The standing after the last finished epoch; an empty one where none is finished."""
    folders = sorted(work.glob("epoch-*"))
    if not folders:
        return Standing()
    return Standing(**json.loads((folders[-1] / STATE).read_text(encoding="utf-8")))


def read_model(work: Path, epoch: int) -> Tensors:
    """The trained tensors after `epoch`, on the CPU."""
    return load_file(epoch_folder(work, epoch) / MODEL)


def restore_optimizer(work: Path, epoch: int, optimizer: torch.optim.Optimizer) -> None:
    """Put back the moments of every parameter as they were after `epoch`."""
    state: dict[int, Tensors] = {}
    for name, tensor in load_file(epoch_folder(work, epoch) / OPTIMIZER).items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _flatten(optimizer: torch.optim.Optimizer) -> Tensors:
    state = optimizer.state_dict()["state"]
    return {f"{index}.{key}": tensor.cpu() for index, entry in state.items() for key, tensor in entry.items()}
