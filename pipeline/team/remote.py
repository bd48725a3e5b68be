"""The team's DVC remote: set it up, push to it, pull from it, and say in one line what is wrong with it.

In: a folder or an s3://, gs://, azure:// or ssh:// address.  Out: resolve_url(), add_remote(), open_remote(),
is_reachable(), push_outs(), pull_outs().  Imports: dvc.
"""

import hashlib
import importlib.util
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

from dvc.config import NoRemoteError, RemoteNotFoundError
from dvc.data_cloud import Remote
from dvc.exceptions import DownloadError
from dvc.fs import RemoteMissingDepsError
from dvc.output import Output
from dvc.repo import Repo
from dvc_data.hashfile.db import HashFileDB
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree
from dvc_objects.errors import ObjectFormatError

from teacher_cache.errors import UserError

NAME = "team"
# Never the default, so that no later `dvc push` carries texts to where none may be.
WITHOUT_TEXTS = "without_texts"
BUCKETS = ("s3", "gs", "azure")
STORES = (*BUCKETS, "ssh")
MIB = 2**20


def resolve_url(url: str, name: str = NAME) -> str:
    """`url` as DVC takes it: a folder becomes absolute.

    Raises:
        UserError: an unknown kind of address, a password in it, or DVC's support for it is not installed.
    """
    parts = urlparse(url)
    if parts.scheme in {"", "file"}:  # a plain path may have # and ? in it
        folder = Path(url2pathname(parts.path) if parts.scheme else url).expanduser()
        full = str(folder.resolve())
        return full if full.isascii() else os.path.abspath(folder)  # a link to such a place may be called otherwise
    if parts.scheme not in STORES:
        known = ", ".join(f"{store}://" for store in STORES)
        raise UserError(f"the remote must be a folder or begin with {known}, got {url}")
    if parts.password:
        raise UserError(
            f"the remote's address must hold no password; set it with `dvc remote modify --local {name} password ...`"
        )
    if importlib.util.find_spec(f"dvc_{parts.scheme}") is None:
        raise UserError(
            f"{parts.scheme}:// needs DVC's support for it: {sys.executable} -m pip install 'dvc[{parts.scheme}]'"
        )
    return url


def add_remote(repo: Repo, url: str, name: str = NAME) -> None:
    """Make `url` the remote `name` of this checkout, and NAME its default: `.dvc/config.local` is never committed.

    Downloads are verified; DVC would trust whatever a folder holds otherwise.

    Raises:
        UserError: DVC cannot write such an address; what the file held, credentials for one, stays.
    """
    path = Path(repo.config.files["local"])
    before = path.read_bytes() if path.exists() else b""
    # DVC writes ASCII, and finds out when the file is empty. A path from here may do where one from the root does not.
    written = next((one for one in (url, os.path.relpath(url)) if one.isascii()), None)
    if written is None:
        link = Path(tempfile.gettempdir(), NAME)
        raise UserError(
            f"the remote's address must be ASCII, which is all that DVC writes down, got {url}: make a link to it and "
            f"share by that: ln -s {shlex.quote(url)} {link} && qdllm share {link}"
        )
    if not before.isascii():
        raise UserError(f"{path} must be ASCII, or DVC would empty it; rewrite what is not, and then share again")
    try:
        with repo.config.edit("local") as config:
            # An older address's credentials stay where they are.
            config["remote"].setdefault(name, {}).update(url=written, verify=True)
            if name == NAME:
                config["core"]["remote"] = NAME
        found = repo.config["remote"][name]["url"]
        if os.path.abspath(found) != os.path.abspath(written) and found != written:
            raise ValueError(f"it was read as {found}")
    except BaseException as error:
        if before:
            path.write_bytes(before)
        else:
            path.unlink(missing_ok=True)
        if isinstance(error, Exception):
            raise UserError(f"DVC must be able to write the remote's address down, got {url}: {error}") from error
        raise


def open_remote(repo: Repo, make: bool = False, name: str | None = None) -> Remote:
    """The remote `name`, or the default one, which answers.

    Args:
        repo: the project.
        make: it need not be there yet: a folder is made; in a bucket, which must be there, nothing has to be.
        name: of the remote.

    Raises:
        UserError: none is configured, or it cannot be reached.
    """
    try:
        remote = repo.cloud.get_remote(name)
        place = remote.path
        if make and remote.fs.protocol in BUCKETS:
            place = place.partition("/")[0]
        elif make:
            remote.fs.makedirs(place, exist_ok=True)
        found = remote.fs.exists(place)
    except NoRemoteError:
        raise UserError(
            "no DVC remote is configured; name the one that the teacher's owner shared: qdllm student --remote URL"
        ) from None
    except RemoteNotFoundError:
        raise UserError(f"no DVC remote {name} is configured; name one: qdllm share URL --without-texts") from None
    except RemoteMissingDepsError as error:
        raise UserError(str(error)) from error
    except Exception as error:  # every store's library raises its own
        raise UserError(f"the DVC remote cannot be reached: {type(error).__name__}: {error}") from error
    if not found:
        raise UserError(f"the DVC remote {place} must exist, and does not: is it mounted, and is its address right?")
    return remote


