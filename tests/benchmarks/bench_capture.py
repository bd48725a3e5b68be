"""How fast a teacher's answers get into a cache, beside what people use instead.

Run: python -m tests.benchmarks.bench_capture [--rounds 3] [--rows 12000] [--text FILE.parquet ...]
In: nothing, or Parquet files with a column `text`, of which the first --rows texts are taken.
Out: build/bench/capture.json and the same as tables.
Imports: torch, transformers, the teacher's half.

Every peer gets the same loaded, merged model, the same tokenizer and the same texts, and tokenizes them itself; rounds
alternate, medians of wall time.  Ours is the whole of capture(): reading examples, fingerprints, forward passes,
checksums, fsync, the gate (64 rows once more) and publishing; loading the model is left out for all.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from scipy.special import softmax
from transformers import AutoConfig, AutoModelForCausalLM

from teacher_cache.publish import publish_folder
from teacher_cache.reader import open_cache
from teacher_cache.schema import EXAMPLES, SPLITS
from teacher_cache.teacher.base.checkpoints import make_base
from teacher_cache.teacher.base.local_model import train_tokenizer
from teacher_cache.teacher.batches import pad_batch, plan_batches
from teacher_cache.teacher.capture.answering import Teacher, load_teacher
from teacher_cache.teacher.capture.job import Capture, capture
from teacher_cache.teacher.finetune.adapter import finetune
from teacher_cache.teacher.teacher_config import CaptureConfig, FinetuneConfig, HubBase
from teacher_cache.writer import Job, Staging
from tests.benchmarks.timing import describe_machine

OUTPUT = Path("build/bench/capture.json")
SIZES = {"128 wide": (128, 1), "512 wide": (512, 3)}  # width, and by what the number of rows is divided
LABELS, MAX_LENGTH, PEER_BATCH = ["a", "b", "c", "d"], 256, 32
TUNING = 48
MIXED, MIXED_ROWS = "mixed lengths", 3000
# Times as fast as the peer: on texts of mixed lengths, on real text.
TARGETS = {"pipeline": (2.0, 1.4), "Trainer.predict": (1.5, 1.3), "bare forward loop": (0.9, 0.9)}


def make_mixed_texts(rows: int, vocabulary: Sequence[str]) -> list[str]:
    """Texts of 4 to 256 words, their lengths log-normal about 32."""
    random = np.random.default_rng(0)
    lengths = np.clip(np.exp(random.normal(np.log(32), 0.9, rows)), 4, MAX_LENGTH).astype(int)
    return [" ".join(random.choice(vocabulary, length)) + f" {row}" for row, length in enumerate(lengths)]


def make_examples(texts: Sequence[str]) -> pa.Table:
    """The first rows train and validate the adapter, all others are test."""
    ids = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
    split = pa.DictionaryArray.from_arrays(
        np.minimum(np.arange(len(texts)) // TUNING, 2).astype(np.int8), pa.array(SPLITS)
    )
    labels = pa.array(np.arange(len(texts)) % len(LABELS), pa.int32())
    return pa.Table.from_arrays([pa.array(ids, pa.binary(16)), split, labels, pa.array(list(texts))], schema=EXAMPLES)


def make_teacher(width: int, examples: pa.Table, folder: Path) -> None:
    """A two-layer LLaMA of random weights, in a folder as from a hub, and an adapter trained for a step."""
    tokenizer = train_tokenizer(examples["text"].to_pylist(), 8000)
    sizes = {"hidden_size": width, "num_hidden_layers": 2, "num_attention_heads": width // 32}
    config = AutoConfig.for_model(
        "llama", vocab_size=len(tokenizer), intermediate_size=4 * width, max_position_embeddings=MAX_LENGTH,
        bos_token_id=0, eos_token_id=1, pad_token_id=tokenizer.pad_token_id, **sizes,
    )  # fmt: skip
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    with publish_folder(folder / "base") as place:
        make_base(HubBase("hub", str(folder / "model"), None), [], 0, place)
    tuning = FinetuneConfig(rank=4, alpha=8, epochs=1, learning_rate=1e-4, max_length=MAX_LENGTH)
    with publish_folder(folder / "adapter") as place:
        finetune(tuning, folder / "base", examples.slice(0, 2 * TUNING), LABELS, 0, folder / "tuning", place)


def build_calls(teacher: Teacher, texts: Sequence[str], folder: Path) -> dict[str, Callable[[], np.ndarray]]:
    """Each way to get the logits of `texts`, in their order."""
    from transformers import DataCollatorWithPadding, TextClassificationPipeline, Trainer, TrainingArguments

    model, tokenizer = teacher.model, teacher.tokenizer
    config = CaptureConfig(rows_per_part=1024)
    request = Capture("bench", "llama", folder / "examples.parquet", folder / "base", folder / "adapter", config)

    def run_capture() -> np.ndarray:
        for name in ("work", "cache"):
            shutil.rmtree(folder / name, ignore_errors=True)
        with (
            patch("teacher_cache.teacher.capture.job.load_teacher", return_value=teacher),
            patch("teacher_cache.teacher.capture.gate.load_teacher", return_value=teacher),
        ):
            capture(request, folder / "work", folder / "cache")
        return open_cache(folder / "cache", {}).read().logits

    @torch.inference_mode()
    def run_bare() -> np.ndarray:
        logits = np.empty((len(texts), len(LABELS)), np.float32)
        for start in range(0, len(texts), config.rows_per_part):
            tokens = teacher.tokenize(texts[start : start + config.rows_per_part])
            for rows in plan_batches([len(row) for row in tokens], config.tokens_per_batch):
                batch = pad_batch([tokens[row] for row in rows], tokenizer.pad_token_id)
                logits[start + rows] = model(**batch).logits.numpy()
        return logits

    pipeline = TextClassificationPipeline(model=model, tokenizer=tokenizer, batch_size=PEER_BATCH)

    def run_pipeline() -> np.ndarray:
        said = pipeline(list(texts), top_k=None, function_to_apply="none", truncation=True, max_length=MAX_LENGTH)
        order = [model.config.id2label[index] for index in range(len(LABELS))]
        return np.array([[{one["label"]: one["score"] for one in row}[name] for name in order] for row in said])

    arguments = TrainingArguments(
        output_dir=str(folder / "trainer"), per_device_eval_batch_size=PEER_BATCH, report_to=[], disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
    )  # fmt: skip
    trainer = Trainer(model=model, args=arguments, data_collator=DataCollatorWithPadding(tokenizer))

    def run_trainer() -> np.ndarray:
        return trainer.predict([{"input_ids": row} for row in teacher.tokenize(texts)]).predictions

    return {
        "capture": run_capture,
        "bare forward loop": run_bare,
        "pipeline": run_pipeline,
        "Trainer.predict": run_trainer,
    }


def compare(name: str, texts: list[str], size: str, rounds: int) -> list[dict[str, Any]]:
    """Rows per second of every way on these texts, all logits checked against the cache's."""
    with tempfile.TemporaryDirectory() as place:
        folder, examples = Path(place), make_examples(texts)
        pq.write_table(examples, folder / "examples.parquet", row_group_size=1024)
        make_teacher(SIZES[size][0], examples, folder)
        teacher = load_teacher(folder / "base", folder / "adapter", "float32")
        calls = build_calls(teacher, texts, folder)
        expected = calls["capture"]()
        for label, call in calls.items():
            np.testing.assert_allclose(call(), expected, atol=1e-3, err_msg=label)
        seconds: dict[str, list[float]] = {label: [] for label in calls}
        for _ in range(rounds):
            for label, call in calls.items():
                start = time.perf_counter()
                call()
                seconds[label].append(time.perf_counter() - start)
    medians = {label: float(np.median(values)) for label, values in seconds.items()}
    return [
        {
            "texts": name, "model": size, "way": label, "rows": len(texts),
            "rows_per_second": round(len(texts) / median, 1), "times_capture": median / medians["capture"],
        }
        for label, median in medians.items()
    ]  # fmt: skip


