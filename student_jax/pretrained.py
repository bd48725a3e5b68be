"""A student that somebody published on a hub -> the folder that holds it, at a pinned commit.

In: the repository's name, a commit.  Out: fetch_student(), FILES.  Imports: huggingface_hub, when it is called.

Of the repository the files of a student are asked for, by name, and nothing else: no code, no pickle.  None is fetched
that is larger than it may be.  A commit's files never change, so that what is in the hub's cache needs no network.
"""

import re
from importlib import import_module
from pathlib import Path

from teacher_cache.errors import UserError
from teacher_cache.hub import explain_refusals
from teacher_cache.sealed import MAX_BYTES

# The largest tensors of a student's are a table of token embeddings.
MAX_TENSORS_BYTES = 2 << 30
# What a student is, and whether it can be without.
FILES = {
    "student.json": True,
    "student.safetensors": True,
    "embedder.json": True,
    "embedder.safetensors": True,
    "surrogate.json": False,
    "surrogate.safetensors": False,
}
_RULE = "repo must be the hub id of a student, OWNER/NAME, to which you have access"


def fetch_student(repo: str, revision: str) -> Path:
    """The folder of the student in `repo` at `revision`, in the hub's cache, downloaded where it is not there.

    Args:
        repo: OWNER/NAME.
        revision: 40 hexadecimal digits; a branch or a tag may point elsewhere tomorrow.

    Raises:
        UserError: another revision, no such repository, a file that is missing or too large, no network.
    """
    if not re.fullmatch("[0-9a-f]{40}", revision):
        raise UserError(
            f"revision must be the 40 hexadecimal digits of a commit, got {revision}; {repo}'s hub page lists them"
        )
    try:
        import_module("huggingface_hub")
    except ImportError:
        raise UserError("a student on the hub needs huggingface_hub: pip install 'qdllm[hub]'") from None
    with explain_refusals(repo, revision, _RULE):
        found = {name: _fetch_file(repo, revision, name) for name in FILES}
    if missing := [name for name, required in FILES.items() if required and found[name] is None]:
        raise UserError(f"{repo} must hold a student, got no {missing[0]} at {revision}; qdllm publish writes one")
    return next(path.parent for path in found.values() if path is not None)


def _fetch_file(repo: str, revision: str, name: str) -> Path | None:
    """Where a file lies in the hub's cache; None where the commit has none, which is kept there, too."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    cached = try_to_load_from_cache(repo, name, revision=revision)
    if cached is not None:
        return Path(cached) if isinstance(cached, str) else None
    try:
        size = get_hf_file_metadata(hf_hub_url(repo, name, revision=revision)).size
        limit = MAX_BYTES if name.endswith(".json") else MAX_TENSORS_BYTES
        if size is None or size > limit:
            raise UserError(f"{name} of {repo} must have at most {limit} bytes, got {size}")
    except EntryNotFoundError:
        pass  # the download says so again, and remembers it
    try:
        return Path(hf_hub_download(repo, name, revision=revision))
    except LocalEntryNotFoundError:  # no network, where nothing is known of the file
        raise
    except EntryNotFoundError:
        return None
