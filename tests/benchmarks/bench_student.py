"""How long a training step of the student takes, in our engine and in others.

Run: python -m tests.benchmarks.bench_student [--rounds 7] [--batches 8 64] [--skip NAME ...]
In: nothing.  Out: build/bench/student.json and the same as tables.  Imports: jax, optax; the peers that are installed.
A step is loss, gradient (of z and all angles, equal rotations summed) and Adam, jitted; every peer's loss and gradient
are compared with ours before the clock starts.  Rounds alternate between the peers; medians of wall time.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from student_jax.circuit.gates import angle_shapes
from student_jax.circuit.layers import Angles
from student_jax.circuit.notation import measured_wires
from student_jax.config import CircuitConfig
from student_jax.devices import map_students
from student_jax.engines import build_engine
from student_jax.engines.fused_matrices import group_sizes
from teacher_cache.errors import UserError
from tests.benchmarks.bench_native import judge_cores, run_on
from tests.benchmarks.peers_student import PEERS

OUTPUT = Path("build/bench/student.json")
ADAM = optax.adam(1e-3)
CASES = [  # readout, layers, classes
    ("linear", 4, 4),
    ("first", 3, 2),
]
TARGETS = [  # readout, peer (the best of those whose name begins so), times
    ("linear", "mindquantum", 20),
    ("linear", "lightning.qubit", 100),
    ("linear", "default.qubit", 10),
    ("linear", "tensorcircuit-ng", 2),
    ("first", "mindquantum", 500),
]


def make_arguments(circuit: CircuitConfig, classes: int, batch: int) -> tuple[Any, Any, Any]:
    """Parameters (z, tied angles, readout weights) and one-hot labels, all random."""
    random = np.random.default_rng(0)
    outputs = len(measured_wires(circuit, classes))

    def draw(*shape: int) -> Any:
        return jnp.asarray(random.normal(size=shape) / 2, jnp.float32)

    angles = Angles(*(draw(*shape) for shape in angle_shapes(circuit).values()))
    return (draw(batch, circuit.qubits), angles, draw(outputs, classes)), jnp.eye(classes)[
        random.integers(classes, size=batch)
    ]


def cross_entropy(values: Any, weights: Any, labels: Any) -> Any:
    scores = jnp.matmul(values, weights, precision="highest")  # a GPU would round the factors to ten bits
    return -jnp.mean(jnp.sum(labels * jax.nn.log_softmax(scores), axis=1))


def build_step(name: str, circuit: CircuitConfig, classes: int) -> Callable[..., Any]:
    """The function parameters, Adam's state, labels -> loss, gradients, new parameters and state."""
    run = PEERS[name](circuit, classes)

    def loss(parameters: Any, labels: Any) -> Any:
        z, angles, weights = parameters
        return cross_entropy(run(z, angles), weights, labels)

    def update(parameters: Any, state: Any, gradients: Any) -> Any:
        steps, state = ADAM.update(gradients, state)
        return optax.apply_updates(parameters, steps), state

    if name != "mindquantum":

        def step(parameters: Any, state: Any, labels: Any) -> Any:
            value, gradients = jax.value_and_grad(loss)(parameters, labels)
            return value, gradients, *update(parameters, state, gradients)

        return step
    pull = jax.jit(jax.value_and_grad(cross_entropy, argnums=(0, 1)))
    update = jax.jit(update)

    def host_step(parameters: Any, state: Any, labels: Any) -> Any:
        z, angles, weights = parameters
        kept: list[Any] = []

        def cotangents(values: Any) -> Any:
            value, (d_values, d_weights) = pull(values, weights, labels)
            kept.append(d_weights)
            return value, d_values

        value, dz, flat = run(z, angles, cotangents)
        n, pairs = circuit.qubits, angles.rzz.shape[1]
        ry, rzz, rz = np.split(np.asarray(flat, np.float32), [n, n + pairs], axis=1)
        gradients = (jnp.asarray(dz, jnp.float32), Angles(ry[..., None], rzz, rz[..., None]), kept[0])
        return value, gradients, *update(parameters, state, gradients)

    return host_step


