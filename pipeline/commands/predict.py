"""`qdllm predict`: a trained student on its own, from its folder alone.

In: a student folder, texts.  Out: predict (a click command).  Imports: click; jax for a circuit of the user's own,
never torch.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import click

from pipeline.commands.least_confidence import choose_confidence, take_confidence
from pipeline.commands.text_lines import STDIN, read_batches
from pipeline.encoder import find_encoder
from teacher_cache.errors import UserError

# Texts that are answered together: enough to fill the simulator, few enough that a pipe sees answers come.
BATCH = 256


@click.command()
@click.option("--student", type=click.Path(path_type=Path), required=True, help="A folder students/{task}/{teacher}.")
@click.option("--file", type=click.Path(path_type=Path, allow_dash=True), help="One text a line; - is stdin.")
@click.option("--circuit", type=click.Path(path_type=Path), help="The file of a circuit of your own.")
@take_confidence
@click.option("--error", type=float, help="The most that a probability may be off, certified, for a faster answer.")
@click.argument("texts", nargs=-1)
def predict(
    student: Path,
    file: Path | None,
    circuit: Path | None,
    confidence: float | None,
    accuracy: float | None,
    error: float | None,
    texts: tuple[str, ...],
) -> None:
    """Classify TEXTS, the lines of a file, or of stdin: one line of JSON each, in UTF-8.

    With --confidence or --accuracy the label of a text of which the student is less sure is null.

    A text that stage prepare would have dropped (empty, too long, no Unicode) has an `error` in place of a label; where
    one had, the exit code is 2.
    """
    if texts and file is not None:
        raise click.UsageError("give TEXTS or --file, not both")
    for place, text in enumerate(texts, 1):
        require_utf8(text, place)
    from student_jax.student import Student

    loaded = Student.load(student, encoder=find_encoder, circuit=circuit, error=error)
    least = choose_confidence(loaded.checkpoint.description.calibration, confidence, accuracy)
    asked = faulty = unsure = 0
    for batch in cut(texts) if texts else read_batches(file or STDIN, BATCH):
        faults, (labels, probabilities) = loaded.find_faults(batch), loaded.predict(batch, least)
        rows = probabilities.tolist()
        for text, fault, label, row in zip(batch, faults, labels, rows, strict=True):
            answer = {"label": label, "probabilities": dict(zip(loaded.labels, row, strict=True))}
            line = json.dumps({"text": text, **({"error": fault} if fault else answer)}, ensure_ascii=False)
            sys.stdout.buffer.write(f"{line}\n".encode())  # whatever the locale: JSON is UTF-8
        asked, faulty = asked + len(batch), faulty + len(batch) - faults.count(None)
        unsure += sum(label is None and fault is None for label, fault in zip(labels, faults, strict=True))
        sys.stdout.flush()
    if least:
        click.echo(f"{unsure} of {asked} texts have no class: their confidence is below {least:.4f}", err=True)
    if faulty:
        raise UserError(f"{faulty} of {asked} texts have an error in place of a label; correct them or leave them out")


def require_utf8(text: str, place: int) -> None:
    """Refuse an argument whose bytes are not UTF-8: Python puts half of a surrogate pair where one was none.

    Raises:
        UserError: it has such a byte.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        byte = os.fsencode(text[error.start])[0]
        raise UserError(
            f"TEXTS must be UTF-8, got byte 0x{byte:02x} at character {error.start + 1} of text {place}; convert it "
            "(iconv --to-code UTF-8)"
        ) from None


def cut(texts: Iterable[str]) -> Iterator[list[str]]:
    """`texts` in lists of at most BATCH."""
    remaining = iter(texts)
    while batch := list(islice(remaining, BATCH)):
        yield batch
