"""A cache that is damaged, mixed up, edited or another's when it is read; a damaged staging that a run goes on from.

In: the ground, a number of trials.  Out: a Row of each fault.  Imports: the cache's reader.
"""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from teacher_cache.sealed import write_sealed
from teacher_cache.teacher.capture.job import capture
from tests.faults.outcomes import Row, judge
from tests.faults.subject import Ground, find_finished, judge_resumption
from tests.faults.workers import run_worker

MANIFEST = "manifest.json"


def flip_bits(ground: Ground, trials: int) -> Row:
    """One bit of any file of the cache, every bit as likely as the others."""
    row, folder, bits = Row("one flipped bit anywhere in a cache"), _copy(ground), random.Random(6)
    sizes = {name: len(data) for name, data in ground.subject.bytes.items()}
    for _ in range(trials):
        name = bits.choices(list(sizes), list(sizes.values()))[0]
        data = bytearray(ground.subject.bytes[name])
        bit = bits.randrange(8 * len(data))
        data[bit // 8] ^= 1 << bit % 8
        _try(row, ground, folder, {name: bytes(data)}, f"{name}: bit {bit}")
    row.detail = f"{sum(sizes.values()) // 1024} KiB in {len(sizes)} files, the manifest among them"
    return row


def truncate_parts(ground: Ground, trials: int) -> Row:
    """A part that ends anywhere before its end."""
    row, folder, cuts = Row("a truncated part"), _copy(ground), random.Random(7)
    for _ in range(trials):
        name = cuts.choice([name for name in ground.subject.bytes if name != MANIFEST])
        data = ground.subject.bytes[name]
        cut = cuts.randrange(len(data))
        _try(row, ground, folder, {name: data[:cut]}, f"{name}: {cut} bytes")
    row.detail = "any length from 0 to all but one byte"
    return row


def remove_files(ground: Ground, trials: int) -> Row:
    """A file of the cache that is gone."""
    row, folder = Row("a missing part or manifest"), _copy(ground)
    for name in _spread(sorted(ground.subject.bytes), trials):
        (folder / name).unlink()
        row.add(*_require_refusal(judge(lambda: ground.subject.read(folder), None), name))
        (folder / name).write_bytes(ground.subject.bytes[name])
    row.detail = "each file in turn"
    return row


def swap_parts(ground: Ground, trials: int) -> Row:
    """A part, or the manifest, of another teacher's cache of the same examples; or two parts of one cache exchanged."""
    row, folder, draws = Row("a part swapped between two caches, or within one"), _copy(ground), random.Random(8)
    own, foreign = ground.subject.bytes, ground.foreign.bytes
    names = sorted(own)
    for trial in range(trials):
        first, second = draws.sample([name for name in names if name != MANIFEST], 2)
        swaps = ({first: foreign[first]}, {first: own[second], second: own[first]}, {MANIFEST: foreign[MANIFEST]})
        _try(row, ground, folder, swaps[trial % 3], f"{first}, {second}", must_refuse=True)
    row.detail = "in turn a foreign part, two exchanged parts, a foreign manifest"
    return row


def edit_manifest(ground: Ground, trials: int) -> Row:
    """Every value of the manifest changed, one at a time, its seal left as it was."""
    row, folder = Row("an edited manifest"), _copy(ground)
    content = json.loads(ground.subject.bytes[MANIFEST])
    for path, edited in _spread(list(_edit_each(content)), trials):
        _try(row, ground, folder, {MANIFEST: json.dumps(edited).encode()}, path, must_refuse=True)
    row.detail = "every value in turn"
    return row


def forge_manifest(ground: Ground, trials: int) -> Row:
    """The same, sealed anew: whatever still can be read must be the same rows."""
    row, folder = Row("a forged manifest: edited, sealed anew"), _copy(ground)
    content = json.loads(ground.subject.bytes[MANIFEST])
    del content["seal"]
    for path, edited in _spread(list(_edit_each(content)), trials):
        write_sealed(folder / MANIFEST, edited)
        outcome = judge(lambda: ground.subject.read(folder)[:-1], ground.truth[:-1])
        row.add(*(_require_refusal(outcome, path) if path.startswith("identity") else outcome))
    row.detail = "every value in turn; all edits of the identity are refused, others leave the rows as they are"
    return row


def take_foreign_cache(ground: Ground, trials: int) -> Row:
    """Another teacher's whole cache in the place of ours, with or without our teacher's name on it."""
    row, folder = Row("a foreign teacher's cache"), Path(ground.folder / "foreign-cache")
    for trial in range(trials):
        ground.foreign.copy_cache(folder)
        if trial:
            content = json.loads(ground.foreign.bytes[MANIFEST])
            del content["seal"]
            content["teacher"] = ground.subject.request.teacher
            write_sealed(folder / MANIFEST, content)
        row.add(*_require_refusal(judge(lambda: ground.subject.read(folder), None), "foreign"))
        shutil.rmtree(folder)
    row.detail = "as it is, and under our teacher's name"
    return row


def damage_staging(ground: Ground, trials: int) -> Row:
    """A finished part of a staging that is flipped, cut or gone before the next run."""
    row, subject, draws = Row("a damaged part in the staging, then run again"), ground.subject, random.Random(9)
    place = ground.folder / "staging"
    job = (capture, subject.request, place / "work", place / "cache")
    run_worker(*job)
    for trial in range(trials):
        shutil.rmtree(place / "cache")
        part = draws.choice(sorted(place.glob("work/*/parts/*.parquet")))
        data = bytearray(part.read_bytes())
        kept = {name: made for name, made in find_finished(place / "work").items() if name != part.stem}
        part.unlink()  # the published cache shares its file
        if trial % 3 == 0:
            data[draws.randrange(len(data))] ^= 1 << draws.randrange(8)
            part.write_bytes(data)
        elif trial % 3 == 1:
            part.write_bytes(data[: draws.randrange(len(data))])
        row.add(*judge_resumption(subject, place, kept, run_worker(*job)))
    row.detail = "in turn a flipped bit, a cut, a missing file: that part alone is computed again"
    return row


def _copy(ground: Ground) -> Path:
    folder = ground.folder / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    return ground.subject.copy_cache(folder)


def _try(row: Row, ground: Ground, folder: Path, files: dict[str, bytes], what: str, must_refuse: bool = False) -> None:
    """Read `folder` with other `files` in it, count the outcome, and put the files back."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
    outcome = judge(lambda: ground.subject.read(folder), ground.truth)
    row.add(*(_require_refusal(outcome, what) if must_refuse else (outcome[0], f"{what}: {outcome[1]}")))
    for name in files:
        (folder / name).write_bytes(ground.subject.bytes[name])


def _require_refusal(outcome: tuple[Any, str], what: str) -> tuple[Any, str]:
    return ("silent", f"{what} was taken") if outcome[0] == "correct" else (outcome[0], f"{what}: {outcome[1]}")


def _spread(items: list[Any], count: int) -> list[Any]:
    """At most `count` of `items`, evenly spread."""
    return [items[index * len(items) // count] for index in range(count)] if count < len(items) else items


def _edit_each(content: Any) -> Iterator[tuple[str, Any]]:
    """Every leaf of `content` in turn: its dotted path and a copy of `content` in which it is another value."""
    for path, put in _find_leaves(content):
        edited = json.loads(json.dumps(content))
        put(edited)
        yield path, edited


def _find_leaves(content: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[str, Callable[[Any], None]]]:
    pairs = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in list(pairs):
        path = (*prefix, key)
        if isinstance(value, (dict, list)) and value:
            yield from _find_leaves(value, path)
        else:
            yield ".".join(map(str, path)), lambda root, path=path, value=value: _put(root, path, _change(value))


def _put(root: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        root = root[key]
    root[path[-1]] = value


def _change(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value + 0.25
    if isinstance(value, str) and value:
        return ("0" if value[0] != "0" else "1") + value[1:]
    return "edited"
