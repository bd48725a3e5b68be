"""`fused` on the card: does it agree with the CPU, how long is a step, how far is it from what the card can do.

Run by run_gpu.py.  Out: rows of agreement, of steps at growing batches beside tensorcircuit-ng, of the trainer's scan,
of inference, and of the card's own rates.  Imports: jax; tensorcircuit-ng where it is installed.
A step is loss, its gradient by z and all angles, and Adam, jitted, as in tests/benchmarks/student_steps.py.
"""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np

from student_jax.config import CircuitConfig
from student_jax.engines import build_engine, choose
from tests.benchmarks.student_steps import ADAM, build_step, inference, make_arguments, scan_steps
from tests.benchmarks.timing import measure
from tests.gpu.rows import Rows, parse_part

BATCHES = (64, 16384, 1024, 4096)  # in order of what would be missed most
PAPER = CircuitConfig(rotations="tied")  # 11 qubits, 4 layers
SMALL = CircuitConfig(qubits=4, layers=1, rotations="tied")
CLASSES = 4
PRECISIONS = {"float32": "highest", "TF32": "default"}
ROUNDS = 5


def measure_card(rows: Rows, size: int, length: int) -> None:
    """Rates of the card itself: a float32 matrix product, and bytes of a copy, read and written."""
    a = jax.random.normal(jax.random.key(0), (size, size), jnp.float32)
    vector = jax.random.normal(jax.random.key(1), (length,), jnp.float32)
    calls: dict[str, Callable[[], Any]] = {}
    for name, precision in PRECISIONS.items():
        product = jax.jit(lambda a, precision=precision: jnp.matmul(a, a, precision=precision))
        calls[name] = lambda product=product: product(a)
    copy = jax.jit(lambda vector: vector + 1)
    calls["copy"] = lambda: copy(vector)
    seconds = measure(calls, ROUNDS)
    for name in PRECISIONS:
        rows.add(f"matrix product, {name}", tflops=2 * size**3 / seconds[name] / 1e12)
    rows.add("copy", gigabytes_per_second=8 * length / seconds["copy"] / 1e9)


def measure_agreement(rows: Rows, qubits: int, batch: int) -> None:
    """The largest difference of the engine's values and gradients from those of the CPU, float32."""
    cpu = jax.devices("cpu")[0]
    for readout, entanglement in (("linear", "chain"), ("linear", "ring"), ("first", "chain")):
        circuit = CircuitConfig(qubits=qubits, entanglement=entanglement, readout=readout)
        arguments = choose._random_arguments(circuit, "float32", batch)
        here = choose._gradient_step(build_engine("fused", circuit, CLASSES, "float32"))(*arguments)
        with jax.default_device(cpu):
            step = choose._gradient_step(build_engine("fused", circuit, CLASSES, "float32"))
            there = step(*jax.device_put(arguments, cpu))
        off = _largest_difference(here, there)
        rows.add(f"fused against the CPU, {readout}, {entanglement}", largest_difference=off)


def measure_steps(rows: Rows, circuit: CircuitConfig, batches: tuple[int, ...], peers: list[str]) -> None:
    """Milliseconds a step, samples a second, and the peers' difference from `fused`."""
    for batch in batches:
        arguments, labels = make_arguments(circuit, CLASSES, batch)
        whole = (arguments, ADAM.init(arguments), labels)
        calls, facts, first = {}, {}, None
        for name in peers:
            if not rows.has_time(f"{name}, batch {batch}", 1 if circuit is SMALL else 20):
                continue
            try:
                step = jax.jit(build_step(name, circuit, CLASSES)).lower(*whole).compile()
                result = jax.block_until_ready(step(*whole))[:2]
            except Exception as error:  # another's simulator may fail in ways of its own
                rows.add(f"{name}, batch {batch}", failed=f"{type(error).__name__}: {error}".splitlines()[0][:200])
                continue
            first = result if first is None else first
            calls[name] = lambda step=step, whole=whole: step(*whole)
            facts[name] = {
                "largest_difference": _largest_difference(result, first),
                "temporary_mib": step.memory_analysis().temp_size_in_bytes / 2**20,
            }
        for name, seconds in measure(calls, ROUNDS).items():
            case = f"{name}, batch {batch}"
            rows.add(case, ms=1000 * seconds, samples_per_second=batch / seconds, **facts[name])


def measure_precisions(rows: Rows, circuit: CircuitConfig, batch: int) -> None:
    """What coarser products would gain, and cost in agreement."""
    arguments, labels = make_arguments(circuit, CLASSES, batch)
    whole, calls, found = (arguments, ADAM.init(arguments), labels), {}, {}
    for name, precision in PRECISIONS.items():
        with (
            patch("student_jax.engines.fused.PRECISION", precision),
            patch("student_jax.engines.fused_evolution.PRECISION", precision),
        ):
            step = jax.jit(build_step("fused", circuit, CLASSES)).lower(*whole).compile()
        found[name] = step(*whole)[:2]
        calls[name] = lambda step=step: step(*whole)
    for name, seconds in measure(calls, ROUNDS).items():
        off = _largest_difference(found[name], found["float32"])
        rows.add(f"fused in {name}, batch {batch}", ms=1000 * seconds, largest_difference=off)


def measure_training(rows: Rows, circuit: CircuitConfig, batches: tuple[int, ...], steps: int) -> None:
    """The trainer's scan: a step of one seed, and of five at once."""
    for batch in batches:
        calls = {seeds: scan_steps(circuit, CLASSES, batch, seeds, steps) for seeds in (1, 5)}
        for seeds, seconds in measure(calls, ROUNDS).items():
            rows.add(f"scan, batch {batch}, seeds {seeds}", ms_per_step=1000 * seconds / steps)


def measure_inference(rows: Rows, circuit: CircuitConfig, texts: int) -> None:
    """Expectation values of many texts at once."""
    rows.add("inference", texts_per_second=texts / measure({"": inference(circuit, CLASSES, texts)}, ROUNDS)[""])


def _largest_difference(one: Any, other: Any) -> float:
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in pairs)


def main() -> None:
    options = parse_part(__doc__)
    rows, tiny = Rows(options.output, options.seconds), options.tiny
    rows.add("device", platform=jax.default_backend(), kind=jax.devices()[0].device_kind, jax=jax.__version__)
    circuit, batches, texts = (SMALL, (8,), 16) if tiny else (PAPER, BATCHES, 65536)
    sections: dict[str, Callable[[], None]] = {
        "agreement": lambda: measure_agreement(rows, circuit.qubits, batches[0]),
        "steps": lambda: measure_steps(rows, circuit, batches, ["fused", "tensorcircuit-ng"]),
        "training": lambda: measure_training(rows, circuit, batches[:2], 2 if tiny else 50),
        "inference": lambda: measure_inference(rows, circuit, texts),
        "card": lambda: measure_card(rows, 64 if tiny else 8192, 2**10 if tiny else 2**28),
        "precisions": lambda: measure_precisions(rows, circuit, max(batches)),
    }
    for name in options.names or sections:
        sections[name]()


if __name__ == "__main__":
    main()
