"""What a sample may rightly show in the place of a healthy value when one file is at fault."""

from __future__ import annotations

import math
from typing import NamedTuple

from tests.sensors.trees import PID

CHILD = 4300


class Other(NamedTuple):
    """What may rightly be shown in the place of a healthy value when one file is at fault."""

    field: str
    """Without its view: all scopes show it under the same last word."""
    value: float
    source: str = ""
    """Words of the provenance, which must then name this source."""
    file: str = ""
    """Beginning of the file at fault; any file, where another source stands in."""
    kinds: str = ""
    """Beginning of the fault's name, or several, separated by commas."""


_TOTAL = 7812.5
"""MB of memory of every machine."""


def common_others(rate: float = 0.0) -> tuple[Other, ...]:
    """Where a file that is not there says something, or the next best one is read.

    `rate` is the RAM for each MB swapped, which counts as memory of the application.
    """
    one, by_kinds = 68.359375 + 0.9765625 * rate, 148.125 + 2.9296875 * rate
    over = f"proc/{CHILD}/stat", "absent,no permission"
    listed = f"proc/{PID}/task/{PID}/children", "empty,a FIFO"
    rollup = f"proc/{PID}/smaps_rollup", f"proc/{CHILD}/smaps_rollup"
    quota, own = "sys/fs/cgroup/apps/me/cpu.max", f"proc/{PID}/cgroup"
    by_kind, ancestor = "RSS by kind", "sys/fs/cgroup/apps/memory.max"
    return (
        # A process that is over, or hidden from this user, does not count any more.
        *(Other(field, value, "", *why) for why in (over, listed) for field, value in (
            ("memory_used_mb", one), ("memory_percent", 100 * one / _TOTAL),
            ("memory_percent", 17.08984375), ("memory_mb", one), ("rss_mb", 100),
            ("pss_mb", 97.65625), ("anonymous_mb", 58.59375), ("shared_mb", 9.765625),
            ("file_mb", 29.296875), ("swap_mb", 0.9765625), ("processes", 1),
            ("swap_ram_mb", 0.9765625 * rate),
            ("cpu_percent", 40 / 3), ("cpu_cores", 0.2),
        )),
        # Without proportional shares, resident sets are the bound, and say so.
        *(other for file in rollup for other in (
            Other("memory_used_mb", by_kinds, by_kind, file),
            Other("memory_percent", 100 * by_kinds / _TOTAL, by_kind, file),
            Other("memory_percent", 37.03125, "", file),
            Other("memory_mb", by_kinds, by_kind, file),
            Other("anonymous_mb", 128.59375, by_kind, file),
            Other("swap_mb", 2.9296875, by_kind, file),
            Other("swap_ram_mb", 2.9296875 * rate, "", file),
        )),
        # A group without this file has no quota; a kernel without that one has no groups.
        Other("memory_limit_mb", 900, "", ancestor, "absent"),
        Other("memory_percent", 16000 / 900, "", ancestor, "absent"),
        Other("memory_percent", 13671.875 / 900, "", ancestor, "absent"),
        Other("cpu_limit_cores", math.inf, "", quota, "absent"),
        Other("cpu_percent", 12.5, "", quota, "absent"),
        Other("throttled_percent", 0, "", quota, "absent"),
        Other("cpu_percent", 20, "", quota, "absent"),
        Other("cpu_percent", 20, "", own, "absent"),
        Other("memory_percent", 1.75, "", own, "absent"),
    )  # fmt: skip
