"""The quantum student: features -> angles of the encoding -> expectation values -> scores.

In: StudentConfig, numbers of features and classes.  Out: Model, Score, build_model(),
resolve_engine(), build_scorer(), time_scoring(), convert_floats(), count_trainable().
Imports: jax, numpy.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple, TypeAlias, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int

from student_jax.circuit.gates import repeated_arrays
from student_jax.config import EngineName, StudentConfig
from student_jax.data.dataset import Split
from student_jax.data.stored import StoredValues
from student_jax.devices import ROWS, SCORING_COPIES, map_students, require_memory, share_rows
from student_jax.engines import Engine, build_engine, choose_engine
from student_jax.parameters import Affine, Parameters, initialise_parameters
from student_jax.tunable import list_points, set_values

# (parameters of all seeds, features (rows, dimensions)) -> scores (seeds, rows, classes)
Score: TypeAlias = Callable[[Any, np.ndarray | StoredValues], np.ndarray]

# What is simulated at once where no gradient is wanted: at most 2^19 amplitudes, 4 MiB in complex64, of a student.
MAX_AMPLITUDES_LOG2 = 19
MAX_BATCH = 1024


class Model(NamedTuple):
    """What the trainer trains: a quantum student, one of its controls, or a rival.

    `initialise` draws one set of parameters, a pytree of NumPy arrays; `apply` maps it and features (rows, dimensions)
    to scores (rows, classes); `rates` holds factors on the learning rate by name of parameter (see `name_arrays`),
    where they are not 1; a parameter with rate 0 is not trained. `penalised` names those that the L2 penalty holds, the
    weights that meet the features, `readout` those that it holds with `l2_readout`. `loss`, of parameters and a batch
    of rows, is what training minimises where that is not the distillation loss of the scores. `amplitudes` is how many
    of them the simulation of one row holds, by which rows are batched; what simulates nothing is batched as 11 qubits
    are.
    `side_by_side` says whether the rows of a batch are simulated at once, and need memory for each; `threads` whether
    the simulation takes cores by itself, and many students in one call.
    """

    initialise: Callable[[np.random.Generator], Any]
    apply: Callable[[Any, Array], Float[Array, "rows classes"]]
    rates: Mapping[str, float]
    loss: Callable[[Any, Split], Float[Array, ""]] | None = None
    penalised: Sequence[str] = ()
    readout: Sequence[str] = ()
    amplitudes: int = 1 << 11
    side_by_side: bool = True
    threads: bool = False


def build_model(config: StudentConfig, dimensions: int, classes: int) -> Model:
    """The student of `config`: z = E w + b, the circuit's <Z>, then an affine map (`linear`) or nothing (`first`).

    Raises:
        UserError: the engine is not installed, or `first` has fewer qubits than classes.
    """
    with jax.enable_x64(config.precision == "float64"):
        engine = build_engine(config.engine, config.circuit, classes, config.precision)
    return assemble_model(engine, config, dimensions, classes)


def resolve_engine(config: StudentConfig, classes: int) -> StudentConfig:
    """`config` with an engine's name where it says `auto`: measured once, so that all that comes after it uses one."""
    if config.engine != "auto" or config.circuit.file is not None:
        return config
    others = [set_values(config, point).circuit for point in list_points(config.grid)]
    with jax.enable_x64(config.precision == "float64"):
        name = choose_engine(config.circuit, classes, config.precision, others=others)
        return replace(config, engine=cast(EngineName, name))


