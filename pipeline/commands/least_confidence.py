"""Below which confidence a student gives no class: the options of `qdllm predict` and `qdllm serve`.

In: --confidence or --accuracy, a student's calibration.  Out: take_confidence(), choose_confidence(), bound_share().
Imports: click; no jax.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from student_jax.calibration import Calibration

Function = TypeVar("Function", bound=Callable[..., Any])


def take_confidence(function: Function) -> Function:
    """Decorate a command with --confidence and --accuracy."""
    accuracy = "The least confidence with which validation is right so often, in its place."
    function = click.option("--accuracy", type=float, help=accuracy)(function)
    return click.option("--confidence", type=float, help="No class where the likeliest has a smaller probability.")(
        function
    )


def choose_confidence(calibration: "Calibration | None", confidence: float | None, accuracy: float | None) -> float:
    """The least confidence that is asked for, 0 where none is; what a wanted accuracy leaves is said on stderr.

    Raises:
        UserError: a number is out of range, or the student's validation does not reach the accuracy.
    """
    from student_jax.calibration import find_threshold, require_confidence

    if confidence is not None and accuracy is not None:
        raise click.UsageError("give --confidence or --accuracy, not both")
    if accuracy is None:
        confidence = confidence or 0.0
        require_confidence(confidence)
        return confidence
    found = find_threshold(calibration, accuracy)
    low, high = bound_share(found.right, found.answered)
    click.echo(
        f"No class below a confidence of {found.confidence:.4f}. On validation, which chose it, that answers "
        f"{found.answered} of {found.texts} texts, {found.right / found.answered:.1%} of them right "
        f"({low:.1%} to {high:.1%}); other texts may be right less often.",
        err=True,
    )
    return found.confidence


def bound_share(hits: int, texts: int) -> tuple[float, float]:
    """The 95 % interval of a share.

    Source: Wilson 1927, Journal of the American Statistical Association 22, 209-212.
    """
    z, share = 1.96, hits / texts
    middle, margin = share + z * z / (2 * texts), z * (share * (1 - share) / texts + z * z / (4 * texts**2)) ** 0.5
    return max(0.0, (middle - margin) / (1 + z * z / texts)), min(1.0, (middle + margin) / (1 + z * z / texts))
