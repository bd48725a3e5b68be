import json

import numpy as np
import pytest
import safetensors.numpy

from student_jax.circuit.stored_terms import DESCRIPTION, TENSORS, Owner, hash_student, load_terms, save_terms
from student_jax.circuit.terms import Terms, bound_probabilities, fill_coefficients, score_angles, sort_terms
from teacher_cache.errors import UserError
from teacher_cache.sealed import write_sealed
from tests.student_jax.circuit.test_terms import make_coefficients

OWNER = Owner("0" * 64, 1, 3, 5)


@pytest.fixture
def folder(tmp_path):
    save_terms(tmp_path, sort_terms(make_coefficients()), OWNER)
    return tmp_path


def test_what_is_stored_is_within_its_own_bound(folder):
    coefficients = make_coefficients()
    stored = load_terms(folder, OWNER)
    assert stored.exact_terms == len(sort_terms(coefficients).positions)
    assert stored.terms.coefficients.dtype == np.float32
    assert bound_probabilities(stored.terms.rest, 1.0) < 2e-6
    z = np.random.default_rng(0).normal(size=(1000, 5))
    filled = fill_coefficients(stored.terms).astype(np.float64)
    off = np.abs(score_angles(filled, z) - score_angles(coefficients, z)).max(axis=0)
    assert (off > 0).all()
    assert (off <= stored.terms.rest).all()


def test_a_student_without_them_has_none(tmp_path):
    assert load_terms(tmp_path, OWNER) is None


@pytest.mark.parametrize("name", [TENSORS, DESCRIPTION])
def test_one_of_the_two_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"{name} must exist; remake both with `qdllm surrogate --write`"):
        load_terms(folder, OWNER)


@pytest.mark.parametrize(("field", "value"), [("student", "1" * 64), ("selected", 0), ("classes", 2), ("qubits", 4)])
def test_another_students_are_refused(folder, field, value):
    with pytest.raises(UserError, match=f"is another student's: {field} must be {value}, got "):
        load_terms(folder, OWNER._replace(**{field: value}))


def forge(folder, tensors, **changes):
    """Files whose checksums fit, with other tensors or fields."""
    data = safetensors.numpy.save(tensors)
    (folder / TENSORS).write_bytes(data)
    content = json.loads((folder / DESCRIPTION).read_text())
    del content["seal"]
    write_sealed(folder / DESCRIPTION, {**content, "sha256": hash_student(folder / TENSORS), **changes})


ROW, NUMBERS = np.array([3, 728], np.uint32), np.array([2, -1], np.float32)


@pytest.mark.parametrize(
    ("positions", "coefficients", "rule"),
    [
        (ROW + 1, NUMBERS, "positions must be different ones below 729"),
        (ROW[[0, 0]], NUMBERS, "positions must be different ones"),
        (ROW[:1], NUMBERS, "one a coefficient"),
        (ROW, NUMBERS[::-1].copy(), "finite, and the largest first"),
        (ROW, np.array([np.inf, 1], np.float32), "finite, and the largest first"),
        (ROW, np.array([np.nan, 1], np.float32), "finite, and the largest first"),
        (ROW.astype(np.int64), NUMBERS, "one uint32 and one float32 row"),
        (ROW[None], NUMBERS, "one uint32 and one float32 row"),
    ],
)
def test_forged_tensors_are_refused(folder, positions, coefficients, rule):
    forge(folder, {"positions": positions, "coefficients": coefficients})
    with pytest.raises(UserError, match=rule):
        load_terms(folder, OWNER)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"rest": [0.0, 0.0]}, "rest must be 3 numbers from 0 to 1"),
        ({"rest": [0.0, 0.0, -1.0]}, "rest must be 3 numbers from 0 to 1"),
        ({"rest": [0.0, 0.0, 1e308]}, "rest must be 3 numbers from 0 to 1"),
        ({"exact_terms": 10**12}, "exact_terms must be from 0 to 729"),
        ({"exact_terms": 1}, "exact_terms must be at least 2, got 1"),
        ({"more": 1}, "keys must be"),
    ],
)
def test_forged_descriptions_are_refused(folder, changes, rule):
    forge(folder, {"positions": ROW, "coefficients": NUMBERS}, **changes)
    with pytest.raises(UserError, match=rule):
        load_terms(folder, OWNER)


def test_more_than_there_can_be_is_not_read(folder):
    with (folder / TENSORS).open("ab") as file:
        file.truncate(1 << 40)  # sparse
    with pytest.raises(UserError, match="must have at most 9928 bytes, got 1099511627776"):
        load_terms(folder, OWNER)


def test_an_empty_polynomial_is_kept(tmp_path):
    save_terms(tmp_path, sort_terms(np.zeros((3, 3, 3, 3, 3, 3))), OWNER)
    stored = load_terms(tmp_path, OWNER)
    assert isinstance(stored.terms, Terms)
    assert (len(stored.terms.positions), stored.exact_terms) == (0, 0)
