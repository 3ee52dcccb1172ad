"""Change the kernel's files: the one place that writes to control groups and `/proc`.

It lets stopped processes go on, too.

What was written counts only when it is read back (`written`). Nothing here waits by itself, but
a kernel may let a write wait for long: callers are on action threads or have a deadline.
"""

from __future__ import annotations

import errno
import os
import signal

from amptalk.model.errors import ActionError
from amptalk.sensors.files import SensorFault, read_once

_WRITING = os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""O_NONBLOCK: a new kernel (6.16) then sets `memory.max` without reclaiming or killing first."""
_WORDS = {
    errno.EACCES: "may not be written by this user",
    errno.EPERM: "may not be written by this user",
    errno.EROFS: "is in a file system that is mounted read-only",
    errno.EBUSY: "cannot be changed now: it is in use",
    errno.EAGAIN: "could not be done in full",
    errno.ENOENT: "does not exist",
    errno.ENODEV: "belongs to a control group that is gone",
    errno.ESRCH: "names a process that has ended",
    errno.EINVAL: "is refused by the kernel",
    errno.ENOSPC: "cannot be had: there are too many groups",
}


class Refused(ActionError):  # noqa: N818 - it is the kernel's answer, not our mistake
    """The kernel refused a change; `number` is the errno."""

    def __init__(self, text: str, number: int) -> None:
        super().__init__(text)
        self.number = number


def write(path: str, text: str) -> None:
    """Write a text into a kernel file in one call. Raises `Refused`."""
    data = text.encode()
    try:
        fd = os.open(path, _WRITING)
        try:
            count = os.write(fd, data)
        finally:
            os.close(fd)
    except OSError as error:
        raise _refused(f"{path} (writing {text!r})", error) from None
    if count != len(data):
        raise Refused(f"{path} took {count} of {len(data)} bytes of {text!r}", errno.EIO)


def written(path: str, text: str) -> str:
    """Write a text and return what stands there then. Raises `Refused`."""
    write(path, text)
    return read(path)


def read(path: str) -> str:
    """What a kernel file holds; whole, since it may be written back one day. Raises `Refused`."""
    try:
        data = read_once(path)
    except SensorFault as fault:
        raise Refused(fault.reason, fault.number) from None
    if data and not data.endswith(b"\n"):
        raise Refused(f"{path} could not be read whole: it ends with {data[-20:]!r}", errno.EIO)
    return data.decode("utf-8", "replace").strip()


def make_folder(path: str) -> None:
    """Make a control group; it may be there already. Raises `Refused`."""
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        pass
    except OSError as error:
        raise _refused(f"group {path}", error) from None


def remove_folder(path: str) -> None:
    """Remove a control group; it may be gone already. Raises `Refused`."""
    try:
        os.rmdir(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _refused(f"group {path}", error) from None


def resume(pid: int) -> None:
    """Let a stopped process go on. Raises `Refused`."""
    try:
        os.kill(pid, signal.SIGCONT)
    except OSError as error:
        raise _refused(f"process {pid} (SIGCONT)", error) from None


def same(one: str, other: str) -> bool:
    """Whether two texts of a kernel file mean the same: white space and order do not count."""
    return one.split() == other.split()


def _refused(what: str, error: OSError) -> Refused:
    number = error.errno or 0
    words = _WORDS.get(number) or f"failed: {os.strerror(number) if number else error}"
    return Refused(f"{what} {words}", number)