def compare(circuit: CircuitConfig, classes: int, batch: int, rounds: int, skip: set[str]) -> list[dict[str, Any]]:
    """One row per peer: compile time, median time of a step, and how many times ours that is."""
    parameters, labels = make_arguments(circuit, classes, batch)
    arguments = (parameters, ADAM.init(parameters), labels)
    steps, rows, expected = {}, {}, None
    for name in PEERS:
        row: dict[str, Any] = {"engine": name, "readout": circuit.readout, "layers": circuit.layers, "batch": batch}
        rows[name] = row
        if name in skip or (name.endswith("light cone") and circuit.readout == "linear"):
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
        if name != "mindquantum":
            step = jax.jit(step).lower(*arguments).compile()
            row["temporary_mib"] = round(step.memory_analysis().temp_size_in_bytes / 2**20, 2)
        result = jax.block_until_ready(step(*arguments))[:2]
        row["first_step_seconds"] = round(time.perf_counter() - start, 2)
        expected = result if expected is None else expected
        for a, b in zip(jax.tree.leaves(result), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-5, err_msg=name)
        steps[name] = lambda step=step: step(*arguments)
        print(f"  {name}: checked, {row['first_step_seconds']} s to compile and run", flush=True)
    medians = measure(steps, rounds)
    for name, seconds in medians.items():
        rows[name] |= {"ms_per_step": 1000 * seconds, "times_fused": seconds / medians["fused"]}
        print(f"  {name}: {1000 * seconds:.3f} ms, {seconds / medians['fused']:.1f} times ours", flush=True)
    return list(rows.values())


