"""The code that a stage of the student's side depends on: the files of ours that it imports, by their checksums.

In: dvc.yaml and the code of the current folder.  Out: trace_imports(), compare_code(), READ, PLUMBING, COMPILED.
Imports: pipeline.team.watched, the standard library.

Stage `inputs` writes a file of checksums for each, and dvc.yaml names that file. DVC reads and writes the whole of
dvc.lock after every stage: a dependency for each file of code, in every stage of every pair, were half of its lines.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.team.watched import Checksums, read_checksums

STAGES = Path("dvc.yaml")
PACKAGES = ("pipeline", "student_jax", "teacher_cache")
# What a module calls without importing it: the sources of what is compiled.
COMPILED = {"student_jax/engines/native.py": "student_jax/engines/native_kernel/*"}
# What a stage reads without importing it: the page's parts, the paper's tables, and the profile that is shown.
READ = {"report": ("pipeline/profiles/*.yaml", "pipeline/report/*.*", "pipeline/report/paper/*.csv")}
# What moves numbers and makes none: an edit of it must not send a team's students into training again.
PLUMBING = frozenset(
    {
        "pipeline/entry.py",
        "pipeline/lockfile.py",
        "pipeline/old_project.py",
        "pipeline/orphans.py",
        "teacher_cache/errors.py",
        "teacher_cache/outside.py",
        "teacher_cache/publish.py",
        "teacher_cache/sealed.py",
        "teacher_cache/text.py",  # which texts become features; no stage of the student makes those
        "teacher_cache/versions.py",
    }
)


def compare_code(out: Path) -> dict[Path, tuple[Checksums, Checksums]]:
    """What the file of each stage that depends on code says in `out`, and what it must say now; a path is of `out`.

    In a project of `qdllm init`, whose dvc.yaml names no such file, there are none.
    """
    stages = re.findall(rf"{re.escape(out.name)}/code/(\w+)\.json", STAGES.read_text(encoding="utf-8"))
    imports: dict[Path, set[Path]] = {}
    found = {}
    for stage in dict.fromkeys(stages):
        paths = [path for path in trace_imports(f"pipeline.stages.{stage}", imports) if path.as_posix() not in PLUMBING]
        compiled = [pattern for module, pattern in COMPILED.items() if Path(module) in paths]
        paths += [path for pattern in (*READ.get(stage, ()), *compiled) for path in Path().glob(pattern)]
        now = {path.as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted({*paths})}
        file = Path("code", f"{stage}.json")
        found[file] = (read_checksums(out / file), now)
    return found


def trace_imports(module: str, imports: dict[Path, set[Path]] | None = None) -> set[Path]:
    """The files of ours that `module` imports, inside of functions too, directly or through others, and its own.

    Args:
        module: such as pipeline.stages.compare; of the code in the current folder.
        imports: what each file imports itself; filled in, so that several calls read a file once.
    """
    imports = {} if imports is None else imports
    files: set[Path] = set()
    queue = _find_files(module)
    while queue:
        path = queue.pop()
        if path not in files:
            files.add(path)
            if path not in imports:
                imports[path] = _read_imports(path)
            queue |= imports[path]
    return {path for path in files if path.stat().st_size}


def _read_imports(path: Path) -> set[Path]:
    files: set[Path] = set()
    for node in _list_statements(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # A name may be a module of the package, too.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        files |= {file for name in names if name.split(".")[0] in PACKAGES for file in _find_files(name)}
    return files


def _list_statements(node: ast.AST) -> Iterator[ast.AST]:
    """All statements in a block, in those inside of it, too; of their expressions, nine nodes of ten, none."""
    for block in ("body", "handlers", "orelse", "finalbody", "cases"):
        inner = getattr(node, block, ())
        for statement in inner if isinstance(inner, list) else ():  # a lambda's body is an expression
            yield statement
            yield from _list_statements(statement)


def _find_files(module: str) -> set[Path]:
    """A module's file, and those of the packages around it, which are imported first."""
    path = Path(*module.split("."))
    candidates = [path.with_suffix(".py"), *(folder / "__init__.py" for folder in (path, *path.parents[:-1]))]
    return {file for file in candidates if file.is_file()}
