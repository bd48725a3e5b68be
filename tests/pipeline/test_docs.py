"""Every command in README.md, CONTRIBUTING.md and docs/ is run, in a small project that has run once.

A new command is run with no word here. One that cannot be run needs an entry in NOT_RUN, with a reason; its options are
then compared with the parsers of the programs that it names.
"""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from pipeline.cli import qdllm

ROOT = Path(__file__).parents[2]
CONTEXT = click.Context(qdllm, **qdllm.context_settings)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
STATE = ("params.yaml", "dvc.lock")

# Beginnings of what is not run, and why.
NOT_RUN = {
    "make repro": "the default profile takes minutes; its stages run in test_pipeline.py",
    "qdllm profile compare": "the same, with all comparators; evaluation/test_compare.py runs two",
    "qdllm init": "its stages take a minute; they run in commands/test_init.py",
    "dvc exp run --queue": "its workers would outlive the test",
    "dvc queue": "the same, in the background",
    "make test": "it is what runs this",
    "make student": "makes an environment; what it runs is run in test_member.py",
    'QDLLM_LAUNCH="': "GPUs; tests/teacher_cache launches with torchrun on CPUs",
    "QDLLM_SHARD=1": "GPUs; the same",
    "cat > launch": "two machines",
    "chmod +x launch": "the same",
    "#!/bin/bash\n#SBATCH": "Slurm",
    "QDLLM_RAY=2": "a cluster; tests/teacher_cache captures on local workers",
    "ray start": "a cluster",
    "RAY_ADDRESS": "a cluster",
    "qdllm teachers --pin": "the hub",
    "qdllm profile pretrained": "an LLM of 98 MB; commands/test_profile.py stands one in",
    "make evidence": "hours; tests/benchmarks/evidence/test_evidence.py makes a tiny one",
    "qdllm fetch": "the package registry; commands/test_fetch.py runs it on a folder",
}
# What is written as for the default profile, on the reader's machine -> what the small project has.
SUBSTITUTED = {
    "emotion/llama": "emotion-tiny/llama-tiny",
    "--task emotion --teacher bloom": "--task emotion-tiny --teacher llama-tiny",
    "-S student.learning_rate=2.0e-3": "-S student.learning_rate=1.0e-3",
    "--set ...": "--set student.learning_rate=1.0e-3,3.0e-3",
    "=1.0e-3,3.0e-3,1.0e-2 --set student.circuit.layers=2,4": "=1.0e-3,3.0e-3 --set student.circuit.layers=1,2",
    "--random 20": "--random 1",
    "data/support": "data/emotion-tiny",
    "my_model(": "(lambda texts: [[0.5, 1.0]] * len(texts))(",
}
# As documented they take minutes.
ADDED = {
    "qdllm device": " --rows 2 --shots 8 --calibrations 1",
    "qdllm diagnose": " --rows 20 --noise 0,0.01 --shots 16 --qubits 2,3 --layers 2",
    "qdllm sweep": " --set student.epochs=1 --set student.seeds=1",
}


def read_blocks(page, language):
    """The fenced blocks of `language`."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def cut_commands(block):
    """A block's commands: a line each, comments left out; a script or a document with its lines as one."""
    if block.startswith("#!"):
        return [block]
    commands, lines = [], iter(block.splitlines())
    for line in lines:
        command = re.sub(r"(^|\s+)# .*$", "", line).rstrip()
        if mark := re.search(r"<<'(\w+)'$", command):
            for more in lines:
                command += f"\n{more}"
                if more == mark[1]:
                    break
        if command:
            commands.append(command)
    return commands


COMMANDS = list(
    dict.fromkeys(command for page in PAGES for block in read_blocks(page, "sh") for command in cut_commands(block))
)


def find_reason(command):
    return next((reason for beginning, reason in NOT_RUN.items() if command.startswith(beginning)), None)


def adapt(command):
    """The command as the small project has it, and as short as it can be."""
    for old, new in SUBSTITUTED.items():
        command = command.replace(old, new)
    return command + next((more for beginning, more in ADDED.items() if command.startswith(beginning)), "")


# What pages write in two ways, and the small project has in one, is run once.
RUN = list(dict.fromkeys(adapt(command) for command in COMMANDS if find_reason(command) is None))


@pytest.fixture(scope="module")
def sandbox(project, tmp_path_factory):
    """A copy of the project with an origin to push to, a home of its own, and what the commands leave behind."""
    base = tmp_path_factory.mktemp("docs")
    home = base / "home"
    home.mkdir()
    checkout = project.at(base / "project", HOME=str(home))
    shutil.copytree(project.folder, checkout.folder, ignore=shutil.ignore_patterns("work"))
    checkout.run("git", "init", "--quiet", "--bare", str(base / "origin"))
    checkout.run("git", "add", "--all", "--", ":!dvc.lock")
    checkout.run("git", "commit", "--quiet", "--message", "Start")
    checkout.run("git", "remote", "add", "origin", str(base / "origin"))
    checkout.run("git", "push", "--quiet", "--set-upstream", "origin", "HEAD")
    services = []
    yield (
        checkout,
        {**SUBSTITUTED, "/absolute/path/of/a/": f"{base}/", "ADDRESS-OF-THE-REPOSITORY": str(base / "origin")},
        services,
    )
    for service in services:
        service.kill()
        service.communicate()


