"""The way to NVML through NVIDIA's own binding: start, stop, and errors in words with remedies.

The binding (nvidia-ml-py) is imported when it is first used, on the slow thread. NVML counts how
often it was started in a process: when the application uses it too, stopping here does not stop
it there, and a lost GPU may stay lost until the application lets go as well.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any

from amptalk.sensors.files import SensorFault

_NO_BINDING = "an NVIDIA GPU is present, but the Python package nvidia-ml-py is not installed"
_RESTART = "in a container: restart it (NVIDIA/nvidia-container-toolkit#48)"
_NOT_STARTED: dict[str, tuple[str, str]] = {
    "LIBRARY_NOT_FOUND": (
        "libnvidia-ml.so.1 is not found",
        "install the NVIDIA driver's library (Debian: sudo apt install libnvidia-ml1); "
        "in a container: docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility",
    ),
    "DRIVER_NOT_LOADED": ("the NVIDIA driver is not loaded", "sudo modprobe nvidia"),
    "LIB_RM_VERSION_MISMATCH": (
        "the NVIDIA driver and its library have different versions (updated while loaded)",
        "sudo reboot",
    ),
    "NO_PERMISSION": (
        "this user may not use the NVIDIA driver",
        "sudo usermod -aG video,render $USER  # then log in again",
    ),
    "UNKNOWN": (
        "NVML does not reach the driver (unknown error); a container loses its GPUs so when the "
        "host reloads systemd",
        _RESTART,
    ),
}
LOST = {"GPU_IS_LOST", "RESET_REQUIRED", "UNINITIALIZED", "GPU_NOT_FOUND"}


class NvmlFault(SensorFault):
    """An error of NVML; `code` is its name without `NVML_ERROR_`."""

    def __init__(self, code: str, reason: str, remedy: str = "") -> None:
        super().__init__(reason, remedy)
        self.code = code


class Nvml:
    """One start of the library."""

    def __init__(self) -> None:
        self._binding: ModuleType | None = None
        self._codes: dict[int, str] = {}
        self.started = False

    def start(self) -> None:
        """Start NVML unless it is started. Raises `SensorFault` with the remedy."""
        if self.started:
            return
        if self._binding is None:
            try:
                self._binding = importlib.import_module("pynvml")
            except ImportError:
                raise SensorFault(_NO_BINDING, 'pip install "amptalk[nvidia]"') from None
            self._codes = {
                value: name[len("NVML_ERROR_") :]
                for name, value in vars(self._binding).items()
                if name.startswith("NVML_ERROR_") and isinstance(value, int)
            }
        try:
            self.call("nvmlInit")
        except NvmlFault as fault:
            words = _NOT_STARTED.get(fault.code)
            if words is None:
                raise
            raise NvmlFault(fault.code, *words) from None
        self.started = True

    def stop(self) -> None:
        """Stop NVML; the next `start` finds the GPUs anew."""
        if self.started:
            self.started = False
            with suppress(SensorFault):
                self.call("nvmlShutdown")

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a function of the binding. Raises `NvmlFault`."""
        binding = self._binding
        function: Callable[..., Any] | None = getattr(binding, name, None)
        if binding is None or function is None:
            text = f"this version of nvidia-ml-py has no {name}"
            raise NvmlFault("FUNCTION_NOT_FOUND", text, 'pip install -U "amptalk[nvidia]"')
        try:
            return function(*arguments)
        except binding.NVMLError as error:
            number = error.value
            code = self._codes.get(number, str(number))
            remedy = _RESTART if code == "UNKNOWN" else ""
            raise NvmlFault(code, _words(code, name), remedy) from None

    def constant(self, name: str) -> Any:
        """A constant of the binding; `None` when this version does not have it."""
        return getattr(self._binding, name, None)


def _words(code: str, function: str) -> str:
    said = {
        "NOT_SUPPORTED": f"this GPU does not support {function}",
        "FUNCTION_NOT_FOUND": f"this driver has no {function}",
        "NO_PERMISSION": f"this user may not call {function}",
        "GPU_IS_LOST": "the GPU is lost: it fell off the bus or the driver gave it up",
        "RESET_REQUIRED": "the GPU must be reset",
    }
    return said.get(code) or f"{function} failed: {code.lower().replace('_', ' ')}"
