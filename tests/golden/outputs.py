"""What each stage makes of a small fixed input, run as dvc.yaml runs it.

In: a stage's name.  Out: compute(), and as a command, python -m tests.golden.outputs STAGE, its golden file.
A stage's input is made here, not by the stage before it: a golden file changes with its own stage alone. Identifiers,
splits and labels are kept exactly, texts and tables of them as checksums, numbers to six digits.
"""

import csv
import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import chdir
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from student_jax.data.features import write_features
from teacher_cache.manifest import fingerprint_examples
from teacher_cache.publish import write_json
from teacher_cache.teacher.base.checkpoints import make_base
from teacher_cache.teacher.capture.answering import load_teacher
from teacher_cache.teacher.classifier import (
    ADAPTER_WEIGHTS,
    RECORD,
    adapter_tensors,
    attach_lora,
    load_classifier,
    write_adapter_config,
)
from teacher_cache.teacher.teacher_config import HubBase
from teacher_cache.teacher.tokenization import load_tokenizer, tokenize
from teacher_cache.versions import read_version
from teacher_cache.writer import Job, Staging
from tests.teacher_cache.teacher.conftest import FILLER, LABELS, WORDS, make_examples

FOLDER = Path(__file__).parent
ARCHITECTURES = ("bloom", "opt", "llama")
SEED = 7
# Fewer rows leave nothing to learn from, more take seconds.
ROWS = 60
PROMPT, MAX_LENGTH = "about: {text}", 12


def prepare() -> dict[str, Any]:
    """A file with every kind of row that is dropped, and each generator."""
    rows = [(text, LABELS[label]) for text, label in zip(*_read_texts(), strict=True)]
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
    _write_params(task=tasks, prepare={"balance": True})
    found = {}
    for name in tasks:
        _run("prepare", task=name, data=f"data/{name}", card=f"{name}.json", record="record.json")
        table, card = pq.read_table(f"data/{name}/examples.parquet"), json.loads(Path(f"{name}.json").read_text())
        found[name] = {
            "examples": _hash(table["example_id"].to_pylist(), table["text"].to_pylist()),
            "split": "".join(split[0] for split in table["split"].to_pylist()),
            "label": "".join(map(str, table["label"].to_pylist())),
            "first": table["text"][0].as_py(),
            "drops": card["drops"],
            "characters": card["characters"]["mean"],
        }
    return found


GENERATED = {
    "emotion": ["negative", "positive"],
    "hiding": ["cover", "stego"],
    "thematic": ["Business", "Sci/Tech", "Sports", "World"],
}


def embed() -> dict[str, Any]:
    """The kinds of features that are computed: of the corpus, of a table, of an encoder."""
    _write_examples()
    _write_checkpoint("llama", Path("model"))
    found = {}
    for name, block in {
        "corpus": {"kind": "corpus", "dimensions": 8},
        "static": {"kind": "static", "checkpoint": "model"},
        "encoder": {"kind": "encoder", "checkpoint": "model"},
    }.items():
        _write_params(embed=block)
        _run("embed", task="topics", data="data", features=name, record="record.json")
        table = pq.read_table(f"{name}/features.parquet")
        values = np.stack(table["features"].to_numpy())
        # A singular vector's sign is nobody's choice.
        found[name] = {
            "examples": _hash(table["example_id"].to_pylist()),
            "shape": list(values.shape),
            "size": _round(np.linalg.norm(values, axis=1)),
            "likeness": _round(values @ values[0]),
        }
    return found


def base() -> dict[str, Any]:
    """A local base of each architecture, by its tokenizer and by what it says of the next token."""
    _write_examples()
    sizes = {"layers": 1, "width": 16, "heads": 2, "vocabulary": 300, "epochs": 4, "batch_size": 4}
    blocks = {name: {"kind": "local", "architecture": name, "learning_rate": 0.01, **sizes} for name in ARCHITECTURES}
    _write_params(teacher={name: {"base": block} for name, block in blocks.items()})
    found = {}
    for name in blocks:
        _run("base", task="topics", teacher=name, data="data", base=name, record="record.json")
        identity = json.loads(Path(name, "identity.json").read_text())
        model = AutoModelForCausalLM.from_pretrained(name).eval()
        tokens = [torch.tensor([row]) for row in tokenize(load_tokenizer(Path(name)), _read_texts()[0][:8], MAX_LENGTH)]
        with torch.inference_mode():
            losses = [model(row, labels=row).loss.item() for row in tokens]
        kept = ("kind", "architecture", "dtype", "parameters", "tokenizer_sha256")
        found[name] = {key: identity[key] for key in kept} | {"loss": _round(losses)}
    return found


