"""What is known of GPUs: whether there is one. Their values are missing, with the reason.

It looks for device nodes and kernel drivers only, so a sleeping GPU is never woken.
"""

from __future__ import annotations

from amptalk.sensors.files import SensorFault, exists, listing, read_text
from amptalk.sensors.report import Notes, Source, SourceInfo
from amptalk.sensors.roots import Roots

_VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}
_JETSON = {"gpu", "gv11b", "ga10b", "gp10b", "gb10b"}
_REMEDY = "read it beside AMPTALK with `nvidia-smi`, `rocm-smi` or `tegrastats`"


class GpuSource(Source):
    """States why GPU values are missing: no GPU, or one that nothing here can read."""

    name = "GPU"
    fields = (
        *("device.gpu_utilization", "device.gpu_memory_used_mb", "device.gpu_memory_total_mb"),
        "application.gpu_memory_mb",
    )

    def __init__(self, roots: Roots, notes: Notes) -> None:
        super().__init__(notes)
        self._roots = roots
        self.discover()

    def discover(self) -> None:
        """Look again for a GPU (at start and every 60 s)."""
        found = self._found()
        if found:
            present = f"a GPU is present ({found}), but this version has no reader for it"
            self.lose(SensorFault(present, _REMEDY))
        else:
            self.lose(SensorFault("no GPU: no /dev/nvidia*, no card in /sys/class/drm"))

    def _found(self) -> str:
        if exists(f"{self._roots.proc}/driver/nvidia/version"):
            return "NVIDIA driver loaded"
        if self._roots.real:
            nodes = [name for name in listing("/dev") if name.startswith("nvidia")]
            if nodes:
                return f"/dev/{nodes[0]}"
        drm = f"{self._roots.sys}/class/drm"
        for card in listing(drm):
            if card.startswith("card") and card[4:].isdigit():
                try:
                    vendor = read_text(f"{drm}/{card}/device/vendor")
                except SensorFault:
                    continue  # a display without a GPU, such as a simple frame buffer
                if vendor in _VENDORS:
                    return f"{_VENDORS[vendor]}, {drm}/{card}"
        devfreq = f"{self._roots.sys}/class/devfreq"
        for entry in listing(devfreq):
            if entry.rpartition(".")[2] in _JETSON or entry.startswith("gpu"):
                return f"{devfreq}/{entry}"
        return ""

    def info(self) -> SourceInfo:
        """Name the sensor, for the report."""
        return SourceInfo(self.name, self.fields, f"/dev/nvidia*, {self._roots.sys}/class/drm")
