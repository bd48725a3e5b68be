"""Readout errors taken back: what a device says of bits that were prepared, and counts corrected by it.

In: Counts.  Out: estimate_confusion(), mitigate().  Imports: numpy; mthree where counts are corrected.

Bits are taken to be misread independently of each other; the correction is M3's, in the space of the strings that came.
Source: Nation et al. 2021, PRX Quantum 2, 040326, arXiv:2108.12518.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from student_jax.hardware.quantum_device import Counts
from teacher_cache.errors import UserError


def estimate_confusion(zeros: Counts, ones: Counts) -> Float[np.ndarray, "bits read prepared"]:
    """For every bit the matrix of P(read | prepared), from the counts of all bits prepared as 0, and as 1.

    Raises:
        UserError: a bit is read as the other value at least half of the time, so that nothing can be taken back.
    """
    read_one = np.stack([_share_of_ones(counts) for counts in (zeros, ones)], axis=1)
    wrong = read_one[:, 0] + 1 - read_one[:, 1]
    if (wrong >= 1).any():
        raise UserError(
            f"each measured bit must tell 0 from 1 to be mitigated, got errors {wrong.max():.2f} in sum at bit "
            f"{int(wrong.argmax())}; take more --calibrations, or 0 for no mitigation"
        )
    return np.stack([1 - read_one, read_one], axis=1)


def mitigate(counts: Sequence[Counts], confusion: Float[np.ndarray, "bits read prepared"]) -> list[dict[str, float]]:
    """The quasiprobabilities of the strings that came, some of which may be negative; they sum to 1."""
    import mthree  # takes seconds

    correction = mthree.M3Mitigation()
    correction.cals_from_matrices(list(confusion))
    # Its strings have the first bit last.
    turned = [{string[::-1]: count for string, count in one.items()} for one in counts]
    found = correction.apply_correction(turned, list(range(len(confusion))))
    return [{string[::-1]: float(share) for string, share in one.items()} for one in found]


def _share_of_ones(counts: Counts) -> Float[np.ndarray, " bits"]:
    bits = np.array([[bit == "1" for bit in string] for string in counts])
    weights = np.array(list(counts.values()), np.float64)
    return weights @ bits / weights.sum()
