"""`qdllm export`: a trained student's circuit as OpenQASM, for other simulators and for hardware.

In: a student folder, a text.  Out: export (a click command).  Imports: jax when it runs; torch only where the
features need an encoder.
"""

from pathlib import Path

import click

from pipeline.encoder import find_encoder
from teacher_cache.errors import UserError
from teacher_cache.publish import publish_file


@click.command()
@click.option("--student", type=click.Path(path_type=Path), required=True, help="A folder students/{task}/{teacher}.")
@click.option("--format", "version", type=click.Choice(["3", "2"]), default="3", show_default=True)
@click.option("--text", help="Write this text's angles; without it they are inputs z0, z1, ... (OpenQASM 3 alone).")
@click.option("--out", type=click.Path(path_type=Path), help="Where to write it, instead of stdout.")
def export(student: Path, version: str, text: str | None, out: Path | None) -> None:
    """Write a student's circuit with its trained angles as OpenQASM 3 or 2.

    The qubits that are read are measured into c[0], c[1], ...; comments say how a class follows from them.
    """
    if text is None and version == "2":
        raise UserError("--text must be given for OpenQASM 2, which has no inputs, got none; or take --format 3")
    from student_jax.checkpoint import load_checkpoint
    from student_jax.export.openqasm import export_student

    if text is None:
        program = export_student(load_checkpoint(student), None, int(version))
    else:
        from student_jax.student import Student

        # The engine is not used; this one takes every ansatz, is always installed, and need not be measured.
        loaded = Student.load(student, engine="default.qubit", encoder=find_encoder)
        if fault := loaded.find_faults([text])[0]:
            raise UserError(f"--text: {fault}")
        program = export_student(loaded.checkpoint, loaded.embedder.transform([text])[0], int(version))
    if out is None:
        click.echo(program, nl=False)
        return
    with publish_file(out) as temporary:
        temporary.write_text(program, encoding="utf-8")
    click.echo(out)
