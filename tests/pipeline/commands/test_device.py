"""A student on a device by the command: shown first, sent after --yes, and never anything else than was shown."""

import json
import re

COMMAND = ("qdllm", "device", "--student", "students/emotion-tiny/llama-tiny", "--backend", "aer", "--rows", "20")


def test_a_budget_is_shown_then_sent_and_read_again(project, tmp_path):
    command = (*COMMAND, "--shots", "64", "--calibrations", "1", "--run", str(tmp_path / "run"))
    assert "a budget must be shown before --yes, got none" in project.refuse(*command, "--yes")
    shown = project.run(*command)
    assert "22 circuits (20 texts) in 1 jobs, 1408 shots" in shown
    digest = re.search(r"--yes (\w+)", shown)[1]
    assert f"--yes must be {digest}, the digest of what was shown, got {'0' * 12}" in project.refuse(
        *command, "--yes", "0" * 12
    )
    assert "got shots_per_circuit 64 -> 32; shots 1408 -> 704; nothing was sent" in project.refuse(
        *command, "--shots", "32", "--yes"
    )
    said = project.run(*command, "--yes", digest)
    assert re.search(r"mitigated +0\.\d{3} \[0\.\d{3}, [01]\.\d{3}\] +[+-]0\.\d{3} .+, same label \d+\.\d%\n", said)
    assert project.run(*command, "--yes") == said
    result = json.loads(project.run(*command, "--yes", "--json"))
    assert result["texts"] == 20
    expected = result["exact"]["accuracy"][0] + result["measured"]["difference"][0]
    assert abs(result["measured"]["accuracy"][0] - expected) < 1e-9
    assert "has jobs of another budget (shots_per_circuit 64 -> 32" in project.refuse(*command, "--shots", "32")