def finetune() -> dict[str, Any]:
    """An adapter onto fixed weights of each architecture, by its course and by its tensors' shapes."""
    _write_examples()
    block = {"rank": 4, "alpha": 8.0, "epochs": 4, "batch_size": 4, "gradient_accumulation": 2, "learning_rate": 0.05}
    block |= {"train_embeddings": True, "dropout": 0.0, "prompt": PROMPT, "max_length": MAX_LENGTH}
    _write_params(teacher={name: {"finetune": block} for name in ARCHITECTURES})
    found = {}
    for name in ARCHITECTURES:
        _write_base(name)
        _run(
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
            "trainable_parameters": record["trainable_parameters"],
            "best_epoch": record["best_epoch"],
            "train_loss": _round([epoch["train_loss"] for epoch in record["history"]]),
            "validation_loss": _round([epoch["validation_loss"] for epoch in record["history"]]),
        }
    return found


def cache_teacher() -> dict[str, Any]:
    """What a fixed teacher of each architecture says, with the states of a layer."""
    _write_examples()
    _write_params(
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
        _run("cache_teacher", task="topics", teacher=name, data="data", **folders, record="record.json")
        table = pq.read_table(sorted(Path(name, "cache").glob("*.parquet")))
        manifest = json.loads(Path(name, "cache/manifest.json").read_text())
        columns = {key: np.stack(table[key].to_numpy()).astype(float) for key in ("logits", "probabilities", "hidden")}
        found[name] = {
            "examples": _hash(table["example_id"].to_pylist()),
            "split": "".join(split[0] for split in table["split"].to_pylist()),
            "label": "".join(map(str, table["label"].to_pylist())),
            "types": {field.name: str(field.type) for field in table.schema},
            "identity": sorted(manifest["identity"]),
            "parts": [part["rows"] for part in manifest["parts"]],
            "quality": {split: _round(list(facts.values())) for split, facts in manifest["quality"].items()},
            **{key: _round(values[::9, :4]) for key, values in columns.items()},
        }
    return found


def train_student() -> dict[str, Any]:
    """A student of fixed features and a fixed cache, by the course of its training."""
    _write_student()
    with Path("student/curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {name: _round([float(row[name]) for row in rows]) for name in rows[0]}


def evaluate() -> dict[str, Any]:
    """That student and its teacher, by their scores and by every answer's probabilities."""
    _write_student()
    _run("evaluate", task="topics", teacher="sage", **INPUTS, student="student", answers="answers.parquet", **RESULTS)
    summary = json.loads(Path("evaluation/summary.json").read_text())
    return {
        "metrics": _list_scores(json.loads(Path("metrics.json").read_text())),
        "seeds": _list_scores(summary["seeds"]),
        "confusion": summary["confusion"],
        "parameters": summary["parameters"],
        "answers": _read_answers(Path("answers.parquet")),
    }


def compare() -> dict[str, Any]:
    """Each comparator that reads features, by its scores and answers, the chosen setting and its size."""
    _write_features_and_cache()
    training = {"learning_rate": 0.1, "batch_size": 6, "epochs": 4, "seeds": 2, "grid": {"learning_rate": [0.03, 0.1]}}
    blocks = {
        "logistic": {"C": 1.0, "grid": {"C": [0.1, 1.0]}},
        "linear": {},
        "mlp": {},
        "frozen_circuit": {},
        "ce": {},
    }
    _write_params(student=STUDENT, comparator={"shared": {"features": training}, **blocks})
    return {name: _compare("compare", name, **INPUTS) for name in blocks}


def compare_texts() -> dict[str, Any]:
    """A comparator that reads texts."""
    _write_features_and_cache()
    training = {"learning_rate": 0.01, "batch_size": 6, "epochs": 2, "seeds": 1, "vocabulary": 200}
    _write_params(comparator={"shared": {"texts": training}, "textrcnn": {}})
    return {"textrcnn": _compare("compare_texts", "textrcnn", data="data", cache="cache", compiled=COMPILED.name)}


# Of the whole process: where JAX was first told to keep programs, it goes on keeping them.
COMPILED = tempfile.TemporaryDirectory()
INPUTS = {"features": "features", "cache": "cache", "compiled": COMPILED.name}
RESULTS = {"evaluation": "evaluation", "metrics": "metrics.json"}
STUDENT = {"circuit": {"qubits": 3, "layers": 2}, "learning_rate": 0.1, "batch_size": 6, "epochs": 4, "seeds": 2}
STUDENT |= {"encoding_scale": 0.5, "l2": 0.01}


# By the stage's name; `inputs` and `report` compute no numbers.
STAGES: dict[str, Callable[[], dict[str, Any]]] = {
    function.__name__: function
    for function in (
        *(prepare, embed, base, finetune, cache_teacher),
        *(train_student, evaluate, compare, compare_texts),
    )
}


def compute(stage: str) -> dict[str, Any]:
    """The outputs of `stage` as they are kept."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        return json.loads(json.dumps(STAGES[stage]()))


def _run(stage: str, **options: str) -> None:
    """Run a stage's own command in this process."""
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    import_module(f"pipeline.stages.{stage}").main(arguments, standalone_mode=False)


def _write_features_and_cache() -> None:
    _write_examples()
    table, random = pq.read_table("data/examples.parquet"), np.random.default_rng(SEED)
    examples = fingerprint_examples(table.to_batches())
    labels = np.array(table["label"].to_pylist())
    Path("features").mkdir()
    values = (np.eye(6)[labels] + random.normal(size=(ROWS, 6)) * 0.5).astype(np.float32)
    write_features(Path("features/features.parquet"), table["example_id"], [values], 6, examples)
    write_json(
        Path("features/embedder.json"),
        {"config": {"kind": "corpus", "class_weights": False}, "inference_parameters": 0},
    )
    Path("features/embedder.safetensors").write_text("{}")  # goes with the student, and is not looked into
    _write_cache(table, np.eye(len(LABELS))[labels] * 2 + random.normal(size=(ROWS, len(LABELS))), examples)


def _write_student() -> None:
    _write_features_and_cache()
    _write_params(student=STUDENT)
    _run("train_student", task="topics", teacher="sage", **INPUTS, student="student", record="record.json")


def _compare(stage: str, name: str, **inputs: str) -> dict[str, Any]:
    outs = {"comparison": name, "metrics": "metrics.json", "record": "record.json"}
    _run(stage, task="topics", teacher="sage", comparator=name, **inputs, **outs)
    found = json.loads(Path(name, "comparison.json").read_text())
    return {
        "seeds": _list_scores(found["seeds"]),
        "settings": [_round([one["validation_loss"]]) for one in found["tuning"]["settings"]],
        "chosen": found["tuning"]["chosen"],
        "parameters": found["parameters"],
        "answers": _read_answers(Path(name, "answers.parquet")),
    }


def _list_scores(value: Any) -> Any:
    """The same levels, every number rounded."""
    if isinstance(value, dict):
        return {key: _list_scores(inner) for key, inner in value.items() if inner is not None}
    return [_list_scores(inner) for inner in value] if isinstance(value, list) else _round([value])[0]


def _read_answers(path: Path) -> dict[str, Any]:
    table = pq.read_table(path)
    return {
        "examples": _hash(table["example_id"].to_pylist()),
        "predicted": "".join(map(str, table["predicted"].to_pylist())),
        "probabilities": _round(np.stack(table["probabilities"].to_numpy())[::3]),
    }


def _write_params(**blocks: Any) -> None:
    Path("params.yaml").write_text(json.dumps({"seed": SEED, **blocks}))  # JSON is YAML


def _read_texts() -> tuple[list[str], list[int]]:
    table = make_examples(ROWS)
    return table["text"].to_pylist(), table["label"].to_pylist()


def _write_examples() -> None:
    Path("data").mkdir()
    pq.write_table(make_examples(ROWS), "data/examples.parquet")
    write_json(Path("data/labels.json"), {"task": "topics", "labels": LABELS})


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
    model = load_classifier(root / "model", load_tokenizer(root / "model"), len(LABELS), "float32", MAX_LENGTH)
    adapted = attach_lora(model, 4, 8.0, 0.0, train_embeddings=False)
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


def _write_cache(table: Any, logits: np.ndarray, examples: str) -> None:
    import pyarrow as pa

    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    columns = {"logits": logits, "probabilities": exponentials / exponentials.sum(1, keepdims=True)}
    lists = {
        name: pa.FixedSizeListArray.from_arrays(pa.array(values.astype(np.float32).ravel()), len(LABELS))
        for name, values in columns.items()
    }
    kept = {name: table[name].combine_chunks() for name in ("example_id", "split", "label")}
    job = Job("topics", "sage", tuple(LABELS), ROWS, ROWS, 0, {"examples": examples})
    staging = Staging(job, Path("work"), {})
    staging.write_part(0, {**kept, **lists})
    staging.publish(Path("cache"), {}, {})


def _hash(*columns: Sequence[bytes | str]) -> str:
    return hashlib.sha256(json.dumps([[str(value) for value in column] for column in columns]).encode()).hexdigest()


def _round(values: Any) -> Any:
    """Nested lists of six digits: what tells one outcome from another, in few bytes."""
    return json.loads(
        json.dumps(np.asarray(values, float).tolist()), parse_float=lambda text: float(f"{float(text):.6g}")
    )


def main(names: Sequence[str]) -> None:
    """Keep the outputs of the stages called `names`; with --show, print those of all stages instead."""
    if "--show" in names:
        print(json.dumps({name: compute(name) for name in STAGES}))
    for name in set(names) & set(STAGES):
        content = {"version": read_version(name), "outputs": compute(name)}
        (FOLDER / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
