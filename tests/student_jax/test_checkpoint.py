"""A student on disk: what was saved comes back, and nothing else is taken for it."""

import json
from dataclasses import replace

import jax
import numpy as np
import pytest
import safetensors.numpy

from student_jax.calibration import Calibration
from student_jax.checkpoint import (
    Checkpoint,
    Description,
    load_checkpoint,
    save_checkpoint,
)
from student_jax.config import CircuitConfig, StudentConfig
from student_jax.parameters import initialise_parameters
from student_jax.training.curves import EpochResult, read_curves, write_curves
from student_jax.tunable import Setting, Tuning
from teacher_cache.errors import UserError
from teacher_cache.sealed import write_sealed

CONFIG = StudentConfig(circuit=CircuitConfig(qubits=3, layers=2))


def make_checkpoint(config=CONFIG):
    draws = [initialise_parameters(config, 5, 2, np.random.default_rng(seed)) for seed in range(2)]
    description = Description(
        labels=["no", "yes"],
        dimensions=5,
        config=config,
        seeds=[3, 4],
        best_epochs=[1, 2],
        selected=1,
        seconds_per_epoch=0.5,
        embedder="0" * 64,
        origin={"task": "answer"},
    )
    return Checkpoint(description, jax.tree.map(lambda *arrays: np.stack(arrays), *draws))


@pytest.mark.parametrize("readout", ["linear", "first"])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_round_trip(tmp_path, readout, precision):
    saved = make_checkpoint(
        StudentConfig(circuit=CircuitConfig(qubits=3, layers=2, readout=readout), precision=precision)
    )
    save_checkpoint(saved, tmp_path)
    loaded = load_checkpoint(tmp_path)
    assert loaded.description == saved.description
    assert jax.tree.structure(loaded.parameters) == jax.tree.structure(saved.parameters)
    jax.tree.map(np.testing.assert_array_equal, loaded.parameters, saved.parameters)


def test_selected_parameters_are_the_selected_seeds():
    checkpoint = make_checkpoint()
    chosen = checkpoint.selected_parameters.encoding.weight
    np.testing.assert_array_equal(chosen, checkpoint.parameters.encoding.weight[1:])


