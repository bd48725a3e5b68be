"""Stage inputs: what lies outside of the checkout, and the code -> their checksums, in a file for every reader.

Run as dvc.yaml does: python -m pipeline.stages.inputs --inputs FOLDER [--versions FILE]
It runs first and every time; where nothing has changed, it changes nothing, and nothing after it runs. What is wrong
with params.yaml, or with what lies where DVC would remove it, is said here, before anything is made or removed.
"""

from pathlib import Path

import click

from pipeline.entry import PATH, require, run
from pipeline.params import PARAMS, read_yaml
from pipeline.team.protected import require_runnable
from pipeline.team.traced import compare_code
from pipeline.team.watched import compare
from teacher_cache.publish import write_json
from teacher_cache.versions import copy_versions


@click.command()
@require("inputs", kind=PATH)
@click.option("--versions", type=PATH, help="Where the installed package's numbers go, in a project of `qdllm init`.")
def main(inputs: Path, versions: Path | None) -> None:
    """Note the checksums of all that the active tasks and teachers are read from, and of the student's code."""
    require_runnable()
    if versions is not None:
        copy_versions(versions)
    for file, (before, now) in {**compare(read_yaml(PARAMS), inputs), **compare_code(inputs)}.items():
        if before != now or not (inputs / file).exists():
            write_json(inputs / file, now)


if __name__ == "__main__":
    run(main, "inputs")
