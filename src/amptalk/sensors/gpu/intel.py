"""Intel GPUs by the i915 and xe drivers.

Neither driver has a file for the busy share of the whole device (perf counters have, with
privilege), and the clock is not load: so the device's utilisation is missing, with that reason.
The application's own share and memory come from its descriptors. The energy counter exists on
discrete cards; i915's has 32 bits and a wrap that is missed is lost, so an implausible
difference is missing. A GPU within the processor shares the machine's memory.

Files: Documentation/ABI/testing/sysfs-driver-intel-i915-hwmon and -xe-hwmon (µJ, m°C).
"""

from __future__ import annotations

from functools import partial
from math import isnan

from amptalk.clock import Clock
from amptalk.sensors.files import SensorFault, exists
from amptalk.sensors.gpu.fdinfo import BusyShare, Client, clients_of
from amptalk.sensors.gpu.places import (
    Place,
    hwmon,
    memory_total_mb,
    suspended,
    text_or_nothing,
)
from amptalk.sensors.gpu.reading import (
    ASLEEP,
    MB,
    Findings,
    GpuReading,
    PowerMeter,
    nothing_known,
    number,
    temperature,
)
from amptalk.sensors.roots import Roots

_NOT_WHOLE = (
    "the driver tells the busy time of each process, not of the device; that is in perf counters, "
    "which need privilege"
)
_NO_SIZE = "the driver tells the memory of the card by an ioctl only, which is not asked"


class IntelReader:
    """Reads all Intel GPUs."""

    idle = False

    def __init__(self, roots: Roots, places: tuple[Place, ...], clock: Clock) -> None:
        self._clock = clock
        self._roots = roots
        self._places = places
        self._meters = {place.folder: PowerMeter() for place in places}
        self._shares = {place.folder: BusyShare() for place in places}

    def read(self, pids: tuple[int, ...]) -> tuple[GpuReading, ...]:
        """Read each that does not sleep."""
        return tuple(self._one(place, pids) for place in self._places)

    def release(self) -> None:
        """Nothing is kept open."""

    def _one(self, place: Place, pids: tuple[int, ...]) -> GpuReading:
        name = f"Intel GPU ({place.driver or 'unknown driver'})"
        if suspended(place.folder):
            return nothing_known(ASLEEP, name, "", place.pci_address)
        integrated = place.pci_address == "0000:00:02.0"  # where every Intel processor has it
        findings = Findings()
        findings.lack("utilization", _NOT_WHOLE)
        if integrated:
            findings.lack("memory_used_mb", "it shares the machine's memory: no share is its own")
            findings.find(
                "memory_total_mb", "MemTotal: memory shared with the processor",
                partial(memory_total_mb, self._roots), "derived",
            )  # fmt: skip
        else:
            findings.lack("memory_used_mb", _NO_SIZE)
            findings.lack("memory_total_mb", _NO_SIZE)
        self._of_application(findings, place, pids, integrated=integrated)
        self._monitor(findings, place)
        for path in (f"{place.card}/gt_act_freq_mhz", f"{place.folder}/tile0/gt0/freq0/act_freq"):
            if exists(path):
                findings.find("clock_mhz", path, partial(number, path))
        return findings.reading(name, "", place.pci_address, integrated=integrated)

    def _of_application(
        self, findings: Findings, place: Place, pids: tuple[int, ...], *, integrated: bool
    ) -> None:
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
            partial(self._shares[place.folder].feed, self._clock.monotonic(), clients), "derived",
        )  # fmt: skip

    def _monitor(self, findings: Findings, place: Place) -> None:
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
        watts = self._meters[place.folder].feed(self._clock.monotonic(), joules)
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
