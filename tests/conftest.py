"""Whatever holds for every test: equal examples, one thread a process, types and shapes checked, interrupts heard."""

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# Processes that are forked for a test find this package, and not another's of the same name.
sys.path.insert(0, str(Path(__file__).parents[1]))

# Test files run side by side, one on a core; before torch is imported, here or in a process that a test starts.
os.environ["OMP_NUM_THREADS"] = "1"
# Before jax is imported: no dtype and no shape is mended in silence, here or in a process that a test starts.
os.environ["JAX_NUMPY_DTYPE_PROMOTION"] = "strict"
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
# What one test or stage has compiled no other compiles again, nor does the next run: most of the student's seconds.
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(Path(__file__).parents[1] / ".pytest_cache" / "d" / "compiled")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

# Nor does a process compile modules that another has, though many an image of Python says that no bytecode is kept.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell lets what it runs in the background ignore interrupts, and so would every process that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No example fails for being slow on a busy machine.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


def pytest_configure(config):
    from jaxtyping import install_import_hook

    # Every call of the student's half is checked against its annotations, shapes of arrays included.
    install_import_hook("student_jax", "beartype.beartype")
    # PennyLane and flax read names of JAX that it deprecates.
    config.addinivalue_line("filterwarnings", r"ignore:jax\.[\w.]+ is deprecated:DeprecationWarning:(pennylane|flax)\.")
    # Another process is still writing a program that this one wants, which compiles it itself then.
    config.addinivalue_line("filterwarnings", "ignore:Error reading persistent compilation cache entry:UserWarning")


def pytest_collection_modifyitems(items):
    """A file that needs the project that has run goes first: one worker makes it, and no other has to wait for it."""
    first = next((item.path for item in items if "project" in item.fixturenames), None)
    items.sort(key=lambda item: item.path != first)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """An empty model hub on this machine, and an empty cache of what comes from it."""
    from huggingface_hub import constants

    from tests.hub_server import serve_hub

    (tmp_path / "pushed").mkdir()
    with serve_hub(tmp_path / "pushed") as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub_cache"))
        yield hub
