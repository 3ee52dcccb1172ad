"""Read small kernel files: a descriptor that is kept, and faults that carry their reason.

Covers procfs, sysfs and cgroup files. It does not parse them.
"""

from __future__ import annotations

import errno
import os
from typing import NoReturn

from amptalk.model.errors import AmptalkError

RECORDED = "errno:"
"""How the target of a link begins that stands for a recorded fault; the errno's name follows."""
_pread = os.pread
_WORDS = {
    errno.ENOENT: "does not exist",
    errno.ESRCH: "belongs to a process that has ended",
    errno.ENODEV: "belongs to a device or control group that is gone",
    errno.EACCES: "may not be read by this user",
    errno.EPERM: "may not be read by this user",
    errno.EOPNOTSUPP: "is switched off in this kernel",
    errno.EAGAIN: "has no value at the moment (the part is not powered)",
    errno.EMFILE: "cannot be opened: this process has no free file descriptor",
}


_LONGEST = 1 << 20
"""Bytes of the longest file that is read; more would hold the tick up."""
_ATTRIBUTE = 4096
"""Bytes of the longest attribute of sysfs that is read: the kernel gives a page at most."""
LEAST = -(1 << 63)
"""The smallest number that the kernel prints."""
_BEYOND = 1 << 64
_DIGITS = 20
"""Of the largest number that the kernel prints, 2^64 - 1."""


class SensorFault(AmptalkError):  # noqa: N818 - "fault" is the word for a sensor's failure
    """A source could not be read. Stays within `sensors`; its text becomes the reason.

    `remedy` is an exact command or boot option, or empty; `number` the errno, 0 for none.
    """

    def __init__(self, reason: str, remedy: str = "", number: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.number = number


def fault_of(error: OSError, path: str) -> SensorFault:
    """Say in words why `path` could not be read."""
    number = error.errno or 0
    if number == errno.ENOENT:
        number = _recorded(path)
    words = _WORDS.get(number) or f"cannot be read: {os.strerror(number) if number else error}"
    remedy = f"sudo chmod a+r {path}" if number in {errno.EACCES, errno.EPERM} else ""
    return SensorFault(f"{path} {words}", remedy, number)


def _recorded(path: str) -> int:
    """The fault that a recording keeps for a file: a link to `errno:EAGAIN` in its place.

    Replay lays a recorded tree out as plain files, which cannot fail as a kernel's do. Such a
    link leads nowhere, so opening it fails with ENOENT, and only then it is looked at.
    """
    try:
        target = os.readlink(path)
    except OSError:
        return errno.ENOENT
    number = getattr(errno, target[len(RECORDED) :], None) if target.startswith(RECORDED) else None
    return number if isinstance(number, int) else errno.ENOENT


def garbled(path: str, what: str) -> SensorFault:
    """Say that `path` was read but is not what the kernel documents."""
    return SensorFault(f"{path} is not as documented: {what}")


def read_once(path: str, most: int = _LONGEST) -> bytes:
    """Open, read to the end and close; for what is read seldom. Raises `SensorFault`.

    Files that the kernel prints line by line (mountinfo, children) come a page at a time. One
    with more than `most` bytes is not what it should be, and is not read on.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise fault_of(error, path) from None
    try:
        data = piece = os.read(fd, 65536)
        while piece and len(data) <= most:
            piece = os.read(fd, 65536)
            data += piece
    except OSError as error:
        raise fault_of(error, path) from None
    finally:
        os.close(fd)
    if len(data) > most:
        raise garbled(path, f"it has more than {most} bytes")
    return data


def read_start(path: str, size: int) -> bytes:
    """The first `size` bytes of a file that may be long. Raises `SensorFault`."""
    file = KeptFile(path, size)
    try:
        return file.read()
    finally:
        file.close()


def read_text(path: str) -> str:
    """Contents of an attribute without surrounding white space. Raises `SensorFault`."""
    return read_once(path, _ATTRIBUTE).decode("utf-8", "replace").strip()


def text_or_nothing(path: str) -> str:
    """Contents of an attribute, empty when it cannot be read."""
    try:
        return read_text(path)
    except SensorFault:
        return ""


def link_target(path: str) -> str:
    """Where a link points, as the kernel says it; empty when it is none."""
    try:
        return os.readlink(path)
    except OSError:
        return ""


def is_number(word: str | bytes) -> bool:
    """Whether a word is a whole number as the kernel prints it: digits only, at most 64 bits."""
    return len(word) <= _DIGITS and word.isascii() and word.isdigit()


def whole_number(data: str | bytes, path: str, least: int = 0) -> int:
    """The one whole number that a file holds, `least` or more. Raises `SensorFault`."""
    try:
        value = int(data)
    except ValueError:
        value = least - 1
    if least <= value < _BEYOND:
        return value
    kind = "a whole number" if least < 0 else "a number of 0 or more"
    raise garbled(path, f"{data[:40]!r} is not {kind}")


def entry(data: bytes, key: bytes, path: str) -> int:
    """The number after `key` at the start of a line. Raises `SensorFault` naming `path`."""
    rest = (b"\n" + data).partition(b"\n" + key + b" ")[2]
    number, end, _ = rest.partition(b"\n")
    number = number.strip()
    if end and is_number(number):  # without its end it may be cut off
        return int(number)
    raise garbled(path, f"it has no {key.decode()} with a number")


def read_number(path: str) -> int:
    """Contents as one whole number, maybe negative. Raises `SensorFault`."""
    return whole_number(read_text(path), path, LEAST)


def unescaped(text: str) -> str:
    """Undo the octal escapes of white space and backslash in mountinfo and `/proc/swaps`."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text


def listing(path: str) -> list[str]:
    """Names in a folder in sorted order; empty where there is no such folder."""
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def exists(path: str) -> bool:
    """Whether a file or folder is there, one that cannot be read included."""
    return os.path.lexists(path)


class KeptFile:
    """A file whose descriptor stays open between ticks: 3-8 µs cheaper than opening it anew.

    `size` is how much one read asks for; it must cover what the reader wants, because one
    `pread` gives one consistent text of the kernel.
    """

    __slots__ = ("_fd", "path", "size")

    def __init__(self, path: str, size: int = 4096) -> None:
        self.path = path
        self.size = size
        self._fd = -1

    def read(self) -> bytes:
        """Contents from the start, opening the file when it is not open. Raises `SensorFault`."""
        try:
            data = _pread(self._fd, self.size, 0)
        except OSError as error:
            data = self._reopened(error)
        return data or self._again()

    def read_list(self) -> bytes:
        """Do the same for a file that may rightly be empty."""
        try:
            return _pread(self._fd, self.size, 0)
        except OSError as error:
            return self._reopened(error)

    def _reopened(self, first: OSError) -> bytes:
        """Open the file and read it: it was not open, or the descriptor gave an error."""
        self.close()
        if first.errno == errno.ESRCH:  # the path may name another process by now
            raise fault_of(first, self.path) from None
        try:
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            return _pread(self._fd, self.size, 0)
        except OSError as error:
            self.close()
            raise fault_of(error, self.path) from None

    def _again(self) -> bytes:
        """Open the file anew: what is kept open is empty, as a file is that was replaced."""
        self.close()
        return self.read_list() or self._empty()

    def _empty(self) -> NoReturn:
        raise garbled(self.path, "it is empty")

    def close(self) -> None:
        """Close the descriptor; the next read opens the file again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
