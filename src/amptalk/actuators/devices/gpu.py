"""Limits of an NVIDIA GPU: its power, or its highest clock. Of the GPU that the sample is about."""

from __future__ import annotations

from amptalk.actuators.devices import nvml
from amptalk.actuators.devices.contract import DeviceLimit, FileLimit, Setting, lowered
from amptalk.actuators.journal.changes import GPU, Change, Entry
from amptalk.actuators.journal.undo import State, undo
from amptalk.actuators.kernel.contract import Hold
from amptalk.actuators.kernel.value import HeldValue
from amptalk.model.errors import ActionError
from amptalk.sensors.roots import Roots

_WATT = 1000
_MHZ = 15
"""Clocks of NVIDIA's GPUs lie 15 MHz apart, or less; the driver takes the nearest below."""


class GpuPower(FileLimit):
    """The power limit that the driver holds (`nvmlDeviceSetPowerManagementLimit`)."""

    name = "nvml_power"

    def __init__(self, gpu: str) -> None:
        super().__init__()
        self._gpu = gpu

    def find(self, roots: Roots) -> list[Setting]:  # noqa: ARG002 - it is in no tree
        """The one GPU. Raises `ActionError`."""
        uuid = nvml.uuid_of(self._gpu)
        full, least, most = nvml.power_range(uuid)
        return [Setting(nvml.path_of(uuid, nvml.POWER), min(full, most), least, _WATT)]

    def value(self, hold: Hold, path: str) -> HeldValue:
        """The limit, journalled and read back through the driver."""
        return HeldValue(path, hold.journal, hold.roots.proc, kind=GPU, access=nvml)

    def writable(self, path: str) -> bool:
        """The driver tells only when it is set."""
        return bool(path)


class GpuClocks(DeviceLimit):
    """A lock of the GPU's clocks to a highest one (`nvmlDeviceSetGpuLockedClocks`).

    The driver does not tell a lock, so neither can it be read back nor can one be told that stood
    before: undoing ends any lock.
    """

    name = "nvml_clocks"
    told_back = False

    def __init__(self, gpu: str) -> None:
        self._gpu = gpu
        self._hold: Hold | None = None
        self._setting: Setting | None = None
        self._entry: Entry | None = None

    def begin(self, hold: Hold) -> str:
        """Look for the GPU. Raises `ActionError`."""
        self._setting = None
        self._hold = hold
        uuid = nvml.uuid_of(self._gpu)
        full = nvml.highest_clock(uuid)
        self._setting = Setting(nvml.path_of(uuid, nvml.CLOCKS), full, _MHZ, _MHZ)
        return f"{self._setting.path} {full}"

    def follow(self, share: float) -> str:
        """Lock the clocks to a share of the highest, or end the lock. Raises `ActionError`."""
        hold, setting = self._hold, self._setting
        if hold is None or setting is None:
            raise ActionError(f"{self.name}: no GPU was found")
        if share >= 1.0:
            self._release(hold)
            return "as before"
        text = str(lowered(setting, share))
        if self._entry is None:
            self._entry = hold.journal.note(Change(GPU, setting.path, "", (text,)))
        try:
            nvml.write(setting.path, text)
        except ActionError:
            self._release(hold)
            raise
        return f"{setting.path} {text}, which the driver does not tell back"

    def _release(self, hold: Hold) -> None:
        entry = self._entry
        if entry is None:
            return
        outcome = undo(entry.change, hold.roots.proc)
        if outcome.state is State.REMAINS:
            raise ActionError(outcome.text)
        hold.journal.forget(entry)
        self._entry = None

    def lost(self) -> str:
        """Nothing tells."""
        return ""

    def end(self) -> None:
        """All was undone by others."""
        self._hold = self._setting = self._entry = None
