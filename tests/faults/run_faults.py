"""The fault matrix: every fault, many times, on real captures and real caches.

Run: python -m tests.faults.run_faults [--only NAME ...]
In: nothing.  Out: build/faults.json and the table in docs/reliability.md; exit code 1 where a trial was silent or
failed.  Imports: the groups of faults.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from teacher_cache.publish import publish_file, write_json
from tests.faults import damage, dvc_lock, interruptions, surroundings
from tests.faults.outcomes import OUTCOMES, Row
from tests.faults.subject import Ground, lay_ground

OUTPUT, PAGE = Path("build/faults.json"), Path("docs/reliability.md")
BEGIN, END = "<!-- faults: begin -->\n", "<!-- faults: end -->\n"
# How many trials of each fault are made here, and how many in the tests.
MATRIX: dict[Callable[[Ground, int], Row], tuple[int, int]] = {
    interruptions.kill_captures: (50, 3),
    interruptions.kill_finetunes: (10, 1),
    interruptions.kill_ranks: (4, 1),
    interruptions.race_writers: (10, 1),
    interruptions.spread_over_processes: (2, 1),
    surroundings.fill_disk: (20, 1),
    surroundings.fill_disk_in_finetune: (10, 1),
    surroundings.write_read_only: (10, 1),
    surroundings.remove_inputs: (20, 2),
    damage.flip_bits: (400, 60),
    damage.truncate_parts: (50, 10),
    damage.remove_files: (50, 4),
    damage.swap_parts: (60, 6),
    damage.edit_manifest: (1000, 20),
    damage.forge_manifest: (1000, 20),
    damage.take_foreign_cache: (2, 2),
    damage.damage_staging: (12, 2),
    dvc_lock.cut_lock: (200, 10),
    dvc_lock.kill_dvc: (20, 1),
}


def run_matrix(ground: Ground, names: list[str]) -> dict[str, dict]:
    """The rows of the faults of these names, each published as it comes."""
    rows = {}
    for fault, (trials, _) in MATRIX.items():
        if fault.__name__ in names:
            began = time.monotonic()
            row = fault(ground, trials).to_json() | {"seconds": round(time.monotonic() - began, 1)}
            rows[fault.__name__] = row
            print(
                f"{row['fault']}: {row['not_run'] or row['outcomes']}; {row['detail']}; {row['seconds']} s", flush=True
            )
            for complaint in row["complaints"][:5]:
                print(f"    {complaint}", flush=True)
            publish(rows)
    return rows


def write_table(rows: list[dict]) -> str:
    """The rows as a Markdown table."""
    lines = [f"| fault | trials | {' | '.join(OUTCOMES)} | |", f"|---|{'--:|' * (1 + len(OUTCOMES))}---|"]
    for row in rows:
        counts = " | ".join(str(row["outcomes"][outcome]) for outcome in OUTCOMES)
        detail = f"not run: {row['not_run']}" if row["not_run"] else row["detail"]
        lines.append(f"| {row['fault']} | {row['trials']} | {counts} | {detail} |")
    return "\n".join(lines) + "\n"


def publish(rows: dict[str, dict]) -> None:
    """Write `rows` to OUTPUT, beside those of other faults that are there, and all of them to the page."""
    if OUTPUT.exists():
        rows = json.loads(OUTPUT.read_text(encoding="utf-8"))["rows"] | rows
    rows = {fault.__name__: rows[fault.__name__] for fault in MATRIX if fault.__name__ in rows}
    machine = {"system": platform.system(), "cores": os.cpu_count(), "python": platform.python_version()}
    write_json(OUTPUT, {"machine": machine, "rows": rows})
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    text = f"{before}{BEGIN}{write_table(list(rows.values()))}{END}{rest.partition(END)[2]}"
    with publish_file(PAGE) as temporary:
        temporary.write_text(text, encoding="utf-8")


def main() -> None:
    every = [fault.__name__ for fault in MATRIX]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=every, choices=every, help="these alone; other rows stay")
    with tempfile.TemporaryDirectory() as folder:
        rows = run_matrix(lay_ground(Path(folder) / "ground"), parser.parse_args().only)
    bad = sum(row["outcomes"]["silent"] + row["outcomes"]["failed"] for row in rows.values())
    print(f"{sum(row['trials'] for row in rows.values())} trials, {bad} silent or failed")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
