"""`qdllm repro`: `dvc repro`, with tasks and teachers side by side.

In: params.yaml, dvc.yaml.  Out: repro (a click command).  Imports: dvc; no torch, no jax.
"""

import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import click

from pipeline.lockfile import restore
from pipeline.params import read_active, read_block, read_comparators
from pipeline.team.dvc_processes import run_chains, run_dvc
from pipeline.team.protected import require_runnable
from student_jax.free_memory import find_free_memory

# What each is for, in the order in which they run. Whatever else is in dvc.yaml runs at the end.
TASK_STAGES = ("prepare", "embed")
PAIR_STAGES = ("base", "finetune", "cache_teacher", "train_student", "evaluate")
# A stage of small models takes 1.0 GB at most.
MEMORY_OF_A_JOB = 3 * 2**29
# Of these kinds several run at once; an LLM takes the memory, or the card, of a whole machine.
SMALL = {"local", "file"}
CARD = Path("/proc/driver/nvidia/version")


@click.command()
@click.option(
    "--jobs",
    type=click.IntRange(1),
    help="Tasks or teachers side by side. By default as many as cores, as the memory takes and as there are; one where "
    "there is an NVIDIA card or a teacher is an LLM.",
)
def repro(jobs: int | None) -> None:
    """Run what has changed, as `dvc repro` does, but several tasks and teachers at once."""
    if restored := restore():
        click.echo(restored, err=True)
    require_runnable()
    tasks, teachers = read_active()
    jobs = count_jobs(teachers) if jobs is None else jobs
    rounds = list_chains(tasks, teachers, list_changed() if jobs > 1 else set())
    if any(len(one) > 1 for one in rounds):
        run_dvc("repro", "inputs")
        for one in rounds:
            run_chains(one, jobs)
    run_dvc("repro")


def list_chains(tasks: list[str], teachers: list[str], changed: set[str]) -> list[dict[str, list[str]]]:
    """Of the tasks and then of the pairs: by name the stages of each that have changed, where it has any."""
    # A task's second teacher comes late: what no teacher has a say in is learned by then.
    pairs = [f"{task}-{teacher}" for teacher, task in product(teachers, tasks)]
    rounds = [
        {task: [f"{stage}@{task}" for stage in TASK_STAGES] for task in tasks},
        {pair: list(list_stages(pair)) for pair in pairs},
    ]
    return [
        {name: own for name, chain in one.items() if (own := [stage for stage in chain if stage in changed])}
        for one in rounds
    ]


def list_changed() -> set[str]:
    """The stages that would run, by DVC's names."""
    from pipeline.team.dvc_project import list_steps, open_repo

    with open_repo() as repo:
        return {step.name for step in list_steps(repo, allow_missing=False) if step.reasons}


def count_jobs(teachers: list[str]) -> int:
    """How many stages may run at once here."""
    kinds = {read_block(f"teacher.{name}.base", dict)["kind"] for name in teachers}
    if CARD.exists() or not kinds <= SMALL:
        return 1
    return max(1, min(len(os.sched_getaffinity(0)), find_free_memory() // MEMORY_OF_A_JOB))


def list_stages(pair: str) -> Iterator[str]:
    """The stages of a task and teacher, by DVC's names."""
    for stage in PAIR_STAGES:
        yield f"{stage}@{pair}"
    for comparator, stage in read_comparators().items():
        yield f"{stage}@{pair}-{comparator}"
