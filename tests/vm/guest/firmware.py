"""The readings of the guest's firmware, which its tables take from a page of memory."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

PAGE = 0x30000000
READINGS = (
    "decicelsius", "battery_state", "battery_mw", "battery_mwh", "mains", "meter_mw", "cap_mw",
)  # fmt: skip
"""In the order of `tables.asl`, 32 bits each."""
FULL, DISCHARGING, CHARGING = 0, 1, 2


class Firmware:
    """Sets readings; what is not set says: 40 °C, full battery, mains power, 10 W."""

    def __init__(self) -> None:
        with Path("/dev/mem").open("r+b") as memory:
            self._page = mmap.mmap(memory.fileno(), mmap.PAGESIZE, offset=PAGE)
        self.set(
            decicelsius=400, battery_state=FULL, battery_mw=0, battery_mwh=50_000,
            mains=1, meter_mw=10_000, cap_mw=20_000,
        )  # fmt: skip

    def set(self, **readings: int) -> None:
        """Change some of `READINGS`."""
        for name, value in readings.items():
            struct.pack_into("<I", self._page, 4 * READINGS.index(name), value)

    def close(self) -> None:
        """Let go of the page; the readings stay."""
        self._page.close()
