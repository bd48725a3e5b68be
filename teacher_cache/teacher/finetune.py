"""Stage `finetune`: base + labelled examples -> LoRA adapter with its head.

In: a base folder and a table of examples.  Out: finetune(): adapter_model.safetensors, adapter_config.json,
finetune.json.  Imports: torch, accelerate, peft, transformers.
Runs in one process or in several (`accelerate launch`, `torchrun`): a batch is dealt to them row by row, and the
gradient is that of the whole batch whatever their number.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from accelerate import Accelerator
from peft import set_peft_model_state_dict

from teacher_cache.errors import UserError
from teacher_cache.publish import write_json
from teacher_cache.teacher import checkpoint
from teacher_cache.teacher.base import open_base
from teacher_cache.teacher.batches import Rows, pad_batch, plan_batches, shuffle_batches
from teacher_cache.teacher.checkpoint import Standing
from teacher_cache.teacher.classifier import (
    ADAPTER_WEIGHTS,
    RECORD,
    adapter_tensors,
    attach_lora,
    load_classifier,
    load_tokenizer,
    tokenize,
    write_adapter_config,
)
from teacher_cache.teacher.config import FinetuneConfig
from teacher_cache.teacher.progress import track
from teacher_cache.teacher.schedule import learning_rate

log = logging.getLogger(__name__)

AUTOCAST = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}


@dataclass(frozen=True)
class Split:
    """Token ids and classes of one split, row by row."""

    tokens: list[list[int]]
    classes: torch.Tensor

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return [len(row) for row in self.tokens]


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
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), mixed_precision=AUTOCAST[identity["dtype"]])
    _check_processes(accelerator)
    work = work / _fingerprint(config, identity, examples, labels, seed)
    if accelerator.is_main_process:
        _drop_other_jobs(work)
    tokenizer = load_tokenizer(source)
    train, validation = (_read_split(examples, name, tokenizer, config) for name in ("train", "validation"))

    torch.manual_seed(seed)
    model = load_classifier(source, tokenizer, len(labels), identity["dtype"], config.max_length)
    parameters = model.num_parameters()
    model = attach_lora(model, config.rank, config.alpha, config.dropout, config.train_embeddings)
    if config.gradient_checkpointing:
        model.activation_checkpointing_enable()
    run = _Run(config, accelerator, model, tokenizer.pad_token_id, seed, work)
    standing = run.train(train, validation)

    if accelerator.is_main_process:
        shutil.copyfile(checkpoint.epoch_folder(work, standing.best_epoch) / checkpoint.MODEL, folder / ADAPTER_WEIGHTS)
        write_adapter_config(model, folder)
        best = standing.history[standing.best_epoch - 1]
        write_json(
            folder / RECORD,
            {
                "base": identity,
                "labels": list(labels),
                "prompt": config.prompt,
                "max_length": config.max_length,
                "parameters": parameters,
                "trainable_parameters": model.num_parameters(only_trainable=True),
                "history": standing.history,
                "best_epoch": standing.best_epoch,
                "metrics": {"validation": {"accuracy": best["validation_accuracy"], "nll": best["validation_loss"]}},
            },
        )
    accelerator.wait_for_everyone()


class _Run:
    """One fine-tuning: the model, its optimizer and the processes that share the work."""

    def __init__(
        self, config: FinetuneConfig, accelerator: Accelerator, model: Any, pad_id: int, seed: int, work: Path
    ) -> None:
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trained, weight_decay=config.weight_decay, fused=True)
        self.config, self.accelerator, self.adapted, self.pad_id = config, accelerator, model, pad_id
        self.seed, self.work = seed, work
        self.model, self.optimizer = accelerator.prepare(model, optimizer)

    def train(self, train: Split, validation: Split) -> Standing:
        """Train until the last epoch, or until validation has not improved for `patience` epochs."""
        standing = self._resume()
        while standing.epoch < self.config.epochs:
            if standing.epoch and standing.epoch - standing.best_epoch >= self.config.patience:
                log.info("finetune: validation loss has not improved for %d epochs", self.config.patience)
                break
            epoch = standing.epoch + 1
            train_loss = self._train_epoch(train, epoch)
            loss, accuracy = self._validate(validation)
            standing.history.append(
                {"epoch": epoch, "train_loss": train_loss, "validation_loss": loss, "validation_accuracy": accuracy}
            )
            log.info(
                "finetune: epoch %d: loss %.4f, validation loss %.4f, accuracy %.4f", *standing.history[-1].values()
            )
            if self.accelerator.scaler is not None:
                standing.scaler = self.accelerator.scaler.state_dict()
            if self.accelerator.is_main_process:
                checkpoint.write_epoch(self.work, standing, adapter_tensors(self.adapted), self.optimizer.optimizer)
            self.accelerator.wait_for_everyone()
        return standing

    def _resume(self) -> Standing:
        standing = checkpoint.read_latest(self.work)
        if standing.epoch:
            log.info("finetune: %d finished epochs found, going on", standing.epoch)
            set_peft_model_state_dict(self.adapted, checkpoint.read_model(self.work, standing.epoch))
            checkpoint.restore_optimizer(self.work, standing.epoch, self.optimizer.optimizer)
            if self.accelerator.scaler is not None:
                self.accelerator.scaler.load_state_dict(standing.scaler)
        return standing

    def _train_epoch(self, split: Split, epoch: int) -> float:
        """One pass over the training rows; returns their mean loss in nats."""
        config, accelerator = self.config, self.accelerator
        # Seeds of the epoch's own: a resumed run draws what an undisturbed one would have drawn.
        random = np.random.SeedSequence([self.seed, epoch, accelerator.process_index])
        torch.manual_seed(int(random.generate_state(1)[0]))
        batches = shuffle_batches(split.lengths, config.batch_size * config.gradient_accumulation, (self.seed, epoch))
        steps = config.epochs * len(batches)
        total = torch.zeros((), device=accelerator.device)
        self.model.train()
        plan = track(batches, f"finetune: epoch {epoch}", "batch", accelerator.is_main_process)
        for step, rows in enumerate(plan, (epoch - 1) * len(batches)):
            loss = self._accumulate(split, rows)
            if not torch.isfinite(loss):
                raise UserError(
                    f"finetune: loss became {loss.item()} in epoch {epoch}, batch {step}; lower finetune.learning_rate"
                )
            accelerator.clip_grad_norm_(self.model.parameters(), config.clip_norm)
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(config.learning_rate, step, steps, config.warmup)
            self.optimizer.step()
            self.optimizer.zero_grad()
            total += loss
        return accelerator.reduce(total).item() / len(split.tokens)

    def _accumulate(self, split: Split, rows: Rows) -> torch.Tensor:
        """Add the gradient of the mean loss over `rows`, in parts; returns this process's sum of losses."""
        size, accelerator = self.config.batch_size, self.accelerator
        summed = torch.zeros((), device=accelerator.device)
        for start in range(0, len(rows), size):
            last = start + size >= len(rows)
            with nullcontext() if last else accelerator.no_sync(self.model):
                part = rows[start : start + size]
                own = part[accelerator.process_index :: accelerator.num_processes]
                # A process without a row still takes part in the exchange of gradients, with weight zero.
                logits = self._logits(split, own if len(own) else part[:1])[: len(own)]
                loss = torch.nn.functional.cross_entropy(
                    logits.float(), split.classes[own].to(accelerator.device), reduction="sum"
                )
                # Gradients are averaged over the processes, hence the factor.
                accelerator.backward(loss * accelerator.num_processes / len(rows))
                summed += loss.detach()
        return summed

    @torch.inference_mode()
    def _validate(self, split: Split) -> tuple[float, float]:
        """Mean loss in nats, and accuracy, over all rows of `split`."""
        accelerator = self.accelerator
        sums = torch.zeros(2, device=accelerator.device, dtype=torch.float64)
        self.model.eval()
        batches = plan_batches(split.lengths, self.config.batch_size * self.config.max_length)
        for rows in batches[accelerator.process_index :: accelerator.num_processes]:
            logits = self._logits(split, rows).float()
            classes = split.classes[rows].to(accelerator.device)
            sums[0] += torch.nn.functional.cross_entropy(logits, classes, reduction="sum")
            sums[1] += (logits.argmax(dim=1) == classes).sum()
        loss, right = (accelerator.reduce(sums) / len(split.tokens)).tolist()
        return loss, right

    def _logits(self, split: Split, rows: Rows) -> torch.Tensor:
        batch = pad_batch([split.tokens[row] for row in rows], self.pad_id, self.accelerator.device)
        return self.model(**batch).logits


def _read_split(examples: pa.Table, name: str, tokenizer: Any, config: FinetuneConfig) -> Split:
    rows = examples.filter(pc.equal(examples["split"].cast(pa.string()), name))
    tokens = tokenize(tokenizer, rows["text"].to_pylist(), config.max_length, config.prompt)
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
    """Hash of all that decides the adapter: work of another job is never gone on with."""
    digest = hashlib.sha256(json.dumps([asdict(config), identity, list(labels), seed], sort_keys=True).encode())
    for name in ("split", "label", "text"):
        digest.update(json.dumps(examples[name].to_pylist()).encode())
    return digest.hexdigest()[:32]


def _drop_other_jobs(work: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    for folder in work.parent.iterdir():
        if folder != work:
            shutil.rmtree(folder)
