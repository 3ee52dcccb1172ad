"""Memory of an NVIDIA GPU and the application's share of it, dedicated or shared.

A GPU shares the machine's memory when NVML does not support `nvmlDeviceGetMemoryInfo`, gives a
total of 0, or a total of 90-100 % of the machine's, while it has no aperture on the bus (BAR1). The
aperture tells: a card with as much memory as the machine is common and is no such GPU.
"""

from __future__ import annotations

from functools import partial
from math import isnan
from typing import Any

from amptalk.sensors.files import SensorFault
from amptalk.sensors.gpu.nvml import Nvml, NvmlFault
from amptalk.sensors.gpu.own import TRANSLATED, estimate_share, foreign, in_namespace
from amptalk.sensors.gpu.places import memory_total_mb
from amptalk.sensors.gpu.reading import MB, Findings, Identity
from amptalk.sensors.report import NAN
from amptalk.sensors.roots import Roots

_UNTOLD = {"NOT_SUPPORTED", "FUNCTION_NOT_FOUND"}
"""Answers that mean that there is no such list here, as of graphics under MIG."""
Processes = dict[int, float] | SensorFault
"""MB by pid, `nan` where it is not told; or why there is no list."""


class Memory:
    """Finds the three memory quantities of one GPU."""

    def __init__(self, nvml: Nvml, roots: Roots) -> None:
        self._nvml = nvml
        self._roots = roots

    def find(
        self, findings: Findings, handle: Any, identity: Identity, pids: tuple[int, ...],
        *, only: bool,
    ) -> bool:  # fmt: skip
        """Add them to `findings`; returns whether the memory is the machine's.

        `only` says that there is no other GPU.
        """
        processes = self._processes(handle)
        findings.find(
            "application_mb", "NVML memory of the application's processes",
            partial(self._own, processes, pids),
        )  # fmt: skip
        estimate_share(findings, identity, pids, only=only)
        source = "NVML nvmlDeviceGetMemoryInfo_v2"
        try:
            used, total = self._info(handle)
        except NvmlFault as fault:
            if fault.code == "FUNCTION_NOT_FOUND":
                source = "NVML nvmlDeviceGetMemoryInfo, what the driver reserves included"
                try:
                    used, total = self._info(handle, version=1)
                except NvmlFault as older:
                    fault = older
                else:
                    return self._take(findings, handle, source, used, total, processes)
            if fault.code != "NOT_SUPPORTED":
                findings.lack("memory_used_mb", fault)
                findings.lack("memory_total_mb", fault)
                return False
            used = total = 0.0
        return self._take(findings, handle, source, used, total, processes)

    def _take(  # noqa: PLR0917 - what was read, as it was read
        self,
        findings: Findings,
        handle: Any,
        source: str,
        used: float,
        total: float,
        processes: Processes,
    ) -> bool:
        if not self._shared(handle, total):
            if total <= 0.0:
                for quantity in ("memory_used_mb", "memory_total_mb"):
                    findings.lack(quantity, "this GPU has memory of its own and does not tell it")
                return False
            findings.find("memory_used_mb", source, lambda: used)
            findings.find("memory_total_mb", source, lambda: total)
            return False
        findings.find(
            "memory_used_mb", "NVML memory of all processes, summed",
            partial(self._all, processes), "derived",
        )  # fmt: skip
        findings.find(
            "memory_total_mb", "MemTotal: memory shared with the processor",
            partial(memory_total_mb, self._roots), "derived",
        )  # fmt: skip
        return True

    def _info(self, handle: Any, version: int = 2) -> tuple[float, float]:
        """Used and total in MB; only version 2 leaves out what the driver reserves."""
        if version == 2:
            marker = self._nvml.constant("nvmlMemory_v2")
            if marker is None:
                raise NvmlFault(
                    "FUNCTION_NOT_FOUND", "nvidia-ml-py has no nvmlMemory_v2",
                    'pip install -U "amptalk[nvidia]"',
                )  # fmt: skip
            info = self._nvml.call("nvmlDeviceGetMemoryInfo", handle, marker)
        else:
            info = self._nvml.call("nvmlDeviceGetMemoryInfo", handle)
        return info.used / MB, info.total / MB

    def _shared(self, handle: Any, total: float) -> bool:
        if total > 0.0:
            try:
                machine = memory_total_mb(self._roots)
            except SensorFault:
                return False
            if not 0.9 * machine <= total <= machine:
                return False
        try:
            self._nvml.call("nvmlDeviceGetBAR1MemoryInfo", handle)
        except NvmlFault as fault:
            return fault.code == "NOT_SUPPORTED"
        return False

    def _processes(self, handle: Any) -> Processes:
        """What each process holds; one that computes and draws is in both lists, with all of it."""
        held: dict[int, float] = {}
        untold: NvmlFault | None = None
        answered = False
        for name in ("Compute", "Graphics"):
            try:
                listed = self._nvml.call(f"nvmlDeviceGet{name}RunningProcesses", handle)
            except NvmlFault as fault:
                if fault.code not in _UNTOLD:
                    return fault
                untold = untold or fault
                continue
            answered = True
            for one in listed:
                amount = NAN if one.usedGpuMemory is None else one.usedGpuMemory / MB
                before = held.get(one.pid, NAN)
                held[one.pid] = before if amount <= before or isnan(amount) else amount
        return held if answered or untold is None else untold

    def _own(self, processes: Processes, pids: tuple[int, ...]) -> float:
        if isinstance(processes, SensorFault):
            raise processes
        if foreign(self._roots, tuple(processes)):
            raise TRANSLATED
        own = {pid: amount for pid, amount in processes.items() if pid in pids}
        if 0.0 in own.values() and in_namespace(self._roots):
            raise TRANSLATED  # the number was translated, and then not found for its memory
        return _sum(own)

    def _all(self, processes: Processes) -> float:
        if not isinstance(processes, SensorFault) and not processes and in_namespace(self._roots):
            raise TRANSLATED
        return _sum(processes)


def _sum(processes: Processes) -> float:
    if isinstance(processes, SensorFault):
        raise processes
    total = sum(processes.values())
    if isnan(total):
        raise SensorFault("NVML does not tell the memory of a process here")
    return total
