"""lightning.gpu through the product's own engine, beside `fused` on the same card: which wins where.

Run by run_gpu.py.  Out: rows of agreement and of milliseconds a gradient step, by qubits and batch.
Imports: jax; pennylane and lightning.gpu where they are installed.
"""

import time

import jax
import numpy as np

from student_jax.config import CircuitConfig
from student_jax.engines import build_engine, choose
from teacher_cache.errors import UserError
from tests.gpu.rows import Rows, parse_part

QUBITS, BATCHES = (11, 16, 20, 24), (1, 8, 64)


def measure_case(
    rows: Rows, engines: list[str], qubits: int, batch: int, alone: dict[tuple[str, int], float], largest: float
) -> None:
    """One row: each engine's milliseconds a gradient step, and the largest difference between them.

    `alone` holds the seconds of a batch of 1, by engine and qubits: a batch that would take `largest` is left out.
    """
    circuit = CircuitConfig(qubits=qubits, rotations="tied")
    arguments = choose._random_arguments(circuit, "float32", batch)
    row: dict[str, float | str] = {}
    found = []
    for name in engines:
        if alone.get((name, qubits), 0.0) * batch > largest:
            row[name] = "left out: too long"
            continue
        try:
            step = choose._gradient_step(build_engine(name, circuit, 4, "float32"))
            found.append(jax.block_until_ready(step(*arguments)))
            start = time.perf_counter()
            jax.block_until_ready(step(*arguments))
            once = time.perf_counter() - start
            row[name] = 1000 * (once if once > 1 else min(once, choose._seconds(step, arguments)))
            alone.setdefault((name, qubits), once)
        except Exception as error:  # out of memory, or a library's own failure: a result, too
            row[name] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    for other in found[1:]:
        pairs = zip(jax.tree.leaves(found[0]), jax.tree.leaves(other), strict=True)
        row["largest_difference"] = max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in pairs)
    rows.add(f"qubits {qubits}, batch {batch}", **row)


def main() -> None:
    options = parse_part(__doc__)
    rows = Rows(options.output, options.seconds)
    engines = ["fused"]
    try:
        build_engine("lightning.gpu", CircuitConfig(qubits=3, rotations="tied"), 2, "float32")
        engines.append("lightning.gpu")
    except (UserError, ImportError) as error:
        rows.add("lightning.gpu", skipped=str(error))
    alone: dict[tuple[str, int], float] = {}
    sizes, batches = ((3,), (64,)) if options.tiny else (QUBITS, BATCHES[1:])
    # A batch of 1 first at every size, as it says how long the others would take.
    cases = [(qubits, 1) for qubits in sizes] + [(qubits, batch) for qubits in sizes for batch in batches]
    if options.names:  # such as 11x8
        cases = [(int(qubits), int(batch)) for qubits, batch in (name.split("x") for name in options.names)]
    for qubits, batch in cases:
        if rows.has_time(f"qubits {qubits}, batch {batch}", 1 if options.tiny else 10):
            measure_case(rows, engines, qubits, batch, alone, options.seconds / 6)
    if len(engines) == 2 and rows.has_time("auto", 20):
        chosen = choose.choose_engine(CircuitConfig(rotations="tied"), 4, "float32", batch=8)
        rows.add("auto, qubits 11, batch 8", chosen=chosen)


if __name__ == "__main__":
    main()
