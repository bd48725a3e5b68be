"""The compiled engine of the student; all else that the package is stands in pyproject.toml.

Without a C++ compiler, or jaxlib's headers, the package is installed without it: `optional` makes that no error.
"""

from importlib.util import find_spec
from pathlib import Path

from setuptools import Extension, setup

KERNEL = Path("student_jax/engines/native_kernel")
JAXLIB = find_spec("jaxlib")
HEADERS = [str(Path(place) / "include") for place in (JAXLIB.submodule_search_locations if JAXLIB else ())]

setup(
    ext_modules=[
        Extension(
            "student_jax.engines._native",
            sources=[str(path) for path in sorted(KERNEL.glob("*.cc"))],
            depends=[str(path) for path in sorted(KERNEL.glob("*.h"))],
            include_dirs=HEADERS,
            # No -march: every instruction set's kernel is compiled, and one is chosen when the library is loaded.
            extra_compile_args=["-std=c++17", "-O3", "-fvisibility=hidden", "-Wno-psabi", "-Wno-ignored-attributes"],
            optional=True,
        )
    ]
)
