"""The control group this process runs in, as one view.

"In a container" means: its memory or its CPU is counted by a control group other than the
root of the hierarchy. That holds in docker, in a Kubernetes pod, in a systemd service and in a
login session under systemd alike. Limits are the tightest of any visible ancestor. Which group
it is, is checked every 5 s, because descriptors survive a migration. Pressure of the group and
I/O are not read.
"""

from __future__ import annotations

from amptalk.clock import Clock
from amptalk.model.errors import ScopeError
from amptalk.sensors.capacity import Limit
from amptalk.sensors.cgroups import Group, NoGroup, find_group, membership
from amptalk.sensors.files import SensorFault
from amptalk.sensors.group_cpu import GroupCpu
from amptalk.sensors.group_memory import GroupMemory
from amptalk.sensors.quota import QUOTA_FILES
from amptalk.sensors.report import NAN, Notes, SourceInfo
from amptalk.sensors.roots import Roots
from amptalk.sensors.swapspace import SwapSpace

_MEMORY_FILES = ("memory.usage_in_bytes", "memory.current")
_USAGE_FILES = ("cpuacct.usage", "cpu.stat")


class Container:
    """Everything of `ContainerView`, in its order."""

    def __init__(
        self, roots: Roots, notes: Notes, clock: Clock, pid: int, space: SwapSpace
    ) -> None:
        self._roots = roots
        self._pid = pid
        self._membership: bytes | None = None
        self._cpu_groups: tuple[Group, Group | None] | None = None
        self.memory = GroupMemory(notes, space)
        self.cpu = GroupCpu(notes, clock)
        self.work(clock.monotonic())

    @property
    def inside(self) -> bool:
        """Whether memory or CPU is counted by a group other than the root."""
        return self.memory.group is not None or self._cpu_groups is not None

    def demand(self) -> None:
        """Raise `ScopeError` outside a container."""
        if not self.inside:
            raise ScopeError(
                "scope 'container' needs a control group other than the root that counts memory "
                f"or CPU, and process {self._pid} is in none ({self.memory.why()}); run it in a "
                "container or with `systemd-run --scope -p MemoryMax=1G COMMAND`, or choose "
                "scope 'application' or 'device'"
            )

    def work(self, now: float) -> None:
        """Do what is due every 5 s; what `discover` asked for, each minute, is done with it."""
        memory, cpu = self.memory, self.cpu
        retrying = (memory.lost and memory.group is not None) or (
            cpu.lost and self._cpu_groups is not None
        )
        if self._membership is not None and not retrying:
            memory.renew_cache(now)
            return
        try:
            present = membership(self._roots, self._pid)
        except SensorFault as fault:
            self._membership = None
            self._cpu_groups = None
            self.memory.leave(fault)
            self.cpu.leave(fault)
            return
        self._membership = present
        self._resolve(now)

    def discover(self) -> None:
        """Follow a migration and renew limits and quotas at the next work."""
        self._membership = None

    def _resolve(self, now: float) -> None:
        try:
            memory = self._find("memory", _MEMORY_FILES)
        except SensorFault as fault:
            self.memory.leave(fault)
        else:
            if memory != self.memory.group:
                self.memory.enter(memory, now)
            else:
                self.memory.work(now)
        try:
            usage = self._find("cpuacct", _USAGE_FILES)
        except SensorFault as fault:
            self._cpu_groups = None
            self.cpu.leave(fault)
            return
        try:
            quota = self._find("cpu", QUOTA_FILES)
        except NoGroup:
            quota = None
        except SensorFault as fault:
            self._cpu_groups = None
            self.cpu.leave(fault)
            return
        if (usage, quota) == self._cpu_groups:
            self.cpu.work()  # the rates go on
        else:
            self._cpu_groups = usage, quota
            self.cpu.enter(usage, quota)

    def _find(self, controller: str, files: tuple[str, str]) -> Group:
        return find_group(self._roots, self._pid, controller, files)

    def read(self, room_mb: float, cores: float, *, rates: bool) -> tuple[float, ...]:
        """Read one tick; `room_mb` and `cores` are the machine's, the most without a limit."""
        memory, cpu = self.memory, self.cpu
        usage, working, limit, percent = memory.read(room_mb)
        if rates and not cpu.lost:
            cpu.renew(cores)
        if cpu.lost:
            swap, kills = memory.swap.swap_mb, memory.kills
            return usage, working, limit, percent, swap, NAN, NAN, NAN, NAN, kills
        return (
            usage, working, limit, percent, memory.swap.swap_mb,
            cpu.percent, cpu.cores, cpu.limit.amount, cpu.throttled, memory.kills,
        )  # fmt: skip

    @property
    def limits(self) -> tuple[Limit, Limit]:
        """The tightest CPU quota (cores) and memory limit (MB)."""
        return self.cpu.limit, self.memory.limit

    def infos(self) -> tuple[SourceInfo, ...]:
        """Name the sensors, for the report."""
        memory, cpu = self.memory, self.cpu
        return (
            _info(memory.name, (*memory.fields, "container.oom_kills"), memory.paths()),
            _info(memory.swap.name, memory.swap.fields, ()),
            _info(cpu.name, cpu.fields, cpu.paths()),
        )

    def close(self) -> None:
        """Close all descriptors."""
        self.memory.close()
        self.cpu.close()
        self.memory.group = self._cpu_groups = None
        self._membership = None


def _info(name: str, fields: tuple[str, ...], paths: tuple[str, ...]) -> SourceInfo:
    return SourceInfo(name, fields, ", ".join(paths) or "control groups", paths)
