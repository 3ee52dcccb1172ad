"""CPU of a control group: use, the tightest quota, and how long the quota held it back.

Throttled time is that of the group with the tightest quota, as percent of the interval; it
adds up over cores and is cut at 100. Without a quota nothing can be held back: 0.

Formats: Documentation/admin-guide/cgroup-v2.rst (`cpu.stat`, `cpu.max`), cgroup-v1/cpuacct.rst
and scheduler/sched-bwc.rst (`cpu.cfs_quota_us`, `cpu.stat`).
"""

from __future__ import annotations

from math import inf, isnan

from amptalk.clock import Clock
from amptalk.sensors.capacity import Limit
from amptalk.sensors.cgroups import Group, NoGroup
from amptalk.sensors.files import (
    KeptFile,
    SensorFault,
    entry,
    whole_number,
)
from amptalk.sensors.quota import UNLIMITED, tightest_quota
from amptalk.sensors.report import HISTORY, NAN, Notes, Source

_UNKNOWN = Limit(NAN, "the CPU quota has not been read yet")
_RATES = ("container.cpu_percent", "container.cpu_cores")
_THROTTLED = ("container.throttled_percent",)


class GroupCpu(Source):
    """Busy cores, limit in cores, percent of what the group may use, throttled share."""

    name = "container CPU"
    fields = (*_RATES, "container.cpu_limit_cores", *_THROTTLED)

    def __init__(self, notes: Notes, clock: Clock) -> None:
        super().__init__(notes)
        self._clock = clock
        self.group: Group | None = None
        """The group whose quotas hold."""
        self.limit = _UNKNOWN
        """The tightest quota in cores as last read, `inf` without one, `nan` before that."""
        self.cores = self.percent = self.throttled = NAN
        self._usage: KeptFile | None = None
        self._throttling: KeptFile | None = None
        self._forget_rates()

    def _forget_rates(self) -> None:
        self._at = NAN
        self._used = self._held = 0.0
        self.cores = self.percent = self.throttled = NAN

    def enter(self, usage: Group, quota: Group | None) -> None:
        """Read use from one group and quotas from another (version 1) or the same one."""
        self.close()
        self._forget_rates()
        self.group = quota
        name = "cpuacct.usage" if usage.version == 1 else "cpu.stat"
        self._usage = KeptFile(f"{usage.folder}/{name}", 1024)
        self._gain()
        self.work()

    def leave(self, fault: SensorFault) -> None:
        """State that there is no group to read, or none that can be."""
        self.close()
        self._forget_rates()
        self.group = None
        self._lose_quota(fault)

    def _lose_quota(self, fault: SensorFault) -> None:
        """Keep the quota as last read, since it changes seldom: it still bounds."""
        if isinstance(fault, NoGroup):
            self.limit = UNLIMITED
        elif isnan(self.limit.amount):
            self.limit = _UNKNOWN._replace(reason=fault.reason)
        self.lose(fault)

    def _gain(self) -> None:
        self.gain()
        self._notes.lose((*_RATES, *_THROTTLED), HISTORY)

    def work(self) -> None:
        """Renew the quota, and try a lost source again at the next reading."""
        if self._usage is None:
            return
        if self.lost:
            self._gain()
        try:
            limit, folder = tightest_quota(self.group)
        except SensorFault as fault:
            self._forget_rates()
            self._lose_quota(fault)
            return
        holding = f"{folder}/cpu.stat" if folder else ""
        self.limit = limit
        if self._throttling is not None and self._throttling.path != holding:
            self._throttling.close()
            self._throttling = None
            self._held = 0.0
        if holding and self._throttling is None:
            self._throttling = KeptFile(holding, 1024)
            self.throttled = NAN
            self._notes.lose(_THROTTLED, HISTORY)
            self._held = NAN

    def renew(self, online: float) -> None:
        """Renew the rates since the last reading; `online` cores are the most without a quota."""
        usage_file = self._usage
        if self.lost or usage_file is None:
            return
        try:
            data = usage_file.read()
            if data.startswith(b"usage_usec "):
                end = data.index(b"\n", 11)
                used = whole_number(data[11:end], usage_file.path) / 1e6
            else:
                used = whole_number(data, usage_file.path) / 1e9
            held = self._held_back(usage_file.path, data)
        except (SensorFault, ValueError) as fault:
            self.lose(fault, usage_file.path)
            self._forget_rates()
            return
        now = self._clock.monotonic()
        elapsed = now - self._at
        if elapsed > 0.0:
            if isnan(self.cores):
                self._notes.find(_RATES[1:])
            self.cores = max(0.0, used - self._used) / elapsed
            self._renew_percent(online)
            if not isnan(self._held):
                if isnan(self.throttled):
                    self._notes.find(_THROTTLED)
                self.throttled = min(100.0, 100.0 * max(0.0, held - self._held) / elapsed)
        self._at, self._used, self._held = now, used, held

    def _renew_percent(self, online: float) -> None:
        quota = self.limit.amount
        most = online if quota > online else quota
        if most == inf:
            self.percent = NAN
            self._notes.lose(_RATES[:1], self._notes.reason(("device.cpu_count",)))
            return
        if isnan(self.percent):
            self._notes.find(_RATES[:1])
        share = 100.0 * self.cores / most
        self.percent = 100.0 if share > 100.0 else share

    def _held_back(self, usage_path: str, data: bytes) -> float:
        """Seconds that the quota has held the group back until now."""
        throttling = self._throttling
        if throttling is None:
            return 0.0
        if throttling.path != usage_path:
            data = throttling.read()
        if b"throttled_usec" in data:
            return entry(data, b"throttled_usec", throttling.path) / 1e6
        return entry(data, b"throttled_time", throttling.path) / 1e9

    def paths(self) -> tuple[str, ...]:
        """Files read when rates are renewed."""
        if self.lost:
            return ()
        files = (self._usage, self._throttling)
        return tuple(dict.fromkeys(file.path for file in files if file is not None))

    def close(self) -> None:
        """Close the files."""
        for file in (self._usage, self._throttling):
            if file is not None:
                file.close()
        self._usage = self._throttling = None
