"""`qdllm`, its commands in the order of the data's way.

In: the command line.  Out: main(), qdllm, SECTIONS.  Imports: click; a command's module when it is called.
"""

from importlib import import_module

import click
from click.shell_completion import CompletionItem

from pipeline.entry import run

# In the order of the data's way: each command, called as its module in pipeline/commands/, and what help says of it.
SECTIONS: dict[str, dict[str, str]] = {
    "Before `dvc repro`": {
        "init": "A project of your own, in an empty folder",
        "upgrade": "Carry a project of version 0.1 over",
        "doctor": "What is installed, what works, what is missing",
        "fetch": "A small pretrained LLM, without a hub",
        "profile": "Choose what runs, from smoke to paper",
        "teachers": "Each teacher's base, LoRA and size",
        "plan": "What `dvc repro` would run, why, how long",
        "repro": "`dvc repro`, tasks and teachers side by side",
    },
    "The teachers' cache": {
        "cache": "Inspect, verify, compare and import caches",
        "share": "Push caches and students to the team's remote",
    },
    "The student": {
        "student": "Pull teachers, then train what has changed",
        "results": "The table of results, and the report's path",
        "sweep": "Many settings at once, the best named",
        "plots": "Let `dvc plots` draw without network",
        "draw": "The circuit; live and dead parameters",
        "diagnose": "Shots, noise and vanishing gradients",
        "cascade": "How many texts to leave to the teacher",
        "surrogate": "The circuit as a polynomial, cut with a bound",
    },
    "The student at work": {
        "predict": "Classify texts, one line of JSON each",
        "serve": "Answer over HTTP, with a page to try it",
        "export": "As OpenQASM, or as an ONNX graph",
        "publish": "A folder for others, with a model card",
        "device": "On a quantum device, its budget first",
    },
}
COMMANDS = {name: said for commands in SECTIONS.values() for name, said in commands.items()}


class OnCall(click.Group):
    """A group of COMMANDS that imports the one that is called, and none to list or complete them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command called `cmd_name`; None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"pipeline.commands.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands and options that begin with `incomplete`."""
        found = [CompletionItem(name, help=said) for name, said in COMMANDS.items() if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)


@click.group(cls=OnCall, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="qdllm")
def qdllm() -> None:
    """Distil LLM classifiers into tiny quantum circuits, by way of a shared cache of their distributions.

    The pipeline itself is run by `dvc repro`. Add --debug to any command for the traceback of an error. Exit codes: 0
    done, 1 a fault of ours, 2 something you can put right, 130 interrupted.
    """


def main() -> None:
    """The console script."""
    run(qdllm, "qdllm")


if __name__ == "__main__":
    main()
