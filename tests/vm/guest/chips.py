"""Emulated chips on the guest's I2C bus: registers that the kernel's own drivers read."""

from __future__ import annotations

import subprocess
from pathlib import Path

ADDRESSES = {"lm75": 0x48, "tmp102": 0x49}
_CONFIGURATION, _TEMPERATURE = 1, 0
_TMP102_RESET = 0x60A0


class Bus:
    """The emulated bus and the chips that were put on it."""

    def __init__(self) -> None:
        self._folder = next(
            one
            for one in Path("/sys/bus/i2c/devices").iterdir()
            if "stub" in (one / "name").read_text() and one.name.startswith("i2c-")
        )
        self._there: list[str] = []

    def add(self, name: str) -> None:
        """Tell the kernel that a chip is there."""
        if name == "tmp102":
            self._write(name, _CONFIGURATION, _TMP102_RESET)
        (self._folder / "new_device").write_text(f"{name} {ADDRESSES[name]:#x}")
        self._there.append(name)

    def remove(self, name: str) -> None:
        """Tell the kernel that it is gone."""
        (self._folder / "delete_device").write_text(f"{ADDRESSES[name]:#x}")
        self._there.remove(name)

    def heat(self, name: str, celsius: float) -> None:
        """Set the temperature register: °C, times 256 (lm75) or 128 (tmp102, extended mode)."""
        scale = 128 if name == "tmp102" else 256
        self._write(name, _TEMPERATURE, int(celsius * scale) & 0xFFFF)

    def _write(self, name: str, register: int, word: int) -> None:
        swapped = (word & 0xFF) << 8 | word >> 8  # the chips are big-endian, the bus is not
        bus = self._folder.name.removeprefix("i2c-")
        values = (bus, str(ADDRESSES[name]), str(register), str(swapped))
        subprocess.run(["i2cset", "-f", "-y", *values, "w"], check=True)

    def close(self) -> None:
        """Remove what is still there."""
        for name in tuple(self._there):
            self.remove(name)
