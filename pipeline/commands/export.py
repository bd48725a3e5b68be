"""`qdllm export`: a trained student's circuit as OpenQASM, or the whole student as an ONNX graph.

In: a student folder; a text, or the test split's features.  Out: export (a click command), score_test(), make_onnx().
Imports: jax when it runs, onnx for a graph; torch only where the features need an encoder.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from pipeline.commands.diagnose import read_test
from pipeline.encoder import find_encoder
from teacher_cache.errors import UserError
from teacher_cache.publish import publish_file

if TYPE_CHECKING:
    import numpy as np

    from student_jax.checkpoint import Checkpoint
    from student_jax.data.file_features import FileEmbedding
    from student_jax.export.onnx_graph import Difference

PATH = click.Path(path_type=Path)


@click.command()
@click.option("--student", type=PATH, required=True, help="A folder students/{task}/{teacher}.")
@click.option("--format", "form", type=click.Choice(["3", "2", "onnx"]), default="3", show_default=True)
@click.option("--text", help="Write this text's angles; without it they are inputs z0, z1, ... (OpenQASM 3 alone).")
@click.option("--features", type=PATH, help="To check a graph on its test split.  [default: features/{task}]")
@click.option("--cache", type=PATH, help="The same, its classes.  [default: cache/{task}/{teacher}]")
@click.option("--out", type=PATH, help="Where to write it, instead of stdout; a graph must have a file.")
def export(
    student: Path, form: str, text: str | None, features: Path | None, cache: Path | None, out: Path | None
) -> None:
    """Write a student's circuit with its trained angles as OpenQASM 3 or 2, or the student as an ONNX graph.

    In OpenQASM the qubits that are read are measured into c[0], c[1], ...; comments say how a class follows from them.
    A graph takes a text's features and gives scores and probabilities; before it is written it is run by onnxruntime on
    the whole test split, where it must be within 1e-5 of the student.
    """
    if form == "onnx":
        _write_onnx(student, text, features, cache, out)
        return
    if text is None and form == "2":
        raise UserError("--text must be given for OpenQASM 2, which has no inputs, got none; or take --format 3")
    from student_jax.checkpoint import load_checkpoint
    from student_jax.export.openqasm import export_student

    if text is None:
        program = export_student(load_checkpoint(student), None, int(form))
    else:
        from student_jax.student import Student

        # The engine is not used; this one takes every ansatz, is always installed, and need not be measured.
        loaded = Student.load(student, engine="default.qubit", encoder=find_encoder)
        if fault := loaded.find_faults([text])[0]:
            raise UserError(f"--text: {fault}")
        program = export_student(loaded.checkpoint, loaded.embedder.transform([text])[0], int(form))
    if out is None:
        click.echo(program, nl=False)
        return
    with publish_file(out) as temporary:
        temporary.write_text(program, encoding="utf-8")
    click.echo(out)


def _write_onnx(student: Path, text: str | None, features: Path | None, cache: Path | None, out: Path | None) -> None:
    if text is not None:
        raise UserError("--text must be left out for ONNX, whose graph takes any text's features, got a text")
    if out is None:
        raise UserError("--out must name a file for ONNX, which is no text, got none")
    from student_jax.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(student)
    tested = score_test(checkpoint, student, features, cache)
    model, found = make_onnx(checkpoint, tested)
    with publish_file(out) as temporary:
        temporary.write_bytes(model)
    click.echo(f"{out}: {len(model):,} bytes, on {tested.rows} test texts within {max(found):.0e} of the student")


class Tested(NamedTuple):
    """A student's scores (rows, classes) on its test split, and the vectors (rows, dimensions) that it was given.

    `embedding` is what scaled the vectors, of features of the kind `file` alone.
    """

    vectors: Any
    embedding: "FileEmbedding | None"
    scores: "np.ndarray"
    labels: "np.ndarray"

    @property
    def rows(self) -> int:
        """How many texts."""
        return len(self.labels)


def score_test(checkpoint: "Checkpoint", student: Path, features: Path | None, cache: Path | None) -> Tested:
    """What a student says of its test split, from vectors as whoever asks it has them.

    Raises:
        UserError: no test split of this student's, or its engine is not there.
    """
    from student_jax.data.embedder import load_embedder, read_config
    from student_jax.data.file_features import FileEmbedding
    from student_jax.model import build_model, build_scorer

    description = checkpoint.description
    split = read_test(checkpoint, student, features, cache)
    vectors = prepared = split.features
    embedding = load_embedder(student).embedding if read_config(student).kind == "file" else None
    if isinstance(embedding, FileEmbedding):
        vectors = prepared[:] / embedding.scale + embedding.mean
        prepared = embedding.prepare(vectors)
    model = build_model(description.config, description.dimensions, len(description.labels))
    scores = build_scorer(model, description.config.precision)(checkpoint.selected_parameters, prepared)[0]
    return Tested(vectors, embedding if isinstance(embedding, FileEmbedding) else None, scores, split.labels)


def make_onnx(checkpoint: "Checkpoint", tested: Tested) -> "tuple[bytes, Difference]":
    """A student's graph, after it was compared with the student on the test split, and the largest differences.

    Raises:
        UserError: the extra is missing, a circuit of the user's own, or graph and student differ.
    """
    try:
        import_module("onnxruntime")

        from student_jax.export.onnx_graph import build_graph, check_graph
    except ImportError as error:
        raise UserError(f"ONNX needs {error.name}: pip install 'qdllm[onnx]'") from None
    model = build_graph(checkpoint, tested.embedding)
    return model, check_graph(model, tested.vectors, tested.scores, checkpoint.description.temperature)
