"""A capture as a program, for torchrun.

Run: torchrun --standalone --nproc_per_node 2 -m tests.faults.run_capture TASK TEACHER EXAMPLES BASE ADAPTER WORK CACHE
"""

import sys
from pathlib import Path

from teacher_cache.teacher.capture.job import Capture, capture
from tests.faults.subject import CONFIG

task, teacher, *paths = sys.argv[1:]
examples, base, adapter, work, folder = map(Path, paths)
capture(Capture(task, teacher, examples, base, adapter, CONFIG), work, folder)
