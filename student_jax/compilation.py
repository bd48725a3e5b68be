"""Keeping what JAX has compiled, so that the next student of the same shape need not wait for it again.

In: a folder.  Out: keep_compiled().  Imports: jax.
"""

import os
from pathlib import Path

import jax


def keep_compiled(folder: Path) -> None:
    """From now on, take compiled programs from `folder` where they are there, and leave new ones in it.

    A program is found again by its code, shapes, JAX's version and the processor; the numbers are the same. Whoever
    has set JAX_COMPILATION_CACHE_DIR has named a folder for all projects, which stays.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)  # thirty small programs are seconds, too
