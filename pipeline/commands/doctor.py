"""`qdllm doctor`: what is installed, what works on this machine, and what is missing for which command.

In: the environment, the DVC remote.  Out: doctor (a click command).  Imports: each library, where it is there.
"""

import importlib
import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click
import psutil

from teacher_cache.errors import UserError

# What each extra brings, by the names under which it is imported, and the commands that need it.
EXTRAS = {
    "teacher": (("torch", "transformers", "peft", "accelerate", "tokenizers"), "dvc repro, qdllm cache verify"),
    "student": (
        ("flax", "jax", "optax", "pennylane", "pennylane_lightning", "tokenizers"),
        "qdllm student, qdllm predict",
    ),
}
DISTRIBUTIONS = {"pennylane_lightning": "pennylane-lightning"}
GIB = 2**30


@click.command(short_help="What is installed, what works, what is missing")
def doctor() -> None:
    """Say what is installed, what works here, and what is missing for which command."""
    memory = psutil.virtual_memory().total / GIB
    click.echo(f"machine   {platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.1f} GiB memory")
    click.echo(f"disk      {shutil.disk_usage(Path.cwd()).free / GIB:.1f} GiB free in {Path.cwd()}")
    click.echo(f"python    {platform.python_version()} in {sys.prefix}")
    click.echo(f"qdllm     {version('qdllm')}")
    missing = {extra: describe_extra(extra, names) for extra, (names, _) in EXTRAS.items()}
    if not missing["teacher"]:
        click.echo(f"torch on  {', '.join(list_torch_devices())}")
    if not missing["student"]:
        click.echo(f"jax on    {', '.join(list_jax_devices())}")
        for name, problem in try_engines().items():
            click.echo(f"engine    {name}: {problem or 'works'}")
    click.echo(f"dvc       {version('dvc')}; {describe_remote()}")
    for extra, (_, commands) in EXTRAS.items():
        lack = (
            f"missing {', '.join(missing[extra])}: pip install --editable '.[{extra}]'" if missing[extra] else "ready"
        )
        click.echo(f"{commands}: {lack}")


def describe_extra(extra: str, names: tuple[str, ...]) -> list[str]:
    """Print the versions of `names`; returns those that cannot be imported."""
    missing, found = [], []
    for name in names:
        try:
            importlib.import_module(name)
            found.append(f"{name} {version(DISTRIBUTIONS.get(name, name))}")
        except (ImportError, PackageNotFoundError):
            missing.append(name)
    click.echo(f"{extra:<9} {', '.join(found) or 'nothing'}")
    return missing


def list_torch_devices() -> list[str]:
    """Each device torch can compute on."""
    import torch

    return ["cpu", *(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))]


def list_jax_devices() -> list[str]:
    """Each device jax can compute on."""
    import jax

    return [f"{device.platform} ({device.device_kind})" for device in jax.devices()]


def try_engines() -> dict[str, str]:
    """Each engine's name with what keeps it from being built here; empty where nothing does."""
    from student_jax.config import CircuitConfig
    from student_jax.engines import ENGINES, build_engine

    problems = {}
    for name in ENGINES:
        try:
            build_engine(name, CircuitConfig(qubits=3, layers=1), 2, "float32")
            problems[name] = ""
        except UserError as error:
            problems[name] = str(error)
    return problems


def describe_remote() -> str:
    """Where the DVC remote is, or why there is none."""
    from pipeline.dvc_project import open_repo
    from pipeline.remote import open_remote

    try:
        with open_repo() as repo:
            remote = open_remote(repo)
            return f"remote {remote.name} at {remote.path} answers"
    except UserError as error:
        return str(error)
