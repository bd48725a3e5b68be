"""`qdllm draw`: the circuit as text or as a picture, and which of its parameters do nothing.

In: a student folder, or params.yaml.  Out: draw (a click command).  Imports: jax and matplotlib when it runs.
"""

import json
import shutil
from pathlib import Path

import click

from pipeline.params import PARAMS


@click.command()
@click.option("--student", type=click.Path(path_type=Path), help="A folder students/{task}/{teacher}.")
@click.option("--params", type=click.Path(path_type=Path), default=PARAMS, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="A file that ends in .txt, .png or .svg.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON, and no drawing.")
def draw(student: Path | None, params: Path, out: Path | None, as_json: bool) -> None:
    """Draw a student's circuit or, without --student, that of params.yaml for its first active task.

    Gates that change no output are pale, or in small letters and hollow where text is drawn.
    """
    from student_jax.diagnosis.live_parameters import count_angles, count_parameters
    from student_jax.export.drawing import draw_circuit, render_text

    if student is not None:
        from student_jax.checkpoint import load_checkpoint

        description = load_checkpoint(student).description
        config, classes, dimensions = description.config, len(description.labels), description.dimensions
    else:
        from pipeline.team.project import read_project

        project = read_project(params)
        config, classes = project.student, len(project.task[project.tasks[0]].labels)
        dimensions = project.embed.dimensions
    circuit = config.circuit
    angles, parameters = count_angles(circuit, classes), count_parameters(config, dimensions, classes)
    if out is not None:
        draw_circuit(circuit, classes, out)
    if as_json:
        counts = {"angles": angles._asdict(), "parameters": parameters._asdict()}
        size = {"qubits": circuit.qubits, "layers": circuit.layers, "dimensions": dimensions, "classes": classes}
        click.echo(json.dumps({**size, **counts}))
        return
    if out is None:
        click.echo(render_text(circuit, classes, shutil.get_terminal_size().columns))
    click.echo(f"angles      {angles.live:,} live, {angles.dead:,} dead")
    click.echo(f"parameters  {parameters.live:,} live, {parameters.dead:,} dead; features of {dimensions} dimensions")
