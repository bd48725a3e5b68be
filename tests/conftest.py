"""Property tests draw the same examples on every run, and no example fails for being slow on a busy machine."""

from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


def pytest_configure(config):
    # PennyLane 0.45 reads names of jax.core that JAX 0.10 deprecates (is_concrete, concrete_or_error).
    config.addinivalue_line("filterwarnings", r"ignore:jax\.core\.\w+ is deprecated:DeprecationWarning")
