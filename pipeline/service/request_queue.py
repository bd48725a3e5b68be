"""Requests that wait share the student's passes by their length, so that a short one never waits for a long one.

In: texts of many requests.  Out: Batches, PASS_TEXTS, answer_texts(), answer_apart().  Imports: asyncio.
"""

import asyncio
import heapq
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from pipeline.service.limits import RefusedError
from teacher_cache.errors import UserError

if TYPE_CHECKING:
    from student_jax.student import Student

logger = logging.getLogger(__name__)

# The most texts of a pass. Beyond 64 a text's share of the time hardly falls.
PASS_TEXTS = 64
# A pass that has so many characters takes no further text: whoever comes meanwhile waits for no more than that.
PASS_CHARACTERS = 2**16
# What a text costs besides its characters, in characters: the circuit is simulated in the time that so many take.
TEXT_COST = 100

# What a client gets for a text: its label and probabilities, or an error.
Answer = dict[str, Any]


def answer_texts(student: "Student", texts: Sequence[str], confidence: float = 0.0) -> list[Answer]:
    """What `student` says of each text, or what is wrong with it; the label is None where it has less `confidence`."""
    faults, (labels, rows) = student.find_faults(texts), student.predict(texts, confidence)
    return [
        {"error": fault} if fault else {"label": label, "probabilities": dict(zip(student.labels, row, strict=True))}
        for fault, label, row in zip(faults, labels, rows.tolist(), strict=True)
    ]


def answer_apart(answer: Callable[[Sequence[str]], list[Answer]], texts: Sequence[str]) -> list[Answer]:
    """`answer(texts)`; where that fails, the same of each half, so that a text that cannot be answered fails alone."""
    try:
        return answer(texts)
    except Exception as error:
        if len(texts) == 1:
            if isinstance(error, UserError):
                return [{"error": str(error)}]
            logger.exception("a text of %d characters has no answer", len(texts[0]))
            return [{"error": f"internal error: {type(error).__name__}"}]
        middle = len(texts) // 2
        return [*answer_apart(answer, texts[:middle]), *answer_apart(answer, texts[middle:])]


@dataclass
class Request:
    """Texts, their answers as far as they are known, and the future that has them all in the end."""

    texts: list[str]
    answers: list[Answer | None]
    all_answers: "asyncio.Future[list[Answer | None]]"
    known: int = 0

    def put(self, place: int, answer: Answer) -> None:
        """Note the answer to the text at `place`."""
        self.answers[place] = answer
        self.known += 1
        if self.known == len(self.texts) and not self.all_answers.done():  # whoever asked may have given up
            self.all_answers.set_result(self.answers)


class Batches:
    """A queue of requests, and the task that answers them; the student computes in a thread of its own.

    Every request gets an equal share of the characters that are read, however many it has: the next text of each is
    due when its request, alone with an equal share, would be through with it.
    Source: Golestani 1994, "A self-clocked fair queueing scheme", INFOCOM, section 3.
    """

    def __init__(self, answer: Callable[[Sequence[str]], list[Answer]], max_waiting: int) -> None:
        self._answer, self._max_waiting = answer, max_waiting
        self._waiting = self._now = 0
        # When it is due, the order of arrival, and where the text stands.
        self._due: list[tuple[int, int, Request, int]] = []
        self._numbers, self._arrived = count(), asyncio.Event()

    async def predict(self, texts: list[str]) -> list[Answer]:
        """What the student says of each text; a caller who is cancelled leaves the queue.

        Raises:
            RefusedError: too many requests wait already.
        """
        if self._waiting >= self._max_waiting:
            raise RefusedError(503, f"at most {self._max_waiting} requests may wait; try again in a second")
        request = Request(texts, [None] * len(texts), asyncio.get_running_loop().create_future())
        self._waiting += 1
        try:
            self._enqueue(request, 0, self._now)
            self._arrived.set()
            return [answer for answer in await request.all_answers if answer is not None]
        finally:
            self._waiting -= 1

    async def run(self) -> None:
        """Answer for ever: a pass of what is due first, then what came meanwhile."""
        loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(max_workers=1)
        while True:
            await self._arrived.wait()
            taken = self._take()
            if not taken:
                self._arrived.clear()
                continue
            texts = [request.texts[place] for request, place in taken]
            answers = await loop.run_in_executor(thread, answer_apart, self._answer, texts)
            for (request, place), answer in zip(taken, answers, strict=True):
                request.put(place, answer)

    def _enqueue(self, request: Request, place: int, start: int) -> None:
        due = start + TEXT_COST + len(request.texts[place])
        heapq.heappush(self._due, (due, next(self._numbers), request, place))

    def _take(self) -> list[tuple[Request, int]]:
        """The texts of the next pass; those of requests that were abandoned are passed over."""
        taken: list[tuple[Request, int]] = []
        characters = 0
        while self._due and len(taken) < PASS_TEXTS and characters < PASS_CHARACTERS:
            self._now, _, request, place = heapq.heappop(self._due)
            if request.all_answers.done():
                continue
            taken.append((request, place))
            characters += len(request.texts[place])
            if place + 1 < len(request.texts):
                self._enqueue(request, place + 1, self._now)
        return taken
