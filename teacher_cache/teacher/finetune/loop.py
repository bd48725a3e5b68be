"""The training loop of stage `finetune`, in one process or in several.

In: a model with LoRA, tokens and classes.  Out: Split, Trainer.  Imports: torch, accelerate, peft.
A batch is dealt to the processes row by row, and its gradient is that of the whole batch whatever their number.
"""

import logging
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

from teacher_cache.errors import UserError
from teacher_cache.teacher.base.quantization import do_without
from teacher_cache.teacher.batches import Rows, pad_batch, plan_batches, shuffle_batches
from teacher_cache.teacher.finetune import epochs
from teacher_cache.teacher.finetune.epochs import Standing
from teacher_cache.teacher.lora import adapter_tensors
from teacher_cache.teacher.progress import track
from teacher_cache.teacher.schedule import learning_rate
from teacher_cache.teacher.sharding import average_gradients, is_sharded, shard_model
from teacher_cache.teacher.teacher_config import FinetuneConfig

with do_without():
    from peft import set_peft_model_state_dict

log = logging.getLogger(__name__)

# From 1/4 to 16, each a fifth above the one before; sums of losses at these add up over processes as one loss does.
TEMPERATURES = [2.0 ** (step / 4) for step in range(-8, 17)]


@dataclass(frozen=True)
class Split:
    """Token ids and classes of one split, row by row."""

    tokens: list[list[int]]
    classes: torch.Tensor

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return [len(row) for row in self.tokens]


class Trainer:
    """One fine-tuning: the model, its optimizer and the processes that share the work."""

    def __init__(
        self, config: FinetuneConfig, accelerator: Accelerator, model: Any, pad_id: int, seed: int, work: Path
    ) -> None:
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trained, weight_decay=config.weight_decay, fused=True)
        self.config, self.accelerator, self.adapted, self.pad_id = config, accelerator, model, pad_id
        self.seed, self.work, self.trained, self.sharded = seed, work, trained, is_sharded()
        if self.sharded:
            shard_model(model, accelerator.device)
            self.model, self.optimizer = model, accelerator.prepare(optimizer)
        else:
            self.model, self.optimizer = accelerator.prepare(model, optimizer)

    def train(self, train: Split, validation: Split) -> Standing:
        """Train until the last epoch, or until validation has not improved for `patience` epochs.

        Goes on after the last epoch that `work` holds.

        Raises:
            UserError: the loss is no longer a number.
        """
        standing = self._resume()
        while standing.epoch < self.config.epochs:
            if standing.epoch and standing.epoch - standing.best_epoch >= self.config.patience:
                log.info("finetune: validation loss has not improved for %d epochs", self.config.patience)
                break
            epoch = standing.epoch + 1
            train_loss = self._train_epoch(train, epoch)
            loss, accuracy, calibrated = self._validate(validation)
            if not np.isfinite([train_loss, loss, calibrated]).all():  # the epoch's last step, which no other has seen
                raise UserError(
                    f"finetune: validation loss became {loss} after epoch {epoch}; lower finetune.learning_rate"
                )
            standing.history.append(
                {"epoch": epoch, "train_loss": train_loss, "validation_loss": loss, "validation_accuracy": accuracy}
            )
            if self.config.epoch_by == "calibrated_loss":
                standing.history[-1]["calibrated_loss"] = calibrated
            text = "finetune: epoch %d: loss %.4f, validation loss %.4f, accuracy %.4f"
            log.info(text, epoch, train_loss, loss, accuracy)
            if self.accelerator.scaler is not None:
                standing.scaler = self.accelerator.scaler.state_dict()
            if self.accelerator.is_main_process:
                epochs.write_epoch(self.work, standing, adapter_tensors(self.adapted), self.optimizer.optimizer)
            self.accelerator.wait_for_everyone()
        return standing

    def _resume(self) -> Standing:
        standing = epochs.read_latest(self.work)
        if standing.epoch:
            log.info("finetune: %d finished epochs found, going on", standing.epoch)
            set_peft_model_state_dict(self.adapted, epochs.read_model(self.work, standing.epoch))
            epochs.restore_optimizer(self.work, standing.epoch, self.optimizer.optimizer)
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
            if self.sharded:
                average_gradients(self.trained)
            accelerator.clip_grad_norm_(self.trained, config.clip_norm)
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
            with nullcontext() if last or self.sharded else accelerator.no_sync(self.model):
                part = rows[start : start + size]
                own = part[accelerator.process_index :: accelerator.num_processes]
                # A process without a row still takes part in the exchange of gradients, with weight zero.
                logits = self._logits(self.model, split, own if len(own) else part[:1])[: len(own)]
                loss = torch.nn.functional.cross_entropy(
                    logits.float(), split.classes[own].to(accelerator.device), reduction="sum"
                )
                # Gradients are averaged over the processes, hence the factor.
                accelerator.backward(loss * accelerator.num_processes / len(rows))
                summed += loss.detach()
        return summed

    @torch.no_grad()
    def _validate(self, split: Split) -> tuple[float, float, float]:
        """Mean loss in nats, accuracy, and the loss at the best of TEMPERATURES, over all rows of `split`.

        By the model itself, without what accelerate puts around it: DDP would have each forward wait for one of every
        other process, in order to spread the buffers that LLaMA has, and some processes have a batch less, or none.
        """
        accelerator = self.accelerator
        losses = torch.zeros(len(TEMPERATURES), device=accelerator.device, dtype=torch.float64)
        right = torch.zeros((), device=accelerator.device, dtype=torch.float64)
        self.model.eval()
        batches = plan_batches(split.lengths, self.config.batch_size * self.config.max_length)
        own = batches[accelerator.process_index :: accelerator.num_processes]
        for rows in own:
            logits = self._logits(self.adapted, split, rows).float()
            classes = split.classes[rows].to(accelerator.device)
            for k, temperature in enumerate(TEMPERATURES):
                losses[k] += torch.nn.functional.cross_entropy(logits / temperature, classes, reduction="sum")
            right += (logits.argmax(dim=1) == classes).sum()
        if self.sharded and len(own) < -(-len(batches) // accelerator.num_processes):
            self._logits(self.adapted, split, batches[-1])  # the others' last batch needs this process's slices too
        means, accuracy = accelerator.reduce(losses) / len(split.tokens), accelerator.reduce(right) / len(split.tokens)
        return means[TEMPERATURES.index(1.0)].item(), accuracy.item(), means.min().item()

    def _logits(self, model: Any, split: Split, rows: Rows) -> torch.Tensor:
        batch = pad_batch([split.tokens[row] for row in rows], self.pad_id, self.accelerator.device)
        with self.accelerator.autocast():
            return model(**batch).logits
