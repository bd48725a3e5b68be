"""A student on a device by the command: shown first, sent after --yes, and never anything else than was shown."""

import json
import re

import pytest
from click.testing import CliRunner

from pipeline.commands.device import device
from teacher_cache.errors import UserError

COMMAND = ("--student", "students/emotion-tiny/llama-tiny", "--backend", "aer", "--rows", "20", "--calibrations", "1")


def test_a_budget_is_shown_then_sent_and_read_again(project, tmp_path, monkeypatch):
    monkeypatch.chdir(project.folder)

    def run(*options, shots="64"):
        """In this process, which has imported the libraries: each command takes seconds to."""
        done = CliRunner().invoke(device, [*COMMAND, "--shots", shots, "--run", str(tmp_path / "run"), *options])
        if done.exception is not None:
            raise done.exception
        return done.stdout

    with pytest.raises(UserError, match="a budget must be shown before --yes, got none"):
        run("--yes")
    shown = run()
    assert "22 circuits (20 texts) in 1 jobs, 1408 shots" in shown
    digest = re.search(r"--yes (\w+)", shown)[1]
    with pytest.raises(UserError, match=f"--yes must be {digest}, the digest of what was shown, got 000"):
        run("--yes", "000")
    with pytest.raises(UserError, match="got shots_per_circuit 64 -> 32; shots 1408 -> 704; nothing was sent"):
        run("--yes", shots="32")
    said = run("--yes", digest)
    assert re.search(r"mitigated +0\.\d{3} \[0\.\d{3}, [01]\.\d{3}\] +[+-]0\.\d{3} .+, same label \d+\.\d%\n", said)
    result = json.loads(run("--yes", "--json"))
    assert result["texts"] == 20
    expected = result["exact"]["accuracy"][0] + result["measured"]["difference"][0]
    assert abs(result["measured"]["accuracy"][0] - expected) < 1e-9
    with pytest.raises(UserError, match=r"has jobs of another budget \(shots_per_circuit 64 -> 32"):
        run(shots="32")
