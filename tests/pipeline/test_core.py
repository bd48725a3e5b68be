"""With the package's core alone texts are answered, by `predict` and by `serve`; all else says which extra it needs."""

import json
import re
import subprocess
import sys
import tomllib
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from pipeline.extras import EXTRAS, name_extra
from student_jax.config import CircuitConfig, EmbedConfig, StudentConfig
from student_jax.student import Student
from tests.untrained import write_student

PROJECT = tomllib.loads(Path("pyproject.toml").read_text())["project"]
OURS = ("pipeline", "student_jax", "teacher_cache")
TEXTS = ["a good film", "a bad song", "球队大胜"]

# Every module that is neither Python's, nor ours, nor of the distributions that are allowed, is not there.
WALLED = """
import sys

allowed = {*sys.stdlib_module_names, *sys.argv.pop(1).split()}

class Wall:
    def find_spec(self, name, *_):
        top = name.partition(".")[0]
        if top not in allowed and not top.startswith("_"):  # Python's own _sysconfigdata of its platform
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Wall())
sys.argv[0] = "qdllm"
from pipeline.cli import main
main()
"""


def list_modules(requirements):
    """What can be imported of these requirements and of all that they require."""
    modules, queue, done = {*OURS}, [*requirements], set()
    while queue:
        requirement = queue.pop()
        name = re.match(r"[\w.-]+", requirement)[0]
        if "extra ==" in requirement or name in done:
            continue
        done.add(name)
        with suppress(PackageNotFoundError):  # of another version of Python
            found = distribution(name)
            queue += found.requires or []
            modules |= {path.parts[0].partition(".")[0] for path in found.files}
    return modules


def start(arguments, extras=()):
    """`qdllm` with nothing but the core and `extras`."""
    modules = list_modules([*PROJECT["dependencies"], *(line for e in extras for line in PROJECT_EXTRAS[e])])
    assert modules.isdisjoint({"jax", "scipy", "sklearn", "pyarrow", "dvc", "matplotlib", "pandas", "torch"})
    command = [sys.executable, "-c", WALLED, " ".join(modules), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


PROJECT_EXTRAS = PROJECT["optional-dependencies"]


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """The folder of a student that was never trained."""
    folder = tmp_path_factory.mktemp("student")
    config = StudentConfig(circuit=CircuitConfig(qubits=3, layers=2))
    texts = [f"{text} {k}" for k in range(9) for text in TEXTS]
    write_student(folder, texts, [0, 1, 2] * 9, ["no", "yes"], config, EmbedConfig(dimensions=6))
    return folder


def test_predict_needs_the_core_alone(student):
    output, errors = start(["predict", "--student", student, *TEXTS]).communicate(timeout=60)
    labels, probabilities = Student.load(student, engine="fused").predict(TEXTS)
    found = [json.loads(line) for line in output.splitlines()]
    assert [one["label"] for one in found] == labels, errors
    for one, row in zip(found, probabilities.tolist(), strict=True):
        assert list(one["probabilities"].values()) == pytest.approx(row, abs=1e-5)


def test_serve_needs_its_extra_alone(student):
    with start(["serve", "--student", student, "--port", "0"], ["serve"]) as process:
        try:
            line = process.stdout.readline()
            port = re.search(r"127\.0\.0\.1:(\d+)", line)
            assert port, line + process.stderr.read()
            body = json.dumps({"texts": TEXTS}).encode()
            ask = Request(f"http://127.0.0.1:{port[1]}/predict", body, {"content-type": "application/json"})
            with urlopen(ask, timeout=60) as answer:
                found = json.load(answer)["predictions"]
        finally:
            process.terminate()
    assert [one["label"] for one in found] == Student.load(student).predict(TEXTS).labels


@pytest.mark.parametrize(("command", "module"), [("doctor", "psutil"), ("serve", "uvicorn")])
def test_what_needs_an_extra_says_which(student, command, module):
    options = ["--student", student] if command == "serve" else []
    process = start([command, *options])
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (2, "")
    assert re.fullmatch(rf"qdllm: .*{module}.*pip install 'qdllm\[\w+\]'\n", errors)


def test_extras_are_those_of_pyproject():
    """Every library that the table has is of its extra; of `pipeline` there is no other."""
    names = {"sklearn": "scikit-learn", "ruamel": "ruamel.yaml"}
    for extra, modules in EXTRAS.items():
        required = {re.match(r"[\w.-]+", line)[0] for line in PROJECT_EXTRAS[extra]}
        found = {names.get(module, module) for module in modules}
        assert found <= required
        assert extra != "pipeline" or found == required
    assert (name_extra("dvc.repo"), name_extra("ruamel.yaml"), name_extra("nobody"), name_extra(None)) == (
        *("pipeline", "pipeline"),
        *(None, None),
    )
