"""A folder onto a model hub, private unless it is to be public.

In: a folder, a repository's name.  Out: upload_folder().  Imports: huggingface_hub.
"""

from collections.abc import Iterable
from pathlib import Path

from teacher_cache.errors import UserError
from teacher_cache.hub import explain_refusals

RULE = "--repo must be OWNER/NAME, of an owner for whom you may write"


def upload_folder(folder: Path, repo: str, public: bool, owned: Iterable[str]) -> str:
    """Make `repo` where there is none, and put all of `folder` into it as one commit.

    Args:
        folder: whose files are uploaded.
        repo: OWNER/NAME.
        public: whether all the world may read it.
        owned: names of files that are taken away where `folder` does not have them.

    Returns:
        The 40 hexadecimal digits of the commit.

    Raises:
        UserError: the repository is public and must be private or the other way round, nobody is logged in, or the hub
            refuses.
    """
    from huggingface_hub import HfApi

    hub = HfApi()
    with explain_refusals(repo, "main", RULE, done="pushed"):
        hub.create_repo(repo, private=not public, exist_ok=True)
        if hub.model_info(repo).private == public:
            rule = (
                "public for --public, and is private: make it public on its hub page"
                if public
                else "private, and is public: say --public"
            )
            raise UserError(f"{repo} must be {rule}, or name another one")
        stale = sorted(set(owned) - {path.name for path in folder.iterdir()})
        commit = hub.upload_folder(
            repo_id=repo, folder_path=folder, commit_message="Publish a student", delete_patterns=stale or None
        )
    return str(commit.oid)
