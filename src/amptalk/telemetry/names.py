"""Every OpenTelemetry name of the library, in one table.

Names, kinds and units are those of the semantic conventions (1.44) where there
is one. What has none is `amptalk.*`: pressure stall information, the limits and
allocations, and the application, because `process.*` means one process and the
application is a tree of them. Base units only: bytes, ratios, seconds.

What is measured and when instruments are made is in `opentelemetry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"
METER = "amptalk"

MANAGER = "amptalk.manager"
RESOURCE = "amptalk.resource"
UNIT = "amptalk.unit"
"""The unit of a signal of the application, such as `ms`."""

Kind = Literal["gauge", "up_down_counter", "counter"]

_MB = 1024.0**2
_PERCENT = 0.01
_NONE: Mapping[str, str] = {}


class Metric(NamedTuple):
    """One observed series: a sample field and what it is called."""

    name: str
    kind: Kind
    unit: str
    description: str
    field: str
    scale: float = 1.0
    """Value in the unit = field times scale."""
    attributes: Mapping[str, str] = _NONE


class LimitMetric(NamedTuple):
    """One observed series of the limits, with the attribute `amptalk.resource`."""

    name: str
    kind: Kind
    unit: str
    description: str


class EventMetric(NamedTuple):
    """One instrument that is told of events as they happen."""

    name: str
    unit: str
    description: str
    boundaries: tuple[float, ...] = ()
    """Of a histogram; empty for a counter."""


def _bytes(
    name: str, field: str, description: str, attributes: Mapping[str, str] = _NONE
) -> Metric:
    return Metric(name, "up_down_counter", "By", description, field, _MB, attributes)


def _ratio(
    name: str, field: str, description: str, attributes: Mapping[str, str] = _NONE
) -> Metric:
    return Metric(name, "gauge", "1", description, field, _PERCENT, attributes)


def _pressure(field: str, resource: str, stall: str) -> Metric:
    return _ratio(
        "amptalk.linux.pressure.ratio",
        field,
        "Share of time in which work was held up for want of a resource (PSI).",
        {"amptalk.linux.pressure.resource": resource, "amptalk.linux.pressure.stall": stall},
    )


def _load(field: str, window: str) -> Metric:
    return Metric(
        "amptalk.linux.load", "gauge", "1", "Load average: tasks that run or wait.", field, 1.0,
        {"amptalk.linux.load.window": window},
    )  # fmt: skip


_USED = {"system.memory.state": "used"}
_GPU = {"hw.id": "gpu"}
_HOST = {"hw.id": "host"}
_MAJOR = {"system.paging.fault.type": "major"}

METRICS: tuple[Metric, ...] = (
    # The device.
    _bytes("system.memory.usage", "device.memory_used_mb", "Memory in use.", _USED),
    _ratio("system.memory.utilization", "device.memory_percent", "Share in use.", _USED),
    _bytes("system.memory.limit", "device.memory_total_mb", "Memory of the device."),
    _bytes(
        "system.memory.linux.available", "device.memory_available_mb",
        "Memory that can be had without swapping.",
    ),
    _bytes(
        "system.paging.usage", "device.swap_used_mb", "Swap in use.",
        {"system.paging.state": "used"},
    ),
    _bytes("amptalk.paging.limit", "device.swap_total_mb", "Swap of the device."),
    _bytes(
        "amptalk.linux.swap.compressed.usage", "device.swap_compressed_mb",
        "Swap in use that lies in RAM, compressed; by its size before compression.",
    ),
    _bytes(
        "amptalk.linux.swap.compressed.memory", "device.swap_ram_mb",
        "RAM that compressed swap occupies.",
    ),
    _bytes("amptalk.linux.swap.disk.usage", "device.swap_disk_mb", "Swap in use on disks."),
    Metric(
        "amptalk.paging.rate", "gauge", "By/s", "Swapped to or from the device.",
        "device.swap_in_mb_s", _MB, {"system.paging.direction": "in"},
    ),
    Metric(
        "amptalk.paging.rate", "gauge", "By/s", "Swapped to or from the device.",
        "device.swap_out_mb_s", _MB, {"system.paging.direction": "out"},
    ),
    Metric(
        "amptalk.linux.memory.refault.rate", "gauge", "By/s",
        "Read again soon after it was reclaimed: the sign of thrashing.",
        "device.refault_mb_s", _MB,
    ),
    Metric(
        "amptalk.linux.memory.refault.file.rate", "gauge", "By/s",
        "Of these, pages of files: thrashing without swap.", "device.refault_file_mb_s", _MB,
    ),
    Metric(
        "amptalk.paging.fault.rate", "gauge", "{fault}/s",
        "Faults that had to wait for a disk or for decompression.", "device.major_faults_s", 1.0,
        _MAJOR,
    ),
    # Without cpu.mode, which the conventions allow: the share that is not idle.
    _ratio("system.cpu.utilization", "device.cpu_percent", "Busy share of all cores."),
    Metric(
        "system.cpu.logical.count", "up_down_counter", "{cpu}", "Cores that are online.",
        "device.cpu_count",
    ),
    _load("device.load_1m", "1m"),
    _load("device.load_5m", "5m"),
    _load("device.load_15m", "15m"),
    _pressure("device.pressure_cpu_percent", "cpu", "some"),
    _pressure("device.pressure_memory_percent", "memory", "some"),
    _pressure("device.pressure_memory_full_percent", "memory", "full"),
    _pressure("device.pressure_io_percent", "io", "some"),
    _ratio("hw.gpu.utilization", "device.gpu_utilization", "Busy share of the GPU.", _GPU),
    _bytes("hw.gpu.memory.usage", "device.gpu_memory_used_mb", "GPU memory in use.", _GPU),
    _bytes("hw.gpu.memory.limit", "device.gpu_memory_total_mb", "GPU memory.", _GPU),
    Metric(
        "hw.host.power", "gauge", "W", "Power of the whole device.", "device.power_watts", 1.0,
        _HOST,
    ),
    Metric(
        "hw.temperature", "gauge", "Cel", "The device's decisive temperature.",
        "device.temperature_celsius", 1.0, _HOST,
    ),
    # The container.
    _bytes("container.memory.usage", "container.memory_usage_mb", "Charge of the control group."),
    _bytes(
        "container.memory.working_set", "container.working_set_mb",
        "Charge less inactive file cache.",
    ),
    _bytes(
        "amptalk.container.memory.limit", "container.memory_limit_mb",
        "Tightest memory limit of the control group and those above it.",
    ),
    _ratio(
        "amptalk.container.memory.utilization", "container.memory_percent",
        "Share of that limit in use.",
    ),
    _bytes(
        "amptalk.container.memory.swap", "container.swap_mb",
        "Swapped memory of the control group.",
    ),
    Metric(
        "container.cpu.usage", "gauge", "{cpu}", "Busy cores of the control group.",
        "container.cpu_cores",
    ),
    Metric(
        "amptalk.container.cpu.limit", "gauge", "{cpu}", "Cores that the quota allows.",
        "container.cpu_limit_cores",
    ),
    _ratio(
        "amptalk.container.cpu.utilization", "container.cpu_percent", "Share of them in use.",
    ),
    _ratio(
        "amptalk.container.cpu.throttled", "container.throttled_percent",
        "Share of time in which the quota held the group back.",
    ),
    Metric(
        "amptalk.container.oom_kills", "counter", "{kill}",
        "Processes killed for want of memory since the group was made.", "container.oom_kills",
    ),
    # The application: this process and its descendants.
    _bytes(
        "amptalk.application.memory.usage", "application.memory_mb",
        "Anonymous and shared memory, each page counted once, and RAM of compressed swap.",
    ),
    _bytes(
        "amptalk.application.memory.rss", "application.rss_mb",
        "Resident sets added up: an upper bound.",
    ),
    _bytes("amptalk.application.memory.pss", "application.pss_mb", "Proportional set size."),
    _bytes("amptalk.application.memory.anonymous", "application.anonymous_mb", "Anonymous memory."),
    _bytes("amptalk.application.memory.shared", "application.shared_mb", "Shared memory."),
    _bytes(
        "amptalk.application.memory.file", "application.file_mb",
        "Mapped files, which the kernel can take back.",
    ),
    _bytes("amptalk.application.memory.swap", "application.swap_mb", "Memory in swap."),
    _bytes(
        "amptalk.application.memory.swap.compressed", "application.swap_ram_mb",
        "RAM that it occupies as compressed swap.",
    ),
    Metric(
        "amptalk.application.paging.fault.rate", "gauge", "{fault}/s",
        "Faults that had to wait for a disk or for decompression.",
        "application.major_faults_s", 1.0, _MAJOR,
    ),
    _ratio(
        "amptalk.application.cpu.utilization", "application.cpu_percent",
        "Busy share of the cores that the application may use.",
    ),
    Metric(
        "amptalk.application.cpu.usage", "gauge", "{cpu}", "Busy cores.", "application.cpu_cores",
    ),
    Metric(
        "amptalk.application.process.count", "up_down_counter", "{process}", "Living processes.",
        "application.processes",
    ),
    _bytes(
        "amptalk.application.gpu.memory.usage", "application.gpu_memory_mb", "GPU memory in use.",
    ),
)  # fmt: skip
"""Series of the sample. The specification's short names repeat these and are not observed."""

