"""How a sample shows its values by name: short names, application, container, device.

Each view is a slice of the sample's row, in the order given here (see `sample`).
"""

from __future__ import annotations

from typing import NamedTuple


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
