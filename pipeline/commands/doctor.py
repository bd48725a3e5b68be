"""`qdllm doctor`: what is installed, what works on this machine, and what is missing for which command.

In: the environment, the DVC remote.  Out: doctor (a click command).  Imports: each library, where it is there.
"""

import importlib
import json
import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click
import psutil

from pipeline.lockfile import LOCK, restore
from pipeline.team.protected import require_runnable
from teacher_cache.errors import UserError

# What each extra brings, by the names under which it is imported, and the commands that need it.
EXTRAS = {
    "teacher": (
        ("torch", "transformers", "peft", "accelerate", "tokenizers"),
        "dvc repro, qdllm teachers, qdllm cache verify --spot-check",
    ),
    "student": (
        ("flax", "jax", "optax", "pennylane", "pennylane_lightning", "tokenizers"),
        "qdllm student, qdllm draw, qdllm export, qdllm diagnose",
    ),
    "serve": (("starlette", "uvicorn"), "qdllm serve"),
    "onnx": (("onnx", "onnxruntime"), "qdllm export --format onnx, qdllm publish"),
    "hub": (("huggingface_hub",), "qdllm publish, Student.from_pretrained"),
    "hardware": (("qiskit", "qiskit_aer", "qiskit_ibm_runtime", "mthree"), "qdllm device"),
    "plots": (("vl_convert",), "qdllm plots"),
    "quantize": (("bitsandbytes",), "bases in 8 or 4 bits"),
    "gguf": (("gguf",), "bases in GGUF files"),
    "ray": (("ray",), "QDLLM_RAY"),
}
DISTRIBUTIONS = {
    "pennylane_lightning": "pennylane-lightning",
    "qiskit_aer": "qiskit-aer",
    "qiskit_ibm_runtime": "qiskit-ibm-runtime",
    "vl_convert": "vl-convert-python",
}
GIB = 2**30


@click.command()
@click.option(
    "--lock", is_flag=True, help="Before a run: restore a dvc.lock that was cut off, refuse what the first stage would."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: facts, and the packages each extra lacks.")
def doctor(lock: bool, as_json: bool) -> None:
    """Say what is installed, what works here, and what is missing for which command."""
    restored = restore()
    if lock:
        click.echo(restored, err=True, nl=bool(restored))
        require_runnable()
        return
    facts: dict[str, str] = {}

    def say(name: str, fact: str) -> None:
        facts[name] = fact
        if not as_json:
            click.echo(f"{name:<9} {fact}")

    memory = psutil.virtual_memory().total / GIB
    say("machine", f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.1f} GiB memory")
    say("disk", f"{shutil.disk_usage(Path.cwd()).free / GIB:.1f} GiB free in {Path.cwd()}")
    say("python", f"{platform.python_version()} in {sys.prefix}")
    say("qdllm", version("qdllm"))
    missing = {}
    for extra, (names, _) in EXTRAS.items():
        found, missing[extra] = find_packages(names)
        say(extra, ", ".join(found) or "nothing")
    if not missing["teacher"]:
        say("torch on", ", ".join(list_torch_devices()))
    if not missing["student"]:
        say("jax on", ", ".join(list_jax_devices()))
        for name, problem in try_engines().items():
            say(f"engine {name}", problem or "works")
    say("dvc", f"{version('dvc')}; {describe_remote()}")
    say("dvc.lock", restored.removeprefix("dvc.lock ") or "whole" if LOCK.exists() else "none yet")
    if as_json:
        click.echo(json.dumps({"facts": facts, "missing": missing}))
        return
    for extra, (_, commands) in EXTRAS.items():
        lack = f"missing {', '.join(missing[extra])}: pip install 'qdllm[{extra}]'" if missing[extra] else "ready"
        click.echo(f"{commands}: {lack}")


def find_packages(names: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Those of `names` that can be imported, with their versions, and those that cannot."""
    found, missing = [], []
    for name in names:
        try:
            importlib.import_module(name)
            found.append(f"{name} {version(DISTRIBUTIONS.get(name, name))}")
        except (ImportError, PackageNotFoundError):
            missing.append(name)
    return found, missing


def list_torch_devices() -> list[str]:
    """Each device torch can compute on, and what is slow on the CPU."""
    import torch

    from teacher_cache.teacher.torch_device import describe_slowness

    slow = describe_slowness("bfloat16")
    cards = (torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
    return [f"cpu ({slow})" if slow else "cpu", *cards]


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
    from pipeline.team.dvc_project import open_repo
    from pipeline.team.remote import open_remote

    try:
        with open_repo() as repo:
            remote = open_remote(repo)
            return f"remote {remote.name} at {remote.path} answers"
    except UserError as error:
        return str(error)
