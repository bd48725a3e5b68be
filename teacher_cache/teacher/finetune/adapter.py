"""Stage `finetune`: base + labelled examples -> LoRA adapter with its head.

In: a base folder and a table of examples.  Out: finetune(): adapter_model.safetensors, adapter_config.json,
finetune.json.  Imports: torch, accelerate, peft, transformers.
Runs in one process or in several: on a CPU `torchrun --standalone --nproc_per_node 2 -m ...`.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from teacher_cache.errors import UserError
from teacher_cache.publish import write_json
from teacher_cache.teacher.base.checkpoints import open_base
from teacher_cache.teacher.classifier import load_classifier
from teacher_cache.teacher.finetune import epochs
from teacher_cache.teacher.finetune.loop import Split, Trainer
from teacher_cache.teacher.lora import ADAPTER_WEIGHTS, RECORD, attach_lora, write_adapter_config
from teacher_cache.teacher.teacher_config import FinetuneConfig
from teacher_cache.teacher.threads import fix_threads
from teacher_cache.teacher.tokenization import WHOLE, encode, load_tokenizer
from teacher_cache.teacher.torch_device import describe_slowness
from teacher_cache.versions import read_version

log = logging.getLogger(__name__)

LIBRARIES = ("accelerate", "peft", "tokenizers", "torch", "transformers")
AUTOCAST = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}


def finetune(
    config: FinetuneConfig,
    base: Path,
    examples: pa.Table,
    labels: Sequence[str],
    seed: int,
    work: Path,
    folder: Path,
) -> None:
    """Fine-tune `base` on the training split and write the adapter of its best epoch into the existing `folder`.

    The best epoch has the lowest validation loss, not the highest accuracy: the student learns from the teacher's
    probabilities, and the loss, a proper score, is what says how good they are.

    Args:
        config: of the fine-tuning.
        base: folder that make_base() wrote.
        examples: rows of teacher_cache.schema.EXAMPLES; the test split is not looked at.
        labels: class names; a row's label is an index into them.
        seed: of head, LoRA, dropout and batches.
        work: keeps every finished epoch until the caller, having published `folder`, removes it; a run with equal
            arguments goes on from there and ends in the same bytes.
        folder: receives the files, from the main process alone.

    Raises:
        UserError: labels and classes do not match, a split is empty, or the loss is no longer a number.
    """
    _check_examples(examples, labels)
    source, identity = open_base(base)
    fix_threads(identity)
    AcceleratorState._reset_state()  # else a second teacher of another dtype is refused in the same process
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), mixed_precision=AUTOCAST[identity["dtype"]])
    _check_processes(accelerator)
    work = work / _fingerprint(config, identity, examples, labels, seed)
    if accelerator.is_main_process:
        _drop_other_jobs(work)
    tokenizer = load_tokenizer(source)
    train, validation = (
        _read_split(examples, name, tokenizer, config, accelerator.is_main_process) for name in ("train", "validation")
    )

    torch.manual_seed(seed)
    quantization = identity.get("quantization")
    plain = load_classifier(source, tokenizer, labels, identity["dtype"], config.max_length, quantization)
    if plain.note and accelerator.is_main_process:
        log.info("finetune: %s", plain.note)
    if accelerator.is_main_process and (slow := describe_slowness(identity["dtype"])):
        log.warning("finetune: %s (base.dtype; another makes another teacher)", slow)
    parameters = plain.model.num_parameters()
    model = attach_lora(plain, config)
    if config.gradient_checkpointing:
        model.activation_checkpointing_enable()
    try:
        trainer = Trainer(config, accelerator, model, tokenizer.pad_token_id, seed, work)
        standing = trainer.train(train, validation)
    except torch.OutOfMemoryError:
        raise UserError(
            "finetune: the GPU's memory is too small; lower finetune.batch_size and raise "
            "finetune.gradient_accumulation, or set finetune.gradient_checkpointing"
        ) from None

    if accelerator.is_main_process:
        shutil.copyfile(epochs.epoch_folder(work, standing.best_epoch) / epochs.MODEL, folder / ADAPTER_WEIGHTS)
        write_adapter_config(model, folder)
        best = standing.history[standing.best_epoch - 1]
        write_json(
            folder / RECORD,
            {
                "base": identity,
                "labels": list(labels),
                "prompt": config.prompt,
                "max_length": config.max_length,
                **({} if (config.prompt, config.cut) == (WHOLE, "end") else {"cut": config.cut}),
                "parameters": parameters,
                "trainable_parameters": model.num_parameters(only_trainable=True),
                "history": standing.history,
                "best_epoch": standing.best_epoch,
                "metrics": {"validation": {"accuracy": best["validation_accuracy"], "nll": best["validation_loss"]}},
            },
        )
    accelerator.wait_for_everyone()


def _read_split(examples: pa.Table, name: str, tokenizer: Any, config: FinetuneConfig, tell: bool) -> Split:
    rows = examples.filter(pc.equal(examples["split"].cast(pa.string()), name))
    tokens, cut = encode(tokenizer, rows["text"].to_pylist(), config.max_length, config.prompt, config.cut)
    if cut and tell:
        log.info("finetune: %d of %d texts of %s were cut to %d tokens", cut, len(rows), name, config.max_length)
    return Split(tokens, torch.from_numpy(rows["label"].to_numpy().astype(np.int64)))


def _check_examples(examples: pa.Table, labels: Sequence[str]) -> None:
    if len(labels) < 2:
        raise UserError(f"labels must be at least 2 classes, got {list(labels)}")
    for name in ("train", "validation"):
        rows = examples.filter(pc.equal(examples["split"].cast(pa.string()), name))
        if not len(rows):
            raise UserError(f"examples must have a row of split {name}, got none; run stage prepare again")
        found = set(rows["label"].to_pylist())
        if not found <= set(range(len(labels))):
            raise UserError(f"label must be 0 to {len(labels) - 1}, an index into {list(labels)}, got {max(found)}")
        if name == "train" and len(found) < len(labels):
            missing = [label for index, label in enumerate(labels) if index not in found]
            raise UserError(f"every class must have a training example, got none of {', '.join(missing)}")


def _check_processes(accelerator: Accelerator) -> None:
    promised = int(os.environ.get("WORLD_SIZE", "1"))
    if accelerator.num_processes != promised:
        raise UserError(f"{promised} processes were launched, but accelerate runs {accelerator.num_processes}")


def _fingerprint(
    config: FinetuneConfig, identity: dict[str, Any], examples: pa.Table, labels: Sequence[str], seed: int
) -> str:
    """Hash of all that decides the adapter, libraries too: work of another job is never gone on with."""
    makers = [read_version("finetune"), *(version(name) for name in LIBRARIES)]
    content = [asdict(config), identity, list(labels), seed, makers]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name in ("split", "label", "text"):
        digest.update(json.dumps(examples[name].to_pylist()).encode())
    return digest.hexdigest()[:32]


def _drop_other_jobs(work: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    for folder in work.parent.iterdir():
        if folder != work and folder.is_dir():  # not what a file browser leaves
            shutil.rmtree(folder)