def make_columns(job: Job, index: int) -> dict[str, pa.Array]:
    """A part of synthetic logits."""
    rows, classes = job.rows_of(index), len(job.labels)
    random = np.random.default_rng(index)
    ids = random.bytes(16 * rows)
    logits = random.normal(size=(rows, classes)).astype(np.float32)
    probabilities = softmax(logits.astype(np.float64), axis=1).astype(np.float32)
    split = pa.DictionaryArray.from_arrays(random.integers(0, 3, rows).astype(np.int8), pa.array(SPLITS))
    return {
        "example_id": pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), rows, [None, pa.py_buffer(ids)]),
        "split": split,
        "label": pa.array(random.integers(0, classes, rows), pa.int32()),
        "logits": pa.FixedSizeListArray.from_arrays(pa.array(logits.ravel()), classes),
        "probabilities": pa.FixedSizeListArray.from_arrays(pa.array(probabilities.ravel()), classes),
    }  # fmt: skip


def write_million(folder: Path, rows: int) -> None:
    """Write and read a cache of `rows` rows part by part, and print this process's peak memory in MiB."""
    job = Job("bench", "synthetic", tuple(LABELS), rows, 65536, 0, {})
    staging = Staging(job, folder / "work", {})
    for index in range(job.parts):
        staging.write_part(index, make_columns(job, index))
    staging.publish(folder / "cache", {}, {})
    read = sum(len(part.label) for part in open_cache(folder / "cache", {}).iter_parts())
    assert read == rows
    # Not getrusage: its peak is handed down from the process that started this one.
    status = Path("/proc/self/status").read_text()
    print(next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024)


