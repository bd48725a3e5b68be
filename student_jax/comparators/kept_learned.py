"""What no teacher has a say in is learned once: a student of labels alone, for all teachers of a task.

In: a comparator's name, config, dataset and a folder.  Out: learn_once().  Imports: jax, safetensors.

A file in the folder is named by the SHA-256 of all that its student was made from: the arrays that are read, the
numbers, and every module of ours that is loaded. It holds the arrays and what training said of them.
"""

import hashlib
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import numpy as np
import safetensors.numpy
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open

from student_jax.comparators.comparator_config import FeatureConfig, FeatureName, LogisticConfig
from student_jax.comparators.feature_comparators import learn_from_features, prepare_config, size_up
from student_jax.comparators.learned import Learned
from student_jax.config import CircuitConfig
from student_jax.data.dataset import Split
from student_jax.data.training_rows import join_pool
from student_jax.model import build_model, build_scorer
from student_jax.parameters import arrange_parameters, name_parameters
from student_jax.training.best_epochs import Training
from student_jax.training.curves import EpochResult
from student_jax.tunable import Tuning, list_points, set_values
from teacher_cache.publish import publish_file

LOG = logging.getLogger(__name__)

PACKAGES = ("pipeline", "student_jax", "teacher_cache")
# Trained on labels alone.
TEACHERLESS = ("labels_alone", "all_labels")


def learn_once(
    folder: Path,
    name: FeatureName,
    config: FeatureConfig | LogisticConfig,
    circuit: CircuitConfig,
    dataset: Mapping[str, Split],
    seed: int,
    label: str,
) -> Learned:
    """As learn_from_features; but what `folder` holds of another teacher's stage is not trained again.

    Args:
        folder: of what was learned; a file that cannot be read is written anew.
        name: of the comparator.
        config: of its class.
        circuit: the student's.
        dataset: splits by name.
        seed: of the first of its seeds.
        label: prefix of progress bar and log lines.

    Raises:
        UserError: as learn_from_features.
    """
    arrays = all(isinstance(split.features, np.ndarray) for split in dataset.values())
    if isinstance(config, LogisticConfig) or name not in TEACHERLESS or circuit.file is not None or not arrays:
        return learn_from_features(name, config, circuit, dataset, seed, label)
    prepared = prepare_config(name, config)
    numbers = {"config": asdict(prepared), "circuit": asdict(circuit), "seed": seed, "jax": jax.__version__}
    file = folder / f"{_name_contents(numbers, prepared, dataset)}.safetensors"
    try:
        learned = _read(file, prepared, circuit, dataset)
    except FileNotFoundError:
        pass
    except (SafetensorError, ValidationError, ValueError, KeyError, TypeError) as error:
        LOG.warning("%s: %s cannot be read, and is made anew: %s", label, file, error)
    else:
        LOG.info("%s: the same students as of another teacher, taken from %s", label, folder)
        return learned
    learned = learn_from_features(name, config, circuit, dataset, seed, label)
    with publish_file(file) as temporary:
        temporary.write_bytes(_pack(learned))
    return learned


def _name_contents(numbers: Mapping[str, Any], config: FeatureConfig, dataset: Mapping[str, Split]) -> str:
    digest = hashlib.sha256(json.dumps(numbers, sort_keys=True).encode())
    for split in (join_pool(dataset, config.pool), dataset["validation"]):
        for array in (split.features, split.labels):
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    for path in sorted(_list_code()):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _list_code() -> Iterator[Path]:
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in PACKAGES and getattr(module, "__file__", None):
            yield Path(str(module.__file__))


def _pack(learned: Learned) -> bytes:
    training = learned.training
    said = {
        **{key: getattr(training, key) for key in ("seeds", "best_epochs", "selected", "curves", "seconds_per_epoch")},
        "tuning": asdict(learned.tuning),
    }
    arrays = {name: np.ascontiguousarray(array) for name, array in name_parameters(training.parameters).items()}
    return safetensors.numpy.save(arrays, {"said": json.dumps(said)})


def _read(file: Path, config: FeatureConfig, circuit: CircuitConfig, dataset: Mapping[str, Split]) -> Learned:
    with safe_open(file, "np") as opened:
        said = json.loads(opened.metadata()["said"])
        arrays = {name: opened.get_tensor(name) for name in list(opened.keys())}
    tuning = TypeAdapter(Tuning).validate_json(json.dumps(said.pop("tuning")))
    chosen = set_values(config, list_points(config.grid)[tuning.chosen])
    student = chosen.to_student(circuit)
    dimensions, classes = dataset["train"].features.shape[1], dataset["train"].logits.shape[1]
    model = build_model(student, dimensions, classes)
    curves = [EpochResult(*row) for row in said.pop("curves")]
    score = build_scorer(model, student.precision)
    training = Training(arrange_parameters(student, arrays), **said, curves=curves, score=score)
    return Learned(chosen, training, tuning, *size_up(model, training))
