"""A dvc.lock that is cut off: at any byte, and by a real kill of a real `dvc repro` while it writes.

In: the ground, a number of trials.  Out: a Row of each fault.  Imports: pipeline.lockfile; dvc as a command.
"""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import chdir
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.lockfile import COPY, LOCK, describe_damage, keep_copy, restore
from tests.faults.outcomes import Outcome, Row
from tests.faults.subject import Ground
from tests.faults.workers import TIMEOUT_SECONDS

DVC = [sys.executable, "-m", "dvc"]
STAGES = 24
PIPELINE = """
stages:
  count:
    foreach: [{numbers}]
    do:
      cmd: echo ${{item}} > out-${{item}}.txt
      outs: ["out-${{item}}.txt"]
"""


def cut_lock(ground: Ground, trials: int) -> Row:
    """dvc.lock ends anywhere before its end."""
    row, cuts = Row("a `dvc.lock` that was cut off at a random byte"), random.Random(10)
    with chdir(_make_project(ground.folder / "lock")):
        whole = LOCK.read_bytes()
        for _ in range(trials):
            cut = cuts.randrange(len(whole))
            LOCK.write_bytes(whole[:cut])
            row.add(*_judge(whole, restore()))
    row.detail = f"{len(whole) // 1024} KiB of {STAGES} entries: what is lost is named, and the copy put back"
    return row


def kill_dvc(ground: Ground, trials: int) -> Row:
    """SIGKILL of `dvc repro` when dvc.lock has just become shorter, which it does while DVC writes it."""
    row, delays = Row("`kill -9` of `dvc repro` while it writes `dvc.lock`"), random.Random(11)
    cut_off = 0
    with chdir(_make_project(ground.folder / "lock")):
        while row.trials < trials:
            keep_copy()  # as every stage does when it starts
            before = LOCK.read_bytes()
            names = _list_entries(before)
            repro = subprocess.Popen(
                [*DVC, "repro", "--force", "--quiet"], stderr=subprocess.DEVNULL, start_new_session=True
            )
            _wait_until_shorter(repro, len(before))
            time.sleep(delays.uniform(0, 0.01))
            os.killpg(repro.pid, signal.SIGKILL)
            repro.wait()
            damage = describe_damage(LOCK.read_bytes(), COPY.read_bytes())
            cut_off += bool(damage)
            if damage:
                row.add(*_judge(before, restore()))
            else:  # by all that is in it, and not by what is tested
                left = _list_entries(LOCK.read_bytes())
                row.add(*(("correct", "") if left == names else ("silent", f"{len(left)} of {len(names)} entries")))
    row.detail = f"{cut_off} of them cut it off; it was restored"
    return row


def _list_entries(content: bytes) -> list[str]:
    """The stages of a dvc.lock whose entries have all that DVC writes; none of one that is no YAML."""
    try:
        stages = YAML(typ="safe").load(content.decode())["stages"]
        return [name for name, entry in stages.items() if {"cmd", "outs"} <= entry.keys()]
    except (YAMLError, TypeError, KeyError, AttributeError):
        return []


def _judge(whole: bytes, line: str) -> tuple[Outcome, str]:
    if LOCK.read_bytes() != whole:
        return ("silent" if not line else "failed"), f"{line or 'no word of it'}: {LOCK.stat().st_size} bytes"
    return ("correct", "") if "restored" in line and "\n" not in line else ("failed", line)


def _make_project(folder: Path) -> Path:
    """A DVC project whose pipeline has run once, and its copy of dvc.lock."""
    if not folder.exists():
        folder.mkdir(parents=True)
        (folder / "dvc.yaml").write_text(PIPELINE.format(numbers=", ".join(map(str, range(STAGES)))))
        for command in (["init", "--no-scm", "--quiet"], ["repro", "--quiet"]):
            subprocess.run([*DVC, *command], cwd=folder, check=True)
        with chdir(folder):
            keep_copy()
    return folder


def _wait_until_shorter(repro: "subprocess.Popen[bytes]", size: int) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while LOCK.stat().st_size >= size and repro.poll() is None:
        if time.monotonic() > deadline:
            repro.kill()
            raise TimeoutError("dvc.lock was not written in time")
