"""NVIDIA GPUs by NVML.

A GPU divided by MIG is shown as its instances, each with its own memory; utilisation is not
supported there, and power, energy, temperature and clocks belong to the whole board. Where the GPU
shares the machine's memory, used is the sum over processes and total is the machine's; the
machine's used memory is never shown as the GPU's. A lost GPU is an error with its reason; NVML is
started anew, ever more seldom, until the GPU is found again.

Nothing is asked of a GPU whose `runtime_status` is suspended. While one that may sleep has nothing
to do, NVML is stopped between readings, because an open handle keeps it awake.
"""

from __future__ import annotations

import time
from math import isnan
from typing import Any

from amptalk.sensors.files import SensorFault
from amptalk.sensors.gpu.nvidia_memory import Memory
from amptalk.sensors.gpu.nvml import LOST, Nvml, NvmlFault
from amptalk.sensors.gpu.places import Place, may_sleep, suspended
from amptalk.sensors.gpu.reading import (
    ASLEEP,
    QUANTITIES,
    Findings,
    GpuReading,
    PowerMeter,
    nothing_known,
)
from amptalk.sensors.roots import Roots

_REASONS = {
    0x4: "power cap", 0x8: "hardware slowdown", 0x10: "sync boost", 0x20: "thermal (software)",
    0x40: "thermal (hardware)", 0x80: "power brake",
}  # fmt: skip
"""Bits of the clocks event reasons (nvml.h); idle and settings by the user hold nothing back."""
_MIG = "not supported while the GPU is divided by MIG"
_WHOLE = "belongs to the whole board, not to one MIG instance"
_OF_BOARD = ("power_watts", "energy_joules", "temperature_celsius", "clock_mhz", "memory_clock_mhz")
_SELDOMST = 64
_CLOCK_SM, _CLOCK_MEMORY, _SENSOR_GPU = 1, 2, 0


