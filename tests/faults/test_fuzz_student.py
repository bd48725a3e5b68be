"""Whatever is done to a student's files, loading gives the original numbers or one clear line."""

import hashlib
import json
from pathlib import Path
from unittest.mock import ANY

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from student_jax.calibration import Calibration
from student_jax.checkpoint import Checkpoint, Description, load_checkpoint, save_checkpoint
from student_jax.config import CircuitConfig, EmbedConfig, StudentConfig
from student_jax.data.embedder import fit_embedder, link_embedder, load_embedder
from student_jax.parameters import initialise_parameters
from teacher_cache.sealed import write_sealed
from tests.faults.mutations import damage_bytes, forge_json, forge_tensors
from tests.faults.outcomes import judge

TEXTS = ["good film", "bad film", "a good one", "a bad one"]
DESCRIPTIONS = {"student.json": "student.safetensors", "embedder.json": "embedder.safetensors"}
FUZZ = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("fuzz")
    for name in ("features", "student"):
        (place / name).mkdir()
    embedder = fit_embedder(EmbedConfig(dimensions=3, min_document_frequency=1), TEXTS, [0, 1, 0, 1])
    embedder.save(place / "features")
    config = StudentConfig(circuit=CircuitConfig(qubits=3, layers=2))
    draws = [initialise_parameters(config, 3, 2, np.random.default_rng(seed)) for seed in range(2)]
    linked = link_embedder(place / "features", place / "student")
    calibration = Calibration(temperature=1.7, confidences=[0.9, 0.5], texts=[40, 20], right=[38, 9])
    description = Description(
        *(["no", "yes"], embedder.dimensions, config, [3, 4], [1, 2], 1, 0.5, linked, {"task": "t"}),
        calibration=calibration,
    )
    save_checkpoint(Checkpoint(description, jax.tree.map(lambda *a: np.stack(a), *draws)), place / "student")
    return place / "student"


def read(folder):
    """All numbers of a student but those of the circuit's simulation, which needs compiling."""
    checkpoint, embedder = load_checkpoint(folder), load_embedder(folder)
    arrays = [array.tobytes() for array in jax.tree.leaves(checkpoint.parameters)]
    return checkpoint.description, arrays, embedder.transform(TEXTS).tobytes()


@pytest.fixture(scope="module")
def whole(folder):
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name, data in files.items():  # no more hard links to the features
        (folder / name).unlink()
        (folder / name).write_bytes(data)
    return files, read(folder)


def try_to_read(folder, files, truth=ANY):
    """Write `files` and read them; nothing else may appear in the folder."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    outcome, complaint = judge(lambda: read(folder), truth)
    assert outcome in ("correct", "refused"), complaint
    assert sorted(path.name for path in folder.iterdir()) == sorted(files)


@FUZZ
@given(data=st.data())
def test_damaged_bytes(folder, whole, data):
    files, truth = whole
    name = data.draw(st.sampled_from(sorted(files)))
    try_to_read(folder, {**files, name: data.draw(damage_bytes(files[name]))}, truth)


def forge(folder, files, name, content, tensors):
    """Files with another description or other tensors, all checksums made to fit."""
    content = {**content}
    content.pop("seal", None)
    if "sha256" in content:
        content["sha256"] = hashlib.sha256(tensors).hexdigest()
    try:
        write_sealed(folder / name, content)
        description = (folder / name).read_bytes()
    except ValueError:  # NaN, which no seal fits
        description = json.dumps(content).encode()
    return {**files, name: description, DESCRIPTIONS[name]: tensors}


@FUZZ
@given(data=st.data())
def test_forged_descriptions(folder, whole, data):
    files, _ = whole
    name = data.draw(st.sampled_from(sorted(DESCRIPTIONS)))
    content = data.draw(forge_json(json.loads(files[name])))
    try_to_read(folder, forge(folder, files, name, content, files[DESCRIPTIONS[name]]))


@FUZZ
@given(data=st.data())
def test_forged_tensors(folder, whole, data):
    files, _ = whole
    name = data.draw(st.sampled_from(sorted(DESCRIPTIONS)))
    tensors = data.draw(forge_tensors(files[DESCRIPTIONS[name]]))
    try_to_read(folder, forge(folder, files, name, json.loads(files[name]), tensors))


@pytest.mark.parametrize(("field", "value"), [("dimensions", 10**12), ("layers", 10**12), ("angle_scale", 1e308)])
def test_a_student_that_claims_more_than_it_holds(folder, whole, field, value):
    files, _ = whole
    content = json.loads(files["student.json"])
    place = {"layers": content["config"]["circuit"], "angle_scale": content["config"]}.get(field, content)
    place[field] = value
    try_to_read(folder, forge(folder, files, "student.json", content, files["student.safetensors"]))
