"""Power limit and clock lock of one NVIDIA GPU, as texts under made-up paths.

`/gpu/UUID/power_limit` is in mW and can be read and written like a file. `/gpu/UUID/locked_clocks`
is the highest clock in MHz; the driver does not tell it, so it can only be set, and reset.

By ctypes, since whoever undoes a change (the guardian, `amptalk restore`) may have no packages. The
library is started for each call and let go again. Loaded only when a GPU was named.

API: NVML API Reference Guide, "Device Commands".
"""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from amptalk.actuators.kernel.writing import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = "/gpu/"
POWER, CLOCKS = "power_limit", "locked_clocks"
_LIBRARY = "libnvidia-ml.so.1"
_GRAPHICS = 0
"""NVML_CLOCK_GRAPHICS."""
_WORDS = {
    2: (errno.EINVAL, "is refused by the driver as out of range"),
    3: (errno.ENOTSUP, "is not supported by this GPU"),
    4: (errno.EPERM, "may not be changed by this user: it needs root (in a container SYS_ADMIN)"),
    6: (errno.ENODEV, "belongs to no GPU here"),
    9: (errno.ENODEV, "cannot be reached: the NVIDIA driver is not loaded"),
    13: (errno.ENOTSUP, "is not known to this driver"),
    15: (errno.ENODEV, "belongs to a GPU that is lost"),
}
"""Errors of NVML: the errno that they come to, and words."""


def path_of(uuid: str, what: str) -> str:
    """The made-up path of a GPU's value."""
    return f"{FOLDER}{uuid}/{what}"


def read(path: str) -> str:
    """A GPU's power limit in mW. Raises `Refused`."""
    with _gpu(path) as gpu:
        return str(gpu.number("nvmlDeviceGetPowerManagementLimit"))


def write(path: str, text: str) -> None:
    """Set what the path names; an empty text ends a lock of clocks. Raises `Refused`."""
    with _gpu(path) as gpu:
        if path.endswith(POWER):
            gpu.call("nvmlDeviceSetPowerManagementLimit", gpu.handle, _unsigned(text))
        elif text:
            gpu.call("nvmlDeviceSetGpuLockedClocks", gpu.handle, _unsigned("0"), _unsigned(text))
        else:
            gpu.call("nvmlDeviceResetGpuLockedClocks", gpu.handle)


def power_range(uuid: str) -> tuple[int, int, int]:
    """The power limit of a GPU that stands, and the least and most that it takes, in mW."""
    import ctypes

    with _gpu(path_of(uuid, POWER)) as gpu:
        least, most = ctypes.c_uint(), ctypes.c_uint()
        ask = "nvmlDeviceGetPowerManagementLimitConstraints"
        gpu.call(ask, gpu.handle, ctypes.byref(least), ctypes.byref(most))
        return gpu.number("nvmlDeviceGetPowerManagementLimit"), least.value, most.value


def highest_clock(uuid: str) -> int:
    """The highest clock of a GPU in MHz."""
    import ctypes

    with _gpu(path_of(uuid, CLOCKS)) as gpu:
        clock = ctypes.c_uint()
        gpu.call("nvmlDeviceGetMaxClockInfo", gpu.handle, _GRAPHICS, ctypes.byref(clock))
        return clock.value


def uuid_of(name: str) -> str:
    """The UUID of a GPU given by its number, UUID or PCI address. Raises `Refused`."""
    import ctypes

    with _started(f"GPU {name}") as library:
        handle = ctypes.c_void_p()
        if name.isdigit():
            how, key = "nvmlDeviceGetHandleByIndex_v2", _unsigned(name)
        elif ":" in name:
            how, key = "nvmlDeviceGetHandleByPciBusId_v2", ctypes.c_char_p(name.encode())
        else:
            how, key = (
                "nvmlDeviceGetHandleByUUID",
                ctypes.c_char_p(name.replace("gpu-", "GPU-").encode()),
            )
        library.call(how, key, ctypes.byref(handle))
        text = ctypes.create_string_buffer(96)
        library.call("nvmlDeviceGetUUID", handle, text, _unsigned("96"))
        return text.value.decode("ascii", "replace")


def _unsigned(text: str) -> Any:
    import ctypes

    return ctypes.c_uint(int(text))


class _Library:
    """The library while it is started; `handle` is the GPU's, where there is one."""

    def __init__(self, what: str) -> None:
        import ctypes

        self._what = what
        self.handle: Any = None
        try:
            self._library = ctypes.CDLL(_LIBRARY)
        except OSError as error:
            raise Refused(f"{what} cannot be reached: {error}", errno.ENODEV) from None

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function that answers with an error number. Raises `Refused`."""
        function = getattr(self._library, name, None)
        code = 13 if function is None else function(*arguments)
        if code:
            number, words = _WORDS.get(code, (errno.EIO, f"failed: NVML error {code}"))
            raise Refused(f"{self._what} {words} ({name})", number)

    def number(self, name: str) -> int:
        """What a function says of the GPU."""
        import ctypes

        value = ctypes.c_uint()
        self.call(name, self.handle, ctypes.byref(value))
        return value.value


@contextmanager
def _started(what: str) -> Iterator[_Library]:
    library = _Library(what)
    library.call("nvmlInit_v2")
    try:
        yield library
    finally:
        library.call("nvmlShutdown")


@contextmanager
def _gpu(path: str) -> Iterator[_Library]:
    import ctypes

    with _started(path) as library:
        uuid = path.removeprefix(FOLDER).partition("/")[0]
        library.handle = ctypes.c_void_p()
        key = ctypes.c_char_p(uuid.encode())
        library.call("nvmlDeviceGetHandleByUUID", key, ctypes.byref(library.handle))
        yield library
