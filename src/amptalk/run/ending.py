"""Why a program ended, in one line, from evidence. Pure.

A kill by the kernel, one by us and one by somebody else look the same to a shell (137, 143). What
tells them apart is counted: kills in the program's own group, kills on the device, signals that we
sent or passed on.
"""

from __future__ import annotations

import signal
import time
from math import isnan, nan
from typing import NamedTuple

from amptalk.run.jobcontrol import Sent
from amptalk.run.program import Ended, signal_name

_EXPLAINED = frozenset({128 + signal.SIGKILL, 128 + signal.SIGTERM})


class Evidence(NamedTuple):
    """What is known at the end of a program."""

    at: float
    """Seconds since the epoch."""
    kills: float = 0.0
    """By the kernel in the program's group, because its memory limit was reached; `nan`
    where the kernel does not count."""
    device_kills: float = 0.0
    """By the kernel on the whole device."""
    limit_mb: float = nan
    """Of memory, `nan` without one."""
    held: bool = False
    """Whether the kernel held it."""
    anonymous_mb: float = nan
    peak_mb: float = nan
    growth: tuple[float, float] = (nan, nan)
    """MB a second, over seconds."""
    asked: str = ""
    """What came of asking for memory."""
    stopped: str = ""
    """Why we ended it; empty when we did not."""
    sent: Sent | None = None
    """A signal to end it that was sent to us."""
    sender: str = ""
    """Name of the process that sent it."""


def explained(ended: Ended, evidence: Evidence) -> str:
    """Cause and evidence in one line; empty for an end that needs no explanation."""
    status = ended.shell_status
    if evidence.stopped and (ended.killed or status in _EXPLAINED):
        return f"ended by amptalk ({_name(ended)}) at {_clock(evidence)}: {evidence.stopped}"
    if evidence.kills > 0 and status == 128 + signal.SIGKILL:
        return f"killed by the kernel: {_memory(evidence)}"
    if status not in _EXPLAINED:
        return ""
    if evidence.sent is not None and 128 + evidence.sent.number == status:
        who = f"process {evidence.sent.sender}"
        if evidence.sender:
            who += f" ({evidence.sender})"
        by = who if evidence.sent.sender else "the terminal"
        return f"ended by {_name(ended)} at {_clock(evidence)}, which {by} had sent to amptalk"
    if status == 128 + signal.SIGKILL and evidence.device_kills > 0:
        return (
            f"killed at {_clock(evidence)}, it seems by the kernel: the whole device ran out of "
            f"memory ({evidence.device_kills:.0f} kills meanwhile){_within(evidence)}"
        )
    return (
        f"ended by {_name(ended)} at {_clock(evidence)}, which somebody else sent to it: neither "
        f"amptalk nor the kernel's memory limit did{_within(evidence)}"
    )


def survived(ended: Ended, evidence: Evidence) -> str:
    """What is to be said of kills that did not end the program; empty for none."""
    if not evidence.kills > 0 or explained(ended, evidence):
        return ""
    return f"the kernel killed {evidence.kills:.0f} of its processes: {_memory(evidence)}"


def _memory(evidence: Evidence) -> str:
    parts = [f"memory limit {evidence.limit_mb:.4g} MB reached at {_clock(evidence)}"]
    if not isnan(evidence.anonymous_mb):
        parts[0] += f", anonymous {evidence.anonymous_mb:.0f} MB when last measured"
    elif not isnan(evidence.peak_mb):
        parts[0] += f", {evidence.peak_mb:.0f} MB charged at most"
    rate, seconds = evidence.growth
    if rate > 0:
        parts[0] += f", growth {rate:.3g} MB/s for {seconds:.3g} s"
    return "; ".join([*parts, evidence.asked] if evidence.asked else parts)


def _within(evidence: Evidence) -> str:
    if isnan(evidence.limit_mb):
        return ""
    if not evidence.held:
        return f" (the limit of {evidence.limit_mb:.4g} MB is not the kernel's here)"
    return f" (0 kills at the limit of {evidence.limit_mb:.4g} MB)"


def _clock(evidence: Evidence) -> str:
    return time.strftime("%H:%M:%S", time.localtime(evidence.at))


def _name(ended: Ended) -> str:
    name = signal_name(ended.shell_status - 128)
    return name if ended.killed else f"{name} of a process that it waited for"
