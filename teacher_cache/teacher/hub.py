"""A hub id with a pinned revision -> the folder that holds that snapshot.

In: id and revision.  Out: fetch_snapshot().  Imports: huggingface_hub.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

from teacher_cache.errors import UserError

WANTED = ["*.json", "*.safetensors", "merges.txt", "vocab.txt", "*.model"]
UNWANTED = ["*/*"]  # repositories keep other formats (original weights, ONNX) in folders


def fetch_snapshot(model: str, revision: str, ask_hub: bool) -> Path:
    """The folder of `model` at `revision` in the hub's cache, downloaded where it is not there.

    `ask_hub` completes a download that was cut short; without it, whatever the cache holds is taken, and the caller
    must compare it with an identity.

    Raises:
        UserError: no such model or revision, a gated model, no network, or a full disk.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    patterns: Any = {"allow_patterns": WANTED, "ignore_patterns": UNWANTED}
    if not ask_hub:
        with suppress(LocalEntryNotFoundError):
            return Path(snapshot_download(model, revision=revision, local_files_only=True, **patterns))
    try:
        return Path(snapshot_download(model, revision=revision, **patterns))
    except GatedRepoError:
        raise UserError(
            f"{model} is gated: accept its licence on its hub page and log in with `hf auth login`"
        ) from None
    except RevisionNotFoundError:
        raise UserError(f"revision must be a commit of {model}, got {revision}; its hub page lists them") from None
    except (RepositoryNotFoundError, HFValidationError):
        raise UserError(f"model must be a hub id that exists, or a folder, got {model}") from None
    except LocalEntryNotFoundError as error:
        raise UserError(
            f"{model} is not in the hub's cache and the hub gives no answer ({_one_line(error.__cause__ or error)}); "
            "connect, or set base.model to a folder"
        ) from None
    except (HfHubHTTPError, OSError) as error:
        raise UserError(f"{model} could not be fetched: {_one_line(error)}") from None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
