"""How long a training step takes in the trainer's scan on so many cores: `native`, `fused`, and `fused` of version 0.1.

Run: python -m tests.benchmarks.bench_native CORES [--rounds 7]; `make bench` does, by bench_student, for one and two.
In: nothing; the history of git for version 0.1.  Out: rows as JSON on standard output.  Imports: jax, optax.
The process keeps to its first CORES cores, and so do the threads of XLA that it starts.  Rounds alternate between the
cases; medians of wall time.  On one core also the floor: 2 MFLOP a sample, at the rate at which this core turns
amplitudes that never leave its registers (rotation_rate.cc, compiled here).
"""

import argparse
import ctypes
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CIRCUIT = {"layers": 4, "rotations": "tied"}
CLASSES, STEPS, TURNS = 4, 10, 3
FLOPS_PER_SAMPLE = 2e6
FOLDER = Path("build/bench")
# (engine, batch, seeds), by the number of cores.
CASES = {
    1: [
        *((engine, batch, 1) for batch in (8, 64) for engine in ("fused of 0.1", "fused", "native")),
        *(("native", batch, 5) for batch in (8, 64)),
    ],
    2: [("native", batch, seeds) for batch in (8, 64) for seeds in (1, 5)],
}


def build_steps(engine: str, batch: int, seeds: int) -> Callable[[], Any]:
    """STEPS steps of `seeds` students, put on devices as the trainer puts them."""
    import jax
    import jax.numpy as jnp
    from jax.sharding import PartitionSpec as P

    from student_jax.config import CircuitConfig
    from student_jax.devices import STUDENTS, map_students, share_training
    from tests.benchmarks.student_steps import ADAM, build_step, make_arguments

    circuit = CircuitConfig(**CIRCUIT)
    threads = engine == "native"
    mesh = share_training(seeds, batch, threads)
    parameters, labels = make_arguments(circuit, CLASSES, batch)
    parameters = jax.tree.map(lambda array: jnp.repeat(array[None], seeds, axis=0), parameters)
    step, state = build_step(engine, circuit, CLASSES), jax.vmap(ADAM.init)(parameters)

    def run_one(carry: Any) -> Any:
        return jax.lax.scan(lambda carry, _: (step(*carry, labels)[2:], None), carry, None, length=STEPS)[0]

    run = jax.jit(
        jax.shard_map(
            lambda carry: map_students(run_one, carry, batch << circuit.qubits, threads),
            mesh=mesh, in_specs=P(STUDENTS), out_specs=P(STUDENTS), check_vma=False,
        )
    )  # fmt: skip
    return lambda: run((parameters, state))


def measure_floor(rounds: int = 20, turns: int = 100_000) -> float | None:
    """Milliseconds of a batch of 64 at this core's rate; None without a compiler."""
    compiler = shutil.which("c++")
    if compiler is None:
        return None
    library = FOLDER / "rotation_rate.so"
    library.parent.mkdir(parents=True, exist_ok=True)
    source = Path(__file__).with_suffix("").with_name("rotation_rate.cc")
    subprocess.run([compiler, "-O3", "-march=native", "-shared", "-fPIC", source, "-o", library], check=True)
    loop = ctypes.CDLL(str(library.resolve()))
    loop.turn.argtypes, loop.turn.restype = (ctypes.c_long,), ctypes.c_float
    loop.count_flops.restype = ctypes.c_long
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        loop.turn(turns)
        best = min(best, time.perf_counter() - start)
    return 1000 * 64 * FLOPS_PER_SAMPLE * best / (turns * loop.count_flops())


def run_in_turn(rounds: int) -> list[dict[str, Any]]:
    """The rows of one core and of two, each TURNS times in a process of its own, for a machine changes its pace."""
    found: dict[tuple[Any, ...], list[float]] = {}
    for cores in TURNS * [*CASES]:
        command = [sys.executable, "-m", "tests.benchmarks.bench_native", str(cores), "--rounds", str(rounds)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        for row in json.loads(done.stdout):
            case = tuple(row[name] for name in ("engine", "cores", "batch", "seeds"))
            found.setdefault(case, []).extend(row["rounds_ms"])
    return [
        {"engine": engine, "cores": cores, "batch": batch, "seeds": seeds, "ms": statistics.median(ms), "rounds_ms": ms}
        for (engine, cores, batch, seeds), ms in found.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cores", type=int, choices=CASES)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])  # before XLA counts them

    from student_jax.devices import use_cores
    from teacher_cache.errors import UserError
    from tests.benchmarks.timing import describe_times, time_rounds

    use_cores()
    calls = {}
    for case in CASES[options.cores]:
        try:
            calls[case] = build_steps(*case)
        except (UserError, ImportError) as error:
            print(f"{case}: {error}", file=sys.stderr)
    rows = [
        {"engine": engine, "cores": options.cores, "batch": batch, "seeds": seeds, **describe_times(seconds, STEPS)}
        for (engine, batch, seeds), seconds in time_rounds(calls, options.rounds).items()
    ]
    if options.cores == 1 and (floor := measure_floor()):
        rows.append({"engine": "floor", "cores": 1, "batch": 64, "seeds": 1, "ms": floor, "rounds_ms": [floor]})
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
