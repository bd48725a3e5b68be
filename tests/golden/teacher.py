"""What the stages up to cache_teacher make of a small fixed input.

In: nothing.  Out: a function of each stage's name.  Imports: torch, transformers, the teacher.
"""

import csv
import json
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from teacher_cache.publish import write_json
from teacher_cache.teacher.base.checkpoints import make_base
from teacher_cache.teacher.capture.answering import load_teacher
from teacher_cache.teacher.classifier import load_classifier
from teacher_cache.teacher.lora import ADAPTER_WEIGHTS, RECORD, adapter_tensors, attach_lora, write_adapter_config
from teacher_cache.teacher.teacher_config import FinetuneConfig, HubBase
from teacher_cache.teacher.tokenization import load_tokenizer, tokenize
from tests.golden.given import (
    ROWS,
    SEED,
    hash_values,
    read_texts,
    round_numbers,
    run_stage,
    write_examples,
    write_params,
)
from tests.teacher_cache.teacher.conftest import FILLER, LABELS, WORDS, make_examples

ARCHITECTURES = ("bloom", "opt", "llama")

PROMPT, MAX_LENGTH = "about: {text}", 12


def prepare() -> dict[str, Any]:
    """A file with every kind of row that is dropped, each generator, few labels, and groups with a pool."""
    rows = [(text, LABELS[label]) for text, label in zip(*read_texts(), strict=True)]
    rows += [
        rows[0],
        (rows[1][0], LABELS[2]),
        ("", LABELS[0]),
        ("  a\tword  ", LABELS[1]),
        ("na\u0308he e\ufb03zient", LABELS[2]),
    ]
    with Path("texts.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    tasks: dict[str, Any] = {"file": {"labels": LABELS, "source": {"kind": "file", "path": "texts.csv"}}}
    for name, labels in GENERATED.items():
        tasks[name] = {"labels": labels, "source": {"kind": "embedded", "generator": name, "rows": 80}}
    generated = {"kind": "embedded", "generator": "emotion", "rows": 80}
    tasks["few"] = {"labels": GENERATED["emotion"], "source": generated, "labelled": 16, "instructed": 20}
    for name, own in (("all", rows[:ROWS]), ("pool", [(f"{text} again", None) for text, _ in rows[: ROWS // 2]])):
        lines = [json.dumps({"text": text, "label": label, "user": n // 4}) for n, (text, label) in enumerate(own)]
        Path(f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    source, pool = ({"kind": "file", "path": f"{name}.jsonl"} for name in ("all", "pool"))
    tasks["grouped"] = {"labels": LABELS, "source": source, "pool": pool, "group": "user", "balance": False}
    write_params(task=tasks, prepare={"balance": True})
    found = {}
    for name in tasks:
        run_stage("prepare", task=name, data=f"data/{name}", card=f"{name}.json", record="record.json")
        table, card = pq.read_table(f"data/{name}/examples.parquet"), json.loads(Path(f"{name}.json").read_text())
        found[name] = {
            "examples": hash_values(table["example_id"].to_pylist(), table["text"].to_pylist()),
            "split": "".join(split[0] for split in table["split"].to_pylist()),
            "label": "".join("-" if label is None else str(label) for label in table["label"].to_pylist()),
            "first": table["text"][0].as_py(),
            "drops": card["drops"],
            "characters": card["characters"]["mean"],
        }
        for file in ("hidden_labels", "instructions"):
            if Path(f"data/{name}/{file}.parquet").exists():
                found[name][file] = hash_values(*pq.read_table(f"data/{name}/{file}.parquet").to_pydict().values())
    return found


GENERATED = {
    "emotion": ["negative", "positive"],
    "hiding": ["cover", "stego"],
    "thematic": ["Business", "Sci/Tech", "Sports", "World"],
}


def embed() -> dict[str, Any]:
    """The kinds of features that are computed: of the corpus, in the clear and hashed, of a table, of an encoder."""
    write_examples()
    _write_checkpoint("llama", Path("model"))
    found = {}
    for name, block in {
        "corpus": {"kind": "corpus", "dimensions": 8},
        "hashed": {"kind": "corpus", "dimensions": 8, "hashed": True, "class_weights": False},
        "static": {"kind": "static", "checkpoint": "model"},
        "encoder": {"kind": "encoder", "checkpoint": "model"},
    }.items():
        write_params(embed=block)
        run_stage("embed", task="topics", data="data", features=name, record="record.json")
        table = pq.read_table(f"{name}/features.parquet")
        values = np.stack(table["features"].to_numpy())
        # A singular vector's sign is nobody's choice.
        found[name] = {
            "examples": hash_values(table["example_id"].to_pylist()),
            "shape": list(values.shape),
            "size": round_numbers(np.linalg.norm(values, axis=1)),
            "likeness": round_numbers(values @ values[0]),
        }
    return found


def base() -> dict[str, Any]:
    """A local base of each architecture, by its tokenizer and by what it says of the next token."""
    write_examples()
    sizes = {"layers": 1, "width": 16, "heads": 2, "vocabulary": 300, "epochs": 4, "batch_size": 4}
    blocks = {name: {"kind": "local", "architecture": name, "learning_rate": 0.01, **sizes} for name in ARCHITECTURES}
    write_params(teacher={name: {"base": block} for name, block in blocks.items()})
    found = {}
    for name in blocks:
        run_stage("base", task="topics", teacher=name, data="data", base=name, record="record.json")
        identity = json.loads(Path(name, "identity.json").read_text())
        model = AutoModelForCausalLM.from_pretrained(name).eval()
        tokens = [torch.tensor([row]) for row in tokenize(load_tokenizer(Path(name)), read_texts()[0][:8], MAX_LENGTH)]
        with torch.inference_mode():
            losses = [model(row, labels=row).loss.item() for row in tokens]
        kept = ("kind", "architecture", "dtype", "parameters", "tokenizer_sha256")
        found[name] = {key: identity[key] for key in kept} | {"loss": round_numbers(losses)}
    return found


def finetune() -> dict[str, Any]:
    """An adapter onto fixed weights of each architecture, by its course and by its tensors' shapes and sizes."""
    write_examples()
    block = {"rank": 4, "alpha": 8.0, "epochs": 4, "batch_size": 4, "gradient_accumulation": 2, "learning_rate": 0.05}
    block |= {"train_embeddings": True, "dropout": 0.0, "prompt": PROMPT, "max_length": MAX_LENGTH}
    write_params(teacher={name: {"finetune": block} for name in ARCHITECTURES})
    found = {}
    for name in ARCHITECTURES:
        _write_base(name)
        run_stage(
            "finetune",
            task="topics",
            teacher=name,
            data="data",
            base=f"{name}/base",
            adapter=f"{name}/adapter",
            work="work",
            record="record.json",
        )
        record = json.loads(Path(name, "adapter", RECORD).read_text())
        tensors = load_file(Path(name, "adapter", ADAPTER_WEIGHTS))
        found[name] = {
            "tensors": {tensor: list(values.shape) for tensor, values in sorted(tensors.items())},
            "size": round_numbers([np.linalg.norm(values) for _, values in sorted(tensors.items())]),
            "trainable_parameters": record["trainable_parameters"],
            "best_epoch": record["best_epoch"],
            "train_loss": round_numbers([epoch["train_loss"] for epoch in record["history"]]),
            "validation_loss": round_numbers([epoch["validation_loss"] for epoch in record["history"]]),
        }
    return found


def cache_teacher() -> dict[str, Any]:
    """What a fixed teacher of each architecture says, with the states of a layer."""
    write_examples()
    write_params(
        teacher={name: {"cache_teacher": {"rows_per_part": 25, "hidden_layers": [1]}} for name in ARCHITECTURES}
    )
    found = {}
    for name in ARCHITECTURES:
        _write_base(name)
        _write_adapter(name)
        folders = {
            "base": f"{name}/base",
            "adapter": f"{name}/adapter",
            "work": f"{name}/work",
            "cache": f"{name}/cache",
        }
        run_stage("cache_teacher", task="topics", teacher=name, data="data", **folders, record="record.json")
        table = pq.read_table(sorted(Path(name, "cache").glob("*.parquet")))
        manifest = json.loads(Path(name, "cache/manifest.json").read_text())
        columns = {key: np.stack(table[key].to_numpy()).astype(float) for key in ("logits", "probabilities", "hidden")}
        found[name] = {
            "examples": hash_values(table["example_id"].to_pylist()),
            "split": "".join(split[0] for split in table["split"].to_pylist()),
            "label": "".join(map(str, table["label"].to_pylist())),
            "types": {field.name: str(field.type) for field in table.schema},
            "identity": sorted(manifest["identity"]),
            "parts": [part["rows"] for part in manifest["parts"]],
            "quality": {split: round_numbers(list(facts.values())) for split, facts in manifest["quality"].items()},
            **{key: round_numbers(values[::9, :4]) for key, values in columns.items()},
        }
    return found


def _write_checkpoint(architecture: str, folder: Path) -> None:
    """A checkpoint whose weights and vocabulary come from NumPy and from a list of words."""
    words = ["<s>", "</s>", "<pad>", "<unk>", "about", ":", *FILLER, *chain(*WORDS)]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, "<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    ).save_pretrained(folder)
    sizes = {"vocab_size": len(words), "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2, "tie_word_embeddings": False}
    own = {
        "bloom": {},
        "opt": {"ffn_dim": 32, "word_embed_proj_dim": 16, "max_position_embeddings": 16, "dropout": 0.0},
        "llama": {"intermediate_size": 32, "max_position_embeddings": 16},
    }
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(architecture, **sizes, **own[architecture]))
    _draw(model.named_parameters())
    model.save_pretrained(folder)


def _draw(parameters: Any) -> None:
    """Fill tensors with numbers that are a function of their order alone."""
    random = np.random.default_rng(SEED)
    with torch.no_grad():
        for _, tensor in sorted(parameters):
            tensor.copy_(torch.from_numpy(random.normal(scale=0.3, size=tuple(tensor.shape))))


def _write_base(architecture: str) -> None:
    _write_checkpoint(architecture, Path(architecture, "model"))
    Path(architecture, "base").mkdir()
    config = HubBase("hub", f"{architecture}/model", dtype="float32")
    make_base(config, [], SEED, Path(architecture, "base"))


def _write_adapter(architecture: str) -> None:
    """What stage finetune leaves; its validation NLL is that of the weights, which the capture's gate holds it to."""
    root, adapter = Path(architecture), Path(architecture, "adapter")
    adapter.mkdir()
    model = load_classifier(root / "model", load_tokenizer(root / "model"), LABELS, "float32", MAX_LENGTH)
    adapted = attach_lora(model, FinetuneConfig(rank=4, alpha=8.0, dropout=0.0))
    tensors = adapter_tensors(adapted)
    _draw(tensors.items())
    save_file({name: tensor.detach().numpy() for name, tensor in tensors.items()}, adapter / ADAPTER_WEIGHTS)
    write_adapter_config(adapted, adapter)
    identity = json.loads((root / "base/identity.json").read_text())
    record = {"base": identity, "labels": LABELS, "prompt": PROMPT, "max_length": MAX_LENGTH}
    write_json(adapter / RECORD, record)
    teacher = load_teacher(root / "base", adapter, "float32")
    table = make_examples(ROWS)
    kept = [row for row, split in enumerate(table["split"].to_pylist()) if split == "validation"]
    logits = teacher.logits(teacher.tokenize(table["text"].take(kept).to_pylist()))
    labels = torch.tensor(table["label"].take(kept).to_pylist())
    nll = torch.nn.functional.cross_entropy(torch.from_numpy(logits), labels).item()
    write_json(adapter / RECORD, {**record, "metrics": {"validation": {"nll": nll}}})
