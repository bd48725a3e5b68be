"""What may leave where texts may not: no text, no LLM, and no vocabulary, which is words of texts.

In: folders and outputs of stages, a remote.  Out: require_wordless(), require_apart(), require_unshared().
Imports: dvc, student_jax.data.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from dvc.data_cloud import Remote
from dvc.output import Output
from dvc.repo import Repo

from pipeline.team.remote import NAME, WITHOUT_TEXTS
from student_jax.data.embedder import DESCRIPTION, read_config
from teacher_cache.errors import UserError

REMEDIES = {
    "corpus": "set embed.hashed: true in params.yaml",
    "static": "set embed.kind in params.yaml to corpus with embed.hashed: true, to encoder or to file",
}


def require_wordless(outs: Iterable[str]) -> None:
    """Refuse a vocabulary that can be read; of all that the student's side needs, embedders alone have one.

    Args:
        outs: paths of what is to be shared.

    Raises:
        UserError: naming every file, and what to do.
    """
    folders = [Path(out) for out in outs if Path(out, DESCRIPTION).is_file()]
    kinds = {folder: config.kind for folder in folders if not (config := read_config(folder)).hashed}
    for kind, remedy in REMEDIES.items():
        if found := [os.path.relpath(folder / DESCRIPTION) for folder, its in kinds.items() if its == kind]:
            raise UserError(
                f"what is shared without texts must hold no words, got those of {', '.join(found)}: {remedy}, and run "
                "`dvc repro`, which makes features and students anew and runs no teacher"
            )


def require_apart(repo: Repo, url: str, name: str) -> None:
    """Refuse for the remote `name` the place of the other one: with texts and without them are two places.

    Raises:
        UserError: `url` is what was shared to the other way.
    """
    other, how = (NAME, "with") if name == WITHOUT_TEXTS else (WITHOUT_TEXTS, "without")
    if repo.config["remote"].get(other, {}).get("url") == url:
        raise UserError(f"{url} is where this project is shared {how} texts; name another folder or bucket")


def require_unshared(withheld: Iterable[Output], remote: Remote) -> None:
    """Refuse a remote that has `withheld` already, from an earlier share with texts.

    Raises:
        UserError: naming the first of it.
    """
    for out in withheld:
        if out.use_cache and remote.odb.exists(out.hash_info.value):
            raise UserError(
                f"what is shared without texts must go where none are, got {remote.path}, which holds {out}: share to "
                "another folder or bucket"
            )
