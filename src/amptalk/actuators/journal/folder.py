"""The folder of a journal: found, checked, and written to so that each file is whole or not there.

One folder a user, beneath one that a reboot empties, because what is journalled does not survive
a reboot either. Only its user may write there, and nothing in it is reached through a link: all
files are opened relative to the folder's own descriptor, which was checked. Entries are not
understood here (`changes`).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from contextlib import suppress

from amptalk.model.errors import JournalError

ELSEWHERE = "AMPTALK_RUN_DIR"
"""Environment variable: a folder to keep the journal in, where the usual one may not be written."""
_LONGEST = 1 << 16
"""Bytes of the longest entry that is read."""
_READING = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_UNFINISHED = ".new"


def usual_folder(environment: Mapping[str, str], user: int) -> str:
    """Where a user's journal is kept: of root the same whatever its environment says.

    Raises `JournalError` where there is no such place.
    """
    told = environment.get(ELSEWHERE)
    if told:
        if os.path.isabs(told):
            return told
        raise JournalError(f"{ELSEWHERE}={told!r} is not an absolute path: give one, or unset it")
    if user == 0:
        return "/run/amptalk"
    folder = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{user}"
    if os.path.isabs(folder) and os.path.isdir(folder):
        return f"{folder}/amptalk"
    raise JournalError(
        f"no folder for the journal: {folder} does not exist. Log in through systemd "
        f"(loginctl enable-linger for a service), or set {ELSEWHERE} to a folder that only this "
        "user may write"
    )


class JournalFolder:
    """A checked folder, and files in it by their names. Raises `JournalError` throughout."""

    def __init__(self, path: str, *, create: bool) -> None:
        self.path = path
        self._fd = self._open(create=create)

    def _open(self, *, create: bool) -> int:
        try:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(self.path, 0o700)
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_DIRECTORY)
        except OSError as error:
            raise self._fault(self.path, error) from None
        try:
            _check(os.fstat(fd), self.path)
            _check_parent(os.stat(os.path.dirname(self.path)), self.path)
        except JournalError:
            os.close(fd)
            raise
        except OSError as error:
            os.close(fd)
            raise self._fault(self.path, error) from None
        return fd

    def names(self) -> list[str]:
        """Names of the files that are whole, in sorted order."""
        return self._listed(".json")

    def unfinished(self) -> list[str]:
        """Names of files that are being written, or whose writer was killed meanwhile."""
        return self._listed(_UNFINISHED)

    def _listed(self, ending: str) -> list[str]:
        try:
            return sorted(name for name in os.listdir(self._fd) if name.endswith(ending))
        except OSError as error:
            raise self._fault(self.path, error) from None

    def read(self, name: str) -> bytes | None:
        """What a file holds; `None` when it is not there any more."""
        path = f"{self.path}/{name}"
        try:
            fd = os.open(name, _READING, dir_fd=self._fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._fault(path, error) from None
        try:
            about = os.fstat(fd)
            if not stat.S_ISREG(about.st_mode):
                raise JournalError(f"{path} is no ordinary file: remove it")
            _check(about, path)
            data = os.read(fd, _LONGEST)
        except OSError as error:
            raise self._fault(path, error) from None
        finally:
            os.close(fd)
        if len(data) == about.st_size:
            return data
        raise JournalError(f"{path} could not be read whole: {len(data)} of {about.st_size} bytes")

    def write(self, name: str, data: bytes) -> None:
        """Put a file in place, whole or not at all, whatever happens meanwhile."""
        unfinished = name + _UNFINISHED
        try:
            self._remove(unfinished)
            fd = os.open(
                unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW,
                0o600, dir_fd=self._fd,
            )  # fmt: skip
            try:
                if os.write(fd, data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(fd)
            finally:
                os.close(fd)
            # The folder itself need not reach a disk: with the power the change is gone, too.
            os.rename(unfinished, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        except OSError as error:
            raise self._fault(f"{self.path}/{name}", error) from None

    def remove(self, name: str) -> None:
        """Remove a file; it may be gone already."""
        try:
            self._remove(name)
        except OSError as error:
            raise self._fault(f"{self.path}/{name}", error) from None

    def close(self) -> None:
        """Let go of the folder."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._fd)

    @staticmethod
    def _fault(path: str, error: OSError) -> JournalError:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            return JournalError(f"{path} is a link or no folder: remove it; a journal follows none")
        return JournalError(
            f"the journal {path} cannot be used: {error.strerror}; set {ELSEWHERE} to a folder "
            "that only this user may write"
        )


def _check(about: os.stat_result, path: str) -> None:
    """Refuse what another user owns or may write."""
    if about.st_uid != os.geteuid():
        raise JournalError(
            f"{path} belongs to user {about.st_uid}, not {os.geteuid()}: remove it, or set "
            f"{ELSEWHERE} to a folder of your own"
        )
    if about.st_mode & 0o022:
        raise JournalError(f"{path} may be written by others: chmod go-w {path}")


def _check_parent(about: os.stat_result, path: str) -> None:
    """Refuse a place where another user could put a folder of theirs under the same name."""
    loose = about.st_mode & 0o022 and not about.st_mode & stat.S_ISVTX
    if about.st_uid not in {0, os.geteuid()} or loose:
        raise JournalError(
            f"the folder around {path} belongs to user {about.st_uid} with mode "
            f"{stat.S_IMODE(about.st_mode):o}: others could replace the journal. Set {ELSEWHERE} "
            "to a folder in one of your own"
        )
