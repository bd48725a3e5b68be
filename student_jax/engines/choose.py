"""From an engine's name to the engine; `auto` measures those that are installed and takes the fastest.

In: a name, a CircuitConfig.  Out: ENGINES, build_engine(), choose_engine().  Imports: jax; pennylane where asked for.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from student_jax.circuit.gates import fill_angles
from student_jax.config import CircuitConfig
from student_jax.devices import require_memory
from student_jax.engines.fused import build_fused
from student_jax.engines.interface import Engine
from student_jax.engines.native import build_native
from teacher_cache.errors import UserError

LOG = logging.getLogger(__name__)
ENGINES = ("fused", "native", "default.qubit", "lightning.qubit", "lightning.gpu")
# float32 sums over up to 2^20 amplitudes; an engine that is wrong is off by far more.
TOLERANCE = {"float32": 1e-3, "float64": 1e-8}
SECONDS_PER_ENGINE = 0.5


def build_engine(name: str, circuit: CircuitConfig, classes: int, precision: str) -> Engine:
    """The engine called `name` for `circuit`.

    Args:
        name: `fused`, `native`, a PennyLane device of ENGINES, or `auto`, which measures and takes the fastest.
        circuit: which circuit.
        classes: number of classes; only readout `first` depends on it.
        precision: `float32` or `float64`, of the simulation and of its result.

    Returns:
        Engine: z (batch, qubits) and the ansatz's Angles -> expectation values (batch, outputs), in [-1, 1].

    Raises:
        UserError: no such engine, or it is not installed, or the circuit cannot be read out for so many classes.
    """
    if circuit.file is not None:
        if name != "default.qubit":
            raise UserError(f"engine must be default.qubit for a circuit of your own, got {name}")
        from student_jax.engines.own import build_own

        return build_own(circuit, precision)
    if name == "auto":
        name = choose_engine(circuit, classes, precision)
    if name == "fused":
        return build_fused(circuit, classes, precision)
    if name == "native":
        return build_native(circuit, classes, precision)
    if name not in ENGINES:
        raise UserError(f"engine must be auto or one of {', '.join(ENGINES)}, got {name}")
    from student_jax.engines.pennylane import build_pennylane  # PennyLane takes seconds to import

    return build_pennylane(name, circuit, classes, precision)


def choose_engine(
    circuit: CircuitConfig, classes: int, precision: str, batch: int = 64, others: Sequence[CircuitConfig] = ()
) -> str:
    """The name of the fastest installed engine for gradient steps of `circuit`, after checking that all agree.

    It can simulate the `others` as well, those of a grid. Every engine runs value and gradient on the same random
    batch; one whose result differs from the first's is refused.
    """
    arguments = _random_arguments(circuit, precision, batch)
    seconds: dict[str, float] = {}
    first, expected = "", None
    for name in ENGINES:
        try:
            if not name.startswith("lightning"):  # which simulates a row at a time
                require_memory(1 << circuit.qubits, batch, precision)
            step = _gradient_step(build_engine(name, circuit, classes, precision))
            for other in others:
                build_engine(name, other, classes, precision)
        except UserError as error:
            LOG.info("engine auto: %s left out: %s", name, error)
            continue
        result = jax.block_until_ready(step(*arguments))
        first, expected = (name, result) if expected is None else (first, expected)
        pairs = zip(*map(jax.tree.leaves, (result, expected)), strict=True)
        gap = float(np.max([jnp.abs(a - b).max() for a, b in pairs]))
        if not gap <= TOLERANCE[precision]:  # or no number
            LOG.warning("engine auto: %s left out: differs from %s by %.1e", name, first, gap)
            continue
        seconds[name] = _seconds(step, arguments)
    if not seconds:
        raise UserError(f"engine auto: one engine must be able to simulate {circuit.qubits} qubits, got none")
    fastest = min(seconds, key=lambda name: seconds[name])
    table = ", ".join(f"{name} {1000 * value:.3g} ms" for name, value in seconds.items())
    LOG.info("engine auto: %s, the fastest per gradient step of batch %d: %s", fastest, batch, table)
    return fastest


def _random_arguments(circuit: CircuitConfig, precision: str, batch: int) -> tuple[Any, Any]:
    random = np.random.default_rng(0)

    def draw(shape: tuple[int, ...]) -> Any:
        return jnp.asarray(random.normal(size=shape).astype(precision))

    return draw((batch, circuit.qubits)), fill_angles(circuit, draw)


def _gradient_step(engine: Engine) -> Callable[..., Any]:
    def loss(z: Any, angles: Any) -> Any:
        values = engine(z, angles)
        return jnp.mean(jnp.sin(values)), values

    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))


def _seconds(step: Callable[..., Any], arguments: tuple[Any, ...]) -> float:
    """The shortest of the calls that fit in SECONDS_PER_ENGINE, at least one."""
    best, deadline = float("inf"), time.perf_counter() + SECONDS_PER_ENGINE
    while best == float("inf") or time.perf_counter() < deadline:
        start = time.perf_counter()
        jax.block_until_ready(step(*arguments))
        best = min(best, time.perf_counter() - start)
    return best
