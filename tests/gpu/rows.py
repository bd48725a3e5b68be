"""What a part of the measurement on a GPU has found so far, on disk after every row; and the time it has left.

In: a file, seconds.  Out: Rows, parse_part().  Imports: the standard library.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any


class Rows:
    """Rows of one part; a part that is killed keeps those that it had added."""

    def __init__(self, path: Path, seconds: float) -> None:
        self.path, self.end, self.rows = path, time.monotonic() + seconds, []
        path.parent.mkdir(parents=True, exist_ok=True)

    def add(self, case: str, **values: Any) -> None:
        """Write a row and print it."""
        self.rows.append({"case": case, **values})
        self.path.write_text(json.dumps(self.rows, indent=1) + "\n", encoding="utf-8")
        print(f"  {case}: " + ", ".join(f"{name} {_short(value)}" for name, value in values.items()), flush=True)

    def has_time(self, case: str, seconds: float = 0) -> bool:
        """Whether `seconds` are left; says so in a row where they are not."""
        left = self.end - time.monotonic()
        if left > seconds:
            return True
        self.add(case, skipped=f"needs some {seconds:.0f} s, and {max(left, 0):.0f} s were left")
        return False


def parse_part(doc: str) -> argparse.Namespace:
    """The options of a part: --output FILE --seconds N [--tiny] [names ...]."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--tiny", action="store_true", help="sizes for a CPU: shows that it runs, measures nothing")
    return parser.parse_args()


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
