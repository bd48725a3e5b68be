"""`qdllm`, one line per command, in the order of the data's way.

In: the command line.  Out: main().  Imports: click; what a command needs is imported when it runs.
"""

import click

from pipeline.commands.cache import cache
from pipeline.commands.diagnose import diagnose
from pipeline.commands.doctor import doctor
from pipeline.commands.draw import draw
from pipeline.commands.export import export
from pipeline.commands.member import student
from pipeline.commands.plan import plan
from pipeline.commands.profile import profile
from pipeline.commands.results import results
from pipeline.commands.share import share
from pipeline.commands.student import predict
from pipeline.commands.teachers import teachers
from pipeline.entry import run


class InOrder(click.Group):
    """A group whose help lists its commands in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return list(self.commands)


@click.group(cls=InOrder, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="qdllm")
def qdllm() -> None:
    """Distil LLM classifiers into tiny quantum circuits, by way of a shared cache of their distributions.

    The pipeline itself is run by `dvc repro`; add --debug to any command for the traceback of an error.
    """


for command in (doctor, profile, teachers, plan, share, student, results, predict, draw, export, diagnose, cache):
    qdllm.add_command(command)


def main() -> None:
    """The console script."""
    run(qdllm, "qdllm")
