"""What a manager is told of how to enforce, and what its enforcement is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from amptalk.model.resource import Resource
from amptalk.sensors.gpu.choice import choice_of

if TYPE_CHECKING:
    from amptalk.actuators.enforcement import Enforcement
    from amptalk.clock import Clock

_UNNAMED = (
    "handling 'enforce': limits of devices (power, clocks) are for the whole machine, so none is "
    "set unless it is named: device_limits=[...]"
)
_ELSEWHERE = (
    "handling 'enforce': the kernel holds limits of scope 'application' alone; with another scope "
    "it acts like 'degrade'"
)

Limits = Sequence[tuple[Resource, float]]


def _nobody(_pid: int) -> None:
    """Leave no process out: nothing counts them."""


def _nothing() -> None:
    """Wake nothing: nobody sleeps."""


class Enforcing(NamedTuple):
    """How to enforce. The kernel holds limits of scope "application"; devices are of any."""

    scope: str = "application"
    device_limits: Sequence[str] = ()
    """Names of the limits of devices that may be set."""
    gpu: str | int | None = None
    """The GPU that those are about."""
    exclude: Callable[[int], object] = _nobody
    """Leaves a helper process out of the application."""
    wake: Callable[[], object] = _nothing
    """Has the next tick come at once."""

    def make(self, clock: Clock, limits: Limits, cores: Callable[[], float]) -> Enforcement | None:
        """Enforcement of the limits that can be enforced, `None` when there is nothing to do."""
        of_application = self.scope == "application"
        if not (of_application or self.device_limits):
            return None
        from amptalk.actuators.devices.limits import DeviceLimits
        from amptalk.actuators.enforcement import Enforcement

        return Enforcement(
            clock, limits if of_application else (), cores=cores, exclude=self.exclude,
            devices=DeviceLimits(clock, self.device_limits, choice_of(self.gpu).name or "0"),
            wake=self.wake,
        )  # fmt: skip

    def sentences(self, enforcement: Enforcement | None, limits: Limits) -> list[str]:
        """What is said of limits that are enforced, and of those that are not."""
        said = [] if self.scope == "application" else [_ELSEWHERE]
        if enforcement is not None:
            said += enforcement.sentences()
        if not self.device_limits and {"power", "temperature"} & {one.name for one, _ in limits}:
            said.append(_UNNAMED)
        return said
