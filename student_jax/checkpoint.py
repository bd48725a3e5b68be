"""A trained student on disk: student.safetensors holds every seed's parameters, student.json all else.

In: a Training or a Checkpoint, and a folder.
Out: Checkpoint, save_student(), save_checkpoint(), load_checkpoint(), read_description(), find_owner().
Imports: NumPy, pydantic, safetensors; never jax.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import safetensors.numpy
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass
from safetensors import SafetensorError

from student_jax.calibration import Calibration
from student_jax.circuit.stored_terms import Owner, hash_student
from student_jax.config import StudentConfig
from student_jax.data.embedder import link_embedder
from student_jax.parameters import Parameters, arrange_parameters, list_shapes, name_parameters
from student_jax.training.curves import CURVES, write_curves
from student_jax.tunable import Tuning
from teacher_cache.errors import UserError
from teacher_cache.publish import publish_file
from teacher_cache.sealed import read_sealed, write_sealed

if TYPE_CHECKING:  # jax takes seconds to import
    from student_jax.training.best_epochs import Training

FORMAT = 1
TENSORS, DESCRIPTION = "student.safetensors", "student.json"

Count = Annotated[int, Field(ge=0)]


@checked_dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False))
class Description:
    """What student.json says, besides format and checksum.

    `origin` is what the student was made from, as who trained it knows it: task, teacher, fingerprints; `embedder` is
    the SHA-256 of its embedder.json. `seeds` and `best_epochs` belong to the parameters' leading axis; `selected` is
    the index of the best seed on `validation`. `config` is the setting that `tuning` chose, which students of version
    0.1 do not have; nor have they a `calibration`, nor has who had too few validation labels.
    """

    labels: Annotated[list[str], Field(min_length=2)]
    dimensions: Annotated[int, Field(ge=1)]
    config: StudentConfig
    seeds: Annotated[list[Count], Field(min_length=1)]
    best_epochs: list[Count]
    selected: Count
    seconds_per_epoch: Annotated[float, Field(ge=0)]
    embedder: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    origin: dict[str, str]
    tuning: Tuning | None = None
    calibration: Calibration | None = None

    @property
    def temperature(self) -> float:
        """What scores are divided by before their softmax; 1 where nothing was fitted."""
        return 1.0 if self.calibration is None else self.calibration.temperature


@dataclass(frozen=True)
class Checkpoint:
    """A student of several seeds: NumPy parameters with a leading axis of seeds, and their description."""

    description: Description
    parameters: Parameters

    @property
    def selected_parameters(self) -> Parameters:
        """The best seed's parameters, the leading axis kept with length 1."""
        chosen = self.description.selected
        arrays = {name: array[chosen : chosen + 1] for name, array in name_parameters(self.parameters).items()}
        return arrange_parameters(self.description.config, arrays)


def save_student(
    folder: Path,
    training: "Training",
    config: StudentConfig,
    labels: Sequence[str],
    embedder: Path,
    origin: Mapping[str, str],
    tuning: Tuning | None = None,
    calibration: Calibration | None = None,
) -> None:
    """Write all that a student is into the existing `folder`: checkpoint, curves, embedder.

    Args:
        folder: one that is not published yet.
        training: what `train` returned for a quantum student.
        config: what it was trained with.
        labels: class names in class order.
        embedder: the folder of the embedder that made its features.
        origin: what it was made from: task, teacher, fingerprints.
        tuning: the settings that were tried.
        calibration: what validation says of the selected seed's confidence.
    """
    description = Description(
        labels=list(labels),
        dimensions=training.parameters.encoding.weight.shape[1],
        config=config,
        seeds=training.seeds,
        best_epochs=training.best_epochs,
        selected=training.selected,
        seconds_per_epoch=training.seconds_per_epoch,
        embedder=link_embedder(embedder, folder),
        origin=dict(origin),
        tuning=tuning,
        calibration=calibration,
    )
    save_checkpoint(Checkpoint(description, training.parameters), folder)
    write_curves(folder / CURVES, training.curves)


