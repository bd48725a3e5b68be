"""What a model hub answers, where it does not do what it was asked, as one line for the user.

In: the name of a repository, the commit.  Out: explain_refusals().  Imports: huggingface_hub.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from teacher_cache.errors import UserError


@contextmanager
def explain_refusals(repo: str, revision: str, rule: str, instead: str = "", done: str = "fetched") -> Iterator[None]:
    """Turn what the hub answers into one line.

    Args:
        repo: what was asked for.
        revision: at which commit.
        rule: what `repo` must be.
        instead: what may be done where there is no network, besides to connect.
        done: what could not be done.

    Raises:
        UserError: the hub refused, or was not there.
    """
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        HTTPError,
        LocalEntryNotFoundError,
        LocalTokenNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError:
        raise UserError(
            f"{repo} is gated: accept its licence on its hub page and log in with `hf auth login`"
        ) from None
    except RevisionNotFoundError:
        raise UserError(f"revision must be a commit of {repo}, got {revision}; its hub page lists them") from None
    except (RepositoryNotFoundError, HFValidationError):
        raise UserError(f"{rule}, got {repo}") from None
    except LocalTokenNotFoundError:
        raise UserError(f"{repo} needs somebody who is known to the hub: log in with `hf auth login`") from None
    except LocalEntryNotFoundError as error:
        raise UserError(
            f"{repo} is not in the hub's cache and the hub gives no answer ({_one_line(error.__cause__ or error)}); "
            f"connect{instead}"
        ) from None
    except (HTTPError, OSError) as error:
        raise UserError(f"{repo} could not be {done}: {_one_line(error)}") from None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
