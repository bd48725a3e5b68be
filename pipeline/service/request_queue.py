"""Requests that wait are answered together: one forward pass for all of their texts.

In: texts of many requests.  Out: Batches, SIZES, predict_padded().  Imports: asyncio, NumPy.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import numpy as np

from pipeline.service.limits import RefusedError

if TYPE_CHECKING:  # jax takes seconds to import
    from student_jax.student import Prediction, Student

# How many texts a compiled program takes. Others are filled up to the next size; an empty text costs next to nothing
# to embed. Beyond 64 a text's share of the time hardly falls.
SIZES = (1, 8, 64)


def predict_padded(student: "Student", texts: Sequence[str]) -> "Prediction":
    """`student.predict(texts)` in batches of SIZES, so that no request waits for a compiler."""
    cuts = [texts[start : start + SIZES[-1]] for start in range(0, len(texts), SIZES[-1])]
    found = [student.predict([*cut, *[""] * (min(s for s in SIZES if s >= len(cut)) - len(cut))]) for cut in cuts]
    labels = [label for one, cut in zip(found, cuts, strict=True) for label in one.labels[: len(cut)]]
    rows = [one.probabilities[: len(cut)] for one, cut in zip(found, cuts, strict=True)]
    return type(found[0])(labels, np.concatenate(rows))


class Batches:
    """A queue of requests, and the task that answers them; the student computes in a thread of its own."""

    def __init__(self, predict: "Callable[[Sequence[str]], Prediction]", max_waiting: int) -> None:
        self._predict = predict
        self._waiting: asyncio.Queue[tuple[list[str], asyncio.Future[Prediction]]] = asyncio.Queue(max_waiting)

    async def predict(self, texts: list[str]) -> "Prediction":
        """What the student says of `texts`.

        Raises:
            RefusedError: too many requests wait already.
        """
        answer: asyncio.Future[Prediction] = asyncio.get_running_loop().create_future()
        try:
            self._waiting.put_nowait((texts, answer))
        except asyncio.QueueFull:
            raise RefusedError(
                503, f"at most {self._waiting.maxsize} requests may wait; try again in a second"
            ) from None
        return await answer

    async def run(self) -> None:
        """Answer for ever: all that waits, up to the largest of SIZES or one request more, then what came meanwhile."""
        loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(max_workers=1)
        while True:
            taken = [await self._waiting.get()]
            while not self._waiting.empty() and sum(len(texts) for texts, _ in taken) < SIZES[-1]:
                taken.append(self._waiting.get_nowait())
            try:
                found = await loop.run_in_executor(
                    thread, self._predict, [text for texts, _ in taken for text in texts]
                )
            except Exception as error:  # the requests fail, with the traceback in the log; the service lives on
                for _, answer in taken:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            ends = accumulate((len(texts) for texts, _ in taken), initial=0)
            for (start, end), (_, answer) in zip(pairwise(ends), taken, strict=True):
                if not answer.done():  # whoever asked may have given up
                    answer.set_result(type(found)(found.labels[start:end], found.probabilities[start:end]))
