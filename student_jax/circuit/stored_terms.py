"""A student's polynomial on disk: surrogate.safetensors holds its terms, surrogate.json whose they are.

In: Terms, the folder of a student.  Out: StoredTerms, Owner, save_terms(), load_terms(), hash_student().
Imports: numpy, safetensors.

Terms are kept up to a certified error of STORED_ERROR in every probability, as float32, the largest first: who wants a
larger error reads a shorter beginning. What that leaves out is part of `rest`.
"""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from student_jax.circuit.terms import Terms, bound_scores, cut_terms
from teacher_cache.errors import UserError
from teacher_cache.publish import publish_file
from teacher_cache.sealed import read_sealed, write_sealed

FORMAT = 1
TENSORS, DESCRIPTION = "surrogate.safetensors", "surrogate.json"
STORED_ERROR = 1e-6
# Of a header with two tensors, and of a description with as many numbers as a student has classes.
_HEADER_BYTES, _BYTES_PER_CLASS = 4096, 64
_ADVICE = "remake both with `qdllm surrogate --write`, or pull them"


class StoredTerms(NamedTuple):
    """What is stored, and how many coefficients are not zero in the exact form of all classes."""

    terms: Terms
    exact_terms: int


class Owner(NamedTuple):
    """Whose terms they are: SHA-256 of student.safetensors, the chosen seed's index, classes, qubits."""

    student: str
    selected: int
    classes: int
    qubits: int


def save_terms(folder: Path, terms: Terms, owner: Owner) -> None:
    """Publish the files of a student's `terms`, which are all that are not zero, in its `folder`."""
    stored, _ = cut_terms(terms, STORED_ERROR)
    single = stored.coefficients.astype(np.float32)
    lost = stored._replace(coefficients=stored.coefficients - single)
    data = safetensors.numpy.save({"positions": stored.positions, "coefficients": single})
    with publish_file(folder / TENSORS) as temporary:
        temporary.write_bytes(data)
    content = {"format": FORMAT, "sha256": hashlib.sha256(data).hexdigest(), **owner._asdict()}
    rest = [float(error) for error in bound_scores(lost, 0)]
    write_sealed(folder / DESCRIPTION, {**content, "exact_terms": len(terms.positions), "rest": rest})


def load_terms(folder: Path, owner: Owner) -> StoredTerms | None:
    """What `save_terms` wrote for `owner`; None where nothing was. Nothing is computed.

    Raises:
        UserError: a file is missing, damaged, edited, or another student's.
    """
    if not (folder / DESCRIPTION).exists() and not (folder / TENSORS).exists():
        return None
    try:
        content = read_sealed(folder / DESCRIPTION, FORMAT, limit=_HEADER_BYTES + _BYTES_PER_CLASS * owner.classes)
        exact_terms, rest = _check_description(folder / DESCRIPTION, content, owner)
        data = _read_bounded(folder / TENSORS, owner)
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} must exist; {_ADVICE}") from None
    found = hashlib.sha256(data).hexdigest()
    if content["sha256"] != found:
        raise UserError(f"{folder / TENSORS} must have SHA-256 {str(content['sha256'])[:64]}, got {found}; {_ADVICE}")
    positions, coefficients = _check_tensors(folder / TENSORS, data, owner)
    if exact_terms < len(positions):
        raise UserError(
            f"{folder / DESCRIPTION}: exact_terms must be at least {len(positions)}, got {exact_terms}; {_ADVICE}"
        )
    return StoredTerms(Terms(owner.qubits, positions, coefficients, rest), exact_terms)


def hash_student(path: Path) -> str:
    """The SHA-256 of a file of parameters, by which its terms know it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _check_description(path: Path, content: dict[str, Any], owner: Owner) -> tuple[int, np.ndarray]:
    expected = {"format", "sha256", *Owner._fields, "exact_terms", "rest"}
    if set(content) != expected:
        raise UserError(f"{path}: keys must be {sorted(expected)}, got {str(sorted(content))[:200]}; {_ADVICE}")
    for key, value in owner._asdict().items():
        if type(content[key]) is not type(value) or content[key] != value:
            raise UserError(
                f"{path} is another student's: {key} must be {value}, got {str(content[key])[:64]}; {_ADVICE}"
            )
    exact, rest, places = content["exact_terms"], content["rest"], owner.classes * 3**owner.qubits
    if type(exact) is not int or not 0 <= exact <= places:
        raise UserError(f"{path}: exact_terms must be from 0 to {places}, got {str(exact)[:40]}; {_ADVICE}")
    numbers = isinstance(rest, list) and all(type(error) is float and 0 <= error <= 1 for error in rest)
    if not numbers or len(rest) != owner.classes:
        raise UserError(f"{path}: rest must be {owner.classes} numbers from 0 to 1, got {str(rest)[:40]}; {_ADVICE}")
    return exact, np.array(rest)


def _read_bounded(path: Path, owner: Owner) -> bytes:
    """The file's bytes, no more than every coefficient with its position would have."""
    limit, size = _HEADER_BYTES + 8 * owner.classes * 3**owner.qubits, path.stat().st_size
    if size > limit:
        raise UserError(f"{path} must have at most {limit} bytes, got {size}; {_ADVICE}")
    return path.read_bytes()


def _check_tensors(path: Path, data: bytes, owner: Owner) -> tuple[np.ndarray, np.ndarray]:
    try:
        tensors = safetensors.numpy.load(data)
    except (ValueError, KeyError, SafetensorError) as error:  # KeyError: a type that NumPy does not have
        raise UserError(f"{path} cannot be read as safetensors: {error}; {_ADVICE}") from None
    found = {name: (str(array.dtype), array.ndim) for name, array in tensors.items()}
    if found != {"positions": ("uint32", 1), "coefficients": ("float32", 1)}:
        raise UserError(f"{path} must hold positions and coefficients, one uint32 and one float32 row; {_ADVICE}")
    positions, coefficients = tensors["positions"], tensors["coefficients"]
    places = owner.classes * 3**owner.qubits
    sizes = np.abs(coefficients)
    fits = len(positions) == len(coefficients) and (not len(positions) or int(positions.max()) < places)
    if not fits or len(np.unique(positions)) != len(positions):
        raise UserError(f"{path}: positions must be different ones below {places}, one a coefficient; {_ADVICE}")
    if not np.isfinite(coefficients).all() or (sizes[1:] > sizes[:-1]).any():
        raise UserError(f"{path}: coefficients must be finite, and the largest first; {_ADVICE}")
    return positions, coefficients
