"""What was aimed at before it was written, and whether a run meets it.

In: rows of bench_student and bench_native.  Out: judge(), judge_scaling(), judge_cores().
Imports: the standard library.
"""

from typing import Any

TARGETS = [  # readout, peer (the best of those whose name begins so), times
    ("linear", "mindquantum", 20),
    ("linear", "lightning.qubit", 100),
    ("linear", "default.qubit", 10),
    ("linear", "tensorcircuit-ng", 2),
    ("first", "mindquantum", 500),
]


def judge(rows: list[dict[str, Any]]) -> list[str]:
    """A line per target and batch: met or missed, and by what."""
    times = {(row["engine"], row["batch"]): row["ms"] for row in rows if row["readout"] == "linear" and "ms" in row}
    lines = []
    rivals = [ms for (engine, batch), ms in times.items() if engine.startswith("tensorcircuit-ng") and batch == 64]
    if rivals and ("native", 64) in times:
        ratio = min(rivals) / times["native", 64]
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
            row["ms"] for row in rows if (row["engine"], row["readout"], row["batch"]) == ("fused", "linear", batch)
        )
        for what, over, under, limit in (
            ("five seeds / one", f"batch {batch}, five seeds", f"batch {batch}, one seed", 3),
            ("called step / its products", "called", f"batch {batch}, matrix products alone, no scan", 2.5),
            ("scanned step / its products", f"batch {batch}, one seed", f"batch {batch}, matrix products alone", 2.5),
        ):
            ratio = times[over] / times[under]
            lines.append(f"batch {batch}: {what} at most {limit}: {ratio:.1f}: {'met' if ratio <= limit else 'MISSED'}")
    return lines


def judge_cores(rows: list[dict[str, Any]]) -> list[str]:
    """A line per target: met or missed, and by what."""
    times = {(row["engine"], row["cores"], row["batch"], row["seeds"]): row["ms"] for row in rows}
    lines = []
    for what, over, under, limit, least in (
        ("one core, batch 64: fused of 0.1 / native", ("fused of 0.1", 1, 64, 1), ("native", 1, 64, 1), 3, True),
        ("one core, batch 8: fused of 0.1 / native", ("fused of 0.1", 1, 8, 1), ("native", 1, 8, 1), 2, True),
        ("batch 64: fused on one core / native on two", ("fused", 1, 64, 1), ("native", 2, 64, 1), 5, True),
        ("one core, batch 64: native / floor", ("native", 1, 64, 1), ("floor", 1, 64, 1), 2, False),
        ("batch 64: five seeds on two cores / one on one", ("native", 2, 64, 5), ("native", 1, 64, 1), 3, False),
        ("batch 8: five seeds on two cores / one on one", ("native", 2, 8, 5), ("native", 1, 8, 1), 3, False),
    ):
        if over not in times or under not in times:
            lines.append(f"{what}: not measured")
            continue
        ratio = times[over] / times[under]
        met = ratio >= limit if least else ratio <= limit
        lines.append(f"{what} at {'least' if least else 'most'} {limit}: {ratio:.1f}: {'met' if met else 'MISSED'}")
    return lines
