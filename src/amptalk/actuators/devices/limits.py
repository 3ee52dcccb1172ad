"""The limits of devices that were named: they follow the allocations of power and temperature.

Down at once, two seconds apart, so that each move shows in a measurement before the next; up by a
tenth each 10 s. They stand until the last limit lets go, and are put back as they were.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from amptalk.actuators.devices.contract import FLOOR, DeviceLimit
from amptalk.actuators.devices.files import DevicePower, Frequency, ProcessorPower
from amptalk.actuators.devices.gpu import GpuClocks, GpuPower
from amptalk.actuators.devices.profiles import PowerProfile
from amptalk.actuators.kernel.contract import PATIENCE, Hold, Run
from amptalk.actuators.verdicts import STRIKES
from amptalk.clock import Clock
from amptalk.model.action import ActionReport, Verdict
from amptalk.model.errors import ActionError
from amptalk.model.level import Level
from amptalk.model.resource import POWER
from amptalk.sensors.files import SensorFault

STEP = 0.1
"""Shares are multiples of it; one step up at a time."""
LOWERED_EVERY, RAISED_EVERY = 2.0, 10.0
"""Seconds from one move to the next one down, and to the next one up."""

MAKERS: Mapping[str, Callable[[str], DeviceLimit]] = {
    "acpi_power": lambda _gpu: DevicePower(),
    "cpufreq": lambda _gpu: Frequency(),
    "nvml_clocks": GpuClocks,
    "nvml_power": GpuPower,
    "power_profile": lambda _gpu: PowerProfile(),
    "rapl": lambda _gpu: ProcessorPower(),
}
"""Makes a limit by its name, for the sample's GPU."""


def next_share(now: float, wanted: float) -> float:
    """Where to go from one share on the way to another, both 0-1.

    >>> next_share(1.0, 0.63), next_share(0.6, 1.0), next_share(0.6, 0.6), next_share(1.0, 0.1)
    (0.6, 0.7, 0.6, 0.5)
    """
    if wanted < 1.0:
        wanted = max(FLOOR, math.floor(wanted / STEP + 1e-9) * STEP)
    return round(min(wanted, now + STEP), 9)


class DeviceLimits:
    """The named limits while enforcement is on. `begin` and `check` may block."""

    def __init__(self, clock: Clock, names: Sequence[str], gpu: str) -> None:
        self._clock = clock
        self._all = [MAKERS[name](gpu) for name in names]
        self._found: list[DeviceLimit] = []
        self._refused: dict[DeviceLimit, int] = {}
        self._share = 1.0
        self._moved_at = -math.inf
        self._lock = threading.Lock()
        self._reports: list[ActionReport] = []

    @property
    def found(self) -> bool:
        """Whether any device can be lowered."""
        return bool(self._found)

    def begin(self, hold: Hold) -> list[str]:
        """Look for the devices, change nothing; what is to be said of each. Never raises."""
        said = []
        self._found, self._share = [], 1.0
        for limit in self._all:
            try:
                where = limit.begin(hold)
            except (ActionError, SensorFault) as error:
                said.append(f"device limit {limit.name} cannot be set: {error}")
                continue
            self._found.append(limit)
            said.append(f"device limit {limit.name} follows power and temperature: {where}")
        return said

    def end(self) -> None:
        """All was undone by others."""
        self._found, self._share = [], 1.0
        for limit in self._all:
            limit.end()

    def due(self, wanted: float, now: float) -> bool:
        """Whether a share that is wanted calls for a move now; for the tick."""
        if not self._found:
            return False
        target = next_share(self._share, wanted)
        if target == self._share:
            return False
        pause = LOWERED_EVERY if target < self._share else RAISED_EVERY
        return now - self._moved_at >= pause

    def lead(self, wanted: float, now: float, run: Run) -> None:
        """Make one move towards a share, each limit on an action thread; for the tick."""
        self._share = share = next_share(self._share, wanted)
        self._moved_at = now
        for limit in self._found:
            run(f"device limit {limit.name}", partial(self._follow, limit, share), PATIENCE)

    def _follow(self, limit: DeviceLimit, share: float) -> None:
        started, wall = self._clock.monotonic(), self._clock.time()
        try:
            detail = limit.follow(share)
            verdict = Verdict.WORKED if limit.told_back else Verdict.UNVERIFIABLE
            self._refused.pop(limit, None)
        except (ActionError, SensorFault) as error:
            verdict, detail = Verdict.DENIED, str(error)
            self._refused[limit] = self._refused.get(limit, 0) + 1
            if self._refused[limit] >= STRIKES:
                self._leave(limit)
                detail += f"; refused {STRIKES} times, so it is not tried again"
        detail = f"{share:.0%}: {detail}"
        self._report(limit, verdict, detail, wall, self._clock.monotonic() - started)

    def check(self) -> None:
        """Look whether what is held is held still. Never raises."""
        for limit in self._found:
            try:
                why = limit.lost()
            except (ActionError, SensorFault) as error:
                why = str(error)
            if why:
                detail = f"not held any more: {why}"
                self._report(limit, Verdict.NO_EFFECT, detail, self._clock.time(), 0.0)
                self._leave(limit)

    def _leave(self, limit: DeviceLimit) -> None:
        """Set it no more; what stands is put back at the end, if it is still ours."""
        self._found = [one for one in self._found if one is not limit]

    def reports(self) -> list[ActionReport]:
        """What was verified since the last call."""
        with self._lock:
            taken, self._reports = self._reports, []
        return taken

    def _report(
        self, limit: DeviceLimit, verdict: Verdict, detail: str, wall: float, seconds: float
    ) -> None:
        report = ActionReport(
            limit.name, POWER.name, POWER.unit, Level.NORMAL, wall, seconds, math.nan, math.nan,
            None, verdict, detail,
        )  # fmt: skip
        with self._lock:
            self._reports.append(report)
