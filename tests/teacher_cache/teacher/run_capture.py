"""capture() as a script, for the tests that need processes of their own to launch and to kill."""

import json
import sys
from pathlib import Path

from teacher_cache.teacher.capture import Capture, capture
from teacher_cache.teacher.config import CaptureConfig

task, teacher, config, *paths = sys.argv[1:]
examples, base, adapter, work, folder = map(Path, paths)
capture(Capture(task, teacher, examples, base, adapter, CaptureConfig(**json.loads(config))), work, folder)
