"""The paper's LLMs at their true sizes on the card: LoRA fine-tuning and capture, through the product's own code.

Run by run_gpu.py, with names of teachers.  Out: a row of fine-tuning and some of capture for each.
Imports: torch, transformers, the teacher's half; neither DVC nor datasets.

Weights are random and made on the card from the configurations, because no checkpoint can be downloaded there: only
how a checkpoint is found and read from disk is replaced. Everything else is finetune() and capture() as they are.
"""

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from pydantic import TypeAdapter
from ruamel.yaml import YAML
from transformers import AutoConfig, AutoModelForSequenceClassification, TextClassificationPipeline

from teacher_cache.reader import open_cache
from teacher_cache.schema import EXAMPLES, SPLITS
from teacher_cache.teacher.base.llms import LLMS
from teacher_cache.teacher.base.local_model import train_tokenizer
from teacher_cache.teacher.batches import pad_batch, plan_batches
from teacher_cache.teacher.capture.answering import Teacher
from teacher_cache.teacher.capture.job import Capture, capture
from teacher_cache.teacher.classifier import Classifier
from teacher_cache.teacher.finetune.adapter import finetune
from teacher_cache.teacher.finetune.loop import Trainer
from teacher_cache.teacher.teacher_config import CaptureConfig, TeacherConfig
from teacher_cache.teacher.torch_device import find_device
from tests.gpu.rows import Rows, parse_part

TEACHERS = ("bloomz-1b1", "llama3-8b", "bloomz-3b", "opt-6b7", "llama2-7b")  # of params.yaml
LABELS = ("a", "b", "c", "d")
WORDS = [f"{a}{b}{c}" for a in "bdfglmnprst" for b in ("a", "e", "io", "u") for c in ("n", "rt", "sk", "ll", "mo")]
PEER_BATCH = 32
# A tiny LLM of any of the three architectures, each of which takes the keys that it knows.
SMALL = {
    "vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 2, "n_layer": 2, "num_attention_heads": 4, "n_head": 4,
    "num_key_value_heads": 4, "intermediate_size": 64, "ffn_dim": 64, "word_embed_proj_dim": 32,
}  # fmt: skip


@dataclass(frozen=True)
class Sizes:
    """How much is computed."""

    length: int  # most tokens of a text
    batches: int  # of fine-tuning, of 8 texts of full length
    rows: int  # of the capture, of mixed lengths
    tokens_per_batch: tuple[int, ...]


def make_examples(sizes: Sizes) -> pa.Table:
    """Texts of full length to train, 8 to validate, then some from 4 words on, lengths log-normal about 32."""
    random, long_rows, mixed_rows = np.random.default_rng(0), 8 * sizes.batches, sizes.rows
    mixed = np.clip(np.exp(random.normal(np.log(32), 0.9, mixed_rows)), 4, sizes.length).astype(int)
    lengths = [sizes.length] * (long_rows + 8) + mixed.tolist()
    texts = [" ".join(random.choice(WORDS, length)) + f" {row}" for row, length in enumerate(lengths)]
    ids = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
    places = np.repeat(np.arange(3, dtype=np.int8), [long_rows, 8, mixed_rows])
    split = pa.DictionaryArray.from_arrays(places, pa.array(SPLITS))
    labels = pa.array(np.arange(len(texts)) % len(LABELS), pa.int32())
    return pa.Table.from_arrays([pa.array(ids, pa.binary(16)), split, labels, pa.array(texts)], schema=EXAMPLES)


def read_teacher(name: str) -> TeacherConfig:
    """A teacher of params.yaml."""
    block = YAML(typ="safe").load(Path("params.yaml"))["teacher"][name]
    return TypeAdapter(TeacherConfig).validate_json(json.dumps(block))


def make_config(model: str, tiny: bool, pad_id: int) -> Any:
    """The model's configuration, or one of its architecture with two layers, 32 wide."""
    large = LLMS[model]
    sizes = {key: SMALL.get(key, value) for key, value in large.sizes.items()} if tiny else large.sizes
    return AutoConfig.for_model(large.architecture, **sizes, num_labels=len(LABELS), pad_token_id=pad_id)


