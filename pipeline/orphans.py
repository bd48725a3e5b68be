"""A stage ends with the `dvc` that runs it: nobody waits for its result, and a later run's may already be there.

In: the environment that DVC gives a stage, the processes above it.  Out: end_with_dvc(), find_dvc().
Imports: psutil.
"""

import os
import signal
import threading
import time

import psutil

# What DVC tells its stages, and their shells and launchers hand on: so that the first process above without it is DVC.
MARK = "DVC_STAGE"
SECONDS = 1.0
# For the blocks that remove what is half done; a compiler or a kernel may keep Python from running them.
PATIENCE_SECONDS = 5.0


def end_with_dvc() -> None:
    """From now on, interrupt this process when the DVC that runs it has ended; a stage run by hand is left alone."""
    if MARK not in os.environ:
        return
    above = find_dvc()
    if above:
        # Interrupts may be ignored, as what a shell runs in the background ignores them.
        signal.signal(signal.SIGTERM, _interrupt)
        threading.Thread(target=_watch, args=(above,), name="orphans", daemon=True).start()


def find_dvc() -> list[psutil.Process]:
    """The processes above this one up to and with DVC; none where that cannot be told."""
    found = []
    for process in psutil.Process().parents():
        found.append(process)
        try:
            if MARK not in process.environ():
                return found
        except psutil.Error:  # another user's, or gone
            return found
    return []


def _watch(above: list[psutil.Process]) -> None:
    while all(_is_alive(process) for process in above):
        time.sleep(SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE_SECONDS)
    os._exit(130)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
