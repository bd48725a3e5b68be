"""Everything that has to be measured on an NVIDIA GPU, in one run of some seven minutes.

Run: make gpu PYTHON=python3, or python3 -m tests.gpu.run_gpu [--seconds 400] [--tiny] [--output build/gpu.json]
In: what Python has installed; build/bundle/ of `make gpu-bundle`, where they were brought along.
Out: build/gpu.json, written anew after each part.  Imports: the standard library; each part is a process of its own.

Parts run in order of what would be missed most, and none begins for which there is no time. A part whose library is
missing, or that finds no card, says so in its rows. Nothing is installed: archives are unpacked into build/site.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

WANTED = (
    "jax", "optax", "jaxtyping", "numpy", "scipy", "torch", "transformers", "peft", "accelerate", "tokenizers",
    "safetensors", "pyarrow", "pydantic", "ruamel.yaml", "pennylane", "pennylane-lightning-gpu", "custatevec-cu12",
    "tensorcircuit-ng",
)  # fmt: skip
# Name, module, arguments, and the share of the time that is left when it begins.
PARTS = (
    ("simulator", "measure_simulator", (), 0.35),
    ("llms", "measure_llms", ("llama3-8b", "bloomz-1b1"), 0.45),
    ("lightning", "measure_lightning", (), 0.5),
    ("resume", "measure_resume", (), 0.9),
    ("more llms", "measure_llms", ("bloomz-3b", "opt-6b7", "llama2-7b"), 1.0),
)
LEAST_SECONDS = 15
SITE = Path("build/site")


def list_versions() -> dict[str, str]:
    """The version of each wanted package, and what constraints.txt wants instead where that is another."""
    lines = Path("constraints.txt").read_text().splitlines()
    pins = {name.lower().replace("_", "-"): pin for name, _, pin in (line.partition("==") for line in lines)}
    found = {}
    for name in WANTED:
        pin = pins.get(name)
        try:
            version = importlib.metadata.version(name)
            found[name] = version if pin in (None, version) else f"{version} (tested with {pin})"
        except importlib.metadata.PackageNotFoundError:
            found[name] = "missing" + (f" (tested with {pin})" if pin else "")
    return found


def unpack_bundle(folder: Path) -> None:
    """Unpack the archives of `make gpu-bundle` into SITE, once."""
    for archive in sorted(folder.glob("bundle-*.tar")):
        mark = SITE / f".{archive.name}"
        if mark.exists():
            continue
        with tarfile.open(archive) as outer:
            for entry in outer:
                with tarfile.open(fileobj=outer.extractfile(entry), mode="r:xz") as tar:
                    tar.extraction_filter = getattr(tarfile, "data_filter", None)  # from Python 3.11.4 on
                    tar.extractall(SITE)
        mark.touch()


def find_library_folders() -> list[Path]:
    """Folders of the CUDA libraries that lightning.gpu loads: the bundle's, then those of CUDA 13."""
    bundled = ["forwarders", "cuquantum/lib", "nvidia/cuda_runtime/lib", "pennylane_lightning_gpu.libs"]
    patterns = [(Path(root), "nvidia/**") for root in sys.path] + [(Path("/usr/local"), "cuda*/lib64")]
    libraries = ("libcublas.so.13", "libcusparse.so.12")
    found = [path.parent for root, pattern in patterns for name in libraries for path in root.glob(f"{pattern}/{name}")]
    return [path for path in [(SITE / name).resolve() for name in bundled] + found if path.is_dir()]


def build_environment(part: str) -> dict[str, str]:
    """A part's environment: the bundle goes first, no memory is taken in advance, nothing is asked of a hub."""
    here = [str(SITE.resolve())] if SITE.exists() else []
    joined = {"PYTHONPATH": [*here, os.environ.get("PYTHONPATH", "")]}
    if part == "measure_lightning":
        joined["LD_LIBRARY_PATH"] = [*map(str, find_library_folders()), os.environ.get("LD_LIBRARY_PATH", "")]
    return {
        **os.environ,
        **{name: ":".join(filter(None, values)) for name, values in joined.items()},
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


def describe_card() -> str:
    """What nvidia-smi says, in one line."""
    if shutil.which("nvidia-smi") is None:
        return "none: no nvidia-smi here"
    command = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "none: nvidia-smi names none"


def run_part(module: str, arguments: tuple[str, ...], seconds: float, tiny: bool) -> dict[str, Any]:
    """The rows of a part, those too that it had written before it failed or was stopped at its limit."""
    with tempfile.TemporaryDirectory() as place:
        output = Path(place) / "rows.json"
        command = [sys.executable, "-m", f"tests.gpu.{module}", "--output", str(output), "--seconds", str(seconds)]
        command += [*(["--tiny"] if tiny else []), *arguments]
        start = time.monotonic()
        with (Path(place) / "stderr").open("w+") as stderr:
            process = subprocess.Popen(command, env=build_environment(module), stderr=stderr)
            try:
                status = process.wait(seconds + LEAST_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                status = "stopped at its limit"
            stderr.seek(0)
            said = stderr.read().strip().splitlines()[-15:]
        rows = json.loads(output.read_text()) if output.exists() else []
        result = {"status": status, "seconds": round(time.monotonic() - start, 1), "rows": rows}
        if status:
            print("\n".join(said), flush=True)
            result["stderr"] = said
        return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=400)
    parser.add_argument("--tiny", action="store_true", help="sizes for a CPU: shows that it runs, measures nothing")
    parser.add_argument("--only", nargs="*", help="parts by name")
    parser.add_argument("--bundle", type=Path, default=Path("build/bundle"))
    parser.add_argument("--output", type=Path, default=Path("build/gpu.json"))
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    unpack_bundle(options.bundle)
    sys.path.insert(0, str(SITE))
    report: dict[str, Any] = {
        "card": describe_card(), "python": platform.python_version(), "versions": list_versions(), "parts": {},
    }  # fmt: skip
    for name, version in report["versions"].items():
        if "missing" in version or "tested" in version:
            print(f"{name}: {version}")
    print(f"card: {report['card']}", flush=True)
    failed = []
    for name, module, arguments, share in PARTS:
        if options.only is not None and name not in options.only:
            continue
        left = end - time.monotonic()
        if left < 2 * LEAST_SECONDS:
            report["parts"][name] = {"skipped": f"{max(left, 0):.0f} s were left"}
        else:
            print(f"{name}:", flush=True)
            chosen = arguments[:1] if options.tiny else arguments  # one LLM shows that it runs
            part = report["parts"][name] = run_part(module, chosen, share * left - LEAST_SECONDS, options.tiny)
            failed += [name] if part["status"] else []
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