UTILIZATION = LimitMetric(
    "amptalk.limit.utilization", "gauge", "1", "Value over limit; above 1 when beyond it."
)
"""Not observed for temperatures, where the ratio of two °C means nothing."""
LEVEL = LimitMetric(
    "amptalk.limit.level", "gauge", "1", "0 normal, 1 elevated, 2 critical, 3 emergency."
)
TIME_LEFT = LimitMetric(
    "amptalk.limit.time_left", "gauge", "s", "Time until the limit at the present slope."
)
BLIND = LimitMetric(
    "amptalk.limit.blind", "gauge", "1", "1 while the value is missing or too old to judge."
)
ALLOCATION = LimitMetric(
    "amptalk.allocation", "gauge", "1", "Share of full work that may run, from 0 to 1."
)
LIMIT_METRICS = (UTILIZATION, LEVEL, TIME_LEFT, BLIND, ALLOCATION)

LIMIT_BY_UNIT: Mapping[str, tuple[LimitMetric, float]] = {
    "MB": (
        LimitMetric("amptalk.limit.memory", "up_down_counter", "By", "A limit on memory."),
        _MB,
    ),
    "%": (LimitMetric("amptalk.limit.busy", "gauge", "1", "A limit on a busy share."), _PERCENT),
    "W": (LimitMetric("amptalk.limit.power", "gauge", "W", "A limit on power."), 1.0),
    "°C": (LimitMetric("amptalk.limit.temperature", "gauge", "Cel", "A limit on heat."), 1.0),
}
"""The limit itself: one instrument a unit, with the scale to its base unit."""

SIGNAL = LimitMetric(
    "amptalk.signal.value", "gauge", "{value}", "A signal of the application, in its own unit."
)
SIGNAL_LIMIT = LimitMetric(
    "amptalk.signal.limit", "gauge", "{value}", "Most that a signal may be, or its minimum."
)

_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
ACTIONS = EventMetric(
    "amptalk.action.count", "{action}", "Actions by what measurement says of them."
)
REJECTED = EventMetric("amptalk.admission.rejected", "{request}", "Work that was not admitted.")
TICK = EventMetric("amptalk.tick.duration", "s", "Time that one tick took.", _SECONDS)
SAMPLING = EventMetric("amptalk.sample.duration", "s", "Time that one sample took.", _SECONDS)
