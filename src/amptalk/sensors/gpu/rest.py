"""When an idle GPU is left alone, so that the kernel can put it to sleep.

Reading a GPU, or an open handle of its library, keeps it awake and costs a laptop 5-7 W. One that
the kernel may suspend, that did nothing and that the application does not use is therefore read
only every 30 s. Its `runtime_status`, and whether the application has come to use it, are looked
at in between; neither touches the device.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from math import inf

from amptalk.sensors.files import listing
from amptalk.sensors.gpu.places import may_sleep
from amptalk.sensors.gpu.reading import GpuReading

PAUSE = 30.0
"""Seconds between readings of a GPU that is left alone."""
_NOT_AGAIN = 60.0
"""Seconds for which a GPU that the application holds is not left alone again."""


class Rest:
    """The pause of one GPU, or of all that one library keeps awake together."""

    def __init__(self, folders: Iterable[str]) -> None:
        self._folders = tuple(folders)
        self._until = -inf
        self._not_before = -inf

    def note(self, now: float, readings: Iterable[GpuReading]) -> bool:
        """Take up what was read; true when the GPUs are now left alone."""
        idle = (
            now >= self._not_before
            and any(may_sleep(folder) for folder in self._folders)
            and not any(map(_busy, readings))
        )
        self._until = now + PAUSE if idle else -inf
        return idle

    def lasts(self, now: float) -> bool:
        """Whether the GPUs are left alone at `now`."""
        return now < self._until

    def end(self) -> None:
        """End it, because a GPU has fallen asleep: when it wakes there is something to read."""
        self._until = -inf

    def interrupt(self, now: float) -> None:
        """End it, because the application has come to use a GPU."""
        self._until, self._not_before = -inf, now + _NOT_AGAIN


def _busy(one: GpuReading) -> bool:
    """Whether it works, belongs to the application, or is lost and to be found again."""
    lost = one.silent and not one.asleep
    return one.utilization > 0.0 or one.application_mb > 0.0 or lost


def holds_nvidia(proc: str, pids: tuple[int, ...]) -> bool:
    """Whether one of `pids` has an NVIDIA GPU open, which keeps it awake without us."""
    for pid in pids:
        folder = f"{proc}/{pid}/fd"
        for descriptor in listing(folder):
            try:
                target = os.readlink(f"{folder}/{descriptor}")
            except OSError:
                continue  # closed meanwhile
            if target.startswith("/dev/nvidia") and target[11:].isdigit():
                return True
    return False
