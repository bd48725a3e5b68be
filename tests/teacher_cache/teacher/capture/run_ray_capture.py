"""capture_with_ray() as a script with two workers, for the test that kills one of them."""

import sys
from pathlib import Path

from teacher_cache.teacher.capture.job import Capture
from teacher_cache.teacher.capture.ray_workers import capture_with_ray
from teacher_cache.teacher.teacher_config import CaptureConfig

rows_per_part, *paths = sys.argv[1:]
examples, base, adapter, work, folder = map(Path, paths)
config = CaptureConfig(rows_per_part=int(rows_per_part))
capture_with_ray(Capture("topics", "sage", examples, base, adapter, config), work, folder, workers=2)
