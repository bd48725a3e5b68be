"""capture() as a script, for the tests that need processes of their own to launch and to kill."""

import json
import sys
from pathlib import Path

from pipeline.params import parse
from teacher_cache.teacher.capture.job import Capture, capture
from teacher_cache.teacher.teacher_config import CaptureConfig

task, teacher, content, *paths = sys.argv[1:]
examples, base, adapter, work, folder = map(Path, paths)
config = parse(json.loads(content), CaptureConfig)
capture(Capture(task, teacher, examples, base, adapter, config), work, folder)
