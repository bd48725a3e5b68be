"""A hub id with a pinned revision -> the folder that holds that snapshot.

In: id and revision.  Out: fetch_snapshot().  Imports: huggingface_hub.
"""

from pathlib import Path

from teacher_cache.errors import UserError

WANTED = ["*.json", "*.safetensors", "merges.txt", "vocab.txt", "*.model"]
UNWANTED = ["*/*"]  # repositories keep other formats (original weights, ONNX) in folders


def fetch_snapshot(model: str, revision: str) -> Path:
    """The local folder of `model` at `revision`: from the hub's cache where it is complete, else downloaded into it.

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

    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=WANTED, ignore_patterns=UNWANTED))
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
