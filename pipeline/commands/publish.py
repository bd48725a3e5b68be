"""`qdllm publish`: a student as a folder that others can load, with a model card; onto a hub where that is asked for.

In: a student folder, its evaluation, comparisons, features and cache.  Out: publish (a click command).
Imports: jax and onnx when it runs, huggingface_hub; never torch.
"""

import re
import shutil
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.export import PATH, Tested, make_onnx, score_test
from pipeline.params import read_comparators
from teacher_cache.errors import UserError
from teacher_cache.publish import publish_folder

if TYPE_CHECKING:
    from pipeline.evaluation.summary import PairSummary
    from student_jax.checkpoint import Checkpoint

GRAPH, CARD = "model.onnx", "README.md"


@click.command()
@click.option("--student", type=PATH, required=True, help="A folder students/{task}/{teacher}.")
@click.option("--repo", required=True, help="OWNER/NAME on the hub.")
@click.option(
    "--licence", required=True, help="The student's, as hubs write it: apache-2.0, mit, cc-by-4.0, other, ..."
)
@click.option("--data-licence", help="Of the texts, for the card.  [default: not known]")
@click.option("--teacher-licence", help="Of the base model, or of the file of answers.  [default: not known]")
@click.option("--features", type=PATH, help="To check it on its test split.  [default: features/{task}]")
@click.option("--cache", type=PATH, help="The same.  [default: cache/{task}/{teacher}]")
@click.option("--circuit", type=PATH, help="The file of a circuit of your own, which is not published.")
@click.option("--out", type=PATH, help="The folder.  [default: published/{repo}]")
@click.option("--without-texts", is_flag=True, help="Refuse what would carry words of the training texts.")
@click.option("--push", is_flag=True, help="Put the folder on the hub, too.")
@click.option("--public", is_flag=True, help="Let all the world read it there; without it, it is private.")
def publish(
    student: Path,
    repo: str,
    licence: str,
    data_licence: str | None,
    teacher_licence: str | None,
    features: Path | None,
    cache: Path | None,
    circuit: Path | None,
    out: Path | None,
    without_texts: bool,
    push: bool,
    public: bool,
) -> None:
    """Write a student as a folder that others can load: its files, an ONNX graph, a model card of its evaluation.

    Then say what leaves with it, and, with --push alone, put it on the hub. Others load it by
    Student.from_pretrained(REPO, revision=COMMIT).
    """
    require_names(repo, licence, push, public)
    from pipeline.report.card_tables import Publication
    from pipeline.report.model_card import write_card
    from pipeline.report.runs import Places, read_runs
    from pipeline.team.leaving import list_leaving
    from student_jax.checkpoint import load_checkpoint
    from student_jax.pretrained import FILES

    checkpoint = load_checkpoint(student, circuit)
    if without_texts:
        from pipeline.team.wordless import require_wordless

        require_wordless([str(student)])
    require_embedder(student, checkpoint)
    task, teacher = (checkpoint.description.origin.get(key, "") for key in ("task", "teacher"))
    run = read_runs(Places(), [task], [teacher], read_comparators())[0]
    tested = score_test(checkpoint, student, features, cache)
    require_evaluated(run.summary, checkpoint, tested)
    model, found = (None, None) if circuit else make_onnx(checkpoint, tested)
    description = checkpoint.description
    publication = Publication(
        *(repo, licence, description.dimensions, data_licence, teacher_licence, found and max(found))
    )
    card = write_card(run, publication)
    out = out or Path("published", repo)
    write_folder(out, student, card, model)
    click.echo("\n".join([f"{out} is written. With it leave", *(f"- {line}" for line in list_leaving(out))]))
    if not push:
        click.echo("Nothing was pushed; --push puts it on the hub, where it is private without --public.")
        return
    from pipeline.team.upload import upload_folder

    commit = upload_folder(out, repo, public, [*FILES, GRAPH, CARD])
    click.echo(f'Pushed. Others load it by\n  Student.from_pretrained("{repo}", revision="{commit}")')


def require_names(repo: str, licence: str, push: bool, public: bool) -> None:
    """Raise a UserError where an option cannot be meant so, or a library is missing."""
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*/[A-Za-z0-9][\w.-]{0,95}", repo) or ".." in repo:
        raise UserError(f"--repo must be OWNER/NAME, of letters, digits, -, _ and ., got {repo}")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", licence):
        raise UserError(f"--licence must be a hub's name of one, such as apache-2.0, mit or other, got {licence}")
    if public and not push:
        raise UserError("--public must go with --push, got it alone: a folder on this machine is nobody else's")
    try:
        import_module("huggingface_hub")
    except ImportError:
        raise UserError("publish needs huggingface_hub: pip install 'qdllm[hub,onnx]'") from None


def require_embedder(student: Path, checkpoint: "Checkpoint") -> None:
    """Raise a UserError where nobody could load what would be published."""
    from student_jax.data import embedder
    from teacher_cache.manifest import hash_file
    from teacher_cache.sealed import read_sealed

    try:
        named = read_sealed(student / embedder.DESCRIPTION, embedder.FORMAT).get("sha256")
        whole = embedder.identify_embedder(student) == checkpoint.description.embedder
        found = hash_file(student / embedder.TENSORS)
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} must exist; run `dvc repro train_student` or `dvc pull`") from None
    if not whole or found != named:
        raise UserError(f"{student} must hold the embedder that it was trained with, got another; pull or retrain it")


def require_evaluated(summary: "PairSummary", checkpoint: "Checkpoint", tested: Tested) -> None:
    """Raise a UserError where the evaluation is not this student's: its card would tell of another one."""
    import numpy as np

    from pipeline.evaluation.metrics import count_confusion

    description = checkpoint.description
    said = count_confusion(tested.labels, tested.scores.argmax(axis=1), len(description.labels))
    same = {
        "labels": summary.labels == description.labels,
        "seed": summary.selected_seed == description.seeds[description.selected],
        # Of one text two classes may be so close that another machine says the other.
        "answers": np.abs(said - summary.confusion.student).sum() <= 2,
    }
    if wrong := [name for name, equal in same.items() if not equal]:
        raise UserError(
            f"the evaluation of {summary.task}, {summary.teacher} must be this student's, got another's "
            f"{' and '.join(wrong)}; run `dvc repro evaluate`"
        )


def write_folder(out: Path, student: Path, card: str, model: bytes | None) -> None:
    """Publish the student's files, its card and, where there is one, its graph as the folder `out`.

    Raises:
        UserError: `out` holds what no earlier publish has written.
    """
    from student_jax.pretrained import FILES

    names = {*FILES, GRAPH, CARD}
    if out.exists() and (not out.is_dir() or (others := sorted({path.name for path in out.iterdir()} - names))):
        found = "a file" if not out.is_dir() else others[0]
        raise UserError(f"--out must be a new folder, or one that qdllm publish wrote, got {out} with {found}")
    with publish_folder(out) as folder:
        for name in FILES:
            if (student / name).is_file():
                shutil.copyfile(student / name, folder / name)
        if model is not None:
            (folder / GRAPH).write_bytes(model)
        (folder / CARD).write_text(card, encoding="utf-8")
