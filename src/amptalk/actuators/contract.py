"""What every discrete actuator is: `available`, `apply`, `undo` and what it declares.

The planner chooses by what is declared here (and by the effect learned so far),
the runner carries out and measures. Proportional levers are `knobs` and `admission`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from amptalk.model.level import Level


class Actuator(ABC):
    """One discrete step that gives back some of one resource.

    Whether it helped is found by measuring the resource before it and after
    `latency`; nothing that `apply` returns or says counts.
    """

    name: str
    """Unique within a manager."""
    resource: str
    """Name of the resource it gives back."""
    level: Level = Level.CRITICAL
    """The lowest level at which it may be used."""
    cost: float = 0.0
    """Declared loss of work, 0-1; 0 loses nothing."""
    duration: float = 0.0
    """Declared seconds that `apply` takes."""
    latency: float = 0.0
    """Seconds after `apply` has ended until its effect shows in a measurement."""
    expected: float | None = None
    """How much it gives back, in the resource's unit; `None` when unknown."""
    can_hold: bool = True
    """Whether it can bring the resource below its limit; false for what only eases it."""
    ends_growth: bool = False
    """Whether it only ends growth and gives nothing back; then that is what is verified."""
    deadline: float = 2.0
    """Seconds that `apply` or `undo` may take."""
    takes_again: bool = False
    """Whether undoing it takes again what it gave back. It is then undone only while that fits
    below the line of elevated."""
    measured: tuple[float, float] | None = None
    """What `apply` measured before and after itself, in the resource's unit, when it can measure
    closer than the resource as a whole, which others use meanwhile; else `None`."""
    detail: str = ""
    """What a report on it should add; may be set by `apply`."""

    def available(self) -> str | None:
        """Return why it cannot be used now, or `None` when it can; called on the tick, so quick."""
        return None

    def stays(self, now: float) -> bool:  # noqa: ARG002 - most have nothing to wait for
        """Whether it is not to be undone yet though the level is normal; called on the tick."""
        return False

    @abstractmethod
    def apply(self, need: float) -> None:
        """Carry it out on an action thread; may raise. `need` is what should be given back."""

    def undo(self) -> None:  # noqa: B027 - most actuators have nothing to take back
        """Take it back on an action thread, once the resource's level is normal again."""
