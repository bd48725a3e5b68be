"""Every family of models that people bring goes the whole way: base, LoRA, capture with its gate, reload, spot check.

These are the architectures that README and docs/teachers.md promise.
"""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from peft.utils import ModulesToSaveWrapper
from transformers import AutoModelForSequenceClassification

from teacher_cache.errors import UserError
from teacher_cache.publish import publish_folder
from teacher_cache.schema import EXAMPLES
from teacher_cache.teacher.base.checkpoints import make_base
from teacher_cache.teacher.batches import pad_batch
from teacher_cache.teacher.capture.answering import load_teacher
from teacher_cache.teacher.capture.gate import spot_check_cache
from teacher_cache.teacher.capture.job import Capture, capture
from teacher_cache.teacher.classifier import load_classifier
from teacher_cache.teacher.finetune.adapter import finetune
from teacher_cache.teacher.lora import restore_adapter
from teacher_cache.teacher.teacher_config import CaptureConfig, FinetuneConfig, HubBase
from teacher_cache.teacher.tokenization import load_tokenizer
from tests.teacher_cache.teacher.conftest import FILLER, LABELS, WORDS, make_examples
from tests.teacher_cache.teacher.families import FAMILIES, make_checkpoint

PAGE = Path(__file__).parents[3] / "docs" / "teachers.md"
QUICK = FinetuneConfig(rank=8, alpha=32.0, dropout=0.0, epochs=5, batch_size=8, learning_rate=2e-2, patience=5)


def make_easy_examples(rows=150):
    """Texts of which three words say the class: a guess is right in a third of them, a teacher should be in all."""
    random, examples = np.random.default_rng(1), make_examples(rows)
    texts = []
    for row, label in enumerate(examples["label"].to_pylist()):
        words = [*random.choice(FILLER, random.integers(1, 5)), *random.choice(WORDS[label][:2], 3), str(row % 10)]
        random.shuffle(words)
        texts.append(" ".join(words))
    return examples.set_column(EXAMPLES.get_field_index("text"), "text", pa.array(texts)).cast(EXAMPLES)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    path = tmp_path_factory.mktemp("examples") / "examples.parquet"
    pq.write_table(make_easy_examples(), path)
    return path


