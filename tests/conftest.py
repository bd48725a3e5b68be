"""Property tests draw the same examples on every run, and no example fails for being slow on a busy machine."""

import os

from hypothesis import settings

# Test files run side by side, one on a core; before torch is imported, here or in a process that a test starts.
os.environ["OMP_NUM_THREADS"] = "1"

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


def pytest_configure(config):
    # PennyLane 0.45 reads names of jax.core that JAX 0.10 deprecates (is_concrete, concrete_or_error).
    config.addinivalue_line("filterwarnings", r"ignore:jax\.core\.\w+ is deprecated:DeprecationWarning")