@contextmanager
def on_the_card(config: Any, base: Path, dtype: str) -> Iterator[None]:
    """Within it finetune() gets a network of random weights instead of a checkpoint's, and the tokenizer in `base`."""
    identity = {"kind": "hub", "model": "random", "revision": None, "dtype": dtype}

    def make_network(*_: Any, **__: Any) -> Any:
        with find_device():
            return Classifier(AutoModelForSequenceClassification.from_config(config, dtype=getattr(torch, dtype)))

    place = "teacher_cache.teacher.finetune.adapter."
    with ExitStack() as stack:
        stack.enter_context(patch(f"{place}open_base", return_value=(base, identity)))
        stack.enter_context(patch(f"{place}load_classifier", make_network))
        yield


def measure_finetuning(
    rows: Rows, name: str, config: Any, examples: pa.Table, tokenizer: Path, folder: Path, length: int, batch_size: int
) -> Any:
    """One row: tokens a second of the second epoch, and the card's peak memory; returns the adapted network."""
    kept: dict[str, Any] = {"seconds": []}
    whole_epoch = Trainer._train_epoch

    def timed(trainer: Trainer, split: Any, epoch: int) -> float:
        kept["model"], kept["tokens"] = trainer.adapted, sum(split.lengths)
        _wait()
        start = time.perf_counter()
        loss = whole_epoch(trainer, split, epoch)
        _wait()
        kept["seconds"].append(time.perf_counter() - start)
        return loss

    shipped = read_teacher(name).finetune
    accumulation = shipped.batch_size * shipped.gradient_accumulation // batch_size
    tuning = replace(shipped, epochs=2, max_length=length, batch_size=batch_size, gradient_accumulation=accumulation)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    (folder / "adapter").mkdir(parents=True)
    with on_the_card(config, tokenizer, "bfloat16"), patch.object(Trainer, "_train_epoch", timed):
        finetune(tuning, folder, examples, LABELS, 0, folder / "tuning", folder / "adapter")
    tokens, seconds = kept["tokens"], kept["seconds"][-1]
    flops = count_flops(kept["model"], config, length)
    rows.add(
        f"{name}: fine-tuning, {batch_size} texts at once",
        tokens_per_second=tokens / seconds, tflops=flops * tokens / seconds / 1e12, peak_gb=_peak_gb(),
        whole_seconds=time.perf_counter() - start,
    )  # fmt: skip
    return kept["model"]


def count_flops(model: Any, config: Any, length: int) -> float:
    """Floating-point operations of fine-tuning on a token, as docs/scale.md counts them."""
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    frozen = sum(p.numel() for n, p in model.named_parameters() if not p.requires_grad and "embed" not in n)
    forward = 2 * frozen + 4 * _layers(config) * config.hidden_size * length
    return 2 * forward + 6 * trained


def measure_capture(
    rows: Rows, name: str, model: Any, examples: pa.Table, folder: Path, sizes: Sizes, tokenizer: Any
) -> None:
    """Rows a second of the capture, of a bare loop over its batches, and of transformers' pipeline, same network."""
    # As load_teacher() does after reading it: LoRA's product put into the weights, everything in one dtype.
    network = model.eval().merge_and_unload().to(torch.bfloat16)
    teacher = Teacher(network, tokenizer, LABELS, sizes.length, "{text}", None)
    pq.write_table(examples, folder / "examples.parquet", row_group_size=1024)
    texts = examples["text"].to_pylist()
    expected = None
    tokens = sum(map(len, teacher.tokenize(texts)))
    for budget in sizes.tokens_per_batch:
        for way, call in _build_calls(teacher, texts, folder, budget).items():
            if not rows.has_time(f"{name}: {way}", 5) or (way != "capture" and budget != sizes.tokens_per_batch[0]):
                continue
            seconds = []
            if torch.cuda.is_available():
                torch.cuda.reset_peak_memory_stats()
            for _ in range(2):
                _wait()
                start = time.perf_counter()
                logits = call()
                seconds.append(time.perf_counter() - start)
            expected = logits if expected is None else expected
            off = float(np.abs(logits - expected).max())
            rows.add(
                f"{name}: {way}" + (f", {budget} tokens a batch" if way != "pipeline" else ", batch 32"),
                rows_per_second=len(texts) / min(seconds), tokens_per_second=tokens / min(seconds),
                largest_difference=off, peak_gb=_peak_gb(),
            )  # fmt: skip


