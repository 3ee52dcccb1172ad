"""The GPU of NVIDIA Jetson boards by devfreq: load, clock and, for root, memory by process.

`load` is in thousandths. The GPU works in the machine's memory: its total is the machine's, and
what it uses is the sum over processes in `nvmap`'s debugfs file, which only root may read; the
memory used by the whole machine is never reported in its place. Without root the application's
share is estimated by torch's allocator where it is in use. Reading touches no sleeping GPU and
keeps none awake: the driver answers from what it knows. Temperature is the thermal zone
`GPU-therm` or `gpu-thermal`. Newer boards without `load` are read through NVML (`nvidia`).
"""

from __future__ import annotations

from functools import partial

from amptalk.clock import Clock
from amptalk.sensors.files import (
    SensorFault,
    garbled,
    is_number,
    listing,
    read_once,
    text_or_nothing,
)
from amptalk.sensors.gpu.own import estimate_share
from amptalk.sensors.gpu.places import Place, memory_total_mb, suspended
from amptalk.sensors.gpu.reading import (
    ASLEEP,
    THROTTLE,
    Findings,
    GpuReading,
    Identity,
    nothing_known,
    number,
    percent,
    temperature,
)
from amptalk.sensors.roots import Roots

_CLIENTS = "kernel/debug/nvmap/iovmm/clients"
_UNITS = {"K": 1024.0, "M": 1.0, "G": 1.0 / 1024.0}
"""Divisors that turn an amount into MB."""


class JetsonReader:
    """Reads the one GPU of the board."""

    def __init__(self, roots: Roots, places: tuple[Place, ...], clock: Clock) -> None:
        self._roots = roots
        self._place = places[0]
        self._clock = clock

    def read(self, pids: tuple[int, ...]) -> tuple[GpuReading, ...]:
        """Read it, unless it sleeps."""
        place = self._place
        now = self._clock.monotonic()
        identity = Identity("Jetson GPU", integrated=True)
        if suspended(place.folder):
            return (nothing_known(ASLEEP, identity, now),)
        findings = Findings()
        findings.lack(THROTTLE, "the board tells its throttling as a whole: see throttling")
        load = f"{place.folder}/load"
        findings.find("utilization", load, partial(percent, load, 0.1))
        findings.find(
            "memory_total_mb", "MemTotal: memory shared with the processor",
            partial(memory_total_mb, self._roots), "derived",
        )  # fmt: skip
        path = f"{self._roots.sys}/{_CLIENTS}"
        try:
            held = held_by_process(path)
        except SensorFault as fault:
            remedy = "run as root: only it may read how much GPU memory each process holds"
            fault = SensorFault(fault.reason, remedy, fault.number)
            findings.lack("memory_used_mb", fault)
            findings.lack("application_mb", fault)
        else:
            own = sum(amount for pid, amount in held.items() if pid in pids)
            findings.find(
                "memory_used_mb", f"{path}, summed", lambda: sum(held.values()), "derived"
            )
            findings.find("application_mb", path, lambda: own)
        estimate_share(findings, identity, pids, only=True)
        clock = f"{place.card}/cur_freq"
        findings.find("clock_mhz", clock, partial(number, clock, 1e-6))
        findings.find("temperature_celsius", "thermal zone of the GPU", self._temperature)
        return (findings.reading(identity, now),)

    def _temperature(self) -> float:
        folder = f"{self._roots.sys}/class/thermal"
        for zone in listing(folder):
            if text_or_nothing(f"{folder}/{zone}/type").lower().startswith("gpu"):
                return temperature(f"{folder}/{zone}/temp")
        raise SensorFault(f"no thermal zone of the GPU in {folder}")

    def release(self) -> None:
        """Nothing is kept open."""


def held_by_process(path: str) -> dict[int, float]:
    """MB by pid from nvmap's list: client, process, pid, size with unit. Raises `SensorFault`."""
    held: dict[int, float] = {}
    lines = [line.split() for line in read_once(path).decode("utf-8", "replace").splitlines()]
    if len(lines) < 2 or lines[0][:1] != ["CLIENT"] or lines[-1][:1] != ["total"]:
        raise garbled(path, "it does not begin with a heading and end with a total")
    for words in lines[1:-1]:
        pid, size = words[-2:] if len(words) >= 4 else ("", "")
        if not is_number(pid) or not is_number(size[:-1]) or size[-1:] not in _UNITS:
            raise garbled(path, f"a line {' '.join(words)[:60]!r}")
        held[int(pid)] = held.get(int(pid), 0.0) + int(size[:-1]) / _UNITS[size[-1:]]
    return held
