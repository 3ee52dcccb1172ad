"""Every way in which one file can be wrong."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from tests.sensors.faults.disk import Disk

Fault = Callable[[], AbstractContextManager[None]]
Change = Callable[[bytes], bytes]

_DIGITS = b"7" * 10_000_000
_LINES = b"zzz 1 2 3\n" * 150_000
_NUMBER = re.compile(rb"(?<![\w.])\d+")
ERRORS = (errno.EAGAIN, errno.EIO, errno.ENODEV, errno.EINVAL, errno.EOPNOTSUPP)


def faults(disk: Disk, path: str) -> dict[str, Fault]:
    """Faults of a file by their name, each to be entered and left again."""
    healthy = disk.healthy(path)
    found: dict[str, Fault] = {
        "absent": partial(disk.replaced, path, None),
        "a folder in its place": partial(disk.replaced, path, os.mkdir),
        "a FIFO in its place": partial(disk.replaced, path, os.mkfifo),
        "no permission": partial(disk.refusing, path, errno.EACCES),
    }
    for number in ERRORS:
        found[errno.errorcode[number]] = partial(disk.failing, path, number)
    for name, change in CHANGES.items():
        if change(healthy) != healthy and (b"\n" in healthy.strip() or name not in CUTS):
            found[name] = partial(disk.holding, path, change)
    return found


CUTS: dict[str, Change] = {
    "cut off after 10 %": lambda healthy: healthy[: len(healthy) // 10],
    "cut off after 50 %": lambda healthy: healthy[: len(healthy) // 2],
    "cut off after 70 %": lambda healthy: healthy[: len(healthy) * 7 // 10],
    "cut off after 90 %": lambda healthy: healthy[: len(healthy) * 9 // 10],
    "without its last two characters": lambda healthy: healthy[:-2],
}
"""For files of several lines: the beginning of a number is a number too."""
CHANGES: dict[str, Change] = {
    "empty": lambda _: b"",
    "garbage": lambda _: b"\xff\x00garbage \xfe\n",
    "huge numbers": partial(_NUMBER.sub, b"9" * 30),
    "negative numbers": partial(_NUMBER.sub, rb"-\g<0>"),
    "nan for numbers": partial(_NUMBER.sub, b"nan"),
    "10 MB of digits": lambda _: _DIGITS,
    "1.5 MB of lines behind it": lambda healthy: healthy + _LINES,
    **CUTS,
}
"""What may stand in a file instead of what should."""
