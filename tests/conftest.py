"""Property tests draw the same examples on every run, and no example fails for being slow on a busy machine."""

from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")
