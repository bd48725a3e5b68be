"""`qdllm plan`: what `dvc repro` would run, why, and how long that took before.

In: dvc.yaml, dvc.lock, params.yaml, records/.  Out: plan (a click command).  Imports: dvc; no torch, no jax.
"""

import json
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:  # DVC takes half a second to import
    from pipeline.team.dvc_project import Step

# More reasons than this say no more than the first ones do.
SHOWN = 3


@click.command()
@click.option("--allow-missing", is_flag=True, help="As `qdllm student` runs: what is not here counts as unchanged.")
@click.option("--records", type=click.Path(path_type=Path), default=Path("records"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a stage's name, reasons, whether cached, seconds.")
def plan(allow_missing: bool, records: Path, as_json: bool) -> None:
    """Say which stages would run and why, what is cached, and the time it took in earlier runs."""
    from pipeline.lockfile import restore
    from pipeline.team.dvc_project import list_steps, open_repo
    from pipeline.team.protected import require_runnable

    if restored := restore():
        click.echo(restored, err=True)
    require_runnable()
    with open_repo() as repo:
        steps = list_steps(repo, allow_missing)
    seconds = read_seconds(records)
    pending = [step for step in steps if step.reasons]
    if as_json:
        found = [
            {"stage": s.name, "reasons": s.reasons, "cached": s.cached, "seconds": expect_seconds(s, seconds)}
            for s in pending
        ]
        click.echo(json.dumps(found))
        return
    for step in pending:
        expected = "cached" if step.cached else format_seconds(expect_seconds(step, seconds))
        more = f"; {len(step.reasons) - SHOWN} more" if len(step.reasons) > SHOWN else ""
        click.echo(f"{step.name}  {expected}\n    {'; '.join(step.reasons[:SHOWN])}{more}")
    times = [None if step.cached else expect_seconds(step, seconds) for step in pending]
    known = [time for time in times if time is not None]
    unknown = len(pending) - len(known) - sum(step.cached for step in pending)
    click.echo(
        f"{len(pending)} of {len(steps)} stages would run or be fetched from the run-cache"
        + (f", in {format_seconds(sum(known))} going by earlier runs" if known else "")
        + (f", {unknown} without an earlier run" if unknown else "")
    )


def read_seconds(records: Path) -> dict[tuple[str, str], float]:
    """Seconds of each earlier run by stage and task, or task-teacher."""
    found = {}
    for path in sorted(records.rglob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        names = [record[key] for key in ("task", "teacher") if key in record]
        found[record["stage"], "-".join(names)] = float(record["seconds"])
    return found


def expect_seconds(step: "Step", seconds: dict[tuple[str, str], float]) -> float | None:
    """What this stage took before or, failing that, what it took for others (their median)."""
    if (own := seconds.get((step.kind, step.pair))) is not None:
        return own
    others = [value for (kind, _), value in seconds.items() if kind == step.kind]
    return median(others) if others else None


def format_seconds(seconds: float | None) -> str:
    """Such as 42 s or 3.5 min; a question mark for the unknown."""
    if seconds is None:
        return "?"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
