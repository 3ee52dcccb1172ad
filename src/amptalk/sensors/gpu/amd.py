"""AMD GPUs by the amdgpu driver's files.

A discrete card reports its own memory. A processor's GPU (APU) works in ordinary memory of the
machine beside a small part set aside at boot: both count, and so does the processor's own power
in its power value. The application's memory is the larger of what its descriptors and what the
compute driver (KFD, used by ROCm) say. Reasons for throttling are only in the binary
`gpu_metrics` and are not read.

Files: Documentation/gpu/amdgpu/thermal.rst and driver-misc.rst (percent, bytes, µW, m°C, Hz).
Which of `power1_average` and `power1_input` exists depends on chip and kernel (since 6.6 mostly
one of the two); some accelerators have no edge temperature (1), only that of the junction (2).
"""

from __future__ import annotations

import errno
import re
from functools import partial

from amptalk.sensors.files import (
    SensorFault,
    exists,
    garbled,
    is_number,
    listing,
    read_once,
    read_text,
    text_or_nothing,
    whole_number,
)
from amptalk.sensors.gpu.cards import CardReader
from amptalk.sensors.gpu.fdinfo import clients_of
from amptalk.sensors.gpu.own import TRANSLATED, estimate_share, foreign
from amptalk.sensors.gpu.places import Place, hwmon
from amptalk.sensors.gpu.reading import (
    MB,
    THROTTLE,
    Findings,
    GpuReading,
    Identity,
    number,
    percent,
    temperature,
)

_UNIQUE = re.compile("[0-9a-f]{1,16}")


class AmdReader(CardReader):
    """Reads all AMD GPUs."""

    def _identity(self, place: Place) -> Identity:
        name = text_or_nothing(f"{place.folder}/product_name") or "AMD GPU"
        return Identity(name, "", place.pci_address)

    def _one(self, place: Place, pids: tuple[int, ...], now: float) -> GpuReading:
        folder = place.folder
        try:
            monitor = hwmon(folder)
        except SensorFault as fault:
            monitor = ""
            missing = fault
        # The voltage of the north bridge exists on APUs only (amdgpu_pm.c).
        integrated = text_or_nothing(f"{monitor}/in1_label") == "vddnb"
        identity = self._identity(place)._replace(
            uuid=_unique(f"{folder}/unique_id"), integrated=integrated
        )
        findings = Findings()
        findings.lack(THROTTLE, "amdgpu tells it in the binary gpu_metrics only, which is not read")
        busy = f"{folder}/gpu_busy_percent"
        findings.find("utilization", busy, partial(percent, busy))
        pools = ("vram", "gtt") if integrated else ("vram",)
        for quantity, what in (("memory_used_mb", "used"), ("memory_total_mb", "total")):
            paths = [f"{folder}/mem_info_{pool}_{what}" for pool in pools]
            findings.find(
                quantity, " + ".join(paths), partial(_sum, paths),
                "derived" if integrated else "measured",
            )  # fmt: skip
        findings.find(
            "application_mb", "fdinfo and KFD of the application's processes",
            partial(self._application, place, pids, pools), "derived",
        )  # fmt: skip
        estimate_share(findings, identity, pids, only=len(self._places) == 1)
        if monitor:
            self._monitor(findings, monitor, integrated=integrated)
        else:
            for quantity in ("power_watts", "temperature_celsius", "clock_mhz"):
                findings.lack(quantity, missing)
        return findings.reading(identity, now)

    def _monitor(self, findings: Findings, monitor: str, *, integrated: bool) -> None:
        for file in ("power1_input", "power1_average"):
            path = f"{monitor}/{file}"
            if exists(path) or "power_watts" not in findings.values:
                source = f"{path} (with the processor's)" if integrated else path
                findings.find("power_watts", source, partial(number, path, 1e-6))
            if "power_watts" in findings.values:
                break
        path = f"{monitor}/temp1_input"
        path = path if exists(path) else f"{monitor}/temp2_input"
        findings.find("temperature_celsius", path, partial(temperature, path))
        for quantity, file in (("clock_mhz", "freq1_input"), ("memory_clock_mhz", "freq2_input")):
            path = f"{monitor}/{file}"
            findings.find(quantity, path, partial(number, path, 1e-6))

    def _application(self, place: Place, pids: tuple[int, ...], pools: tuple[str, ...]) -> float:
        clients = clients_of(self._roots.proc, pids, place.pci_address).values()
        held = sum(client.memory.get(pool, 0.0) for client in clients for pool in pools)
        return max(held, self._compute(place, pids, told=held > 0.0)) / MB

    def _compute(self, place: Place, pids: tuple[int, ...], *, told: bool) -> float:
        """Bytes that the compute driver gave to `pids` on this GPU; 0 without that driver.

        Raises `SensorFault` where its numbers are the host's and no descriptor told instead.
        """
        kfd = f"{self._roots.sys}/class/kfd/kfd"
        key = self._compute_id(f"{kfd}/topology/nodes", place.pci_address)
        listed = listing(f"{kfd}/proc") if key else []
        numbers = [int(name) for name in listed if is_number(name)]
        if numbers and foreign(self._roots, tuple(numbers)):
            if told:
                return 0.0
            raise TRANSLATED
        held = 0.0
        for pid in numbers:
            path = f"{kfd}/proc/{pid}/vram_{key}"
            if pid in pids and exists(path):
                held += number(path)
        return held

    @staticmethod
    def _compute_id(folder: str, pci_address: str) -> str:
        for node in listing(folder):
            path = f"{folder}/{node}/properties"
            try:
                data = read_once(path)
            except SensorFault as fault:
                if fault.number in {errno.ENOENT, errno.EACCES, errno.EPERM}:
                    continue  # gone, or a GPU that this control group may not use
                raise
            pairs = [line.split(None, 1) for line in data.decode("ascii", "replace").splitlines()]
            words = dict(pair for pair in pairs if len(pair) == 2)
            location, domain = words.get("location_id", ""), words.get("domain", "0")
            if data[-1:] != b"\n" or not (is_number(location) and is_number(domain)):
                raise garbled(path, "it has no location_id with a number")
            spot = int(location)
            address = f"{int(domain):04x}:{spot >> 8:02x}:{spot >> 3 & 31:02x}.{spot & 7}"
            if address == pci_address:
                path = f"{folder}/{node}/gpu_id"
                return str(whole_number(read_text(path), path))
        return ""


def _unique(path: str) -> str:
    """The card's number in hexadecimal, empty where there is none."""
    text = text_or_nothing(path)
    return text if _UNIQUE.fullmatch(text) else ""


def _sum(paths: list[str]) -> float:
    return sum(number(path) for path in paths) / MB
