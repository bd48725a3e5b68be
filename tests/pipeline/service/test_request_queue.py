"""Requests that wait are answered together, each with its own rows, and one that fails harms no later one."""

import asyncio
import threading

import numpy as np
import pytest

from pipeline.service.limits import RefusedError
from pipeline.service.request_queue import SIZES, Batches, predict_padded
from student_jax.student import Prediction


class Lengths:
    """A student whose answer to a text is its length, and who notes what it was asked."""

    def __init__(self):
        self.asked = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def predict(self, texts):
        self.may_answer.wait(10)
        self.asked.append(len(texts))
        if "bad" in texts:
            raise ArithmeticError("bad")
        lengths = [len(text) for text in texts]
        return Prediction([str(length) for length in lengths], np.array(lengths, np.float32)[:, None])


@pytest.mark.parametrize(
    ("count", "sizes"), [(1, [1]), (2, [8]), (8, [8]), (9, [64]), (64, [64]), (65, [64, 1]), (130, [64, 64, 8])]
)
def test_few_sizes_are_computed_and_padding_is_cut_off(count, sizes):
    student = Lengths()
    texts = ["x" * k for k in range(1, count + 1)]
    found = predict_padded(student, texts)
    assert student.asked == sizes
    assert set(student.asked) <= set(SIZES)
    assert found.labels == [str(k) for k in range(1, count + 1)]
    assert found.probabilities[:, 0].tolist() == list(range(1, count + 1))


def serve(student, use, max_waiting=64):
    async def main():
        batches = Batches(student.predict, max_waiting)
        task = asyncio.create_task(batches.run())
        try:
            return await use(batches)
        finally:
            task.cancel()

    return asyncio.run(main())


def test_what_waits_is_one_batch_and_everyone_gets_their_own():
    student = Lengths()
    student.may_answer.clear()

    async def use(batches):
        asking = [asyncio.create_task(batches.predict(["xx", "y"]))]
        await asyncio.sleep(0.05)  # it is being computed, nine will wait
        asking += [asyncio.create_task(batches.predict(["x" * k, "y"])) for k in range(3, 12)]
        await asyncio.sleep(0.05)
        student.may_answer.set()
        return await asyncio.gather(*asking)

    found = serve(student, use)
    assert [one.labels for one in found] == [[str(k), "1"] for k in range(2, 12)]
    assert student.asked == [2, 18]


def test_a_full_queue_refuses():
    student = Lengths()
    student.may_answer.clear()

    async def use(batches):
        asking = [asyncio.create_task(batches.predict(["x"]))]
        await asyncio.sleep(0.05)
        asking += [asyncio.create_task(batches.predict(["x"])) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(RefusedError, match="at most 2 requests may wait") as caught:
            await batches.predict(["x"])
        assert caught.value.status == 503
        student.may_answer.set()
        return await asyncio.gather(*asking)

    assert len(serve(student, use, max_waiting=2)) == 3


def test_a_failure_and_a_client_that_left_do_not_end_it():
    student = Lengths()

    async def use(batches):
        with pytest.raises(ArithmeticError):
            await batches.predict(["bad"])
        student.may_answer.clear()
        left = asyncio.create_task(batches.predict(["x"]))
        await asyncio.sleep(0.05)
        left.cancel()
        student.may_answer.set()
        return await batches.predict(["xyz"])

    assert serve(student, use).labels == ["3"]
