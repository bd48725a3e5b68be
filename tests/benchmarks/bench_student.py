"""How long a training step of the student takes, in our engines and in others.

Run: python -m tests.benchmarks.bench_student [--rounds 7] [--batches 8 64] [--skip NAME ...]
In: nothing.  Out: build/bench/student.json and the same as tables.  Imports: jax; the peers that are installed.
Steps are jitted; every peer's loss and gradient are compared with ours before the clock starts.  Rounds alternate
between the peers; medians of wall time, and every round's time in the file.
"""

import argparse
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
import numpy as np

from student_jax.config import CircuitConfig
from teacher_cache.errors import UserError
from tests.benchmarks.bench_native import run_in_turn
from tests.benchmarks.peers_host import HOST_PEERS
from tests.benchmarks.peers_student import PEERS
from tests.benchmarks.student_steps import ADAM, bare_products, build_step, inference, make_arguments, scan_steps
from tests.benchmarks.student_targets import judge, judge_cores, judge_scaling
from tests.benchmarks.timing import describe_machine, describe_times, read_commit, time_rounds

COMMAND = "python -m tests.benchmarks.bench_student"
OUTPUT = Path("build/bench/student.json")
CASES = [  # readout, layers, classes
    ("linear", 4, 4),
    ("first", 3, 2),
]
# Light cones are for a readout that has one, forms of the whole circuit's gates for one that has none. PennyLane's
# second form, which differs from its first by 3 %, takes a minute to compile, and is measured once.
LEFT_OUT = {
    "linear": {"tensorcircuit-ng light cone"},
    "first": {"tensorcircuit-ng diagonal", "tensorcircuit-ng merged", "default.qubit vmap"},
}


def compare(circuit: CircuitConfig, classes: int, batch: int, rounds: int, skip: set[str]) -> list[dict[str, Any]]:
    """One row per peer: what it took to compile, the times of a step, and how many times ours that is."""
    parameters, labels = make_arguments(circuit, classes, batch)
    arguments = (parameters, ADAM.init(parameters), labels)
    calls, rows, expected = {}, {}, None
    for name in PEERS:
        row: dict[str, Any] = {"engine": name, "readout": circuit.readout, "layers": circuit.layers, "batch": batch}
        rows[name] = row
        if name in skip | LEFT_OUT[circuit.readout]:
            row["note"] = "skipped"
            continue
        start = time.perf_counter()
        try:
            step = build_step(name, circuit, classes)
        except ImportError as error:
            row["note"] = f"missing: {error.name}"
            continue
        except UserError as error:
            row["note"] = str(error)
            continue
        if name not in HOST_PEERS:
            step = jax.jit(step).lower(*arguments).compile()
            row["temporary_mib"] = round(step.memory_analysis().temp_size_in_bytes / 2**20, 2)
        result = jax.block_until_ready(step(*arguments))[:2]
        row["first_step_seconds"] = round(time.perf_counter() - start, 2)
        expected = result if expected is None else expected
        row["largest_difference"] = require_equal(name, result, expected)
        calls[name] = lambda step=step: step(*arguments)
        print(f"  {name}: checked, {row['first_step_seconds']} s to compile and run", flush=True)
    for name, seconds in time_rounds(calls, rounds).items():
        rows[name] |= describe_times(seconds)
        rows[name]["times_fused"] = rows[name]["ms"] / rows["fused"]["ms"]
        print(f"  {name}: {rows[name]['ms']:.3f} ms, {rows[name]['times_fused']:.1f} times ours", flush=True)
    return list(rows.values())


def require_equal(name: str, result: Any, expected: Any) -> float:
    """The largest difference of loss and gradients from ours, which is at most 1e-5."""
    worst = 0.0
    for a, b in zip(jax.tree.leaves(result), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5, err_msg=name)
        worst = max(worst, float(np.abs(np.asarray(a) - np.asarray(b)).max()))
    return worst


def measure_scaling(rounds: int) -> list[dict[str, Any]]:
    """Ours alone, as the trainer runs it: qubits, layers, seeds; the bare matrix products; inference.

    XLA runs what is inside of a scan on one core, and a call outside of it on all: the products are timed both ways.
    """
    paper, first = CircuitConfig(rotations="tied"), CircuitConfig(readout="first", layers=3, rotations="tied")
    calls, units = {}, {}
    for batch in (8, 64):
        name = f"batch {batch}, matrix products alone, no scan"
        calls[name], units[name] = bare_products(paper, batch, steps=1), 1
        calls[f"batch {batch}, first, 3 layers"] = scan_steps(first, 2, batch)
        calls[f"batch {batch}, one seed"] = scan_steps(paper, 4, batch)
        calls[f"batch {batch}, five seeds"] = scan_steps(paper, 4, batch, seeds=5)
        calls[f"batch {batch}, matrix products alone"] = bare_products(paper, batch)
    for layers in (1, 2, 8, 12):
        calls[f"batch 8, {layers} layers"] = scan_steps(CircuitConfig(layers=layers, rotations="tied"), 4, 8)
    for qubits in (8, 14, 17, 20):
        steps = 10 if qubits < 14 else 1
        name = f"batch 8, {qubits} qubits"
        calls[name], units[name] = scan_steps(CircuitConfig(qubits=qubits, rotations="tied"), 4, 8, steps=steps), steps
    calls["inference, batch 1024"], units["inference, batch 1024"] = inference(paper, 4, 1024), 1
    times = time_rounds(calls, rounds)
    return [{"case": name, **describe_times(seconds, units.get(name, 10))} for name, seconds in times.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batches", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--skip", nargs="*", default=[], choices=list(PEERS)[1:])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for readout, layers, classes in CASES:
        for batch in options.batches:
            print(f"{readout}, {layers} layers, batch {batch}", flush=True)
            circuit = CircuitConfig(readout=readout, layers=layers, rotations="tied")
            rows += compare(circuit, classes, batch, options.rounds, set(options.skip))
    scaling = measure_scaling(options.rounds)
    # Only now: two processes that take all cores would slow each other down.
    cores = run_in_turn(options.rounds)
    targets = judge(rows) + judge_scaling(rows, scaling) + judge_cores(cores)
    origin = {"command": COMMAND, "commit": read_commit(), "date": datetime.now(UTC).date().isoformat()}
    found = {"rows": rows, "scaling": scaling, "cores": cores, "targets": targets}
    report = {**origin, "machine": describe_machine(), **found}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(
        f"\n{'engine':<28} {'readout':<7} {'p':>2} {'batch':>5} {'ms/step':>9} {'x fused':>8} {'first s':>8} {'MiB':>7}"
    )
    for row in rows:
        head = f"{row['engine']:<28} {row['readout']:<7} {row['layers']:>2} {row['batch']:>5}"
        if "ms" not in row:
            print(head, row["note"])
            continue
        memory = row.get("temporary_mib", "")
        print(f"{head} {row['ms']:9.3f} {row['times_fused']:8.1f} {row['first_step_seconds']:8.1f} {memory:>7}")
    print("\n" + "\n".join(f"{row['case']:<42} {row['ms']:9.3f} ms" for row in scaling))
    print()
    for row in cores:
        print(
            f"{row['engine']:<12} {row['cores']} cores, batch {row['batch']}, {row['seeds']} seeds {row['ms']:9.3f} ms"
        )
    print("\n" + "\n".join(targets))


if __name__ == "__main__":
    main()
