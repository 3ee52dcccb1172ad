"""Collect the evidence at the end of a program, and tell the last words of a run.

The kernel's counters are read while the groups are there; what they mean is in `ending`, how it is
told in `summary`.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Sequence
from contextlib import suppress
from math import nan
from typing import TYPE_CHECKING

from amptalk.model.resource import Resource
from amptalk.run.holding import Holding
from amptalk.run.jobcontrol import Sent
from amptalk.run.options import RunOptions
from amptalk.run.program import Ended
from amptalk.sensors.files import text_or_nothing
from amptalk.sensors.group_toll import Toll, device_kills

if TYPE_CHECKING:
    from amptalk.run.ending import Evidence
    from amptalk.run.summary import Summary
    from amptalk.run.watching import Watching


def say(text: str) -> None:
    """Tell the user; the program's own output is left alone."""
    with suppress(OSError):
        os.write(2, f"amptalk: {text}\n".encode(errors="replace"))


class Reporter:
    """What is known of one program after another. `proc` is where processes are looked for."""

    def __init__(
        self, options: RunOptions, proc: str, limits: Sequence[tuple[Resource, float]],
        holding: Holding,
    ) -> None:  # fmt: skip
        self._options = options
        self._proc = proc
        self._limits = {known.name: limit for known, limit in limits}
        self._holding = holding
        self._begun = self._cpu = self._device = 0.0
        self._toll = Toll(0.0)
        self.kills = 0.0
        """By the kernel in the newest program's group, `nan` where it does not count."""

    def begin(self) -> None:
        """A program is about to start."""
        self._begun, self._cpu = time.monotonic(), _cpu_seconds()
        self._device = device_kills(self._proc)

    def summary(
        self, ended: Ended, watching: Watching | None, sent: Sent | None, breached: str
    ) -> Summary:
        """What is known of the program that has just ended."""
        from amptalk.run.ending import explained, survived
        from amptalk.run.summary import Summary, seen

        before, self._toll = self._toll, self._holding.toll()
        self.kills = self._toll.kills - before.kills if self._toll.kills >= 0 else nan
        evidence = self._evidence(watching, sent, breached)
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        plain = Summary(
            self._options.commands[0], ended, time.monotonic() - self._begun,
            _cpu_seconds() - self._cpu, (), explained(ended, evidence) or survived(ended, evidence),
            kills=self._toll.kills, charged_mb=self._toll.peak_mb,
            resident_mb=usage.ru_maxrss / 1024.0,
        )  # fmt: skip
        return seen(plain, watching)

    def _evidence(self, watching: Watching | None, sent: Sent | None, breached: str) -> Evidence:
        from amptalk.run.ending import Evidence

        anonymous, growth, asked = nan, (nan, nan), ""
        if watching is not None and watching.sample is not None:
            anonymous = watching.anonymous_mb
            growth, asked = watching.growth(), watching.acting.told("memory")
        return Evidence(
            time.time(), self.kills, device_kills(self._proc) - self._device,
            self._limits.get("memory", nan), self._holding.held("memory"), anonymous,
            self._toll.peak_mb, growth, asked, breached, sent,
            text_or_nothing(f"{self._proc}/{sent.sender}/comm") if sent else "",
        )  # fmt: skip

    def tell(self, summary: Summary, watching: Watching | None) -> None:
        """Write the metrics asked for, and say the last words."""
        from amptalk.run.summary import plain_of, text_of

        summary = summary._replace(notes=(*summary.notes, *self._metrics(watching)))
        if self._options.json:
            import json

            with suppress(OSError):
                os.write(2, json.dumps(plain_of(summary), allow_nan=False).encode() + b"\n")
            return
        lines = text_of(summary)
        if self._options.quiet:
            lines = [line for line in (summary.why, *summary.notes) if line]
        for line in lines:
            say(line)

    def _metrics(self, watching: Watching | None) -> list[str]:
        """Save what was seen, and let go of it; what is to be said of that."""
        from amptalk.model.errors import AmptalkError

        path, notes = self._options.metrics, []
        if watching is None:
            return [] if path is None else [f"{path} was not written: the run was too short"]
        if path is not None:
            try:
                watching.save(path)
            except AmptalkError as error:
                notes.append(str(error))
        watching.close()
        return notes


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
