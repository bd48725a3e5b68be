"""The lowest versions that pyproject.toml allows, as requirements of pip, one a line: what `make bounds` installs.

Run: python tests/lowest_versions.py
In: pyproject.toml.  Out: requirements on stdout.  Imports: the standard library alone.
"""

import re
import tomllib
from pathlib import Path

# `make bounds` runs the contract's and the student's tests, which need these of the extra `dev`. DVC stands within one
# minor release, and what drives it is tested whole by `make test`.
TESTS = ("beartype", "filelock", "hypothesis", "openqasm3", "pytest", "pytest-xdist", "qiskit")
LEFT_OUT = ("dvc",)
PACKAGE = re.compile(r"(?P<name>[\w.-]+)(?P<extras>\[[^]]*\])?>=(?P<lowest>[\w.]+)")


def list_lowest(project: dict) -> list[str]:
    extras = project["optional-dependencies"]
    lines = [
        *project["dependencies"],
        *(line for one in ("pipeline", "student", "onnx", "hub") for line in extras[one]),
    ]
    found = [PACKAGE.match(line) for line in lines]
    tests = [PACKAGE.match(line) for line in extras["dev"]]
    wanted = [one for one in found if one and one["name"] not in LEFT_OUT]
    wanted += [one for one in tests if one and one["name"] in TESTS]
    return [f"{one['name']}{one['extras'] or ''}=={one['lowest']}" for one in wanted]


if __name__ == "__main__":
    print("\n".join(list_lowest(tomllib.loads(Path("pyproject.toml").read_text())["project"])))