def _build_calls(
    teacher: Teacher, texts: Sequence[str], folder: Path, budget: int
) -> dict[str, Callable[[], np.ndarray]]:
    model, tokenizer = teacher.model, teacher.tokenizer
    config = CaptureConfig(rows_per_part=512, tokens_per_batch=budget, dtype="bfloat16")
    request = Capture("gpu", "random", folder / "examples.parquet", folder, folder / "adapter", config)

    def run_capture() -> np.ndarray:
        for name in ("work", "cache"):
            shutil.rmtree(folder / name, ignore_errors=True)
        place = "teacher_cache.teacher.capture."
        with (
            patch(f"{place}job.load_teacher", return_value=teacher),
            patch(f"{place}gate.load_teacher", return_value=teacher),
            patch(f"{place}gate.NLL_TOLERANCE", 1.0),  # eight rows of a random network, whose rounding errors add up
        ):
            capture(request, folder / "work", folder / "cache")
        return open_cache(folder / "cache", {}).read().logits

    @torch.inference_mode()
    def run_bare() -> np.ndarray:
        logits = np.empty((len(texts), len(LABELS)), np.float32)
        for start in range(0, len(texts), config.rows_per_part):
            tokens = teacher.tokenize(texts[start : start + config.rows_per_part])
            for rows in plan_batches([len(row) for row in tokens], budget):
                batch = pad_batch([tokens[row] for row in rows], tokenizer.pad_token_id, find_device())
                logits[start + rows] = model(**batch).logits.float().cpu().numpy()
        return logits

    pipeline = TextClassificationPipeline(model=model, tokenizer=tokenizer, batch_size=PEER_BATCH, device=find_device())

    def run_pipeline() -> np.ndarray:
        said = pipeline(
            list(texts), top_k=None, function_to_apply="none", truncation=True, max_length=teacher.max_length
        )
        order = [model.config.id2label[index] for index in range(len(LABELS))]
        return np.array([[{one["label"]: one["score"] for one in row}[name] for name in order] for row in said])

    return {"capture": run_capture, "bare loop": run_bare, "pipeline": run_pipeline}


def _layers(config: Any) -> int:
    return getattr(config, "num_hidden_layers", None) or config.n_layer


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _peak_gb() -> float:
    return torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else 0.0


def main() -> None:
    options = parse_part(__doc__)
    rows, tiny = Rows(options.output, options.seconds), options.tiny
    sizes = Sizes(8, 1, 12, (64,)) if tiny else Sizes(256, 24, 1024, (4096, 16384))
    examples = make_examples(sizes)
    with tempfile.TemporaryDirectory() as place:
        tokenizer = train_tokenizer(examples["text"].to_pylist(), 300)
        tokenizer.save_pretrained(place)
        for name in options.names or TEACHERS:
            if not rows.has_time(name, 0 if tiny else 20):
                continue
            config = make_config(read_teacher(name).base.model, tiny, tokenizer.pad_token_id)
            folder = Path(place) / name
            try:
                model = measure_finetuning(
                    rows, name, config, examples, Path(place), folder, sizes.length, batch_size=8
                )
                measure_capture(rows, name, model, examples, folder, sizes, tokenizer)
                model = None
                if name == TEACHERS[0]:  # small enough to see what many short kernels cost
                    measure_finetuning(
                        rows, name, config, examples, Path(place), folder / "32", sizes.length, batch_size=32
                    )
            except Exception as error:
                rows.add(f"{name}: failed", failed=f"{type(error).__name__}: {error}"[:300])
            model = None
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
