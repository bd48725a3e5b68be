"""How sharding is switched on, and what it leaves in each process; test_finetune and test_capture have its results."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from teacher_cache.errors import UserError
from teacher_cache.teacher.batches import pad_batch
from teacher_cache.teacher.classifier import load_classifier
from teacher_cache.teacher.lora import attach_lora
from teacher_cache.teacher.sharding import average_gradients, is_sharded, shard_model
from teacher_cache.teacher.teacher_config import FinetuneConfig
from teacher_cache.teacher.tokenization import load_tokenizer
from tests.faults.workers import start_ranks
from tests.teacher_cache.teacher.conftest import make_stand_in

LABELS = ["animal", "tool", "weather"]
TUNING = FinetuneConfig(rank=3, alpha=6.0, dropout=0.0, train_embeddings=True)


def run(model, trained):
    model.zero_grad()
    logits = model(**pad_batch([[0, 9, 8, 1], [0, 7, 1]], 2)).logits
    logits.square().sum().backward()
    return [logits.detach().clone(), *(parameter.grad.clone() for parameter in trained)]


def compare(folder):
    torch.manual_seed(0)
    tokenizer = load_tokenizer(folder)
    model = attach_lora(load_classifier(folder, tokenizer, LABELS, "float32", 64), TUNING).eval()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    total = sum(parameter.numel() for parameter in model.parameters() if not parameter.requires_grad)
    whole = run(model, trained)
    shard_model(model, torch.device("cpu"))
    sharded = run(model, trained)
    average_gradients(trained)  # equal in all processes, so their mean is what each has
    same = all(map(torch.equal, whole, sharded)) and torch.equal(trained[0].grad, whole[1])
    kept = sum(parameter.to_local().numel() for parameter in model.parameters() if hasattr(parameter, "to_local"))
    return f"{kept} {total} {same}\n"


def compare_all(models: Path, found: Path):
    """What each process does: load each model whole, shard it, and write a line.

    In it are frozen numbers that it keeps, frozen numbers in all, and whether logits and gradients are those of the
    whole model to the bit.
    """
    dist.init_process_group("gloo")
    (found / str(dist.get_rank())).write_text("".join(compare(folder) for folder in sorted(models.iterdir())))
    dist.destroy_process_group()


def test_a_process_keeps_its_slice_and_computes_the_same_bits(tmp_path):
    for architecture in ("bloom", "opt", "llama"):
        make_stand_in(architecture, tmp_path / "models" / architecture)
    (tmp_path / "found").mkdir()
    for rank in start_ranks(2, compare_all, tmp_path / "models", tmp_path / "found"):
        verdict = rank.wait()
        assert verdict.kind == "done", verdict.message
    processes = [(tmp_path / "found" / rank).read_text().splitlines() for rank in "01"]
    assert len(processes[0]) == 3
    for lines in zip(*processes, strict=True):
        (mine, total, same), (theirs, _, same_there) = (line.split() for line in lines)
        assert int(mine) + int(theirs) == int(total)
        assert 0.4 < int(mine) / int(total) < 0.6
        assert same == same_there == "True"


def test_it_is_off_unless_asked_for_and_pointless_alone(monkeypatch):
    for value, processes, expected in (("0", "2", False), ("1", "1", False), ("1", "2", True)):
        monkeypatch.setenv("QDLLM_SHARD", value)
        monkeypatch.setenv("WORLD_SIZE", processes)
        assert is_sharded() is expected


def test_refusals(monkeypatch):
    monkeypatch.setenv("QDLLM_SHARD", "yes")
    with pytest.raises(UserError, match="QDLLM_SHARD must be 0 or 1, got yes"):
        is_sharded()
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(UserError, match="sharding is switched on by QDLLM_SHARD=1, not by accelerate's FSDP"):
        is_sharded()
