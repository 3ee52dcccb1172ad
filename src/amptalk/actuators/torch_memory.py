"""GPU memory that torch's allocator holds: given back, and kept from growing beyond the limit.

Only what the application has loaded and started is used: torch is never imported, and CUDA never
initialised, because a context alone takes hundreds of MB. The allocator knows its own memory only,
not the context and not other libraries; so how much is left is taken from what was measured.

API: torch.cuda, "Memory management"; `set_per_process_memory_fraction` raises `OutOfMemoryError`
in the application beyond the fraction, after the allocator has given its own cache back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from amptalk.actuators.computing_threads import loaded
from amptalk.actuators.contract import Actuator
from amptalk.clock import Clock
from amptalk.model.errors import ActionError
from amptalk.model.level import Level

PAUSE = 30.0
"""Seconds between two releases of the cache at least: what is allocated next comes slower."""
_MB = 2**20


def initialised_cuda() -> Any:
    """`torch.cuda` where torch is loaded and has started CUDA, else `None`."""
    torch = loaded("torch")
    cuda = getattr(torch, "cuda", None)
    started = getattr(cuda, "is_initialized", None)
    return cuda if started is not None and started() else None


def _reserved(cuda: Any) -> dict[int, int]:
    """Bytes that the allocator holds, by the devices on which it holds any."""
    held = {index: int(cuda.memory_reserved(index)) for index in range(cuda.device_count())}
    return {index: size for index, size in held.items() if size > 0}


class _TorchStep(Actuator):
    """A step that needs CUDA to be in use by torch."""

    resource = "gpu_memory"
    can_hold = False

    def available(self) -> str | None:
        """Return why it cannot be used now."""
        if initialised_cuda() is None:
            return "torch is not loaded, or has not started CUDA"
        return None


class TorchCache(_TorchStep):
    """Give blocks that torch keeps for later back to the driver (`empty_cache`); loses no work."""

    name = "torch_cache"
    level = Level.ELEVATED
    deadline = 5.0

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._not_before = -math.inf

    def available(self) -> str | None:
        """Return how long to wait still, or why there is nothing to give back."""
        left = self._not_before - self._clock.monotonic()
        if left > 0:
            return f"ran a short while ago, may run again in {left:.0f} s"
        return super().available()

    def apply(self, need: float) -> None:  # noqa: ARG002 - it gives back all there is
        """Release the cache on every device in use."""
        cuda = initialised_cuda()
        if cuda is None:
            raise ActionError("torch has not started CUDA")
        before = sum(_reserved(cuda).values())
        cuda.empty_cache()
        # What the allocator holds: other processes come and go on the device meanwhile.
        self.measured = before / _MB, sum(_reserved(cuda).values()) / _MB
        self._not_before = self._clock.monotonic() + PAUSE


class TorchFraction(_TorchStep):
    """Keep torch's allocator from growing beyond the limit, `set_per_process_memory_fraction`.

    `limit` is in MB, `used` gives what was measured last. Never below what the allocator holds.
    """

    name = "torch_fraction"
    level = Level.CRITICAL
    cost = 0.3
    ends_growth = True

    def __init__(self, limit: float, used: Callable[[], float]) -> None:
        self._limit = limit
        self._used = used
        self._held: tuple[int, float, float] | None = None
        """Device, its fraction before and ours."""

    def available(self) -> str | None:
        """Return that it is applied, or why it cannot be."""
        if self._held is not None:
            return "is applied already; it is undone once the level is normal"
        return super().available()

    def apply(self, need: float) -> None:  # noqa: ARG002 - the limit says how much is left
        """Set and read back the fraction. Raises `ActionError`."""
        cuda, used = initialised_cuda(), self._used()
        held = {} if cuda is None else _reserved(cuda)
        if len(held) != 1 or math.isnan(used):
            raise ActionError(
                f"torch holds memory on {len(held)} GPUs: the limit is one GPU's"
                if len(held) != 1 else "how much GPU memory is used is not measured now"
            )  # fmt: skip
        ((device, reserved),) = held.items()
        total = int(cuda.get_device_properties(device).total_memory)
        left = max(0.0, self._limit - used) * _MB
        fraction = min(1.0, (reserved + left) / total)
        before = float(cuda.get_per_process_memory_fraction(device))
        cuda.set_per_process_memory_fraction(fraction, device)
        now = float(cuda.get_per_process_memory_fraction(device))
        if not math.isclose(now, fraction, rel_tol=1e-6):
            cuda.set_per_process_memory_fraction(before, device)
            raise ActionError(f"the fraction is {now:g} after {fraction:g} was set: not kept")
        self._held = device, before, now
        self.detail = f"{fraction * total / _MB:.0f} MB of {total / _MB:.0f} for torch"

    def undo(self) -> None:
        """Put the fraction back, unless the application has set another since."""
        held, cuda = self._held, initialised_cuda()
        if held is None or cuda is None:
            return
        self._held = None
        device, before, ours = held
        if float(cuda.get_per_process_memory_fraction(device)) == ours:
            cuda.set_per_process_memory_fraction(before, device)