def run_command(sandbox, command):
    checkout, substituted, services = sandbox
    before = {name: (checkout.folder / name).read_bytes() for name in STATE}
    for old, new in substituted.items():
        command = command.replace(old, new)
    if command.startswith("qdllm serve"):
        services.append(
            subprocess.Popen(
                shlex.split(command + " --port 0"),
                cwd=checkout.folder,
                env={**checkout.environment, "PYTHONUNBUFFERED": "1"},
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        found = re.search(r"http://[^ ]*:\d+", services[-1].stdout.readline())
        assert found
        substituted["http://127.0.0.1:8000"] = found[0].replace("0.0.0.0", "127.0.0.1")
        return
    try:
        checkout.run("bash", "-euc", command)
    finally:
        for name, content in before.items():
            (checkout.folder / name).write_bytes(content)


@pytest.fixture(scope="module")
def read_to(sandbox):
    """Runs the commands up to one of them, as a reader comes to it; each once. What became of it."""
    ended = {}

    def run_to(last):
        for command in RUN[: RUN.index(last) + 1]:
            if command not in ended:
                try:
                    ended[command] = run_command(sandbox, command)
                except AssertionError as error:
                    ended[command] = error
        return ended[last]

    return run_to


@pytest.mark.parametrize("command", RUN)
def test_a_command_runs(read_to, command):
    if problem := read_to(command):
        raise problem


PROGRAMS = [block for page in PAGES for block in read_blocks(page, "python") if block.startswith(("from", "import"))]


@pytest.mark.parametrize("block", PROGRAMS)
def test_python_runs(sandbox, read_to, block):
    """Blocks without imports are pieces of a program; what they read has been written by the commands."""
    read_to(RUN[-1])
    checkout, substituted, _ = sandbox
    for old, new in substituted.items():
        block = block.replace(old, new)
    checkout.run("python", "-c", block)


def list_options(words):
    """The options of the program that `words` begin with; None for a program unknown here."""
    match words:
        case ["qdllm", *rest]:
            command = qdllm
            while isinstance(command, click.Group) and rest and (below := command.get_command(CONTEXT, rest[0])):
                command, rest = below, rest[1:]
            assert command is not qdllm or not rest or rest[0].startswith("-"), f"no command qdllm {rest[0]}"
            return {option for one in command.params for option in one.opts} | {"--help", "-h", "--version", "--debug"}
        case ["dvc", *_]:
            from dvc.cli.parser import get_main_parser

            parser = get_main_parser()
            for word in words[1:]:
                below = next((one.choices for one in parser._actions if isinstance(one.choices, dict)), {})
                if word not in below:
                    break
                parser = below[word]
            return set(parser._option_string_actions)
        case ["torchrun", *_]:
            from torch.distributed.run import get_args_parser

            return {option.replace("-", "_") for option in get_args_parser()._option_string_actions}
        case ["accelerate", "launch", *_]:
            from accelerate.commands.launch import launch_command_parser

            return set(launch_command_parser()._option_string_actions)
        case ["ray", "start", *_]:
            from ray.scripts.scripts import start

            return {option for one in start.params for option in one.opts}
        case ["make", target, *_]:
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), f"no target {target}"
            return set()
    return None


def check_options(text):
    """Compare the options of every known program in `text` with its parser; returns how many programs there were."""
    calls = re.findall(r"(?:^|[\s\"'(])((?:qdllm|dvc|torchrun|accelerate launch|ray start|make) [^\"'`&;|)\n]*)", text)
    for call in calls:
        words = call.split()
        options = list_options(words)
        for word in words:
            name = word.partition("=")[0]
            if options is not None and re.fullmatch(r"--[a-z][\w-]*", name):
                known = options if words[0] != "torchrun" else options | {o.replace("_", "-") for o in options}
                assert name in known or (words[0] == "torchrun" and name.replace("-", "_") in known), (
                    f"{name} in: {call}"
                )
    return len(calls)


@pytest.mark.parametrize("beginning", NOT_RUN)
def test_what_is_not_run_is_still_there_and_names_options_that_exist(beginning):
    found = [command for command in COMMANDS if find_reason(command) == NOT_RUN[beginning]]
    assert any(command.startswith(beginning) for command in found), f"no page has {beginning}: take it out of NOT_RUN"
    for command in found:
        assert check_options(command)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_sentences_exist(page):
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for code in re.findall(r"`((?:qdllm|make) [^`]+)`", prose):
        check_options(code)


def test_a_command_nobody_knows_is_noticed():
    for wrong in (
        "qdllm nothing",
        "qdllm serve --nothing",
        "dvc repro --nothing",
        "make nothing",
        "torchrun --nothing x",
    ):
        with pytest.raises(AssertionError):
            check_options(wrong)
    assert find_reason("qdllm nothing") is None  # so it would be run


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) < 250
