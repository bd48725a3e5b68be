"""The top floor: what a person runs.

Where this package is the program that runs, an interrupt while Python still imports ends it in a line, too; from then
on `pipeline.entry` sees to that.
"""

import os
import signal
import sys


def _end(*_: object) -> None:
    os.write(2, b"\ninterrupted\n")
    os._exit(130)


# Python runs a module's packages before it knows the module's path. Who has told the program to ignore interrupts
# (nohup, a shell's background) is heeded.
if (sys.argv[0] == "-m" or os.path.basename(sys.argv[0]) == "qdllm") and (
    signal.getsignal(signal.SIGINT) is signal.default_int_handler
):
    signal.signal(signal.SIGINT, _end)
