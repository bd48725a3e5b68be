"""`qdllm cache import`: somebody's file of answers -> a cache folder, beside the pipeline and without it.

In: a table, a task's prepared data or another teacher's cache.  Out: import_cache (a click command).
Imports: no torch, no jax.
"""

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from pipeline.corpus.file_teacher import describe_file_teacher, import_from_ids, import_from_texts
from pipeline.corpus.prepared import read_labels
from pipeline.params import Name, parse
from pipeline.team.protected import find_owner
from teacher_cache.errors import UserError
from teacher_cache.imports.import_config import FileBase
from teacher_cache.manifest import MANIFEST, Manifest, read_manifest

FOLDER = click.Path(path_type=Path)
# What an error calls a key of params.yaml is an option here.
KEY = re.compile(r"\bbase\.(\w+):?")
DEFAULT: Any = FileBase("file", "-")


def offer(name: str, said: str, kind: Any = None) -> Any:
    """The option for the field `name` of FileBase."""
    default = getattr(DEFAULT, name)
    option = f"--{name.replace('_', '-')}"
    return click.option(option, type=kind, default=default, show_default=default is not None, help=said)


@click.command("import")
@click.argument("table", type=click.Path(exists=True, dir_okay=False))
@click.argument("out", type=FOLDER)
@click.option("--data", type=FOLDER, help="The task's folder data/{task}, whose texts are answered.")
@click.option("--like", type=FOLDER, help="In its place, another teacher's cache of the task: joined by example_id.")
@click.option("--teacher", required=True, help="What the teacher is called.")
@offer("made_by", "Who is said to have made the answers.")
@offer("text", "The column of texts.")
@offer("example_id", "The column of ids, 32 hex digits or 16 bytes, in place of texts.")
@offer("numbers", "What is given.", click.Choice(["probabilities", "logits", "log_probabilities", "label"]))
@offer("column", "The column that has all numbers by name, or the label; without it, each class has a column.")
@click.option("--classes", multiple=True, metavar="NAME=CLASS", help="What else a class is called; NAME= is no class.")
@offer("confidence", "The probability of a label.", click.FloatRange(0, 1, min_open=True))
@offer("confidence_column", "The column that has it.")
@offer("missing", "What happens where a text of validation or test has no answer.", click.Choice(["refuse", "drop"]))
@offer("others", "What happens to names that are no class.", click.Choice(["refuse", "drop"]))
@offer("sums", "What happens to sums that are off by more.", click.Choice(["refuse", "renormalise"]))
@offer("tolerance", "How far sums may be off.", click.FloatRange(0, 1, max_open=True))
@offer("sha256", "What the table's SHA-256 must be.")
@offer("encoding", "Of a text file; UTF-8 where it is not named.")
@offer("delimiter", "Of a CSV file; guessed where it is not named.")
@offer("quote", "Of a CSV file, or none; guessed where it is not named.")
@offer("escape", "Of a CSV file.")
@click.option("--rows-per-part", type=click.IntRange(min=1), default=2048, show_default=True)
@click.option("--replace", "again", is_flag=True, help="Replace a cache that is at OUT.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def import_cache(
    table: str,
    out: Path,
    data: Path | None,
    like: Path | None,
    teacher: str,
    classes: tuple[str, ...],
    rows_per_part: int,
    again: bool,
    as_json: bool,
    **said: Any,
) -> None:
    """Make a cache at OUT of the answers in TABLE: Parquet, CSV, TSV, JSON or JSONL.

    In a project, `teacher.NAME.base: {kind: file}` does the same as a part of `dvc repro`; its own folders are refused
    here.
    """
    if (data is None) == (like is None):
        raise click.UsageError("one of --data and --like must be given")
    require_free(out, again)
    name, mapped = parse(teacher, Name, "--teacher", Path(table)), dict(map(split_pair, classes))
    base = parse({"kind": "file", "path": table, "classes": mapped, **said}, FileBase, "base", Path(table))
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f"{out.name}.", dir=out.parent) as work:
        try:
            made = make_cache(base, name, data, like, rows_per_part, Path(work), out)
        except UserError as error:
            raise UserError(KEY.sub(lambda found: f"--{found[1].replace('_', '-')}", str(error))) from None
    shown = {"rows": made.rows, "left_out": len(made.left_out), **made.identity["import"], "quality": made.quality}
    if as_json:
        click.echo(json.dumps({**shown, "fingerprint": made.fingerprint}))
    else:
        accuracy = ", ".join(f"{found['accuracy']:.3f} of {split}" for split, found in made.quality.items())
        click.echo(f"{out} holds {made.rows} answers of {made.teacher} for task {made.task}, right in {accuracy}")


def make_cache(
    base: FileBase, name: str, data: Path | None, like: Path | None, rows_per_part: int, work: Path, out: Path
) -> Manifest:
    """The cache at `out`, of the texts in `data` or of the examples of the cache `like`."""
    if data is None:
        assert like is not None
        labels = list(read_manifest(like).labels)
        return import_from_ids(describe_file_teacher(base, "base", labels), name, like, rows_per_part, work, out)
    if not (data / "labels.json").is_file():
        raise UserError(
            f"{data} must be a folder data/{{task}}, with labels.json and examples.parquet; where there are no texts, "
            "name another teacher's cache of the task (--like) and the column of ids (--example-id)"
        )
    task = str(json.loads((data / "labels.json").read_text(encoding="utf-8"))["task"])
    teacher = describe_file_teacher(base, "base", read_labels(data))
    return import_from_texts(teacher, task, name, data, rows_per_part, work, out)


def require_free(out: Path, again: bool) -> None:
    """Refuse a place for a cache that is not free.

    Raises:
        UserError: dvc.yaml owns it, it holds what is no cache, or a cache that is not to be replaced.
    """
    if owner := find_owner(out):
        raise UserError(
            f"{out} must be no folder of dvc.yaml's, got one of stage {owner}: name another, or make the file a "
            "teacher of params.yaml (base: {kind: file, ...})"
        )
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} must be a folder, got a file")
    if out.is_dir() and any(out.iterdir()):
        if not (out / MANIFEST).is_file():
            raise UserError(f"{out} must be a new folder or a cache, got one that holds {min(out.iterdir()).name}")
        if not again:
            raise UserError(f"{out} holds a cache already; name a new folder, or --replace it")


def split_pair(pair: str) -> tuple[str, str | None]:
    """NAME=CLASS, or NAME= for a name that is no class.

    Raises:
        UserError: there is no =.
    """
    name, sign, label = pair.partition("=")
    if not sign:
        raise UserError(f"--classes must be NAME=CLASS, got {pair}")
    return name, label or None
