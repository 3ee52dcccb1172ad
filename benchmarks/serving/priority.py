"""A raised priority for all that a benchmark runs, so that other work disturbs it less."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RAISED = -10
_AUTOGROUP = Path("/proc/self/autogroup")
"""Linux shares processors between sessions first: nice values count inside one only."""


@contextmanager
def raised() -> Iterator[None]:
    """Raise the priority of this process, of what it starts and of its session; undone after.

    Nothing changes without the right to (root).
    """
    before = os.getpriority(os.PRIO_PROCESS, 0)
    try:
        os.setpriority(os.PRIO_PROCESS, 0, RAISED)
    except PermissionError:
        yield
        return
    session = _session_nice()
    _set_session_nice(RAISED)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)
        _set_session_nice(session)


def _session_nice() -> int:
    try:
        return int(_AUTOGROUP.read_text(encoding="ascii").split()[-1])
    except (OSError, ValueError, IndexError):  # a kernel without such groups
        return 0


def _set_session_nice(value: int) -> None:
    try:
        _AUTOGROUP.write_text(str(value), encoding="ascii")
    except OSError:
        return
