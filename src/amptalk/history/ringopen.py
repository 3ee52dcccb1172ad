"""Opening the recorder's file: its lock, its header, its space.

The file's space is taken when it is made, because a store into a hole of a full
disk kills the process. On file systems that copy on write (btrfs) that promise
does not hold once the disk is full; put the file elsewhere.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress

from amptalk.history.ringfile import PAGE, ROWS_PER_PAGE
from amptalk.history.ringhead import Header, new_header, pack_header, read_header
from amptalk.model.errors import MetricsFileError

_NOT_SUPPORTED = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)


def opened(path: str) -> int:
    """A descriptor of the file, made if need be, with the lock held."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise MetricsFileError(
            f"cannot record to {path}: {error.strerror}; give a file in a folder that exists and "
            "is writable for this user"
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise MetricsFileError(f"cannot record to {path}: it is not a regular file")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise MetricsFileError(
            f"cannot record to {path}: another manager or process is recording to it; give each "
            "its own file"
        ) from None
    except OSError as error:
        os.close(descriptor)
        raise MetricsFileError(f"cannot lock {path}: {error.strerror}") from error
    return descriptor


def prepared(path: str, descriptor: int, capacity_rows: int, interval: float) -> Header:
    """The header of the file, written first if the file is new; its space is taken."""
    size = os.fstat(descriptor).st_size
    pages = -(-capacity_rows // ROWS_PER_PAGE) + 2
    header = new_header(pages, interval)
    if size and not _only_zeros(descriptor, size, header.size):
        found = read_header(path, os.pread(descriptor, PAGE, 0), size)
        if (found.fields, found.steps) != (header.fields, header.steps):
            raise MetricsFileError(
                f"{path}: recorded by another version of AMPTALK with other fields; "
                "move it away (load_metrics still reads it)"
            )
        header = found
        _take_space(path, descriptor, header.size)
        return header
    try:
        _take_space(path, descriptor, header.size)
        os.pwrite(descriptor, pack_header(header), 0)
        os.fsync(descriptor)
    except BaseException:
        with suppress(OSError):
            os.unlink(path)
        raise
    return header


def _only_zeros(descriptor: int, size: int, most: int) -> bool:
    """True for a file that was being made when its process died: nothing is lost with it."""
    return size <= most and not any(os.pread(descriptor, size, 0))


def _take_space(path: str, descriptor: int, size: int) -> None:
    try:
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            if error.errno not in _NOT_SUPPORTED:
                raise
            if os.fstat(descriptor).st_size < size:
                os.pwrite(descriptor, bytes(size), 0)
    except OSError as error:
        raise MetricsFileError(
            f"cannot record to {path}: {error.strerror}; {size // 1024} KiB are needed"
        ) from error
