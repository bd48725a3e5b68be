"""A standing written and read back is the same standing, and old epochs go."""

import pytest
import torch

from teacher_cache.teacher.finetune.epochs import (
    Standing,
    read_latest,
    read_model,
    restore_optimizer,
    write_epoch,
)


def make_optimizer(seed: int) -> tuple[torch.nn.Linear, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    model = torch.nn.Linear(3, 2)
    return model, torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)


def step(model: torch.nn.Linear, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.ones(4, 3)).square().sum().backward()
    optimizer.step()


def entry(epoch: int, loss: float) -> dict[str, float]:
    return {"epoch": epoch, "train_loss": 1.0, "validation_loss": loss, "validation_accuracy": 0.5}


def test_a_restored_run_takes_the_same_steps(tmp_path):
    model, optimizer = make_optimizer(0)
    for _ in range(3):
        step(model, optimizer)
    write_epoch(tmp_path, Standing([entry(1, 0.5)], {"scale": 2.0}), model.state_dict(), optimizer)
    step(model, optimizer)

    standing = read_latest(tmp_path)
    restored, its_optimizer = make_optimizer(9)
    restored.load_state_dict(read_model(tmp_path, standing.epoch))
    restore_optimizer(tmp_path, standing.epoch, its_optimizer)
    step(restored, its_optimizer)
    assert standing == Standing([entry(1, 0.5)], {"scale": 2.0})
    for one, other in zip(model.parameters(), restored.parameters(), strict=True):
        assert torch.equal(one, other)


def test_only_the_best_and_the_latest_epoch_are_kept(tmp_path):
    model, optimizer = make_optimizer(0)
    step(model, optimizer)
    history = []
    for epoch, loss in enumerate([0.9, 0.4, 0.6, 0.4, 0.7], 1):
        history.append(entry(epoch, loss))
        write_epoch(tmp_path, Standing(history), model.state_dict(), optimizer)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-0002", "epoch-0005"]
    assert read_latest(tmp_path).best_epoch == 2  # the earlier of two equal ones


def test_the_calibrated_loss_chooses_where_it_was_asked_for():
    history = [entry(1, 0.4) | {"calibrated_loss": 0.3}, entry(2, 0.9) | {"calibrated_loss": 0.2}]
    assert Standing(history).best_epoch == 2


def test_nothing_written_is_an_empty_standing(tmp_path):
    assert read_latest(tmp_path) == Standing([], {})
    with pytest.raises(ValueError, match="empty"):
        _ = Standing().best_epoch
