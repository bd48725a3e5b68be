"""How sharding is switched on, and what it leaves in each process; test_finetune and test_capture have its results."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from teacher_cache.errors import UserError
from teacher_cache.teacher.sharding import is_sharded
from tests.teacher_cache.teacher.conftest import make_stand_in

ROOT = str(Path(__file__).parents[3])

# Each process loads each model whole, shards it, and prints: frozen numbers that it keeps, frozen numbers in all, and
# whether logits and gradients are those of the whole model to the bit.
SCRIPT = """
import sys
from pathlib import Path
import torch
import torch.distributed as dist
from teacher_cache.teacher.batches import pad_batch
from teacher_cache.teacher.classifier import attach_lora, load_classifier
from teacher_cache.teacher.sharding import average_gradients, shard_model
from teacher_cache.teacher.tokenization import load_tokenizer

def run(model, trained):
    model.zero_grad()
    logits = model(**pad_batch([[0, 9, 8, 1], [0, 7, 1]], 2)).logits
    logits.square().sum().backward()
    return [logits.detach().clone(), *(parameter.grad.clone() for parameter in trained)]

def compare(folder):
    torch.manual_seed(0)
    tokenizer = load_tokenizer(folder)
    model = attach_lora(load_classifier(folder, tokenizer, 3, "float32", 64), 3, 6.0, 0.0, True).eval()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    total = sum(parameter.numel() for parameter in model.parameters() if not parameter.requires_grad)
    whole = run(model, trained)
    shard_model(model, torch.device("cpu"))
    sharded = run(model, trained)
    average_gradients(trained)  # equal in all processes, so their mean is what each has
    same = all(torch.equal(a, b) for a, b in zip(whole, sharded)) and torch.equal(trained[0].grad, whole[1])
    kept = sum(parameter.to_local().numel() for parameter in model.parameters() if hasattr(parameter, "to_local"))
    return f"{kept} {total} {same}\\n"

dist.init_process_group("gloo")
torch.set_num_threads(1)
folders = sorted(Path(sys.argv[1]).iterdir())
Path(f"{sys.argv[2]}-{dist.get_rank()}").write_text("".join(compare(folder) for folder in folders))
dist.destroy_process_group()
"""


def test_a_process_keeps_its_slice_and_computes_the_same_bits(tmp_path):
    for architecture in ("bloom", "opt", "llama"):
        make_stand_in(architecture, tmp_path / "models" / architecture)
    (tmp_path / "script.py").write_text(SCRIPT)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [*launch, str(tmp_path / "script.py"), str(tmp_path / "models"), str(tmp_path / "found")]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": ROOT}
    subprocess.run(command, env=environment, check=True)
    processes = [(tmp_path / f"found-{rank}").read_text().splitlines() for rank in (0, 1)]
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
