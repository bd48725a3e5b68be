"""What `qdllm teachers` prints of each teacher, and that --pin changes the revisions and nothing else."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipeline.commands.teachers import teachers
from teacher_cache.errors import UserError
from teacher_cache.teacher.base.llms import LLMS
from tests.hub_server import serve_hub

ROOT = Path(__file__).parents[3]
COMMITS = {"bigscience/bloomz-1b1": "1" * 40, "bigscience/bloomz-3b": "2" * 40, "facebook/opt-6.7b": "3" * 40}


@pytest.fixture
def params(tmp_path):
    return shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml")


def call(params, *arguments):
    result = CliRunner().invoke(teachers, [*arguments, "--params", str(params)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_every_teacher_and_each_of_the_papers_llms(params):
    found = json.loads(call(params, "--json"))
    assert {facts["model"] for facts in found.values()} >= set(LLMS)
    assert found["bloom"]["architecture"] == "bloom"
    assert found["opt-6b7"]["lora_parameters"] == 32 * 200 * 2 * (4096 + 4096) + 4 * 4096
    assert (found["opt-6b7"]["pinned"], found["llama2-7b"]["pinned"]) == (False, True)


def test_a_file_of_answers_has_a_name_and_no_size(params):
    block = "  said:\n    base: {kind: file, path: raw/said.csv, made_by: a colleague}\n"
    params.write_text(params.read_text().replace("\nteacher:\n", f"\nteacher:\n{block}"))
    assert re.fullmatch(
        r"said +a colleague +not pinned +- +- +- +none: answers of a file", call(params, "said").split("\n")[1]
    )


def test_an_llm_that_params_do_not_name_is_there_by_its_hub_id(params):
    text = params.read_text()
    start, end = text.index("  bloomz-3b:"), text.index("  opt-6b7:")
    params.write_text(text[:start] + text[end:])
    found = json.loads(call(params, "--json"))
    assert found["bigscience/bloomz-3b"]["rank"] == 200
    assert "bloomz-3b" not in found


def test_the_table_speaks_of_those_that_were_asked_for(params):
    lines = call(params, "llama", "llama3-8b", "--classes", "2").splitlines()
    assert len(lines) == 3
    assert re.fullmatch(
        r"llama3-8b +meta-llama/Meta-Llama-3-8B +8cde5ca83804 +llama +7504.93M +117.97M +200 q_proj, k_proj, v_proj",
        lines[2],
    )
    with pytest.raises(UserError, match="teacher must define sage, got bloom, opt"):
        call(params, "sage")


def test_pin_writes_the_commits_and_nothing_else(params, tmp_path):
    """The real command against a hub that HF_ENDPOINT names; a second run finds nothing to pin."""
    before = params.read_text()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").touch()
    with serve_hub() as hub:
        for model, commit in COMMITS.items():
            hub.add(model, commit, tmp_path / "model", "main")
        command = [sys.executable, "-c", "from pipeline.cli import main; main()", "teachers", "--json", "--pin"]
        environment = os.environ | {"HF_ENDPOINT": hub.url, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["bloomz-3b"]["revision"] == "2" * 40
    assert len(done.stderr.splitlines()) == len(COMMITS)  # what was pinned; no library's own words
    expected = before
    for model, commit in COMMITS.items():
        expected = expected.replace(f"model: {model}, revision: null", f"model: {model}, revision: {commit!r}")
    assert params.read_text().replace('"', "'") == expected.replace('"', "'")
    assert "nothing to pin" in CliRunner().invoke(teachers, ["--pin", "--params", str(params)]).stderr


def test_pin_touches_nothing_where_one_of_them_cannot_be_pinned(params, tmp_path, monkeypatch):
    before = params.read_text()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").touch()
    with serve_hub() as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        hub.add("bigscience/bloomz-1b1", "1" * 40, tmp_path / "model", "main")
        with pytest.raises(UserError, match="a hub id that exists, or a folder, got bigscience/bloomz-3b"):
            call(params, "--pin", "bloomz-1b1", "bloomz-3b")
    assert params.read_text() == before


def test_ref_goes_with_pin(params):
    with pytest.raises(click.UsageError, match="--ref goes with --pin"):
        teachers.main(["--ref", "refs/pr/3", "--params", str(params)], standalone_mode=False)
