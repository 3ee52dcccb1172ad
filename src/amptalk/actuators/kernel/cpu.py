"""CPU time that the kernel holds: a quota that stands and follows allocation, and a lower weight.

A quota never takes more than is beyond it, but what it takes comes in stalls of up to a period.
It also holds what no limit of CPU is about: with less CPU time there is less power and heat. So it
follows the allocations of power and temperature down from the limit, and back. Where others share
the limit it follows what this process is granted, so that a share is held when others count on it.
The weight follows no grant: it is the group's own among those beside it, which need not share.

Formats: Documentation/scheduler/sched-bwc.rst, Documentation/admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

import math

from amptalk.actuators.kernel.contract import GroupStep, Hold, Standing
from amptalk.actuators.kernel.value import HeldValue
from amptalk.actuators.kernel.writing import read
from amptalk.model.errors import ActionError
from amptalk.model.level import Level

BELOW, BELOW_AT_MOST = 0.03, 1.5
"""How far below its limit a quota is: a share of the limit, and percent of all cores at most. A
quota is overrun by up to a slice (5 ms) on each core, which is paid back later: so a rate over
250 ms swings by about 1 percent of two cores, whatever the limit is, and by less for small ones."""
SMALLEST_QUOTA = 1000
"""Microseconds that the kernel allows at least."""
PERIOD = 20_000
"""Microseconds. With the kernel's default of 100 ms stalls are as long, and a rate over 250 ms sees
two or three quotas, so up to a fifth more than the limit."""
_QUOTAS = {1: "cpu.cfs_quota_us", 2: "cpu.max"}
_WEIGHT = 0.25
"""Of what it was, that a lower weight is."""


def within(percent: float) -> float:
    """Percent of all cores that a limit gives out, so that no rate shows it exceeded.

    >>> within(25), within(50), within(80), within(math.inf)
    (24.25, 48.5, 78.5, inf)
    """
    return max((1.0 - BELOW) * percent, percent - BELOW_AT_MOST)


def quota_of(percent: float, cores: float, share: float = 1.0, period: int = PERIOD) -> int:
    """Microseconds a period that a limit of `percent` of `cores` comes to.

    `share` is what allocation leaves of all cores.

    >>> quota_of(50, 4)
    38800
    >>> quota_of(50, 4, share=0.25)
    20000
    """
    return max(SMALLEST_QUOTA, int(cores * min(within(percent) / 100.0, share) * period))


def regranted(before: float, now: float) -> bool:
    """Whether a grant moved so far that the quota has to follow: further than `within` leaves.

    So a quota that stands is never above what is granted.

    >>> regranted(50, 49), regranted(50, 48), regranted(50, 52)
    (False, True, True)
    """
    return within(before) > now or within(now) > before


class CpuQuota(Standing):
    """`cpu.max`, or `cpu.cfs_quota_us` of version 1, for the whole application.

    Without a limit on CPU there is none until a share below 1 is asked for.
    """

    name = "cpu_quota"
    resource = "cpu"

    def __init__(self) -> None:
        self._hold: Hold | None = None
        self._value: HeldValue | None = None
        self._period: HeldValue | None = None
        """Of version 1, where it is a file of its own."""
        self._version = 2
        self._cores = math.nan
        self.share = 1.0
        """What allocations leave of all cores, 0-1, as last asked for."""
        self.granted = math.inf
        """Percent that sharing grants, `inf` without, as last asked for."""

    def hold(self, hold: Hold) -> None:
        """Set the quota of a limit, or only look for its place. Raises `ActionError`."""
        if hold is self._hold:
            self.follow(self.share, self.granted)
            return
        self._hold = hold
        self._version = hold.groups.place("cpu").version
        self.share, self.granted = 1.0, math.inf
        if self._percent() < math.inf:
            self.follow(1.0)

    def follow(self, share: float, granted: float = math.inf) -> None:
        """Let the quota be `share` of all cores, at most the limit and what is granted of it.

        Raises `ActionError`.
        """
        hold = self._hold
        if hold is None:
            return
        self.share, self.granted = share, granted
        percent = self._percent()
        if share >= 1.0 and percent == math.inf:
            self._free(hold)
            return
        self._cores = hold.cores()
        if math.isnan(self._cores):
            raise ActionError("how many cores the quota is a share of is not known")
        if self._value is None:
            folder = hold.groups.enter("cpu")
            if self._version == 1:
                self._period = hold.value(f"{folder}/cpu.cfs_period_us")
                self._period.hold(str(PERIOD))
            self._value = hold.value(f"{folder}/{_QUOTAS[self._version]}")
        quota = quota_of(percent, self._cores, share)
        self._value.hold(f"{quota} {PERIOD}" if self._version == 2 else str(quota))

    def end(self) -> None:
        """All was undone by others."""
        self._hold = self._value = self._period = None
        self.share, self.granted = 1.0, math.inf

    def _percent(self) -> float:
        return math.inf if self._hold is None else min(self._hold.limit("cpu"), self.granted)

    def _free(self, hold: Hold) -> None:
        values, self._value, self._period = (self._value, self._period), None, None
        for value in values:
            if value is not None:
                value.release()
        if values[0] is not None:
            hold.groups.leave("cpu")

    @property
    def held(self) -> float | None:
        """Percent of the cores that the limit is about."""
        value = self._value
        if value is None or value.text is None:
            return None
        return 100.0 * int(value.text.split()[0]) / PERIOD / self._cores

    @property
    def where(self) -> str:
        """File and quota."""
        value = self._value
        if value is None or value.text is None:
            return ""
        cores = int(value.text.split()[0]) / PERIOD
        return f"{value.path} {value.text} ({cores:.3g} cores)"

    def lost(self) -> str:
        """Why the quota is gone."""
        if self._value is None or self._value.text is None:
            return ""
        return self._value.still_held()


class CpuWeight(GroupStep):
    """Give way to others: a quarter of the weight, `cpu.weight` or `cpu.shares` of version 1.

    It costs nothing while the processors have time left, and then it gives nothing back either.
    """

    name = "cpu_weight"
    resource = "cpu"
    level = Level.ELEVATED
    controller = "cpu"
    cost = 0.05
    latency = 0.5

    def apply(self, need: float) -> None:  # noqa: ARG002 - how much it gives depends on others
        """Lower it. Raises `ActionError`."""
        version, folder = self._entered()
        path = f"{folder}/{'cpu.weight' if version == 2 else 'cpu.shares'}"
        least = 1 if version == 2 else 2
        self._set(path, str(max(least, int(int(read(path)) * _WEIGHT))))
