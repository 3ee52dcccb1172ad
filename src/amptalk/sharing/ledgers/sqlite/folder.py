"""The directory of a ledger: where it is, and that nobody else can write there."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from amptalk.model.errors import LedgerError


def usual_folder(environment: Mapping[str, str], user: int) -> str:
    """Where the programs of a user meet when they name no directory: a tmpfs.

    `$XDG_RUNTIME_DIR/amptalk-ledger`, else `/run/amptalk-ledger` of root and
    `/dev/shm/amptalk-ledger-UID` of others. A reboot empties it, which is right for shares.
    """
    runtime = environment.get("XDG_RUNTIME_DIR")
    if runtime and os.path.isabs(runtime):
        return os.path.join(runtime, "amptalk-ledger")
    return "/run/amptalk-ledger" if user == 0 else f"/dev/shm/amptalk-ledger-{user}"  # noqa: S108


def prepare(path: str) -> None:
    """Make the directory unless it is there; raises `LedgerError` for one that is not safe."""
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        found = os.lstat(path)
    except OSError as error:
        raise LedgerError(
            f"the directory of the ledger, {path}, cannot be made: {error.strerror}; name another "
            "one, as in sharing='sqlite:/dev/shm/shares'"
        ) from error
    if not stat.S_ISDIR(found.st_mode):
        raise LedgerError(f"{path} is no directory: a ledger needs one of its own")
    if found.st_uid not in (os.geteuid(), 0):
        raise LedgerError(
            f"{path} belongs to user {found.st_uid}, not to this one ({os.geteuid()}): a ledger is "
            "shared by programs of one user; name another directory"
        )
    if found.st_mode & 0o022:
        raise LedgerError(
            f"{path} can be written by others (mode {stat.S_IMODE(found.st_mode):o}), who could "
            f"grant themselves anything: chmod 700 {path}"
        )
