"""A student as others get it: the folder, its card, what is said to leave with it, and a hub on this machine."""

import json
import shutil

import numpy as np
import onnxruntime
import pytest
from click.testing import CliRunner
from huggingface_hub import ModelCard

from pipeline.commands.publish import publish
from student_jax.student import Student
from teacher_cache.errors import UserError

STUDENT = "students/emotion-tiny/llama-tiny"
REPO = "someone/emotion"
FILES = [
    *("README.md", "embedder.json", "embedder.safetensors", "model.onnx"),
    *("student.json", "student.safetensors"),
]
TEXTS = ["what a lovely day", "how dull", "caf\u00e9"]


@pytest.fixture
def call(project, monkeypatch):
    """Run the command in the project, or raise its UserError."""
    monkeypatch.chdir(project.folder)

    def run(*options, repo=REPO, licence="apache-2.0"):
        arguments = ["--student", STUDENT, "--repo", repo, "--licence", licence, *options]
        done = CliRunner().invoke(publish, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    return run


def list_own(folder):
    """The files that must be there; a student may have others of its own since."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("surrogate."))


def test_the_folder_is_a_student_with_a_card(call, project, tmp_path):
    out = tmp_path / "out"
    printed = call("--out", str(out), "--data-licence", "cc0-1.0")
    assert list_own(out) == FILES
    assert '2 class names, such as "negative", "positive"' in printed
    assert "terms (of the words of the training texts), such as" in printed
    assert "task emotion-tiny, teacher llama-tiny" in printed
    assert "Nothing was pushed" in printed
    for name in ("student.json", "student.safetensors", "embedder.json", "embedder.safetensors"):
        assert (out / name).read_bytes() == (project.folder / STUDENT / name).read_bytes()
    student = Student.load(out)
    features = student.embedder.transform(TEXTS)
    said = onnxruntime.InferenceSession(out / "model.onnx").run(["probabilities"], {"features": features})[0]
    np.testing.assert_allclose(said, student.predict(TEXTS).probabilities, rtol=0, atol=1e-5)
    card = ModelCard.load(out / "README.md")
    summary = json.loads((project.folder / "evaluations/emotion-tiny/llama-tiny/summary.json").read_text())
    chosen = next(one for one in summary["seeds"] if one["seed"] == summary["selected_seed"])
    assert card.data.license == "apache-2.0"
    assert card.data.eval_results[0].metric_value == round(chosen["test"]["accuracy"], 4)
    assert f"{summary['metrics']['test']['accuracy']:.4f}" in card.text
    assert "cc0-1.0" in card.text
    assert str(tmp_path) not in card.text


def test_pushed_and_loaded_by_its_commit(call, hub, monkeypatch, tmp_path):
    """Private unless it is said; what an earlier student had and this one has not is taken away."""
    monkeypatch.setenv("HF_TOKEN", "hf_someone")
    out = tmp_path / "out"
    printed = call("--out", str(out), "--push")
    assert hub.private == {REPO: True}
    commit = hub.references[REPO]["main"]
    assert f'Student.from_pretrained("{REPO}", revision="{commit}")' in printed
    assert list_own(hub.commits[REPO][commit]) == FILES
    loaded = Student.from_pretrained(REPO, commit)
    np.testing.assert_array_equal(loaded.predict(TEXTS).probabilities, Student.load(out).predict(TEXTS).probabilities)
    (hub.commits[REPO][commit] / "surrogate.json").write_text("{}")
    (hub.commits[REPO][commit] / "notes.txt").write_text("theirs")
    call("--out", str(out), "--push", licence="mit")  # over its own earlier folder
    after = {path.name for path in hub.commits[REPO][hub.references[REPO]["main"]].iterdir()}
    assert ("surrogate.json" in after) == (out / "surrogate.json").exists()
    assert "notes.txt" in after
    hub.private[REPO] = False
    with pytest.raises(
        UserError, match="someone/emotion must be private, and is public: say --public, or name another"
    ):
        call("--out", str(out), "--push")
    call("--out", str(tmp_path / "second"), "--push", "--public", repo="someone/second")
    assert hub.private["someone/second"] is False
    hub.private[REPO] = True
    with pytest.raises(UserError, match="must be public for --public, and is private: make it public on its hub page"):
        call("--out", str(out), "--push", "--public")


def test_a_push_without_a_token(call, hub, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(UserError, match=r"someone/emotion could not be pushed: .*401") as caught:
        call("--out", str(tmp_path / "out"), "--push")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "names", "message"),
    [
        (("--without-texts",), {}, "what is shared without texts must hold no words, got those of"),
        (("--public",), {}, "--public must go with --push, got it alone"),
        ((), {"repo": "emotion"}, "--repo must be OWNER/NAME, of letters, digits, -, _ and ., got emotion"),
        ((), {"repo": "../x"}, "--repo must be OWNER/NAME"),
        ((), {"licence": "My own"}, "--licence must be a hub's name of one"),
        (("--out", "data"), {}, "--out must be a new folder, or one that qdllm publish wrote, got data with"),
        (("--out", "params.yaml"), {}, "got params.yaml with a file"),
    ],
)
def test_refusals(call, project, options, names, message):
    with pytest.raises(UserError, match=message):
        call(*options, **names)
    assert not (project.folder / "published").exists()


def test_an_evaluation_of_another_student_is_no_card(call, project, tmp_path):
    """The same labels and settings, other answers."""
    path = project.folder / "evaluations/emotion-tiny/llama-tiny/summary.json"
    whole, content = path.read_bytes(), json.loads(path.read_text())
    (a, b), (c, d) = content["confusion"]["student"]
    content["confusion"]["student"] = [[a - 3, b + 3], [c, d]]
    try:
        path.write_text(json.dumps(content))
        with pytest.raises(UserError, match="must be this student's, got another's answers; run `dvc repro evaluate`"):
            call("--out", str(tmp_path / "out"))
    finally:
        path.write_bytes(whole)
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