@pytest.fixture(autouse=True)
def one_thread():
    """Matrices as small as these take longer with two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def teach(checkpoint, folder, examples, config=QUICK, dtype="bfloat16", labels=LABELS):
    """Base and adapter of `checkpoint` in `folder`."""
    with publish_folder(folder / "base") as made:
        make_base(HubBase("hub", str(checkpoint), dtype=dtype), [], 0, made)
    with publish_folder(folder / "adapter") as made:
        finetune(config, folder / "base", pq.read_table(examples), labels, 1, folder / "tuning", made)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_goes_the_whole_way(family, examples, tmp_path):
    model = make_checkpoint(family, tmp_path / "model")
    teach(model, tmp_path, examples, dtype="float32" if family == "deberta" else "bfloat16")
    base, adapter, table = tmp_path / "base", tmp_path / "adapter", pq.read_table(examples)
    request = Capture("easy", family, examples, base, adapter, CaptureConfig(hidden_layers=(0, 1)))
    quality = capture(request, tmp_path / "work", tmp_path / "cache").quality
    assert quality["test"]["accuracy"] >= 0.8  # of a teacher that the gate loaded from disk anew
    assert spot_check_cache(tmp_path / "cache", table, base, adapter, 16)["rows"] >= 16

    merged = load_teacher(base, adapter, "float32")
    plain = load_classifier(model, merged.tokenizer, LABELS, "float32", 64)
    beside = restore_adapter(plain.model, adapter).eval()
    tokens = merged.tokenize(table["text"].to_pylist()[-30:])
    with torch.inference_mode():
        expected = beside(**pad_batch(tokens, merged.tokenizer.pad_token_id)).logits.numpy()
    found = merged.logits(tokens)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    # Padding, and the company of other texts, change nothing.
    np.testing.assert_allclose(np.concatenate([merged.logits([row]) for row in tokens]), found, atol=1e-4)

    _, _, targets, whole = FAMILIES[family]
    kept = {name for name, part in beside.base_model.model.named_modules() if isinstance(part, ModulesToSaveWrapper)}
    assert kept == whole
    assert set(json.loads((adapter / "adapter_config.json").read_text())["target_modules"]) == targets


@pytest.mark.parametrize(
    ("family", "names", "said"),
    [("bert", LABELS[::-1], "taken over by these names"), ("roberta", ["no", "yes"], "a new one is trained for")],
)
def test_a_checkpoint_with_a_head_goes_the_whole_way(family, names, said, examples, tmp_path, caplog):
    classes = {"num_labels": len(names), "id2label": dict(enumerate(names))}
    model = make_checkpoint(family, tmp_path / "model", AutoModelForSequenceClassification, **classes)
    with caplog.at_level("INFO"):
        teach(model, tmp_path, examples)
    assert f"finetune: the base's own head is for {', '.join(names)}: {said}" in caplog.text
    request = Capture("easy", family, examples, tmp_path / "base", tmp_path / "adapter", CaptureConfig())
    assert capture(request, tmp_path / "work", tmp_path / "cache").quality["test"]["accuracy"] >= 0.8


def test_of_long_texts_with_a_prompt_the_text_is_cut_at_the_end_that_was_said(examples, tmp_path, caplog):
    """What decides stands at the end of long texts, and the tokenizer's pad token has no embedding."""
    model = make_checkpoint("llama", tmp_path / "model")
    added = load_tokenizer(model)
    added.add_special_tokens({"pad_token": "[PAD]"})
    added.save_pretrained(model)
    table = pq.read_table(examples)
    texts = [f"{'the old and ' * 12}{text}" for text in table["text"].to_pylist()]
    table = table.set_column(table.column_names.index("text"), "text", pa.array(texts)).cast(EXAMPLES)
    pq.write_table(table, tmp_path / "examples.parquet")
    config = replace(QUICK, prompt="{text} The mood is", cut="start", max_length=40)
    with caplog.at_level("INFO"):
        teach(model, tmp_path, tmp_path / "examples.parquet", config)
    assert "finetune: 90 of 90 texts of train were cut to 40 tokens" in caplog.text
    adapter = tmp_path / "adapter"
    request = Capture("easy", "llama", tmp_path / "examples.parquet", tmp_path / "base", adapter, CaptureConfig())
    with caplog.at_level("INFO"):
        manifest = capture(request, tmp_path / "work", tmp_path / "cache")
    assert "cache_teacher: easy, llama: 150 of 150 texts were cut to 40 tokens" in caplog.text
    assert manifest.identity["cut"] == "start"
    assert manifest.quality["test"]["accuracy"] >= 0.8


def test_states_of_a_layer_of_another_width_are_refused_before_anything_is_computed(examples, tmp_path):
    """As of the OPT of 350 million parameters."""
    model = make_checkpoint("opt", tmp_path / "model")
    teach(model, tmp_path, examples, replace(QUICK, epochs=1))
    config = CaptureConfig(hidden_layers=(1, 2))
    request = Capture("easy", "opt", examples, tmp_path / "base", tmp_path / "adapter", config)
    with pytest.raises(UserError, match=r"hidden_layers must be < 2 for this base, whose last layer is 16 wide where"):
        capture(request, tmp_path / "work", tmp_path / "cache")


def test_the_documentation_lists_these_families_and_no_other():
    table = PAGE.read_text().partition("| `model_type` |")[2].partition("\n\n")[0].splitlines()[2:]
    cells = [[re.findall(r"`([\w-]+)`", cell) for cell in line.split("|")[1:3]] for line in table]
    listed = {family: set(targets) for families, targets in cells for family in families}
    assert listed == {family: targets for family, (_, _, targets, _) in FAMILIES.items()}
