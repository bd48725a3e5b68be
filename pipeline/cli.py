"""`qdllm`, its commands in the order of the data's way.

In: the command line.  Out: main(), qdllm, SECTIONS.  Imports: click; what a command needs is imported when it runs.
"""

import click

from pipeline.commands.cache import cache
from pipeline.commands.diagnose import diagnose
from pipeline.commands.doctor import doctor
from pipeline.commands.draw import draw
from pipeline.commands.export import export
from pipeline.commands.init import init
from pipeline.commands.plan import plan
from pipeline.commands.plots import plots
from pipeline.commands.predict import predict
from pipeline.commands.profile import profile
from pipeline.commands.results import results
from pipeline.commands.serve import serve
from pipeline.commands.share import share
from pipeline.commands.student import student
from pipeline.commands.sweep import sweep
from pipeline.commands.teachers import teachers
from pipeline.commands.upgrade import upgrade
from pipeline.entry import run

# In the order of the data's way.
SECTIONS: dict[str, tuple[click.Command, ...]] = {
    "Before `dvc repro`": (init, upgrade, doctor, profile, teachers, plan),
    "The teachers' cache": (cache, share),
    "The student": (student, results, sweep, plots, draw, diagnose),
    "The student at work": (predict, serve, export),
}


class InOrder(click.Group):
    """A group whose help lists its commands by SECTIONS."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(command.name or "", command.get_short_help_str(limit=60)) for command in commands])


@click.group(cls=InOrder, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="qdllm")
def qdllm() -> None:
    """Distil LLM classifiers into tiny quantum circuits, by way of a shared cache of their distributions.

    The pipeline itself is run by `dvc repro`. Add --debug to any command for the traceback of an error. Exit codes: 0
    done, 1 a fault of ours, 2 something you can put right, 130 interrupted.
    """


for command in (command for commands in SECTIONS.values() for command in commands):
    qdllm.add_command(command)


def main() -> None:
    """The console script."""
    run(qdllm, "qdllm")
