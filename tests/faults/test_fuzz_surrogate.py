"""Whatever is done to the files of a student's polynomial, loading gives the original terms or one clear line."""

import json
from unittest.mock import ANY

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from student_jax.circuit.stored_terms import DESCRIPTION, TENSORS, Owner, hash_student, load_terms, save_terms
from student_jax.circuit.terms import cut_terms, sort_terms
from teacher_cache.sealed import write_sealed
from tests.faults.mutations import damage_bytes, forge_json, forge_tensors
from tests.faults.outcomes import judge
from tests.student_jax.circuit.test_terms import make_coefficients

OWNER = Owner("0" * 64, 1, 3, 3)
FUZZ = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def read(folder):
    """What is stored, which a cut can then be made of."""
    terms, exact_terms = load_terms(folder, OWNER)
    cut_terms(terms, 0.01)
    return terms.positions.tobytes(), terms.coefficients.tobytes(), terms.rest.tobytes(), exact_terms


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("fuzz")
    save_terms(place, sort_terms(make_coefficients(qubits=3)), OWNER)
    return place


@pytest.fixture(scope="module")
def whole(folder):
    return {name: (folder / name).read_bytes() for name in (TENSORS, DESCRIPTION)}, read(folder)


def try_to_read(folder, files, truth=ANY):
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


@FUZZ
@given(data=st.data())
def test_forged_files_whose_checksums_fit(folder, whole, data):
    """The description or the tensors forged, the seal and the checksum made to fit."""
    files, _ = whole
    tensors, content = files[TENSORS], json.loads(files[DESCRIPTION])
    del content["seal"]
    if data.draw(st.booleans()):
        tensors = data.draw(forge_tensors(tensors))
        (folder / TENSORS).write_bytes(tensors)
        content["sha256"] = hash_student(folder / TENSORS)
    else:
        content = data.draw(forge_json(content))
    try:
        write_sealed(folder / DESCRIPTION, content)
        description = (folder / DESCRIPTION).read_bytes()
    except ValueError:  # NaN, which no seal fits
        description = json.dumps(content).encode()
    try_to_read(folder, {TENSORS: tensors, DESCRIPTION: description})
