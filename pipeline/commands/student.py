"""`qdllm student`: all that a team member needs who has neither torch nor a GPU nor the LLM.

In: a clone with dvc.lock, a remote.  Out: student (a click command).  Imports: dvc; no torch, no jax.
"""

from typing import TYPE_CHECKING

import click

from pipeline.commands.results import results
from pipeline.lockfile import restore
from pipeline.team.dvc_processes import run_dvc
from teacher_cache.errors import UserError

if TYPE_CHECKING:  # DVC takes half a second to import
    from pipeline.team.dvc_project import Step


@click.command()
@click.option("--remote", help="The shared remote's folder or address; needed once, then it is remembered.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.pass_context
def student(context: click.Context, remote: str | None, quiet: bool) -> None:
    """Pull the teachers' caches, then train, evaluate and report what has changed on the student's side."""
    from pipeline.team.dvc_project import list_needed, list_steps, open_repo
    from pipeline.team.protected import require_runnable
    from pipeline.team.remote import add_remote, is_reachable, pull_outs, resolve_url

    if restored := restore():
        click.echo(restored, err=True)
    require_runnable()
    with open_repo() as repo:
        if remote is not None:
            add_remote(repo, resolve_url(remote))
        steps = list_steps(repo, allow_missing=True)
        require_teachers(steps)
        # A folder that several stages fill may hold other files than where it was shared; DVC sees when it is whole.
        changed = pull_outs(repo, list_needed(steps)) or any(step.reasons for step in steps)
        pull = changed and is_reachable(repo)
    if changed:
        # What is not here and not needed counts as unchanged; what an earlier run made of the same inputs is fetched.
        run_dvc("repro", "--allow-missing", *(["--pull"] if pull else []), quiet=quiet)
    if not quiet:
        context.invoke(results)


def require_teachers(steps: "list[Step]") -> None:
    """Raise a UserError where a teacher's stage would have to run, which takes torch.

    Raises:
        UserError: an active task or teacher was not shared, or something of its was changed here.
    """
    for step in steps:
        if step.is_teachers and step.reasons:
            shared = [other.pair for other in steps if other.kind == "cache_teacher" and not other.reasons]
            raise UserError(
                f"{step.name} must be shared and unchanged, got: {step.reasons[0]}; shared of the active tasks and "
                f"teachers: {', '.join(shared) or 'none'}; set tasks and teachers in params.yaml to what is shared, "
                "take back the change, or run `dvc repro` where the extra `teacher` is installed"
            )