def save_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Publish student.safetensors, then student.json, in `folder`."""
    arrays = {name: np.ascontiguousarray(array) for name, array in name_parameters(checkpoint.parameters).items()}
    data = safetensors.numpy.save(arrays)
    with publish_file(folder / TENSORS) as temporary:
        temporary.write_bytes(data)
    content = {"format": FORMAT, "sha256": hashlib.sha256(data).hexdigest(), **asdict(checkpoint.description)}
    write_sealed(folder / DESCRIPTION, content)


def load_checkpoint(folder: Path, circuit: Path | None = None) -> Checkpoint:
    """The student that was saved in `folder`.

    Args:
        folder: of the student.
        circuit: the file of a circuit of the user's own. What student.json names is no more than a name: a student's
            folder never says which code is run.

    Raises:
        UserError: a file is missing, damaged, edited, from another student or of another format; or the student has
            a circuit of its own and no file is named, or the other way round.
    """
    description, sha256 = read_description(folder)
    description = replace(description, config=_name_circuit(description.config, folder, circuit))
    path = folder / TENSORS
    try:
        data = path.read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            raise UserError(
                f"{path} is not the file of {DESCRIPTION}: sha256 must be {sha256}, got {found}; retrain or pull it"
            )
        arrays = safetensors.numpy.load(data)
    except FileNotFoundError:
        raise UserError(f"{path} must exist; run the stage train_student or `dvc pull`") from None
    except (OSError, ValueError, KeyError, SafetensorError) as error:  # KeyError: a type that NumPy does not have
        raise UserError(f"{path} cannot be read as safetensors: {error}; retrain or pull it") from None
    return Checkpoint(description, _arrange(arrays, description, path))


def find_owner(folder: Path, checkpoint: Checkpoint) -> Owner:
    """By what the polynomial of the student in `folder` knows whose it is."""
    description = checkpoint.description
    qubits = description.config.circuit.qubits
    return Owner(hash_student(folder / TENSORS), description.selected, len(description.labels), qubits)


def read_description(folder: Path) -> tuple[Description, str]:
    """What student.json says, whatever the circuit is, and the SHA-256 of the parameters that belong to it.

    Raises:
        UserError: it is missing, damaged, edited or of another format.
    """
    path = folder / DESCRIPTION
    try:
        content = read_sealed(path, FORMAT)
        del content["format"]
        sha256 = content.pop("sha256")
        # By way of JSON, where strict mode takes lists and numbers as they are written and no others.
        description = TypeAdapter(Description).validate_json(json.dumps(content))
    except FileNotFoundError:
        raise UserError(f"{path} must exist; run the stage train_student or `dvc pull`") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise UserError(f"{path}: {key}: {first['msg']}; the file was edited or damaged") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} must describe a student, got {type(error).__name__}: {error}") from None
    seeds = len(description.seeds)
    if len(description.best_epochs) != seeds or description.selected >= seeds:
        raise UserError(f"{path}: best_epochs and selected must fit {seeds} seeds; the file was edited or damaged")
    return description, sha256


def _name_circuit(config: StudentConfig, folder: Path, circuit: Path | None) -> StudentConfig:
    """`config` with the circuit's file where the user says it is; its SHA-256 stays the recorded one."""
    recorded = config.circuit.file
    if recorded is None and circuit is None:
        return config
    if recorded is None:
        raise UserError(f"{folder} has the shipped circuit; no file must be named for it, got {circuit}")
    if circuit is None:
        raise UserError(
            f"{folder} has a circuit of its own: its file, {Path(recorded).name} with SHA-256 {config.circuit.sha256}, "
            "must be named, by predict --circuit or Student.load(circuit=...), got none"
        )
    return replace(config, circuit=replace(config.circuit, file=str(circuit)))


def _arrange(arrays: Mapping[str, np.ndarray], description: Description, path: Path) -> Parameters:
    """`arrays` as Parameters, refused unless names, shapes and types are those of the described student."""
    config, seeds = description.config, len(description.seeds)
    shapes = list_shapes(config, description.dimensions, len(description.labels))
    if set(arrays) != set(shapes):
        raise UserError(f"{path}: tensors must be {sorted(shapes)}, got {sorted(arrays)}")
    for name, shape in shapes.items():
        array = arrays[name]
        if array.shape != (seeds, *shape) or array.dtype != np.dtype(config.precision):
            expected = f"{config.precision} {(seeds, *shape)}"
            raise UserError(f"{path}: {name} must be {expected}, got {array.dtype} {array.shape}")
        if not np.isfinite(array).all():
            raise UserError(f"{path}: {name} must be finite, got NaN or infinity")
    return arrange_parameters(config, arrays)
