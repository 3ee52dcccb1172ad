"""What one tick saw: the immutable sample and its three views.

A sample is a flat row of numbers plus two mappings, `missing` (why a value is
`nan`) and `provenance` (where a value comes from and how old it is). Views are
built when they are looked at, so a tick pays for a tuple and nothing more.
The order of the row is `FIELDS`; history, files and telemetry use it too.

It does not measure anything (`sensors`) and does not judge (`limits`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, NoReturn

Method = Literal["measured", "derived", "estimated"]


class Provenance(NamedTuple):
    """Where a value comes from."""

    method: Method
    source: str
    """The kernel file or rule, such as `smaps_rollup + anonymous growth`."""
    measured_at: float
    """Monotonic seconds of the measurement; the sample's own time minus this is its age."""
    renewed: bool = False
    """True when the value is brought up to date in every tick, starting from that measurement;
    false when it stays as measured until the next one."""


class ScopeView(NamedTuple):
    """The specification's short names, for the manager's scope."""

    memory_used_mb: float
    memory_percent: float
    cpu_percent: float
    gpu_memory_mb: float
    gpu_utilization: float
    power_watts: float
    temperature_celsius: float


class ApplicationView(NamedTuple):
    """This process and its living descendants, helpers of AMPTALK left out."""

    memory_mb: float
    """Anonymous and shared memory, each page counted once, and the RAM that what is swapped of it
    still occupies (`swap_ram_mb`); mapped files are in `file_mb`."""
    rss_mb: float
    """Resident set summed over processes: an upper bound that counts shared pages again."""
    pss_mb: float
    """Proportional set size at the last slow reading."""
    anonymous_mb: float
    shared_mb: float
    file_mb: float
    """Mapped files (model weights), reclaimable by the kernel."""
    swap_mb: float
    """Anonymous memory in swap, by its size before compression; shared memory is not told."""
    swap_ram_mb: float
    """RAM that this occupies as compressed swap, at the rate of the whole device."""
    major_faults_s: float
    """Faults a second that had to wait for a disk or for decompression."""
    cpu_percent: float
    """0-100 of the effective capacity."""
    cpu_cores: float
    """The same in busy cores."""
    processes: float
    gpu_memory_mb: float


class ContainerView(NamedTuple):
    """The control group this process runs in; `nan` outside a container."""

    memory_usage_mb: float
    """The kernel's charge, page cache included."""
    working_set_mb: float
    """Usage minus inactive file cache, plus the RAM of what it has in zram, charged to nobody."""
    memory_limit_mb: float
    """The tightest limit of any ancestor; `inf` when none is set."""
    memory_percent: float
    """Share of that limit, as the kernel charges it (without zram); of the device without one."""
    swap_mb: float
    """Swapped memory of the group, by its size before compression."""
    cpu_percent: float
    cpu_cores: float
    cpu_limit_cores: float
    throttled_percent: float
    """Share of time in which the quota held the group back."""
    oom_kills: float
    """Kills by the kernel in this group since it was made."""


class DeviceView(NamedTuple):
    """The whole machine."""

    memory_used_mb: float
    memory_available_mb: float
    """What the kernel says can be had without swapping; RAM of compressed swap is not in it."""
    memory_total_mb: float
    memory_percent: float
    swap_used_mb: float
    """Swap space in use, by the size before compression; wherever it lies."""
    swap_total_mb: float
    """Swap space. Never part of any capacity: swap is not memory."""
    swap_compressed_mb: float
    """Of it, what lies in RAM, compressed (zram, zswap), by its size before compression."""
    swap_ram_mb: float
    """RAM that this occupies; `swap_compressed_mb / swap_ram_mb` is the compression ratio."""
    swap_disk_mb: float
    """Of `swap_used_mb`, what lies on disks."""
    swap_in_mb_s: float
    """Pages brought back, from a disk or by decompression."""
    swap_out_mb_s: float
    refault_mb_s: float
    """Pages needed again after they were reclaimed: the sign of thrashing."""
    refault_file_mb_s: float
    """Of these, pages of files (mapped model weights): thrashing without any swap."""
    major_faults_s: float
    """Faults a second that had to wait for a disk or for decompression."""
    cpu_percent: float
    cpu_count: float
    load_1m: float
    load_5m: float
    load_15m: float
    pressure_cpu_percent: float
    pressure_memory_percent: float
    pressure_memory_full_percent: float
    pressure_io_percent: float
    gpu_utilization: float
    gpu_memory_used_mb: float
    gpu_memory_total_mb: float
    power_watts: float
    temperature_celsius: float


class Field(NamedTuple):
    """One column of the row."""

    name: str
    unit: str


def _unit(name: str) -> str:
    for suffix, unit in (
        ("_mb_s", "MB/s"), ("_mb", "MB"), ("_percent", "%"), ("_utilization", "%"),
        ("_cores", "cores"), ("_watts", "W"), ("_celsius", "°C"), ("_faults_s", "1/s"),
    ):  # fmt: skip
        if name.endswith(suffix):
            return unit
    return "1"


