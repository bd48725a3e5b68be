"""The command reference is what the commands say; the shells complete; a narrow terminal is kept to."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipeline.cli import COMMANDS, qdllm
from pipeline.reference import DOCUMENT, list_help

ROOT = Path(__file__).parents[2]
CONTEXT = click.Context(qdllm, info_name="qdllm", **qdllm.context_settings)
ALL = [qdllm.get_command(CONTEXT, name) for name in COMMANDS]


def test_the_reference_is_not_stale():
    """Asked in a process of its own: click keeps a command's -h from its first caller, here some other test."""
    program = "import sys; from pipeline.reference import write_reference; sys.stdout.write(write_reference())"
    written = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (ROOT / DOCUMENT).read_text() == written.stdout, "run python -m pipeline.reference"


def test_every_option_says_what_it_is():
    """Where the name does not say it all, with a default, a choice or a word of help."""

    def list_options(command):
        below = command.commands.values() if isinstance(command, click.Group) else []
        return [one for one in command.params if isinstance(one, click.Option)] + [
            option for one in below for option in list_options(one)
        ]

    options = [(command.name, option) for command in ALL for option in list_options(command)]
    assert len(options) > 40
    for name, option in options:
        assert option.help or option.show_default or isinstance(option.type, click.Choice), (name, option.name)


@pytest.mark.parametrize("columns", [60, 80])
def test_help_fits_and_says_each_command_whole(columns):
    shown = CliRunner().invoke(qdllm, ["-h"], terminal_width=columns).output
    assert max(map(len, shown.splitlines())) <= columns
    for name, said in COMMANDS.items():
        assert f"{name}  " in shown
        assert said in shown  # no dots at its end
    assert "..." not in shown.replace("[ARGS]...", "")


def test_a_command_has_the_name_of_its_module():
    assert [command.name for command in ALL] == list(COMMANDS)
    files = {path.stem for path in (ROOT / "pipeline/commands").glob("*.py") if "@click." in path.read_text()}
    assert files == {*COMMANDS, "cache_import"}  # which stands below `cache`


def test_commands_stand_below_their_group():
    names = [name for name, _ in list_help(qdllm.get_command(CONTEXT, "cache"), CONTEXT)]
    assert names == [f"qdllm cache{below}" for below in ("", " import", " inspect", " verify", " diff")]


def complete(shell, *words):
    """What `qdllm` answers to a shell that asks for the last of `words`."""
    environment = {
        **os.environ,
        "_QDLLM_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1) if shell != "fish" else words[-1],
    }
    command = [sys.executable, "-c", "from pipeline.cli import main; main()"]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete(shell):
    assert "predict" in complete(shell, "qdllm", "pr")
    assert "plan" not in complete(shell, "qdllm", "pr")
    assert "--max-texts" in complete(shell, "qdllm", "serve", "--max-t")
    assert "smoke" in complete(shell, "qdllm", "profile", "s")


def test_bash_takes_the_line_of_the_reference():
    script = 'eval "$(_QDLLM_COMPLETE=bash_source qdllm)" && complete -p qdllm'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("-F _qdllm_completion qdllm"), done.stderr
