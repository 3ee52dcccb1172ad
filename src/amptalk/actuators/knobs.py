"""Knobs: numbers of the application that follow the allocation, such as a batch size.

The application reads `knob.value` in its loop, a plain attribute. Who moves knobs and
measures what came of it is `knob_board`; discrete steps are `hooks`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Integral

from amptalk.actuators.amounts import label, number
from amptalk.model.decision import MINIMUM_SHARE
from amptalk.model.errors import ConfigurationError


class Knob:
    """A value between `minimum` and `maximum` that the manager moves.

    `value` is an int when minimum, maximum and step are. `frozen` is true in a
    forked child, where nobody moves it any more.
    """

    __slots__ = (
        "_told", "frozen", "maximum", "minimum", "name", "on_change", "resource", "step", "value",
    )  # fmt: skip

    def __init__(  # noqa: PLR0917 - checked and built by `KnobBoard.create`
        self,
        name: str,
        minimum: float,
        maximum: float,
        resource: str | None,
        step: float,
        on_change: Callable[[float], object] | None,
        start: float,
    ) -> None:
        self.name = name
        self.minimum = minimum
        self.maximum = maximum
        self.resource = resource
        self.step = step
        self.on_change = on_change
        self.frozen = False
        self.value = start
        """What applies now; read it wherever it is needed, do not set it."""
        self._told = start

    def __repr__(self) -> str:
        return f"Knob({self.name!r}, value={self.value}, {self.minimum}..{self.maximum})"

    def value_at(self, share: float) -> float:
        """Value for an allocation: rounded down on the step, but never under the minimum."""
        if share >= 1:
            return self.maximum
        if share <= MINIMUM_SHARE:
            return self.minimum
        steps = math.floor((self.maximum - self.minimum) * share / self.step + 1e-9)
        return min(self.maximum, _exact(self.minimum + steps * self.step))

    @property
    def untold(self) -> bool:
        """Whether `on_change` has not been called with the present value."""
        return self._told != self.value

    def tell(self) -> None:
        """Call `on_change` with the present value; on an action thread."""
        self._told = self.value
        if self.on_change is not None:
            self.on_change(self._told)


def _exact(value: float) -> float:
    """Drop the last digits of a float, so that 3 x 0.1 is 0.3; an int stays one."""
    return value if isinstance(value, int) else round(value, 12)


def make_knob(  # noqa: PLR0917 - a knob's whole description
    name: str,
    minimum: float,
    maximum: float,
    resource: str | None,
    step: float,
    on_change: Callable[[float], object] | None,
    start: float | None,
) -> Knob:
    """Build a knob after checking each part; raises `ConfigurationError`."""
    label(name, "a knob")
    low, high = _given("minimum", minimum), _given("maximum", maximum)
    grid = _given("step", step)
    first = high if start is None else _given("start", start)
    _check(name, low, high, grid, first)
    if on_change is not None and not callable(on_change):
        raise ConfigurationError(
            f"on_change={on_change!r} of knob {name!r} cannot be called: give a function"
        )
    return Knob(name, low, high, resource, grid, on_change, first)


def _given(name: str, value: float) -> float:
    """Return a checked number, whole when it was given whole."""
    checked = number(name, value)
    return int(value) if isinstance(value, Integral) else checked


def _check(name: str, minimum: float, maximum: float, step: float, start: float) -> None:
    if minimum > maximum:
        raise ConfigurationError(
            f"knob {name!r} has minimum={minimum!r} above maximum={maximum!r}: swap them"
        )
    if step <= 0 or (step > maximum - minimum > 0):
        raise ConfigurationError(
            f"knob {name!r} has step={step!r}: give more than 0 and at most "
            f"{maximum - minimum!r} (maximum - minimum)"
        )
    if not minimum <= start <= maximum:
        raise ConfigurationError(
            f"knob {name!r} has start={start!r}: give {minimum!r} to {maximum!r}"
        )


def same_knob(known: Knob, asked: Knob) -> Knob:
    """Return the known knob; raises `ConfigurationError` when another one was asked for."""
    for part in ("minimum", "maximum", "step", "resource"):
        if getattr(known, part) != getattr(asked, part):
            raise ConfigurationError(
                f"knob {known.name!r} exists with {part}={getattr(known, part)!r}, asked for "
                f"again with {getattr(asked, part)!r}: use the same or another name"
            )
    return known
