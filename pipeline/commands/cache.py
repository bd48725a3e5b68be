"""`qdllm cache`: inspect, verify, compare and import teacher caches.

In: cache folders.  Out: cache (a click group).  Imports: no jax; torch only where rows are computed again.
"""

import json
from pathlib import Path
from typing import Any

import click

from pipeline.commands.cache_import import import_cache
from pipeline.corpus.prepared import read_examples
from teacher_cache.errors import UserError
from teacher_cache.manifest import read_manifest
from teacher_cache.verify import diff_caches, inspect_cache, verify_cache

FOLDER = click.Path(path_type=Path)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def cache() -> None:
    """Inspect, verify, compare and import teacher caches."""


cache.add_command(import_cache)


@cache.command()
@click.argument("path", type=FOLDER)
@AS_JSON
@click.option("--png", type=FOLDER, help="Draw confidence and reliability into this file.")
def inspect(path: Path, as_json: bool, png: Path | None) -> None:
    """Say what the cache at PATH is: identity, quality, confidence."""
    found = inspect_cache(path)
    if png is not None:
        from pipeline.commands.cache_figure import draw_cache

        draw_cache(path, png)
    if as_json:
        click.echo(json.dumps(found))
        return
    shown = ("task", "teacher", "labels", "rows", "pool_rows", "left_out", "bytes_per_row", "fingerprint")
    counted = {**found, "left_out": len(found["left_out"])}
    _print_fields({name: counted[name] for name in shown})
    _print_fields(found["identity"], "identity.")
    _print_fields(found["quality"])
    click.echo("confidence (rows by the probability of the predicted class)")
    edges, rows = found["confidence"]["edges"], found["confidence"]["rows"]
    for low, high, count in zip(edges, edges[1:], rows, strict=False):
        if count:
            click.echo(f"  {low:.2f} to {high:.2f} {count:>8}  {'#' * max(1, round(40 * count / max(rows)))}")


@cache.command()
@click.argument("path", type=FOLDER)
@click.option(
    "--data", type=FOLDER, help="The task's folder data/{task}: check that the cache belongs to its examples."
)
@click.option("--spot-check", type=click.IntRange(min=1), help="Compute this many rows again; needs torch.")
@click.option("--base", type=FOLDER, help="The teacher's folder models/base/{task}/{teacher}, for --spot-check.")
@click.option("--adapter", type=FOLDER, help="Its folder models/teacher/{task}/{teacher}, for --spot-check.")
@AS_JSON
def verify(
    path: Path, data: Path | None, spot_check: int | None, base: Path | None, adapter: Path | None, as_json: bool
) -> None:
    """Check every checksum and invariant of the cache at PATH."""
    if spot_check is not None:
        require_computed(path)
    examples = None if data is None else read_examples(data)
    checked = verify_cache(path, examples)
    if spot_check is not None:
        if examples is None or base is None or adapter is None:
            raise click.UsageError("--spot-check needs --data, --base and --adapter")
        from teacher_cache.teacher.capture.gate import spot_check_cache

        checked["spot_check"] = spot_check_cache(path, examples, base, adapter, spot_check)
    if as_json:
        click.echo(json.dumps(checked))
    else:
        _print_fields(checked)


@cache.command()
@click.argument("first", type=FOLDER)
@click.argument("second", type=FOLDER)
@AS_JSON
def diff(first: Path, second: Path, as_json: bool) -> None:
    """Say where two caches differ: identity, agreement, KL, the most different examples."""
    found = diff_caches(first, second)
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, (one, other) in found["identity"].items():
        click.echo(f"{name}: {one} | {other}")
    _print_fields({name: value for name, value in found.items() if name not in {"identity", "most_different"}})
    for row in found["most_different"]:
        sides = (" ".join(f"{value:.3f}" for value in row[side]) for side in ("first", "second"))
        click.echo(f"  {row['example_id']}  KL {row['kl']:.4f}  {' | '.join(sides)}")


def require_computed(path: Path) -> None:
    """Refuse to compute again what nobody has computed here.

    Raises:
        UserError: the cache at `path` holds the answers of a file.
    """
    if read_manifest(path).identity.get("base", {}).get("kind") == "file":
        raise UserError(
            f"{path} holds a file's answers, which no model here can give again: leave out --spot-check; everything "
            "else is checked"
        )


def _print_fields(fields: dict[str, Any], prefix: str = "") -> None:
    for name, value in fields.items():
        if isinstance(value, dict):
            _print_fields(value, f"{prefix}{name}.")
        else:
            shown = f"{value:.4g}" if isinstance(value, float) else value
            click.echo(f"{prefix}{name}: {', '.join(shown) if isinstance(shown, list | tuple) else shown}")
