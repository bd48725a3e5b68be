"""`qdllm predict`: a trained student on its own, from its folder alone.

In: a student folder, texts.  Out: predict (a click command).  Imports: jax when it runs; never torch.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import click

from pipeline.encoder import find_encoder
from teacher_cache.errors import UserError

# Texts that are answered together: enough to fill the simulator, few enough that a pipe sees answers come.
BATCH = 256


@click.command(short_help="Classify texts, one line of JSON each")
@click.option("--student", type=click.Path(path_type=Path), required=True, help="A folder students/{task}/{teacher}.")
@click.option("--file", type=click.Path(path_type=Path, allow_dash=True), help="One text a line; - is stdin.")
@click.option("--circuit", type=click.Path(path_type=Path), help="The file of a circuit of your own.")
@click.argument("texts", nargs=-1)
def predict(student: Path, file: Path | None, circuit: Path | None, texts: tuple[str, ...]) -> None:
    """Classify TEXTS, the lines of a file, or of stdin: one line of JSON each."""
    if texts and file is not None:
        raise click.UsageError("give TEXTS or --file, not both")
    from student_jax.data.features import read_config
    from student_jax.student import Student

    loaded = Student.load(student, encoder=find_encoder(read_config(student)), circuit=circuit)
    for batch in cut(texts or read_lines(file or Path("-"))):
        labels, probabilities = loaded.predict(batch)
        for text, label, row in zip(batch, labels, probabilities.tolist(), strict=True):
            answer = {"text": text, "label": label, "probabilities": dict(zip(loaded.labels, row, strict=True))}
            click.echo(json.dumps(answer, ensure_ascii=False))


def cut(texts: Iterable[str]) -> Iterator[list[str]]:
    """`texts` in lists of at most BATCH."""
    remaining = iter(texts)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 file, or of stdin for -, without their ends.

    Raises:
        UserError: the file is not there, or a line is not UTF-8.
    """
    if path != Path("-") and not path.is_file():
        raise UserError(f"--file must be a file with one text a line, got {path}")
    with sys.stdin.buffer if path == Path("-") else path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                yield line.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError:
                raise UserError(f"{path}: line {number} must be UTF-8") from None
