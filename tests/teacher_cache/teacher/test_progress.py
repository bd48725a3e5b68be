"""Where stderr is no terminal, progress comes as plain lines."""

import pytest

from teacher_cache.teacher import progress


def test_plain_lines(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    assert list(progress.track([7, 8, 9], "base", "batch")) == [7, 8, 9]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("base 1/3 batch")
    assert "\r" not in "".join(lines)


@pytest.mark.parametrize("enabled", [True, False])
def test_quick_work_says_nothing(capsys, enabled):
    assert list(progress.track([1, 2], "base", "batch", enabled)) == [1, 2]
    assert capsys.readouterr().err == ""
