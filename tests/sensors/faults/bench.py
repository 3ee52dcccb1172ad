"""A made-up machine, what it shows while it is healthy, and whether a sample may look otherwise."""

from __future__ import annotations

import math
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from amptalk.model.errors import ScopeError
from amptalk.model.sample import FIELDS, Sample
from amptalk.sensors.roots import Roots
from amptalk.sensors.suite import SensorSuite
from tests.sensors.faults.disk import Disk
from tests.sensors.faults.kinds import Fault, faults
from tests.sensors.faults.machines import Machine
from tests.sensors.trees import PID, check_reasons

_COMPARED = [field.name for field in FIELDS if "load_" not in field.name]
"""All but the load average, which is that of the real machine."""
_MORE_CALLS = 24
_MORE_BYTES = 2_500_000
"""What a faulty file may cost: to be opened anew, and 1 MiB of it read by each of two readers."""
_YOUNG = "history", "needs two"
"""Reasons of a rate that begins anew, after a fault or from another source."""
_NOT_FOUND = ("no GPU:", "the GPU is no longer there:", "no power sensor:", "no temperature sensor")


class Bench:
    """Tries faults on one machine and collects what is wrong."""

    def __init__(self, machine: Machine, disk: Disk) -> None:
        self.machine = machine
        self.disk = disk
        self._path = self._kind = ""
        """The file at fault, and how."""
        self._problems: dict[tuple[str, str], dict[str, None]] = {}
        self._cases = self._most_calls = self._most_bytes = 0
        with self.suite() as suite:
            for seconds in (1, 5, 5, 5):
                self._healthy = self._read(suite, seconds)
            for _ in range(12):
                calls, size = disk.calls, disk.bytes
                odd = self._odd(self._read(suite, 5), "", strict=True)
                self._most_calls = max(self._most_calls, disk.calls - calls)
                self._most_bytes = max(self._most_bytes, disk.bytes - size)
                assert not odd, f"the made-up machine is not steady: {odd}"
            self._slower = suite.throttling().slower

    def every_fault(self, *, but: tuple[str, ...] = ()) -> Iterator[tuple[str, Fault]]:
        """Each file that was opened, with each fault that it can have but for some."""
        for path in sorted(self.disk.asked):
            name = os.path.relpath(path, self.disk.root)
            if name.startswith(self.machine.swept) and os.path.exists(path):
                self._path = name
                for kind, fault in faults(self.disk, path).items():
                    if kind in but:
                        continue
                    self._kind = kind
                    self._cases += 1
                    yield path, fault

    @contextmanager
    def suite(self) -> Iterator[SensorSuite]:
        """The sensors of the machine; what they leave open when they are closed is a problem.

        A machine that has no container while its file is at fault says which file it is.
        """
        root = self.disk.root
        roots = Roots(f"{root}/proc", f"{root}/sys")
        suite = SensorSuite(self.machine.scope, self.disk.clock, roots, pid=PID, threads=False)
        try:
            yield suite
        finally:
            suite.close()
            if self.disk.opened:
                self._blame(f"left open {sorted(self.disk.opened.values())}")
            for fd in tuple(self.disk.opened):
                self.disk.close(fd)

    def starts(self, path: str) -> None:
        """Begin on a machine that has the fault already."""
        try:
            with self.suite() as suite:
                self.check(suite, path, 1)
                self.check(suite, path, 5)
        except ScopeError as error:
            if not _names(str(error), path, self.disk.root):
                self._blame(f"no container because {error}")

    def check(self, suite: SensorSuite, path: str, seconds: float, *, last: bool = False) -> None:
        """Read once with a fault; what is missing for lack of history must not stay so."""
        calls, size = self.disk.calls, self.disk.bytes
        try:
            sample = self._read(suite, seconds)
            suite.energy()
        except Exception as error:
            where = "".join(traceback.format_tb(error.__traceback__, -2)[-1:])
            self._blame(f"raises {error!r} {where}")
            return
        for text in self._odd(sample, path, strict=last):
            self._blame(text)
        if suite.throttling().slower not in {self._slower, None}:
            self._blame(f"throttling says {suite.throttling().reasons}")
        if self.disk.calls - calls > self._most_calls + _MORE_CALLS:
            self._blame(f"{self.disk.calls - calls} calls instead of {self._most_calls}")
        if self.disk.bytes - size > self._most_bytes + _MORE_BYTES:
            self._blame(f"{self.disk.bytes - size} bytes instead of {self._most_bytes}")

    def recovers(self, suite: SensorSuite) -> None:
        """Wait until all is as it was."""
        found: list[str] = []
        for _ in range(20):
            found = self._odd(self._read(suite, 5), "", strict=True)
            if not found:
                return
        self._blame(f"is not well again after it was mended: {found}")

    def report(self) -> str:
        """Every problem once, with the faults that cause it; empty without any."""
        lines = [
            f"{path}: {text} [{', '.join(kinds)}]" for (path, text), kinds in self._problems.items()
        ]
        if lines:
            lines.insert(0, f"{len(lines)} problems in {self._cases} cases:")
        return "\n".join(lines)

    def _blame(self, text: str) -> None:
        self._problems.setdefault((self._path, text), {})[self._kind] = None

    def _read(self, suite: SensorSuite, seconds: float) -> Sample:
        self.disk.clock.advance(seconds)
        sample = suite.read()
        check_reasons(sample)
        return sample

    def _odd(self, sample: Sample, path: str, *, strict: bool) -> list[str]:
        """Values that are neither healthy, nor missing because of `path`, nor another source's."""
        found = []
        for name in _COMPARED:
            value, healthy = sample[name], self._healthy[name]
            if math.isclose(value, healthy, rel_tol=1e-6, abs_tol=1e-9):
                continue
            if math.isnan(value):
                reason = sample.missing[name]
                blamed = path and _names(reason, path, self.disk.root)
                young = path and not strict and any(one in reason for one in _YOUNG)
                if not (math.isnan(healthy) or blamed or young):
                    found.append(f"{name} is missing because {reason!r}")
                continue
            origin = sample.provenance.get(name)
            source = "" if origin is None else f"{origin.method} {origin.source}"
            if not (path and self._stands_in(name, value, source)):
                found.append(f"{name} is {value:g}, not {healthy:g} ({source})")
        return found

    def _stands_in(self, name: str, value: float, source: str) -> bool:
        """Whether another source may rightly give this value while a file is at fault."""
        return any(
            name.rpartition(".")[2] == other.field
            and math.isclose(value, other.value, abs_tol=1e-9)
            and other.source in source
            and self._path.startswith(other.file)
            and self._kind.startswith(tuple(other.kinds.split(",")))
            for other in self.machine.others
        )


def _names(reason: str, path: str, root: str) -> bool:
    """Whether a reason names the file or its folder, or says what was looked for and not found."""
    if reason.startswith(_NOT_FOUND):
        return path.startswith(f"{root}/sys/")
    if reason.startswith("the processes of the application"):
        return path.startswith(f"{root}/proc/")
    return os.path.basename(path) in reason or os.path.dirname(path) in reason
