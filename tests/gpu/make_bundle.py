"""Archives of what a machine with a card, CUDA 13 and no network lacks, to be brought along.

Run: make gpu-bundle, or python -m tests.gpu.make_bundle [--python 3.12] [--folder build/bundle]
Out: build/bundle/bundle-1.tar and so on, each under 60 MiB, which tests/gpu/run_gpu.py unpacks there.
Imports: the standard library; pip, which downloads the wheels; gcc.
"""

import argparse
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from tests.gpu.cuda12_forwarders import build_forwarders

# Without what each asks for: CUDA 12's cuBLAS and cuSPARSE alone are hundreds of megabytes, and cuda12_forwarders.py
# does instead. cuStateVec 1.7.0 is half the size of the latest.
WHEELS = (
    "pennylane", "pennylane-lightning", "pennylane-lightning-gpu==0.45.0", "custatevec-cu12==1.7.0",
    "nvidia-cuda-runtime-cu12==12.9.79", "appdirs", "astunparse", "autograd", "autoray", "cachetools",
    "diastatic-malt", "gast", "rustworkx", "scipy-openblas32", "six", "termcolor", "tomlkit",  # PennyLane's
    "tensorcircuit-ng", "tensornetwork-ng==0.5.3", "graphviz",
    "annotated-types", "pydantic", "pydantic-core", "ruamel.yaml", "typing-inspection",
)  # fmt: skip
PLATFORMS = ("2_28", "2_27", "2_24", "2_17", "2_5")
UNWANTED = ("_catalyst.so", "/tests/", "/doc/")  # a compiler that nothing here calls, 64 MB
LIMIT = 60 << 20


def download(python: str, folder: Path) -> list[Path]:
    """The wheels of WHEELS for `python`, in the versions of constraints.txt."""
    platforms = [f"--platform=manylinux_{version}_x86_64" for version in PLATFORMS]
    platforms += ["--platform=manylinux2014_x86_64", "--platform=manylinux1_x86_64"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += [f"--python-version={python}", "--implementation=cp", *platforms, "--constraint=constraints.txt"]
    subprocess.run([*command, f"--dest={folder}", *WHEELS], check=True)
    return sorted(folder.glob("*.whl"))


def compress(files: dict[str, bytes]) -> bytes:
    """A .tar.xz of `files`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def read_wheel(path: Path) -> dict[str, bytes]:
    """The files of a wheel that are wanted."""
    with zipfile.ZipFile(path) as wheel:
        names = [name for name in wheel.namelist() if not any(part in f"/{name}" for part in UNWANTED)]
        return {name: wheel.read(name) for name in names if not name.endswith("/")}


def write_archives(packed: dict[str, bytes], folder: Path) -> list[Path]:
    """Put the packed wheels into as few numbered archives as first fit finds, the largest wheel first."""
    archives: list[list[str]] = []
    for name in sorted(packed, key=lambda name: -len(packed[name])):
        room = (group for group in archives if sum(len(packed[one]) for one in [*group, name]) < LIMIT - (1 << 20))
        group = next(room, None)
        if group is None:
            archives.append(group := [])
        group.append(name)
    paths = []
    for number, group in enumerate(archives, 1):
        paths.append(folder / f"bundle-{number}.tar")
        with tarfile.open(paths[-1], "w") as tar:
            for name in group:
                entry = tarfile.TarInfo(f"{name}.tar.xz")
                entry.size = len(packed[name])
                tar.addfile(entry, io.BytesIO(packed[name]))
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default="3.12")
    parser.add_argument("--folder", type=Path, default=Path("build/bundle"))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for old in options.folder.glob("bundle-*.tar"):
        old.unlink()
    with tempfile.TemporaryDirectory() as place:
        packed = {}
        for path in download(options.python, Path(place) / "wheels"):
            packed[path.name.split("-")[0]] = compress(read_wheel(path))
            print(f"{path.name}: {len(packed[path.name.split('-')[0]]) / 2**20:.1f} MiB", flush=True)
        build_forwarders(Path(place) / "forwarders")
        made = sorted((Path(place) / "forwarders").iterdir())
        packed["forwarders"] = compress({f"forwarders/{path.name}": path.read_bytes() for path in made})
        for path in write_archives(packed, options.folder):
            print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