class NvidiaReader:
    """Reads all NVIDIA GPUs."""

    def __init__(self, roots: Roots, places: tuple[Place, ...]) -> None:
        self._places = places
        self._nvml = Nvml()
        self._memory = Memory(self._nvml, roots)
        self._meters: dict[str, PowerMeter] = {}
        self._known: dict[str, tuple[str, str, str]] = {}
        """Name, UUID and address of each GPU when it was last there."""
        self._lost = self._until_retry = 0
        self.idle = False

    def read(self, pids: tuple[int, ...]) -> tuple[GpuReading, ...]:
        """Read each that does not sleep. Raises `SensorFault` when NVML cannot be used."""
        asleep = {one.pci_address for one in self._places if suspended(one.folder)}
        if asleep and len(asleep) == len(self._places):
            self._nvml.stop()
            return tuple(nothing_known(ASLEEP, "NVIDIA GPU", "", one) for one in sorted(asleep))
        self._nvml.start()
        readings: list[GpuReading] = []
        lost = False
        for key, handle in self._handles(asleep):
            if handle is None:
                readings.append(nothing_known(ASLEEP, "NVIDIA GPU", "", key))
                continue
            try:
                found = self._one(handle, pids)
            except NvmlFault as fault:
                if fault.code not in LOST:
                    raise
                lost = True
                name, uuid, pci = self._known.get(key, ("NVIDIA GPU", "", ""))
                readings.append(nothing_known(fault, name, uuid, pci))
            else:
                self._known[key] = found[0][:3]
                readings += found
        if lost:
            self._start_anew()
        else:
            self._lost = self._until_retry = 0
        self._rest(readings)
        return tuple(readings)

    def _handles(self, asleep: set[str]) -> list[tuple[str, Any]]:
        """Handles by UUID or address; `None` for one that sleeps, a raising one for one lost."""
        call = self._nvml.call
        if asleep:  # even asking for a handle by number may wake the others
            return [
                (one.pci_address, None if one.pci_address in asleep
                 else call("nvmlDeviceGetHandleByPciBusId", one.pci_address.encode()))
                for one in self._places
            ]  # fmt: skip
        found: list[tuple[str, Any]] = []
        for index in range(call("nvmlDeviceGetCount")):
            try:
                found.append((str(index), call("nvmlDeviceGetHandleByIndex", index)))
            except NvmlFault as fault:
                if fault.code not in LOST:
                    raise
                found.append((str(index), fault))
        return found

    def _start_anew(self) -> None:
        """Stop NVML so that the next reading starts it, after 1, 2, 4 ... 64 readings."""
        if self._until_retry <= 0:
            self._lost += 1
            self._until_retry = min(2 ** (self._lost - 1), _SELDOMST)
            self._nvml.stop()
        self._until_retry -= 1

    def _rest(self, readings: list[GpuReading]) -> None:
        """Let go when all is idle and the kernel would put a GPU to sleep."""
        self.idle = any(may_sleep(one.folder) for one in self._places) and all(
            one.utilization == 0.0 and one.application_mb == 0.0
            for one in readings
            if not isnan(one.utilization)
        )
        if self.idle:
            self._nvml.stop()

    def _one(self, handle: Any, pids: tuple[int, ...]) -> list[GpuReading]:
        """One board, or its MIG instances. Raises `NvmlFault` when it is lost."""
        if isinstance(handle, NvmlFault):
            raise handle
        name = self._text("nvmlDeviceGetName", handle) or "NVIDIA GPU"
        uuid = self._text("nvmlDeviceGetUUID", handle)
        pci = self._pci(handle)
        instances = self._instances(handle)
        if instances:
            return [self._instance(one, name, pci, pids) for one in instances]
        findings = Findings()
        self._find(findings, "utilization", "nvmlDeviceGetUtilizationRates", handle)
        integrated = self._memory.find(findings, handle, pids)
        self._find(findings, "energy_joules", "nvmlDeviceGetTotalEnergyConsumption", handle)
        self._power(findings, handle, uuid)
        self._temperature(findings, handle)
        for quantity, clock in (("clock_mhz", _CLOCK_SM), ("memory_clock_mhz", _CLOCK_MEMORY)):
            self._find(findings, quantity, "nvmlDeviceGetClockInfo", handle, clock)
        _notice_loss(findings)
        return [
            findings.reading(name, uuid, pci, integrated=integrated, throttled=self._held(handle))
        ]

    def _instances(self, handle: Any) -> list[Any]:
        """Handles of the MIG instances; empty when the GPU is not divided."""
        call = self._nvml.call
        try:
            if call("nvmlDeviceGetMigMode", handle)[0] != 1:
                return []
            most = call("nvmlDeviceGetMaxMigDeviceCount", handle)
        except NvmlFault as fault:
            if fault.code in LOST:
                raise
            return []
        found = []
        for index in range(most):
            try:
                found.append(call("nvmlDeviceGetMigDeviceHandleByIndex", handle, index))
            except NvmlFault as fault:
                if fault.code in LOST:
                    raise
        return found

    def _instance(self, handle: Any, board: str, pci: str, pids: tuple[int, ...]) -> GpuReading:
        findings = Findings()
        findings.lack("utilization", _MIG)
        for quantity in _OF_BOARD:
            findings.lack(quantity, _WHOLE)
        self._memory.find(findings, handle, pids)
        _notice_loss(findings)
        name = self._text("nvmlDeviceGetName", handle) or f"{board} MIG"
        uuid = self._text("nvmlDeviceGetUUID", handle)
        return findings.reading(name, uuid, pci, integrated=False)

    def _find(self, findings: Findings, quantity: str, name: str, *arguments: Any) -> float:
        scale = {"energy_joules": 1e-3, "power_watts": 1e-3}.get(quantity, 1.0)

        def ask() -> float:
            value = self._nvml.call(name, *arguments)
            return float(getattr(value, "gpu", value)) * scale

        return findings.find(quantity, f"NVML {name}", ask)

    def _power(self, findings: Findings, handle: Any, uuid: str) -> None:
        """Prefer the energy counter: `nvmlDeviceGetPowerUsage` is an average or an instant."""
        meter = self._meters.setdefault(uuid, PowerMeter())
        watts = meter.feed(time.monotonic(), findings.values.get("energy_joules", float("nan")))
        if isnan(watts):
            self._find(findings, "power_watts", "nvmlDeviceGetPowerUsage", handle)
        else:
            source = "NVML nvmlDeviceGetTotalEnergyConsumption, differentiated"
            findings.find("power_watts", source, lambda: watts, "derived")

    def _temperature(self, findings: Findings, handle: Any) -> None:
        quantity = "temperature_celsius"
        for name in ("nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature"):
            if isnan(self._find(findings, quantity, name, handle, _SENSOR_GPU)):
                continue
            return

    def _held(self, handle: Any) -> str:
        """What holds the clocks back, in words."""
        for name in (
            "nvmlDeviceGetCurrentClocksEventReasons",
            "nvmlDeviceGetCurrentClocksThrottleReasons",
        ):
            try:
                bits = int(self._nvml.call(name, handle))
            except SensorFault:
                continue
            return ", ".join(words for bit, words in _REASONS.items() if bits & bit)
        return ""

    def _text(self, name: str, handle: Any) -> str:
        try:
            text = self._nvml.call(name, handle)
        except NvmlFault as fault:
            if fault.code in LOST:
                raise
            return ""
        return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)

    def _pci(self, handle: Any) -> str:
        try:
            info = self._nvml.call("nvmlDeviceGetPciInfo", handle)
        except NvmlFault as fault:
            if fault.code in LOST:
                raise
            return ""
        text = info.busId.decode() if isinstance(info.busId, bytes) else str(info.busId)
        domain, _, rest = text.lower().partition(":")  # NVML writes the domain with 8 digits
        return f"{domain[-4:]}:{rest}"

    def release(self) -> None:
        """Let go of NVML."""
        self._nvml.stop()


def _notice_loss(findings: Findings) -> None:
    """Raise the fault of a GPU that was lost in the middle of its reading."""
    for quantity in QUANTITIES:
        fault = findings.missing.get(quantity)
        if isinstance(fault, NvmlFault) and fault.code in LOST:
            raise fault
