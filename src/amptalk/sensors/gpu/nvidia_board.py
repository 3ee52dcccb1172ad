"""One NVIDIA board as NVML tells it, or its MIG instances.

A GPU divided by MIG is shown as its instances, each with its own memory; utilisation is not
supported there, and power, energy, temperature and clocks belong to the whole board. What is left
out: fans, ECC, PCIe and NVLink traffic.
"""

from __future__ import annotations

from math import isnan
from typing import Any

from amptalk.sensors.files import SensorFault
from amptalk.sensors.gpu.nvidia_memory import Memory
from amptalk.sensors.gpu.nvml import LOST, Nvml, NvmlFault
from amptalk.sensors.gpu.reading import (
    QUANTITIES,
    THROTTLE,
    Findings,
    GpuReading,
    Identity,
    PowerMeter,
)
from amptalk.sensors.report import NAN
from amptalk.sensors.roots import Roots

REASONS = {
    0x4: "power cap", 0x8: "hardware slowdown", 0x10: "sync boost", 0x20: "thermal (software)",
    0x40: "thermal (hardware)", 0x80: "power brake",
}  # fmt: skip
"""Bits of the clocks event reasons (nvml.h); idle and settings by the user hold nothing back."""
_MIG = "not supported while the GPU is divided by MIG"
_WHOLE = "belongs to the whole board, not to one MIG instance"
_OF_BOARD = (
    *("power_watts", "energy_joules", "temperature_celsius", "clock_mhz", "memory_clock_mhz"),
    THROTTLE,
)
_CLOCK_SM, _CLOCK_MEMORY, _SENSOR_GPU = 1, 2, 0


class BoardReader:
    """Reads boards by their handles."""

    def __init__(self, nvml: Nvml, roots: Roots) -> None:
        self._nvml = nvml
        self._memory = Memory(nvml, roots)
        self._meters: dict[str, PowerMeter] = {}

    def forget(self) -> None:
        """Begin power anew: the counter starts again when the driver lets go of the GPU."""
        self._meters.clear()

    def read(
        self, handle: Any, pids: tuple[int, ...], now: float, *, only: bool
    ) -> list[GpuReading]:
        """Read one board, or its MIG instances. Raises `NvmlFault` when it is lost."""
        identity = self._identity(handle, "NVIDIA GPU", "")
        instances = self._instances(handle)
        if instances:
            return [self._instance(one, identity, pids, now) for one in instances]
        findings = Findings()
        self._find(findings, "utilization", "nvmlDeviceGetUtilizationRates", handle)
        integrated = self._memory.find(findings, handle, identity, pids, only=only)
        self._find(findings, "energy_joules", "nvmlDeviceGetTotalEnergyConsumption", handle)
        self._power(findings, handle, identity.uuid, now)
        self._temperature(findings, handle)
        for quantity, clock in (("clock_mhz", _CLOCK_SM), ("memory_clock_mhz", _CLOCK_MEMORY)):
            self._find(findings, quantity, "nvmlDeviceGetClockInfo", handle, clock)
        self._throttling(findings, handle)
        _notice_loss(findings)
        return [findings.reading(identity._replace(integrated=integrated), now)]

    def address(self, handle: Any) -> str:
        """PCI address as sysfs writes it. Raises `NvmlFault` when the GPU is lost."""
        try:
            info = self._nvml.call("nvmlDeviceGetPciInfo", handle)
        except NvmlFault as fault:
            if fault.code in LOST:
                raise
            return ""
        text = info.busId.decode() if isinstance(info.busId, bytes) else str(info.busId)
        domain, _, rest = text.lower().partition(":")  # NVML writes the domain with 8 digits
        try:
            return f"{int(domain, 16):04x}:{rest}"
        except ValueError:
            return ""

    def _identity(self, handle: Any, name: str, pci: str) -> Identity:
        return Identity(
            self._text("nvmlDeviceGetName", handle) or name,
            self._text("nvmlDeviceGetUUID", handle),
            pci or self.address(handle),
        )

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

    def _instance(
        self, handle: Any, board: Identity, pids: tuple[int, ...], now: float
    ) -> GpuReading:
        findings = Findings()
        findings.lack("utilization", _MIG)
        for quantity in _OF_BOARD:
            findings.lack(quantity, _WHOLE)
        identity = self._identity(handle, f"{board.name} MIG", board.pci_address)
        self._memory.find(findings, handle, identity, pids, only=False)
        _notice_loss(findings)
        return findings.reading(identity, now)

    def _find(self, findings: Findings, quantity: str, name: str, *arguments: Any) -> float:
        scale = {"energy_joules": 1e-3, "power_watts": 1e-3}.get(quantity, 1.0)

        def ask() -> float:
            value = self._nvml.call(name, *arguments)
            return float(getattr(value, "gpu", value)) * scale

        return findings.find(quantity, f"NVML {name}", ask)

    def _power(self, findings: Findings, handle: Any, uuid: str, now: float) -> None:
        """Prefer the energy counter: `nvmlDeviceGetPowerUsage` is an average or an instant."""
        meter = self._meters.setdefault(uuid, PowerMeter())
        watts = meter.feed(now, findings.values.get("energy_joules", NAN))
        if isnan(watts):
            self._find(findings, "power_watts", "nvmlDeviceGetPowerUsage", handle)
        else:
            source = "NVML nvmlDeviceGetTotalEnergyConsumption, differentiated"
            findings.find("power_watts", source, lambda: watts, "derived")

    def _temperature(self, findings: Findings, handle: Any) -> None:
        quantity = "temperature_celsius"
        for name in ("nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature"):
            if not isnan(self._find(findings, quantity, name, handle, _SENSOR_GPU)):
                return

    def _throttling(self, findings: Findings, handle: Any) -> None:
        """Add what holds the clocks back, by the function's name of today or of before 2023."""
        for name in (
            "nvmlDeviceGetCurrentClocksEventReasons",
            "nvmlDeviceGetCurrentClocksThrottleReasons",
        ):
            try:
                bits = int(self._nvml.call(name, handle))
            except SensorFault as fault:
                findings.lack(THROTTLE, fault)
                continue
            findings.missing.pop(THROTTLE, None)
            findings.throttle_reasons = tuple(words for bit, words in REASONS.items() if bits & bit)
            return

    def _text(self, name: str, handle: Any) -> str:
        try:
            text = self._nvml.call(name, handle)
        except NvmlFault as fault:
            if fault.code in LOST:
                raise
            return ""
        return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def _notice_loss(findings: Findings) -> None:
    """Raise the fault of a GPU that was lost in the middle of its reading, or that is silent.

    A container whose devices were taken away gets an unknown error of every function.
    """
    for quantity in QUANTITIES:
        fault = findings.missing.get(quantity)
        if not isinstance(fault, NvmlFault):
            continue
        if fault.code in LOST or (fault.code == "UNKNOWN" and not findings.origins):
            raise fault