def is_reachable(repo: Repo) -> bool:
    """Whether there is a default remote that answers."""
    try:
        open_remote(repo)
    except UserError:
        return False
    return True


def push_outs(repo: Repo, outs: Iterable[Output], name: str | None = None) -> int:
    """Push `outs` and the run-cache to the remote `name`, or the default one; what a folder holds damaged is replaced.

    Returns:
        How many objects they are.

    Raises:
        UserError: the local cache lacks one of them, or the remote does not take it.
    """
    outs = list(outs)
    for out in outs:
        # A file that DVC does not keep travels by Git, but for what the run-cache has of it.
        if out.use_cache and (
            lost := [key for key in list_objects(out, repo.cache.local) if not repo.cache.local.exists(key)]
        ):
            raise UserError(f"{out} must be whole in DVC's cache, {len(lost)} objects are not; run `dvc repro`")
    objects = {key for out in outs for key in list_objects(out, repo.cache.local) if repo.cache.local.exists(key)}
    remote = repo.cloud.get_remote(name)
    if remote.fs.protocol == "local":
        _drop_damaged(remote, objects)
    # Not `dvc push`, which takes a folder's files for pushed where the folder's list is, and so repairs nothing.
    hashes = {HashInfo(remote.odb.hash_name, key) for key in objects}
    failed = repo.cloud.transfer(repo.cache.local, remote.odb, hashes).failed
    if failed:
        raise UserError(
            f"{len(failed)} of {len(objects)} objects could not be written to {remote.path}; QDLLM_DEBUG=1 shows why"
        )
    repo.stage_cache.push(remote.name)
    return len(objects)


def pull_outs(repo: Repo, outs: Iterable[Output]) -> bool:
    """Bring those of `outs` that are not here; the remote is asked for what DVC's cache lacks.

    Nothing is put in place before all of it is in the cache and there is room for it.

    Returns:
        Whether any was not here.

    Raises:
        UserError: no remote, no room, or an object that was never pushed or is damaged.
    """
    absent = [out for out in outs if out.status()]
    # `inputs` alone would be the stage of that name, beside which DVC forgets other targets.
    targets = [f"./{out.def_path}" for out in absent]
    if uncached := [out for out in absent if out.changed_cache()]:
        remote = open_remote(repo)
        _require_space(repo, uncached)
        with suppress(DownloadError):  # it says how many failed; _require_whole, which and why
            repo.fetch(targets, run_cache=True)
        _require_whole(repo, remote, uncached)
    if absent:
        _require_space(repo, absent)
        repo.checkout(targets)
    return bool(absent)


def list_objects(out: Output, *stores: HashFileDB) -> Iterator[str]:
    """The hashes of `out`'s objects: its own and, for a folder whose list one of `stores` has, its files'."""
    key = out.hash_info.value
    yield key
    holder = next((store for store in stores if store.exists(key)), None)
    if out.hash_info.isdir and holder is not None:
        yield from (entry.value for _, _, entry in Tree.load(holder, out.hash_info))


def _require_space(repo: Repo, outs: Iterable[Output]) -> None:
    needed = sum(out.meta.size or 0 for out in outs)
    free = shutil.disk_usage(repo.root_dir).free
    if free < needed:
        raise UserError(
            f"{repo.root_dir} must have {needed / MIB:.1f} MiB free for what is pulled, got {free / MIB:.1f} MiB"
        )


def _require_whole(repo: Repo, remote: Remote, outs: list[Output]) -> None:
    """Raise a UserError that names the first of `outs` that DVC's cache lacks a part of, and why it did not come."""
    for out in outs:
        try:
            keys = list(list_objects(out, repo.cache.local, remote.odb))
        except ObjectFormatError:
            keys = [out.hash_info.value]
        # A folder's list is the last to come, and stays away when one of its files does.
        for key in sorted(keys, key=lambda key: key.endswith(".dir")):
            if not repo.cache.local.exists(key):
                _require_space(repo, outs)
                path = remote.odb.oid_to_path(key)
                state = "is damaged" if remote.odb.exists(key) else "is missing"
                raise UserError(f"{out} {state} on the DVC remote ({path}); its owner must run `qdllm share` again")


def _drop_damaged(remote: Remote, objects: Iterable[str]) -> None:
    # DVC takes a read-only file for checked and would leave it as it is.
    for key in objects:
        path = Path(remote.odb.oid_to_path(key))
        if path.is_file():
            with path.open("rb") as stream:
                if hashlib.file_digest(stream, "md5").hexdigest() != key.removesuffix(".dir"):
                    path.unlink()
