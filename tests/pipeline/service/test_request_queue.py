"""Requests share the passes, each has its own answers; a long one delays no short one, one that fails harms none."""

import asyncio
import threading

import numpy as np
import pytest

from pipeline.service.limits import RefusedError
from pipeline.service.request_queue import PASS_CHARACTERS, Batches, answer_apart, answer_texts
from student_jax.student import Prediction


class Lengths:
    """A student whose answer to a text is its length, and who notes what it was asked."""

    labels = ("length",)

    def __init__(self):
        self.asked = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def predict(self, texts, confidence=0.0):
        self.asked.append(len(texts))
        if "bad" in texts:
            raise ArithmeticError("bad")
        lengths = [len(text) for text in texts]
        named = [str(length) if length >= confidence else None for length in lengths]
        return Prediction(named, np.array(lengths, np.float32)[:, None])

    def find_faults(self, texts):
        return ["text must be something" if text == "odd" else None for text in texts]

    def answer(self, texts):
        """What the service's thread computes: a label for each text."""
        self.may_answer.wait(10)
        return [answer["label"] for answer in answer_texts(self, texts)]


def test_a_bad_text_fails_alone(caplog):
    """Of a hundred: one that has a fault, one at which the student stumbles."""
    student = Lengths()
    texts = ["x" * k for k in range(1, 101)]
    texts[70], texts[30] = "odd", "bad"
    answers = answer_apart(lambda some: answer_texts(student, some), texts)
    assert answers[70] == {"error": "text must be something"}
    assert answers[30] == {"error": "internal error: ArithmeticError"}
    assert [one["label"] for k, one in enumerate(answers) if k not in (30, 70)] == [
        str(k) for k in range(1, 101) if k not in (31, 71)
    ]
    assert len(caplog.records) == 1


def test_who_is_not_sure_enough_gives_no_label():
    answers = answer_texts(Lengths(), ["xxx", "x", "odd"], confidence=2.0)
    assert answers[:2] == [
        {"label": "3", "probabilities": {"length": 3.0}},
        {"label": None, "probabilities": {"length": 1.0}},
    ]
    assert answers[2] == {"error": "text must be something"}


def serve(student, use, max_waiting=64):
    async def main():
        batches = Batches(student.answer, max_waiting)
        task = asyncio.create_task(batches.run())
        try:
            return await use(batches)
        finally:
            task.cancel()

    return asyncio.run(main())


async def wait_until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def begin(batches, student, *requests):
    """Requests of which the first is being computed, held up, when the others come."""
    student.may_answer.clear()
    asking = [asyncio.create_task(batches.predict(["first"]))]
    await wait_until(lambda: batches._waiting == 1 and not batches._due)
    asking += [asyncio.create_task(batches.predict(texts)) for texts in requests]
    await wait_until(lambda: batches._waiting == len(asking) or any(one.done() for one in asking))
    return asking


def test_what_waits_is_one_pass_and_everyone_gets_their_own():
    student = Lengths()

    async def use(batches):
        asking = await begin(batches, student, *(["x" * k, "y"] for k in range(3, 12)))
        student.may_answer.set()
        return await asyncio.gather(*asking)

    assert serve(student, use) == [["5"], *([str(k), "1"] for k in range(3, 12))]
    assert student.asked == [1, 18]


def test_a_short_request_does_not_wait_behind_long_ones():
    """Forty of a megabyte were there first; the short one is answered in the next pass, they are in the end."""
    student, order = Lengths(), []
    megabyte = ["x" * 20_000] * 52

    async def use(batches):
        asking = await begin(batches, student, *([megabyte] * 40), ["short"])
        for number, one in enumerate(asking):
            one.add_done_callback(lambda _, number=number: order.append((number, len(student.asked))))
        student.may_answer.set()
        return await asyncio.gather(*asking)

    found = serve(student, use)
    assert [number for number, _ in order[:2]] == [0, 41]
    assert order[1][1] <= 3  # the first pass, its own, and perhaps the one after, which had begun
    assert all(labels == ["20000"] * 52 for labels in found[1:41])
    assert max(student.asked) <= 8  # of 20,000 characters, PASS_CHARACTERS take four
    assert PASS_CHARACTERS // 20_000 + 1 == 4


def test_a_long_request_is_not_starved_by_short_ones():
    """Each short one is asked again as soon as it is answered; the long one is due after its share of characters."""
    student = Lengths()

    async def use(batches):
        long = asyncio.create_task(batches.predict(["x" * 5_000]))
        for _ in range(1000):
            if long.done():
                return True
            await asyncio.gather(*(batches.predict(["y"]) for _ in range(63)))
        return False

    assert serve(student, use)


def test_who_has_gone_costs_nothing():
    student = Lengths()

    async def use(batches):
        asking = await begin(batches, student, *([["x" * 20_000] * 52] * 40))
        for one in asking[1:]:
            one.cancel()
        student.may_answer.set()
        await asking[0]
        await wait_until(lambda: batches._waiting == 0)
        return await batches.predict(["xyz"])

    assert serve(student, use) == ["3"]
    assert student.asked == [1, 1]


def test_a_full_queue_refuses():
    student = Lengths()

    async def use(batches):
        asking = await begin(batches, student, ["x"])
        with pytest.raises(RefusedError, match="at most 2 requests may wait") as caught:
            await batches.predict(["x"])
        assert caught.value.status == 503
        student.may_answer.set()
        return await asyncio.gather(*asking)

    assert len(serve(student, use, max_waiting=2)) == 2
