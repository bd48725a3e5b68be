"""Learning rate of a step: linear warmup from zero, then linear decay to zero.

In: step and number of steps.  Out: learning_rate().  Imports: nothing.
"""


def learning_rate(peak: float, step: int, steps: int, warmup: float) -> float:
    """Learning rate of `step` (from 0) of `steps`; `warmup` is the rising part of them, in [0, 1).

    A function of the step alone, so that a resumed run needs no scheduler's state.
    """
    rising = int(warmup * steps)
    if step < rising:
        return peak * (step + 1) / rising
    return peak * (steps - step) / (steps - rising)
