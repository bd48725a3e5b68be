"""A hub id with a pinned revision -> the folder that holds that snapshot; and the revision to pin.

In: id and revision.  Out: fetch_snapshot(), find_commit().  Imports: huggingface_hub.
"""

from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from teacher_cache.errors import UserError
from teacher_cache.hub import explain_refusals

WEIGHTS = "*.safetensors"
WANTED = ["*.json", WEIGHTS, "merges.txt", "vocab.txt", "*.model"]
RULE = "model must be a hub id that exists, or a folder"
UNWANTED = ["*/*"]  # repositories keep other formats (original weights, ONNX) in folders


def fetch_snapshot(model: str, revision: str, ask_hub: bool) -> Path:
    """The folder of `model` at `revision` in the hub's cache, downloaded where it is not there.

    `ask_hub` completes a download that was cut short; without it, whatever the cache holds is taken, and the caller
    must compare it with an identity.

    Raises:
        UserError: no such model or revision, a gated model, no network, or a full disk.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    patterns: Any = {"allow_patterns": WANTED, "ignore_patterns": UNWANTED}
    if not ask_hub:
        with suppress(LocalEntryNotFoundError):
            return Path(snapshot_download(model, revision=revision, local_files_only=True, **patterns))
    with explain_refusals(model, revision, RULE, ", or set base.model to a folder"):
        return Path(snapshot_download(model, revision=revision, **patterns))


def find_commit(model: str, reference: str) -> str:
    """The 40 hex digits of the commit to which `reference` of `model` points now, if it holds safetensors.

    Args:
        model: a hub id.
        reference: a branch, a tag, or a proposal such as refs/pr/3.

    Raises:
        UserError: as of fetch_snapshot(), or the commit has no safetensors; then the references that have are named.
    """
    from huggingface_hub import HfApi

    with explain_refusals(model, reference, RULE):
        hub = HfApi()
        found = hub.model_info(model, revision=reference)
        if _has_safetensors(found):
            return str(found.sha)
        known = hub.list_repo_refs(model, include_pull_requests=True)
        names = [branch.name for branch in [*known.branches, *known.tags]]
        names += [proposal.ref for proposal in known.pull_requests or []]
        holding = [name for name in names if _has_safetensors(hub.model_info(model, revision=name))]
    advice = (
        f"{', '.join(holding)} has; read what it changes, then name it with --ref" if holding else "no reference has"
    )
    raise UserError(f"{model}: {reference} must have safetensors at its top level, and has none; {advice}")


def _has_safetensors(info: Any) -> bool:
    names = [file.rfilename for file in info.siblings or []]
    return any(fnmatch(name, WEIGHTS) and "/" not in name for name in names)