def _fields() -> Iterator[Field]:
    for prefix, view in (
        ("", ScopeView), ("application.", ApplicationView),
        ("container.", ContainerView), ("device.", DeviceView),
    ):  # fmt: skip
        for name in view._fields:
            yield Field(prefix + name, _unit(name))


FIELDS: tuple[Field, ...] = tuple(_fields())
"""Every column of a sample's row, in order: short names, application, container, device."""

INDEX: Mapping[str, int] = {field.name: position for position, field in enumerate(FIELDS)}
"""Column name to position in the row."""

APPLICATION_AT = INDEX["application.memory_mb"]
CONTAINER_AT = INDEX["container.memory_usage_mb"]
DEVICE_AT = INDEX["device.memory_used_mb"]

_NOTHING: Mapping[str, Any] = {}


class Sample:
    """What one tick saw. Immutable; a value that could not be measured is `nan` with a reason.

    The specification's names (`memory_used_mb`, `cpu_percent` …) are those of the
    manager's scope; `application`, `container` and `device` are the full views.
    """

    __slots__ = ("cpu_percent_per_core", "missing", "monotonic", "provenance", "row", "time")

    time: float
    """Seconds since the epoch, UTC."""
    monotonic: float
    """Seconds of the monotonic clock: use this for differences."""
    row: tuple[float, ...]
    """All values in the order of `FIELDS`."""
    missing: Mapping[str, str]
    """Field name to the reason why it is `nan`."""
    provenance: Mapping[str, Provenance]
    """Field name to its origin, for the fields where it is not simply read in this tick."""
    cpu_percent_per_core: tuple[float, ...]
    """Percent of each core, at the place of its number; `nan` for one that is offline."""

    def __init__(  # noqa: PLR0917 - the six parts of a sample
        self,
        time: float,
        monotonic: float,
        row: tuple[float, ...],
        missing: Mapping[str, str] = _NOTHING,
        provenance: Mapping[str, Provenance] = _NOTHING,
        cpu_percent_per_core: tuple[float, ...] = (),
    ) -> None:
        _put_time(self, time)
        _put_monotonic(self, monotonic)
        _put_row(self, row)
        _put_missing(self, missing)
        _put_provenance(self, provenance)
        _put_per_core(self, cpu_percent_per_core)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a sample is immutable: {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a sample is immutable: {name!r} cannot be deleted")

    def __getitem__(self, field: str) -> float:
        """Value of a field by name, such as `sample["device.swap_used_mb"]`."""
        return self.row[INDEX[field]]

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={value:.1f}"
            for name, value in zip(ScopeView._fields, self.row, strict=False)
            if not math.isnan(value)
        )
        return f"Sample(time={self.time:.3f}, {shown})"

    @property
    def memory_used_mb(self) -> float:
        """Memory of the scope in MB (1024² bytes)."""
        return self.row[0]

    @property
    def memory_percent(self) -> float:
        """Memory of the scope as 0-100 of what the scope could use at most."""
        return self.row[1]

    @property
    def cpu_percent(self) -> float:
        """CPU of the scope as 0-100 of the effective capacity."""
        return self.row[2]

    @property
    def gpu_memory_mb(self) -> float:
        """GPU memory of the scope in MB."""
        return self.row[3]

    @property
    def gpu_utilization(self) -> float:
        """Busy share of the GPU, 0-100, device-wide."""
        return self.row[4]

    @property
    def power_watts(self) -> float:
        """Power of the device in watts."""
        return self.row[5]

    @property
    def temperature_celsius(self) -> float:
        """The device's decisive temperature in °C."""
        return self.row[6]

    @property
    def application(self) -> ApplicationView:
        """This process and its descendants."""
        return ApplicationView._make(self.row[APPLICATION_AT:CONTAINER_AT])

    @property
    def container(self) -> ContainerView:
        """The control group, `nan` outside one."""
        return ContainerView._make(self.row[CONTAINER_AT:DEVICE_AT])

    @property
    def device(self) -> DeviceView:
        """The whole machine."""
        return DeviceView._make(self.row[DEVICE_AT:])

    def age(self, field: str) -> float:
        """Seconds between the sample and the measurement of `field`; 0 when read in this tick."""
        origin = self.provenance.get(field)
        return 0.0 if origin is None else self.monotonic - origin.measured_at

    def as_dict(self) -> dict[str, float | None]:
        """All values by name, `None` where missing (as files and JSON carry them)."""
        return {
            field.name: None if math.isnan(value) else value
            for field, value in zip(FIELDS, self.row, strict=True)
        }


# The slots themselves still take a value, which `__setattr__` refuses. Called once a tick.
_put_time, _put_monotonic, _put_row, _put_missing, _put_provenance, _put_per_core = [
    vars(Sample)[name].__set__
    for name in ("time", "monotonic", "row", "missing", "provenance", "cpu_percent_per_core")
]
