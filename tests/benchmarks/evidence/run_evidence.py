"""What a pretrained teacher is worth on real text: its students by labels and by unlabelled texts, each part kept.

Run: make evidence DATA=FOLDER LLM=FOLDER [OPTIONS="--seconds 3600 --encoder FOLDER"]
In: {task}.parquet with text and label_name; the folder of `qdllm fetch smollm2`.
Out: build/evidence/DTYPE/, a file a part; docs/evidence.md, written anew after each part.

A part that is there is not made again, so that a later run goes on. A folder is of one dtype and one set of settings.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from pipeline.commands.profile import make_yaml, switch_profile
from pipeline.entry import measure_run
from student_jax.compilation import keep_compiled
from student_jax.devices import use_cores
from teacher_cache.errors import UserError
from teacher_cache.publish import write_json
from tests.benchmarks.evidence.page import write_page
from tests.benchmarks.evidence.parts import Part, estimate, estimate_part, estimate_teacher, exists, list_parts
from tests.benchmarks.evidence.students import describe_unit, train_part
from tests.benchmarks.evidence.teacher import Settings, count_rows, make_features, make_unit
from tests.benchmarks.timing import describe_machine

ROOT = Path(__file__).parents[3]
TASKS = ("thematic", "emotion")
PAGE = Path("docs/evidence.md")
PROFILE = "pretrained"


def read_settings(options: argparse.Namespace) -> Settings:
    """Those of the profile `pretrained`, with the caller's paths, dtype and engine."""
    path = ROOT / "params.yaml"
    content = make_yaml().load(path.read_text(encoding="utf-8"))
    switch_profile(content, PROFILE, path)
    plain = json.loads(json.dumps(content))
    teacher = plain["teacher"][plain["teachers"][0]]
    file = options.llm / Path(teacher["base"]["path"]).name
    if not file.is_file():
        raise UserError(f"{file} must exist; run `qdllm fetch smollm2 {options.llm}`")
    teacher["base"] |= {"path": str(file.resolve()), "dtype": options.dtype}
    teacher["cache_teacher"] |= {"dtype": options.dtype, "hidden_layers": [30]}
    teacher["finetune"].pop("epochs", None)  # by the number of labels
    plain["student"]["engine"] = options.engine
    encoder = options.encoder.resolve() if options.encoder else None
    return Settings(options.data.resolve(), teacher, plain["student"], encoder, plain["seed"], options.limit)


def require_same(settings: Settings, out: Path) -> None:
    """Note what decides the numbers in `out`, and refuse to mix them with another's.

    Raises:
        UserError: `out` has numbers of other settings.
    """
    said, file = settings.describe(), out / "settings.json"
    if file.exists() and (before := json.loads(file.read_text(encoding="utf-8"))) != said:
        differing = [key for key in said if said[key] != before.get(key)]
        raise UserError(
            f"{out} holds numbers of other settings ({', '.join(differing)}); move it away, or name another --out"
        )
    write_json(file, said)


def run_parts(parts: list[Part], settings: Settings, out: Path, page: Path, seconds: float | None = None) -> int:
    """Make each of `parts` that is not there, in order; where `seconds` would not do for one, it is left for later.

    Returns:
        How many are still to be made.
    """
    started, left, made = time.monotonic(), 0, measure_run("evidence")
    rows = {task: count_rows(settings, task) for task in {part.unit.task for part in parts}}
    for number, part in enumerate(parts, 1):
        target = out / "parts" / f"{part.name}.json"
        if target.exists():
            continue
        spent = time.monotonic() - started
        if seconds is not None and spent + _expect(part, rows, settings, out) > seconds:
            left += 1
            continue
        begun = time.monotonic()
        folder = make_unit(part.unit, settings, out)
        if not (described := out / "units" / f"{part.unit.name}.json").exists():
            own = {"machine": describe_machine(), "seconds": round(time.monotonic() - begun, 1)}
            write_json(described, made | describe_unit(folder) | own)
        features = make_features(part.unit, part.features, settings, out)
        found = train_part(part, folder, features, settings)
        write_json(target, {"commit": made["commit"], "cpu": describe_machine()["cpu"], **found})
        write_page(out, page)
        print(f"{number} of {len(parts)}: {part.name}: {sum(found['accuracy']) / len(found['accuracy']):.4f}, "
              f"{found['seconds']} s; {time.monotonic() - started:.0f} s so far", flush=True)  # fmt: skip
    return left


def _expect(part: Part, rows: dict[str, int], settings: Settings, out: Path) -> float:
    """Seconds of a part, its teacher's included where that is not there."""
    size = rows[part.unit.task]
    teacher = 0.0 if (out / part.unit.name / "cache").exists() else estimate_teacher(part.unit, size)
    return teacher + estimate_part(part, size, *_read_training(settings))


def _read_training(settings: Settings) -> tuple[int, int, int]:
    """Students side by side, epochs, steps at least."""
    student: dict[str, Any] = settings.student
    points = 1
    for values in student.get("grid", {}).values():
        points *= len(values)
    return points * student["seeds"], student["epochs"], student.get("min_steps", 0)


def read_options(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--llm", type=Path, required=True)
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    parser.add_argument("--engine", default="fused", help="that simulates the circuit")
    parser.add_argument("--limit", type=int, help="take as many texts of each task alone, to try it")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--page", type=Path, default=PAGE)
    return parser.parse_args(arguments)


def main() -> None:
    options = read_options()
    settings = read_settings(options)
    out = (options.out or Path("build/evidence") / options.dtype).resolve()
    kinds = ["corpus", "encoder"] if settings.encoder else ["corpus"]
    rows = {task: count_rows(settings, task) for task in options.tasks}
    parts = [part for part in list_parts(options.tasks, kinds) if exists(part, rows[part.unit.task])]
    todo = [part for part in parts if not (out / "parts" / f"{part.name}.json").exists()]
    hours = estimate(todo, rows, *_read_training(settings)) / 3600
    print(
        f"{len(todo)} of {len(parts)} parts to make, some {hours:.1f} hours on two quiet cores; kept in {out}",
        flush=True,
    )
    require_same(settings, out)
    keep_compiled(out / "compiled")
    use_cores()
    left = run_parts(parts, settings, out, options.page, options.seconds)
    print(f"{options.page} is written; {left} parts are left for another run" if left else f"{options.page} is written")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"evidence: {error}")