def measure_files(rows: int = 262_144, rounds: int = 5) -> dict[str, float]:
    """Bytes per row, and write and read rates against bare pyarrow on the same table."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        job = Job("bench", "synthetic", tuple(LABELS), rows, 65536, 0, {})
        parts = [make_columns(job, index) for index in range(job.parts)]
        tables = [pa.table(part) for part in parts]
        seconds: dict[str, list[float]] = {name: [] for name in ("write", "bare write", "read", "bare read")}
        for round_ in range(rounds):
            staging = Staging(job, folder / f"work{round_}", {})
            start = time.perf_counter()
            for index, part in enumerate(parts):
                staging.write_part(index, part)
            staging.publish(folder / f"cache{round_}", {}, {})
            seconds["write"].append(time.perf_counter() - start)
            start = time.perf_counter()
            for index, table in enumerate(tables):
                pq.write_table(table, folder / f"bare{index}.parquet", compression="zstd")
            seconds["bare write"].append(time.perf_counter() - start)
            start = time.perf_counter()
            open_cache(folder / f"cache{round_}", {}).read()
            seconds["read"].append(time.perf_counter() - start)
            start = time.perf_counter()
            for index in range(len(tables)):
                pq.read_table(folder / f"bare{index}.parquet")
            seconds["bare read"].append(time.perf_counter() - start)
        size = sum(path.stat().st_size for path in (folder / "cache0").iterdir())
    rates = {f"{name}, rows/s": rows / float(np.median(values)) for name, values in seconds.items()}
    return {"bytes per row": size / rows, **rates}


def measure_memory(rows: int = 1_000_000) -> float:
    """Peak memory in MiB of a process of its own that writes and reads a cache of `rows` rows."""
    with tempfile.TemporaryDirectory() as place:
        code = f"import pathlib, {__spec__.name} as bench; bench.write_million(pathlib.Path({place!r}), {rows})"
        done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


def judge(rows: list[dict[str, Any]]) -> list[str]:
    """A line per target: met or missed, and by what."""
    lines = []
    for row in rows:
        if row["way"] in TARGETS:
            target = TARGETS[row["way"]][row["texts"] != MIXED]
            verdict = "met" if row["times_capture"] >= target else "MISSED"
            lines.append(
                f"{row['texts']}, {row['model']}: capture {row['times_capture']:.2f} times as fast as "
                f"{row['way']}, target {target}: {verdict}"
            )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=12000)
    parser.add_argument("--text", type=Path, nargs="*", default=[])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    words = [f"{a}{b}{c}" for a in "bdfglmnprst" for b in ("a", "e", "io", "u") for c in ("n", "rt", "sk", "ll", "mo")]
    corpora = {MIXED: make_mixed_texts(MIXED_ROWS, words)}
    for path in options.text:
        table = pq.read_table(path, columns=["text"])
        corpora[path.stem] = list(dict.fromkeys(table["text"].to_pylist()))[: options.rows]
    rows = []
    for name, texts in corpora.items():
        for size in SIZES:
            rows += compare(name, texts[: len(texts) // SIZES[size][1]], size, options.rounds)
            for row in rows[-4:]:
                print(f"{name}, {size}: {row['way']:<20} {row['rows_per_second']:9.1f} rows/s", flush=True)
    files = measure_files()
    memory = measure_memory()
    report = {
        "machine": describe_machine(), "rows": rows, "files": files,
        "peak_mib_of_a_million_rows": memory, "targets": judge(rows),
    }  # fmt: skip
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print("\n" + "\n".join(f"{name:<22} {value:12.1f}" for name, value in files.items()))
    print(f"one million rows written and read: peak memory {memory:.0f} MiB")
    print("\n" + "\n".join(report["targets"]))


if __name__ == "__main__":
    main()
