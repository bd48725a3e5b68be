"""The record of speed in docs/: every figure with its command, commit and machine, the record of version 0.1 beside it.

Run: python -m tests.benchmarks.record_speed; `make bench` does, behind bench_student.
In: build/bench/student.json.  Out: docs/speed.md, docs/measured/student.json, which has every round's time.
Imports: the standard library.
"""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.benchmarks.bench_student import OUTPUT

PAGE, KEPT = Path("docs/speed.md"), Path("docs/measured/student.json")
# Milliseconds a step as version 0.1 published them: of commit c2a032c, two-core Xeon, Python 3.11, JAX 0.10.2.
PUBLISHED = {
    ("linear", "fused"): (1.8, 7.7),
    ("linear", "tensorcircuit-ng"): (6.0, 23),
    ("linear", "default.qubit broadcast"): (32, 170),
    ("linear", "default.qubit vmap"): (33, 176),
    ("linear", "mindquantum"): (63, 474),
    ("linear", "lightning.qubit"): (238, 1683),
    ("first", "fused"): (0.37, 0.44),
    ("first", "tensorcircuit-ng light cone"): (1.5, 5.2),
    ("first", "tensorcircuit-ng"): (4.5, 19),
    ("first", "default.qubit broadcast"): (32, 169),
    ("first", "default.qubit vmap"): (31, 174),
    ("first", "mindquantum"): (22, 136),
    ("first", "lightning.qubit"): (246, 1701),
}
BATCHES = (8, 64)
HEAD = """# How fast a step is

Written by `python -m tests.benchmarks.record_speed`, which `make bench` calls, out of
[measured/student.json](measured/student.json), which has every round: medians of rounds in which the engines take
turns. A step is loss, gradient of z and all angles, and Adam; 11 qubits, float32 and complex64, but for Qulacs, which
has complex128 alone. Before the clock starts every loss and gradient is compared with `fused`. *Published* is what
version 0.1 wrote down of its commit `c2a032c`; `fused of 0.1` is that commit, run again in the same rounds.
"""


def write_table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of Markdown."""
    columns = list(head)
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def show(ms: float | None) -> str:
    """Three digits; a dash for what was not measured."""
    return "-" if ms is None else f"{ms:,.0f}" if ms >= 100 else f"{ms:.3g}"


def compare_engines(rows: list[dict[str, Any]], readout: str) -> str:
    """A line per engine: milliseconds, times `native`, and what was published."""
    found = {(row["engine"], row["batch"]): row for row in rows if row["readout"] == readout}
    lines = []
    for engine in dict.fromkeys(engine for engine, _ in found):
        line = [f"`{engine}`"]
        for number, batch in enumerate(BATCHES):
            ms, native = (found.get((name, batch), {}).get("ms") for name in (engine, "native"))
            published = PUBLISHED.get((readout, engine))
            times = ms / native if ms and native else None
            line += [show(ms), show(times), show(published[number] if published else None)]
        if found[engine, BATCHES[0]].get("note") != "skipped":
            lines.append(line)
    head = [f"batch {batch}: {what}" for batch in BATCHES for what in ("ms", "times `native`", "published ms")]
    return write_table(["engine", *head], lines)


def write_page(report: dict[str, Any]) -> str:
    """The whole page."""
    machine = report["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    cores = [
        [f"`{row['engine']}`", str(row["cores"]), str(row["batch"]), str(row["seeds"]), show(row["ms"])]
        for row in report["cores"]
    ]
    return "\n".join(
        (
            HEAD,
            f"`{report['command']}`, commit `{report['commit']}`, {report['date']}; {machine['cores']} cores of "
            f"{machine['cpu']}, Python {machine['python']}; {versions}.\n",
            "## Readout `linear`, four layers, four classes\n",
            compare_engines(report["rows"], "linear"),
            "## Readout `first`, three layers, two classes\n",
            compare_engines(report["rows"], "first"),
            "## In the trainer's scan, four layers, by cores\n",
            "The floor is 2 MFLOP a text at the rate of a loop in registers.\n",
            write_table(["engine", "cores", "batch", "seeds", "ms a step"], cores),
            "## `fused` and its matrix products, by batch, layers and qubits\n",
            write_table(["case", "ms"], [[row["case"], show(row["ms"])] for row in report["scaling"]]),
            "## Targets\n",
            *(f"- {line}" for line in report["targets"]),
        )
    )


def main() -> None:
    KEPT.parent.mkdir(exist_ok=True)
    shutil.copyfile(OUTPUT, KEPT)
    PAGE.write_text(write_page(json.loads(OUTPUT.read_text())) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