def measure(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median seconds of a call; every round runs each for at least 50 ms, in turn."""
    repeats, times = {}, {name: [] for name in calls}
    for name, call in calls.items():
        jax.block_until_ready(call())
        start = time.perf_counter()
        jax.block_until_ready(call())
        repeats[name] = max(1, min(500, int(0.05 / (time.perf_counter() - start))))
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                result = call()
            jax.block_until_ready(result)
            times[name].append((time.perf_counter() - start) / repeats[name])
    return {name: float(np.median(values)) for name, values in times.items()}


def scan_steps(circuit: CircuitConfig, classes: int, batch: int, seeds: int = 1, steps: int = 10) -> Callable[[], Any]:
    """As the trainer runs them on one device: steps in one lax.scan, seeds as map_students puts them."""
    parameters, labels = make_arguments(circuit, classes, batch)
    parameters = jax.tree.map(lambda a: jnp.repeat(a[None], seeds, axis=0), parameters)
    step = build_step("fused", circuit, classes)
    state = jax.vmap(ADAM.init)(parameters)

    def run_one(carry: Any) -> Any:
        return jax.lax.scan(lambda carry, _: (step(*carry, labels)[2:], None), carry, None, length=steps)[0]

    run = jax.jit(lambda carry: map_students(run_one, carry, batch << circuit.qubits))
    return lambda: run((parameters, state))


def bare_products(circuit: CircuitConfig, batch: int, steps: int = 10) -> Callable[[], Any]:
    """The matrix products of `steps` gradient steps alone: per layer and group one forward, two back, one outer."""
    *others, last = group_sizes(circuit.qubits)
    random = np.random.default_rng(0)
    stacks, before = [], 1
    for size in (*others, last):
        width = 2**size * (2 if len(stacks) == len(others) else 1)
        unitary = np.linalg.qr(random.normal(size=(width, width)))[0]
        stacks.append(jnp.asarray(np.broadcast_to(unitary, (before, width, width)), jnp.float32))
        before *= 2**size
    state = jnp.asarray(random.normal(size=(2 ** (circuit.qubits + 1), batch)), jnp.float32)

    def body(carry: Any, _: None) -> tuple[Any, None]:
        state, cotangent, total = carry
        for _ in range(circuit.layers - 1):
            for stack in stacks:
                shape = (*stack.shape[:2], -1)
                ahead = jnp.einsum("bij,bjm->bim", stack, state.reshape(shape))
                back = jnp.einsum("bij,bjm->bim", stack, ahead)
                cotangent = jnp.einsum("bij,bjm->bim", stack, cotangent.reshape(shape))
                total += jnp.einsum("bim,bjm->bij", cotangent, back)[0, 0, 0]
                state, cotangent = back.reshape(state.shape), cotangent.reshape(state.shape)
        return (state, cotangent, total), None

    run = jax.jit(lambda carry: jax.lax.scan(body, carry, None, length=steps)[0])
    return lambda: run((state, state, jnp.zeros(())))


def inference(circuit: CircuitConfig, classes: int, batch: int) -> Callable[[], Any]:
    (z, angles, _), _ = make_arguments(circuit, classes, batch)
    engine = jax.jit(build_engine("fused", circuit, classes, "float32"))
    return lambda: engine(z, angles)


def describe_machine() -> dict[str, Any]:
    packages = ("jax", "pennylane", "pennylane-lightning", "tensorcircuit-ng", "mindquantum", "numpy")
    versions = {}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "missing"
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor()
    return {
        "cpu": model, "cores": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version(),
        "versions": versions,
    }  # fmt: skip


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
    medians = measure(calls, rounds)
    return [{"case": name, "ms": 1000 * value / units.get(name, 10)} for name, value in medians.items()]


def judge(rows: list[dict[str, Any]]) -> list[str]:
    """A line per target and batch: met or missed, and by what."""
    times = {
        (row["engine"], row["batch"]): row["ms_per_step"]
        for row in rows
        if row["readout"] == "linear" and "ms_per_step" in row
    }
    lines = []
    if times.keys() >= {("tensorcircuit-ng", 64), ("native", 64)}:
        ratio = times["tensorcircuit-ng", 64] / times["native", 64]
        verdict = "met" if ratio >= 10 else "MISSED"
        lines.append(f"linear, batch 64: tensorcircuit-ng at least 10 times native: {ratio:.1f}: {verdict}")
    for readout, peer, target in TARGETS:
        for batch in sorted({row["batch"] for row in rows}):
            found = [
                row["times_fused"]
                for row in rows
                if (row["readout"], row["batch"]) == (readout, batch)
                and row["engine"].startswith(peer)
                and "times_fused" in row
            ]
            verdict = (
                "not measured" if not found else f"{min(found):.1f}: {'met' if min(found) >= target else 'MISSED'}"
            )
            lines.append(f"{readout}, batch {batch}: {peer} at least {target} times ours: {verdict}")
    return lines


def judge_scaling(rows: list[dict[str, Any]], scaling: list[dict[str, Any]]) -> list[str]:
    """The same for five seeds at once, and for a step beside its matrix products, on one core and on all."""
    times = {row["case"]: row["ms"] for row in scaling}
    lines = []
    for batch in sorted({row["batch"] for row in rows}):
        times["called"] = next(
            row["ms_per_step"]
            for row in rows
            if (row["engine"], row["readout"], row["batch"]) == ("fused", "linear", batch)
        )
        for what, over, under, limit in (
            ("five seeds / one", f"batch {batch}, five seeds", f"batch {batch}, one seed", 3),
            ("called step / its products", "called", f"batch {batch}, matrix products alone, no scan", 2.5),
            ("scanned step / its products", f"batch {batch}, one seed", f"batch {batch}, matrix products alone", 2.5),
        ):
            ratio = times[over] / times[under]
            lines.append(f"batch {batch}: {what} at most {limit}: {ratio:.1f}: {'met' if ratio <= limit else 'MISSED'}")
    return lines


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
    cores = [row for count in (1, 2) for row in run_on(count, options.rounds)]
    targets = judge(rows) + judge_scaling(rows, scaling) + judge_cores(cores)
    report = {"machine": describe_machine(), "rows": rows, "scaling": scaling, "cores": cores, "targets": targets}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(
        f"\n{'engine':<28} {'readout':<7} {'p':>2} {'batch':>5} {'ms/step':>9} {'x fused':>8} {'first s':>8} {'MiB':>7}"
    )
    for row in rows:
        head = f"{row['engine']:<28} {row['readout']:<7} {row['layers']:>2} {row['batch']:>5}"
        if "ms_per_step" not in row:
            print(head, row["note"])
            continue
        memory = row.get("temporary_mib", "")
        print(
            f"{head} {row['ms_per_step']:9.3f} {row['times_fused']:8.1f} {row['first_step_seconds']:8.1f} {memory:>7}"
        )
    print("\n" + "\n".join(f"{row['case']:<42} {row['ms']:9.3f} ms" for row in scaling))
    print()
    for row in cores:
        print(
            f"{row['engine']:<12} {row['cores']} cores, batch {row['batch']}, {row['seeds']} seeds {row['ms']:9.3f} ms"
        )
    print("\n" + "\n".join(targets))


if __name__ == "__main__":
    main()