def test_the_same_student_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        save_checkpoint(make_checkpoint(), tmp_path / name)
    for name in ("student.json", "student.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def edit(folder, **changes):
    """Change fields and seal the description anew, as a forger would."""
    path = folder / "student.json"
    content = {**json.loads(path.read_text()), **changes}
    del content["seal"]
    write_sealed(path, content)


def replace_tensors(folder, change):
    """Write other tensors and a checksum that fits them, as somebody would who edits a student on purpose."""
    import hashlib

    path = folder / "student.safetensors"
    data = safetensors.numpy.save(change(safetensors.numpy.load_file(path)))
    path.write_bytes(data)
    edit(folder, sha256=hashlib.sha256(data).hexdigest())


def test_a_student_of_version_0_1_loads(tmp_path):
    """Its description has no tuning and its config no grid."""
    save_checkpoint(make_checkpoint(), tmp_path)
    path = tmp_path / "student.json"
    content = json.loads(path.read_text())
    assert content.pop("tuning") is None
    assert content["config"].pop("grid") == {}
    del content["seal"]
    write_sealed(path, content)
    assert load_checkpoint(tmp_path).description == make_checkpoint().description


def test_the_tuning_is_kept(tmp_path):
    settings = [Setting(values={"l2": l2}, validation_loss=0.5, validation_accuracy=0.75) for l2 in (0.0, 0.1)]
    tuning = Tuning(settings=settings, chosen=1)
    checkpoint = make_checkpoint()
    save_checkpoint(replace(checkpoint, description=replace(checkpoint.description, tuning=tuning)), tmp_path)
    assert load_checkpoint(tmp_path).description.tuning == tuning


CALIBRATION = {"temperature": 1.7, "confidences": [0.9, 0.5], "texts": [40, 20], "right": [38, 9]}


def test_the_calibration_is_kept_and_a_student_without_one_loads(tmp_path):
    checkpoint = make_checkpoint()
    assert checkpoint.description.temperature == 1.0
    described = replace(checkpoint.description, calibration=Calibration(**CALIBRATION))
    save_checkpoint(replace(checkpoint, description=described), tmp_path)
    loaded = load_checkpoint(tmp_path).description
    assert (loaded, loaded.temperature) == (described, 1.7)
    content = json.loads((tmp_path / "student.json").read_text())
    del content["seal"], content["calibration"]
    write_sealed(tmp_path / "student.json", content)
    assert load_checkpoint(tmp_path).description == checkpoint.description


@pytest.mark.parametrize("temperature", [0, -1, 1e300, 1e-300, "inf", None])
def test_an_absurd_temperature_is_refused_in_one_line(tmp_path, temperature):
    save_checkpoint(make_checkpoint(), tmp_path)
    edit(tmp_path, calibration={**CALIBRATION, "temperature": temperature})
    with pytest.raises(UserError, match=r"calibration\.temperature: [^\n]+; the file was edited or damaged$"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("temperature", ["Infinity", "-Infinity", "NaN"])
def test_a_temperature_that_json_cannot_say_breaks_the_seal(tmp_path, temperature):
    save_checkpoint(make_checkpoint(), tmp_path)
    edit(tmp_path, calibration=CALIBRATION)
    path = tmp_path / "student.json"
    path.write_text(path.read_text().replace('"temperature": 1.7', f'"temperature": {temperature}'))
    with pytest.raises(UserError, match="seal must be that of numbers alone"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "student.json").unlink(), "student.json must exist; run the stage train_student"),
        (lambda folder: (folder / "student.safetensors").unlink(), "student.safetensors must exist"),
        (lambda folder: (folder / "student.json").write_text("{"), "must be a JSON object: it is damaged"),
        (lambda folder: (folder / "student.json").write_text("[]"), "must be a JSON object: it is damaged"),
        (
            lambda folder: (folder / "student.json").write_text('{"format": 1}'),
            "seal must be .* got None: it was edited",
        ),
        (lambda folder: edit(folder, format=9), "format must be 1, got 9"),
        (lambda folder: edit(folder, labels=["only"]), "labels: List should have at least 2 items"),
        (lambda folder: edit(folder, selected=2), "selected must fit 2 seeds"),
        (lambda folder: edit(folder, surprise=1), "surprise"),
        (
            lambda folder: edit(folder, dimensions=6),
            r"encoding.weight must be float32 \(2, 6, 3\), got float32 \(2, 5, 3\)",
        ),
        (lambda folder: edit(folder, sha256="f" * 64), "sha256 must be ffff"),
        (lambda folder: (folder / "student.safetensors").write_bytes(b"no"), "sha256 must be"),
        (
            lambda folder: replace_tensors(folder, lambda a: {"other": a["angles.ry"]}),
            "tensors must be .* got .'other'",
        ),
        (
            lambda folder: replace_tensors(folder, lambda a: {**a, "angles.rz": a["angles.rz"] * np.nan}),
            "must be finite",
        ),
        (
            lambda folder: replace_tensors(folder, lambda a: {k: v.astype(np.float64) for k, v in a.items()}),
            "must be float32 .* got float64",
        ),
    ],
)
def test_damaged_edited_and_foreign_students_are_refused(tmp_path, damage, message):
    save_checkpoint(make_checkpoint(), tmp_path)
    damage(tmp_path)
    with pytest.raises(UserError, match=message):
        load_checkpoint(tmp_path)


def test_any_flipped_bit_of_the_tensors_is_noticed(tmp_path):
    save_checkpoint(make_checkpoint(), tmp_path)
    path = tmp_path / "student.safetensors"
    whole = path.read_bytes()
    for position in np.random.default_rng(0).integers(0, len(whole), 20):
        data = bytearray(whole)
        data[position] ^= 1
        path.write_bytes(data)
        with pytest.raises(UserError, match="sha256 must be"):
            load_checkpoint(tmp_path)


def test_curves_round_trip(tmp_path):
    curves = [EpochResult(3, 1, 0.5, 0.25, 0.1), EpochResult(4, 1, 1 / 3, 1e-9, 1.0)]
    write_curves(tmp_path / "curves.csv", curves)
    assert read_curves(tmp_path / "curves.csv") == curves
    assert (
        (tmp_path / "curves.csv")
        .read_text()
        .startswith("seed,epoch,train_loss,validation_loss,validation_accuracy\n3,1,")
    )
