"""Where the kernel's files are: injectable, so that a recorded or made-up tree can be read."""

from __future__ import annotations

from typing import NamedTuple


class Roots(NamedTuple):
    """Folders in the place of `/proc`, `/sys` and `/dev`."""

    proc: str = "/proc"
    sys: str = "/sys"
    dev: str = "/dev"
    recorded: bool = False
    """True for a recording: then no driver of this machine may be asked in its place (NVML)."""

    @property
    def real(self) -> bool:
        """True for the running kernel's own tree, where process clocks may be used too."""
        return self.proc == "/proc"
