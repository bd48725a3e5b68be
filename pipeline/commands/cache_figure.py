"""A teacher cache as a picture: how sure the teacher is, and how right when it is.

In: a cache folder.  Out: draw_cache() writes a PNG.  Imports: matplotlib, NumPy.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pipeline.evaluation.metrics import tabulate_reliability
from pipeline.report.svg import GRID, TEACHER
from teacher_cache.publish import publish_file
from teacher_cache.reader import open_cache
from teacher_cache.schema import SPLITS

BINS = 20


def draw_cache(folder: Path, png: Path) -> None:
    """Publish a PNG of 1,100 by 500 pixels: the histogram of confidence by split, and the reliability diagram.

    Raises:
        UserError: `folder` is no cache, or a part is damaged.
    """
    cache = open_cache(folder, {})
    rows = cache.read()
    figure = Figure(figsize=(11, 5), dpi=100, layout="constrained")
    histogram, reliability = figure.subplots(1, 2)
    confidence = rows.probabilities.max(axis=1)
    shown = [(name, confidence[rows.split == index]) for index, name in enumerate(SPLITS)]
    names, values = zip(*((name, found) for name, found in shown if len(found)), strict=True)
    histogram.hist(values, bins=np.linspace(0, 1, BINS + 1), stacked=True, label=names)
    histogram.set(xlabel="confidence (probability of the predicted class)", ylabel="rows", xlim=(0, 1))
    histogram.legend(frameon=False)
    held_out = np.isin(rows.split, [SPLITS.index("validation"), SPLITS.index("test")])
    table = tabulate_reliability(rows.probabilities[held_out], rows.label[held_out])
    reliability.plot([0, 1], [0, 1], color=GRID, linestyle="--", label="perfectly calibrated")
    reliability.plot(
        [row["confidence"] for row in table],
        [row["accuracy"] for row in table],
        color=TEACHER,
        marker="s",
        label="validation and test",
    )
    reliability.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    reliability.legend(frameon=False)
    figure.suptitle(f"{cache.manifest.task} · {cache.manifest.teacher}: {cache.manifest.rows:,} rows")
    with publish_file(png) as temporary:
        figure.savefig(temporary, format="png")