def assemble_model(engine: Engine, config: StudentConfig, dimensions: int, classes: int) -> Model:
    """A Model around `engine`, which has as many outputs as the readout of `config` reads."""

    def initialise(generator: np.random.Generator) -> Parameters:
        return initialise_parameters(config, dimensions, classes, generator)

    def apply(parameters: Parameters, features: Float[Array, "rows dimensions"]) -> Float[Array, "rows classes"]:
        values = engine(apply_affine(parameters.encoding, features), parameters.angles)
        return values if parameters.readout is None else apply_affine(parameters.readout, values)

    # A `tied` angle stands for three equal ones, each of which Adam would move by the learning rate.
    tied = repeated_arrays(config.circuit) if config.circuit.rotations == "tied" else []
    rates = {f"angles.{array}": 3.0 for array in tied}
    return Model(
        *(initialise, apply, rates),
        penalised=["encoding.weight"],
        readout=["readout.weight"] if config.circuit.readout == "linear" else [],
        amplitudes=1 << config.circuit.qubits,
        side_by_side=not config.engine.startswith("lightning"),
        threads=config.engine == "native",
    )


def apply_affine(affine: Affine, inputs: Float[Array, "rows inputs"]) -> Float[Array, "rows outputs"]:
    """Inputs @ weight + bias, in full float32 on a GPU as well."""
    return jnp.matmul(inputs, affine.weight, precision="highest") + affine.bias[None]


def convert_floats(array: np.ndarray, precision: str) -> np.ndarray:
    """Features and states in `precision`, tokens as they are; the same array where nothing is to be converted."""
    return array.astype(precision, copy=False) if np.issubdtype(array.dtype, np.floating) else array


def name_arrays(parameters: Any) -> dict[str, Any]:
    """The arrays of `parameters` by dotted name, such as encoding.weight or angles.ry, in the pytree's order."""
    leaves, _ = jax.tree.flatten_with_path(parameters)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def count_trainable(model: Model) -> int:
    """How many numbers training changes."""
    arrays = name_arrays(model.initialise(np.random.default_rng(0)))
    return sum(array.size for name, array in arrays.items() if model.rates.get(name, 1.0) > 0)


def build_scorer(model: Model, precision: str, least: int = 1) -> Score:
    """Compile what gives all seeds' scores of `model`, from parameters of the type `precision`.

    Rows are scored in batches whose size is a power of two, `least` or more, so that few shapes are compiled.
    """
    limit = min(MAX_BATCH, max(1, (1 << MAX_AMPLITUDES_LOG2) // model.amplitudes))

    @cache
    def compile_apply(mesh: Mesh) -> Callable[[Any, np.ndarray], Array]:
        require_memory(model.amplitudes, 1, precision, SCORING_COPIES)

        def apply(
            parameters: Any, rows: Float[Array, "rows dimensions"] | Int[Array, "rows tokens"]
        ) -> Float[Array, "seeds rows classes"]:
            return map_students(lambda one: model.apply(one, rows), parameters, len(rows) * model.amplitudes)

        return jax.jit(
            jax.shard_map(apply, mesh=mesh, in_specs=(P(), P(ROWS)), out_specs=P(None, ROWS), check_vma=False)
        )

    def score(parameters: Any, features: np.ndarray | StoredValues) -> np.ndarray:
        batch = min(limit, max(least, 1 << (len(features) - 1).bit_length()))
        mesh = share_rows(batch)
        run = compile_apply(mesh)
        scores = []
        # What goes to the device outside of this context arrives as float32, whatever it was.
        with jax.enable_x64(precision == "float64"):
            parameters = jax.device_put(parameters, NamedSharding(mesh, P()))
            for start in range(0, max(1, len(features)), batch):  # of no row too there are scores, none
                chunk = convert_floats(features[start : start + batch], precision)
                padded = np.pad(chunk, ((0, batch - len(chunk)), (0, 0)))
                scores.append(np.asarray(run(parameters, padded))[:, : len(chunk)])
        return np.concatenate(scores, axis=1)

    return score


def time_scoring(score: Score, parameters: Any, features: np.ndarray) -> float:
    """Seconds in which a compiled scorer scores `features` once, after a first time that compiles."""
    score(parameters, features)
    start = time.perf_counter()
    score(parameters, features)
    return time.perf_counter() - start
