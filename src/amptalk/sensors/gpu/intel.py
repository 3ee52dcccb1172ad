"""Intel GPUs by the i915 and xe drivers.

Neither driver has a file for the busy share of the whole device (perf counters have, with
privilege), and the clock is not load: so the device's utilisation is missing, with that reason.
The application's own share and memory come from its descriptors. The energy counter exists on
discrete cards; i915's has 32 bits and a wrap that is missed is lost, so an implausible
difference, or one over more than a minute, is missing. A GPU within the processor shares the
machine's memory.

Files: Documentation/ABI/testing/sysfs-driver-intel-i915-hwmon and -xe-hwmon (µJ, m°C);
drivers/gpu/drm/i915/gt/intel_gt_sysfs_pm.c and xe/xe_gt_throttle.c (0 or 1 a reason).
"""

from __future__ import annotations

from functools import partial
from math import isnan

from amptalk.clock import Clock
from amptalk.sensors.files import SensorFault, exists, text_or_nothing
from amptalk.sensors.gpu.cards import CardReader
from amptalk.sensors.gpu.fdinfo import BusyShare, Client, clients_of
from amptalk.sensors.gpu.places import Place, hwmon, memory_total_mb
from amptalk.sensors.gpu.reading import (
    MB,
    THROTTLE,
    Findings,
    GpuReading,
    Identity,
    PowerMeter,
    number,
    temperature,
)
from amptalk.sensors.roots import Roots

_NOT_WHOLE = (
    "the driver tells the busy time of each process, not of the device; that is in perf counters, "
    "which need privilege"
)
_NO_SIZE = "the driver tells the memory of the card by an ioctl only, which is not asked"
_REASONS = {
    "pl1": "power cap (sustained)", "pl2": "power cap (burst)", "pl4": "power cap (peak)",
    "thermal": "thermal", "prochot": "thermal (PROCHOT)", "ratl": "thermal (average)",
    "vr_thermalert": "thermal (voltage regulator)", "vr_tdc": "current of the voltage regulator",
}  # fmt: skip


class IntelReader(CardReader):
    """Reads all Intel GPUs."""

    def __init__(self, roots: Roots, places: tuple[Place, ...], clock: Clock) -> None:
        super().__init__(roots, places, clock)
        self._meters = {place.folder: PowerMeter() for place in places}
        self._shares = {place.folder: BusyShare() for place in places}

    def _identity(self, place: Place) -> Identity:
        name = f"Intel GPU ({place.driver or 'unknown driver'})"
        # Every Intel processor has its GPU there.
        integrated = place.pci_address == "0000:00:02.0"
        return Identity(name, "", place.pci_address, integrated)

    def _one(self, place: Place, pids: tuple[int, ...], now: float) -> GpuReading:
        identity = self._identity(place)
        findings = Findings()
        findings.lack("utilization", _NOT_WHOLE)
        if identity.integrated:
            findings.lack("memory_used_mb", "it shares the machine's memory: no share is its own")
            findings.find(
                "memory_total_mb", "MemTotal: memory shared with the processor",
                partial(memory_total_mb, self._roots), "derived",
            )  # fmt: skip
        else:
            findings.lack("memory_used_mb", _NO_SIZE)
            findings.lack("memory_total_mb", _NO_SIZE)
        self._of_application(findings, place, pids, now, integrated=identity.integrated)
        self._monitor(findings, place, now)
        for path in (f"{place.card}/gt_act_freq_mhz", f"{place.folder}/tile0/gt0/freq0/act_freq"):
            if exists(path):
                findings.find("clock_mhz", path, partial(number, path))
        _throttling(findings, place)
        return findings.reading(identity, now)

    def _of_application(
        self, findings: Findings, place: Place, pids: tuple[int, ...], now: float,
        *, integrated: bool,
    ) -> None:  # fmt: skip
        source = "fdinfo of the application's processes"
        try:
            clients = clients_of(self._roots.proc, pids, place.pci_address)
        except SensorFault as fault:
            findings.lack("application_mb", fault)
            findings.lack("application_utilization", fault)
            return
        findings.find("application_mb", source, lambda: _held(clients, integrated=integrated))
        findings.find(
            "application_utilization", source,
            partial(self._shares[place.folder].feed, now, clients), "derived",
        )  # fmt: skip

    def _monitor(self, findings: Findings, place: Place, now: float) -> None:
        try:
            monitor = hwmon(place.folder)
        except SensorFault as fault:
            for quantity in ("power_watts", "energy_joules", "temperature_celsius"):
                findings.lack(quantity, fault)
            return
        path = f"{monitor}/energy1_input"
        if text_or_nothing(f"{monitor}/energy1_label") == "pkg":  # then the card is the other one
            path = f"{monitor}/energy2_input"
        joules = findings.find("energy_joules", path, partial(number, path, 1e-6))
        watts = self._meters[place.folder].feed(now, joules)
        if isnan(watts):
            findings.lack(
                "power_watts",
                findings.missing.get("energy_joules")
                or "power needs two plausible readings of the energy counter",
            )
        else:
            findings.find("power_watts", f"{path}, differentiated", lambda: watts, "derived")
        path = f"{monitor}/temp1_input"
        path = path if exists(path) else f"{monitor}/temp2_input"  # xe: 2 is the package
        findings.find("temperature_celsius", path, partial(temperature, path))


def _throttling(findings: Findings, place: Place) -> None:
    """Add what holds the clocks back, as the driver's files of 0 and 1 say."""
    for prefix in (
        f"{place.card}/gt/gt0/throttle_reason_",
        f"{place.folder}/tile0/gt0/freq0/throttle/reason_",
    ):
        told = {words: text_or_nothing(prefix + file) for file, words in _REASONS.items()}
        if any(told.values()):
            findings.throttle_reasons = tuple(words for words, text in told.items() if text == "1")
            return
    findings.lack(THROTTLE, "this kernel's driver does not tell it, or to root only")


def _held(clients: dict[str, Client], *, integrated: bool) -> float:
    """MB in the card's own memory, or in the machine's where there is no other."""
    if clients and not any(client.memory for client in clients.values()):
        raise SensorFault("this kernel's driver does not tell memory by process (Linux 6.8 does)")
    own = ("local", "vram")
    return (
        sum(
            amount
            for client in clients.values()
            for region, amount in client.memory.items()
            if integrated or region.startswith(own)
        )
        / MB
    )
