"""docs/commands.md, written from the commands themselves.

Run: python -m pipeline.reference
In: the commands of `qdllm`.  Out: DOCUMENT, write_reference().  Imports: click; each command's module.
"""

from collections.abc import Iterator
from pathlib import Path

import click

from pipeline.cli import SECTIONS, qdllm

DOCUMENT = Path("docs/commands.md")
WIDTH = 100
PREFACE = """\
# Commands

Written by `python -m pipeline.reference` from the commands' own help; a test fails where it is stale.

Stages are run by `dvc repro`; all else is `qdllm`. Options that a script wants: `--json` prints one JSON document
instead of a table, `--quiet` prints errors alone, `--debug` on any command shows an error's traceback. Progress bars go
to stderr, and are plain lines where that is no terminal.

## Exit codes

| code | of `qdllm` and of every stage |
|---|---|
| 0 | done; `qdllm serve`: stopped by SIGTERM or Ctrl-C, after the last answer |
| 1 | a fault of ours, with its traceback |
| 2 | something you can put right, in one line on stderr; nothing on disk is lost |
| 130 | interrupted by Ctrl-C |

A process that a signal ends has 128 and the signal's number, as everywhere. `dvc repro` itself ends with 255 where a
stage fails; the stage's own line stands above.

## Shell completion

Commands, options, and files where a path is due. One line for the shell that you use:

```sh
echo 'eval "$(_QDLLM_COMPLETE=bash_source qdllm)"' >> ~/.bashrc
echo 'eval "$(_QDLLM_COMPLETE=zsh_source qdllm)"' >> ~/.zshrc
mkdir -p ~/.config/fish/completions && _QDLLM_COMPLETE=fish_source qdllm > ~/.config/fish/completions/qdllm.fish
```
"""


def write_reference() -> str:
    """The whole document."""
    parts = [PREFACE]
    root = click.Context(qdllm, info_name="qdllm", **qdllm.context_settings)
    for title, names in SECTIONS.items():
        parts.append(f"## {title}\n")
        for command in filter(None, (qdllm.get_command(root, name) for name in names)):
            parts += [f"### `{name}`\n\n```text\n{shown}\n```\n" for name, shown in list_help(command, root)]
    return "\n".join(parts)


def list_help(command: click.Command, parent: click.Context) -> Iterator[tuple[str, str]]:
    """The name and the help of `command` and of all below it, in the same width on every machine."""
    context = click.Context(command, parent, command.name, terminal_width=WIDTH, max_content_width=WIDTH)
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield from list_help(below, context)


if __name__ == "__main__":
    DOCUMENT.write_text(write_reference(), encoding="utf-8")
