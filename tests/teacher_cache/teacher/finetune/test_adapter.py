"""Fine-tuning learns, stops, repeats and spreads over processes. That it survives being killed is in tests/faults."""

import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from safetensors.torch import load_file

from teacher_cache.errors import UserError
from teacher_cache.teacher.finetune.adapter import finetune
from tests.faults.workers import start_ranks
from tests.teacher_cache.teacher.conftest import FAST, LABELS, make_examples

EXAMPLES = make_examples()
WEIGHTS = "adapter_model.safetensors"


def tune(base, folder, config=FAST, examples=EXAMPLES, labels=LABELS, seed=1):
    adapter = folder / "adapter"
    adapter.mkdir(parents=True)
    finetune(config, base, examples, labels, seed, folder / "work", adapter)
    return json.loads((adapter / "finetune.json").read_text())


def read_all(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def tune_all(jobs, changes):
    """What each process of a launch does: `jobs` are (base, work, adapter)."""
    for folders in jobs:
        finetune(replace(FAST, **changes), folders[0], EXAMPLES, LABELS, 1, *folders[1:])


def test_it_learns_and_says_what_it_did(local_bases, tmp_path):
    record = tune(local_bases["llama"], tmp_path, examples=make_examples(240))
    assert record["labels"] == LABELS
    assert [entry["epoch"] for entry in record["history"]] == list(range(1, FAST.epochs + 1))
    best = record["history"][record["best_epoch"] - 1]
    assert best["validation_loss"] == min(entry["validation_loss"] for entry in record["history"])
    assert record["metrics"]["validation"] == {"accuracy": best["validation_accuracy"], "nll": best["validation_loss"]}
    assert best["validation_accuracy"] > 0.6  # a guess has 1/3
    assert sorted(read_all(tmp_path / "adapter")) == ["adapter_config.json", WEIGHTS, "finetune.json"]
    tensors = load_file(tmp_path / "adapter" / WEIGHTS)
    assert sum(tensor.numel() for tensor in tensors.values()) == record["trainable_parameters"]
    assert record["trainable_parameters"] < record["parameters"] + 10_000


def test_the_same_inputs_give_the_same_bytes_and_another_seed_does_not(local_bases, tmp_path):
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        tune(local_bases["opt"], tmp_path / name, seed=seed)
    one, again, other = (read_all(tmp_path / name / "adapter") for name in ("one", "again", "other"))
    assert one == again
    assert one[WEIGHTS] != other[WEIGHTS]
    assert str(tmp_path).encode() not in b"".join(one.values())  # no path of this machine in the result


def test_accumulated_parts_make_the_gradient_of_the_whole_batch(local_bases, tmp_path):
    """4 parts of 4 rows against 1 of 16: without dropout the only difference is rounding."""
    quiet = replace(FAST, dropout=0.0, epochs=1)
    tune(local_bases["bloom"], tmp_path / "whole", replace(quiet, batch_size=16))
    tune(local_bases["bloom"], tmp_path / "parts", replace(quiet, batch_size=4, gradient_accumulation=4))
    whole, parts = (load_file(tmp_path / name / "adapter" / WEIGHTS) for name in ("whole", "parts"))
    for name in whole:
        torch.testing.assert_close(parts[name], whole[name], atol=2e-4, rtol=1e-3)


def test_gradient_checkpointing_changes_memory_alone(local_bases, tmp_path):
    quiet = replace(FAST, epochs=1)
    tune(local_bases["llama"], tmp_path / "kept", quiet)
    tune(local_bases["llama"], tmp_path / "recomputed", replace(quiet, gradient_checkpointing=True))
    kept, recomputed = (load_file(tmp_path / name / "adapter" / WEIGHTS) for name in ("kept", "recomputed"))
    for name in kept:
        torch.testing.assert_close(recomputed[name], kept[name], atol=1e-5, rtol=1e-4)


def test_it_stops_when_validation_no_longer_improves(local_bases, tmp_path):
    """Labels of the validation split turned by one: what is learned makes its loss worse from the first epoch on."""
    turned = pc.if_else(
        pc.equal(EXAMPLES["split"].cast(pa.string()), "validation"),
        pa.array([(label + 1) % 3 for label in EXAMPLES["label"].to_pylist()], pa.int32()),
        EXAMPLES["label"],
    )
    examples = EXAMPLES.set_column(2, EXAMPLES.schema.field("label"), turned)
    record = tune(local_bases["llama"], tmp_path, replace(FAST, epochs=12, patience=2), examples)
    assert len(record["history"]) == record["best_epoch"] + 2 < 12


def test_the_best_epoch_may_be_that_of_the_calibrated_loss(local_bases, tmp_path):
    """Which changes nothing of an epoch, and is never above the loss as it is."""
    plain = tune(local_bases["llama"], tmp_path / "plain")
    found = tune(local_bases["llama"], tmp_path / "calibrated", replace(FAST, epoch_by="calibrated_loss", patience=99))
    calibrated = [entry.pop("calibrated_loss") for entry in found["history"]]
    assert found["history"][: len(plain["history"])] == plain["history"]
    for loss, entry in zip(calibrated, found["history"], strict=True):
        assert 0 < loss <= entry["validation_loss"]
    assert found["best_epoch"] == 1 + calibrated.index(min(calibrated))


def test_work_of_another_job_is_not_gone_on_with(local_bases, tmp_path):
    tune(local_bases["llama"], tmp_path, replace(FAST, epochs=1))
    (before,) = (tmp_path / "work").iterdir()
    (tmp_path / "adapter").rename(tmp_path / "before")
    tune(local_bases["llama"], tmp_path, replace(FAST, epochs=1, learning_rate=2e-3))
    (after,) = (tmp_path / "work").iterdir()
    assert before != after
    assert read_all(tmp_path / "before")[WEIGHTS] != read_all(tmp_path / "adapter")[WEIGHTS]


@pytest.mark.parametrize(
    ("processes", "shard", "architectures"), [(2, "0", ["opt"]), (3, "1", ["opt"]), (3, "0", ["bloom", "opt", "llama"])]
)
def test_more_processes_train_the_same_adapter_as_one(local_bases, tmp_path, processes, shard, architectures):
    """Without dropout the gradient of a batch is one and the same sum, however many processes share it or the base.

    Of 54 rows the last batch has 2, and the validation rows are one batch: of three processes some have nothing to do.
    """
    changes = {"epochs": 2, "dropout": 0.0, "batch_size": 13, "gradient_accumulation": 2, "learning_rate": 2e-3}
    changes["gradient_checkpointing"] = shard == "1"
    jobs = []
    for name in architectures:
        tune(local_bases[name], tmp_path / name / "one", replace(FAST, **changes))
        (tmp_path / name / "adapter").mkdir()
        jobs.append((local_bases[name], tmp_path / name / "work", tmp_path / name / "adapter"))
    for rank in start_ranks(processes, tune_all, jobs, changes, QDLLM_SHARD=shard, CUDA_VISIBLE_DEVICES=""):
        verdict = rank.wait()
        assert verdict.kind == "done", verdict.message
    for name in architectures:
        one, more = (load_file(tmp_path / name / folder / WEIGHTS) for folder in ("one/adapter", "adapter"))
        for tensor in one:
            torch.testing.assert_close(more[tensor], one[tensor], atol=2e-4, rtol=1e-3)
        assert sorted(read_all(tmp_path / name / "adapter")) == ["adapter_config.json", WEIGHTS, "finetune.json"]


def test_a_launch_that_accelerate_does_not_follow_is_refused(local_bases, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="2 processes were launched, but accelerate runs 1"):
        tune(local_bases["llama"], tmp_path)


def relabel(split, classes):
    """Examples whose rows of `split` all have labels from `classes`."""
    labels = [
        classes[row % len(classes)] if name == split else label
        for row, (name, label) in enumerate(
            zip(EXAMPLES["split"].to_pylist(), EXAMPLES["label"].to_pylist(), strict=True)
        )
    ]
    return EXAMPLES.set_column(2, EXAMPLES.schema.field("label"), pa.array(labels, pa.int32()))


@pytest.mark.parametrize(
    ("examples", "labels", "message"),
    [
        (EXAMPLES, LABELS[:2], r"label must be 0 to 1, an index into \['animal', 'tool'\], got 2"),
        (EXAMPLES, LABELS[:1], "labels must be at least 2 classes"),
        (EXAMPLES, [*LABELS, "colour"], "every class must have a training example, got none of colour"),
        (relabel("train", [0, 2]), LABELS, "every class must have a training example, got none of tool"),
        (EXAMPLES.slice(0, 54), LABELS, "examples must have a row of split validation"),
        (relabel("validation", [-1]), LABELS, "label must be 0 to 2"),
    ],
)
def test_examples_that_do_not_fit_are_refused(local_bases, tmp_path, examples, labels, message):
    with pytest.raises(UserError, match=message):
        tune(local_bases["llama"], tmp_path, examples=examples, labels=labels)
    assert not list((tmp_path / "adapter").iterdir())


def test_a_loss_that_is_no_number_stops_the_run(local_bases, tmp_path):
    with pytest.raises(UserError, match=r"loss became nan in epoch \d+, batch \d+; lower finetune.learning_rate"):
        tune(local_bases["llama"], tmp_path, replace(FAST, learning_rate=1e35))


def test_a_last_step_that_lost_the_loss_stops_the_run(local_bases, tmp_path):
    """An epoch of one batch: nothing else sees it."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / ".DS_Store").touch()  # a file browser's, which is left alone
    with pytest.raises(UserError, match=r"validation loss became nan after epoch \d; lower finetune.learning_rate"):
        tune(local_bases["llama"], tmp_path, replace(FAST, learning_rate=1e35, batch_size=1000))
    assert (tmp_path / "work" / ".DS_Store").exists()
