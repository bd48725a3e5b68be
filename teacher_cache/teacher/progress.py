"""Progress of long work: a bar with rate and time left on a terminal, plain periodic lines elsewhere.

In: an iterable.  Out: track().  Imports: tqdm.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

LINE_SECONDS = 10.0
LINE = "{desc} {n_fmt}/{total_fmt} {unit}, {rate_fmt}, {remaining} left"


def track(items: Sequence[Item], label: str, unit: str, enabled: bool = True) -> Iterator[Item]:
    """Yield `items` one by one and tell on stderr how far it is; silent where not `enabled`."""
    if not enabled:
        yield from items
    elif sys.stderr.isatty():
        yield from tqdm(items, desc=label, unit=unit, leave=False)
    else:
        yield from _track_in_lines(items, label, unit)


def _track_in_lines(items: Sequence[Item], label: str, unit: str) -> Iterator[Item]:
    started = last = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= LINE_SECONDS:
            last = now
            line = tqdm.format_meter(done, len(items), now - started, prefix=label, unit=unit, bar_format=LINE)
            print(line, file=sys.stderr, flush=True)
