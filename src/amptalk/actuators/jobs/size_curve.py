"""How a cost follows the declared size of the work.

Constant, in proportion, along a line, a line in the square of the size, or with a power of it:
the curve that tells each run best from all the others. One with fewer parameters stays unless a
richer one is clearly better. Pure; the scatter about the curve is the business of `cost_curves`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from amptalk.actuators.jobs.evidence import are_alike

CLEARLY = 0.8
"""A richer curve must bring the error down to so much of a simpler one's."""
LEAST = 1e-9
"""Costs told are at least this, so that ratios stay finite."""
STEEPEST = 3.0
"""Power of the size that no cost rises faster than."""
_SMALL = 0.1
"""Errors count in proportion to the cost, but to so much of the median cost at least: how large
what is small exactly was does not matter to a limit."""


class Shape(NamedTuple):
    """A line between what is made of the size and what is made of the cost."""

    name: str
    freedom: int
    """Parameters that are fitted."""
    x: Callable[[float], float]
    logarithmic: bool = False


_SHAPES = (
    Shape("constant", 1, lambda _size: 0.0),
    Shape("proportional", 1, lambda size: size),
    Shape("line", 2, lambda size: size),
    Shape("square", 2, lambda size: size * size),
    Shape("power", 2, math.log, logarithmic=True),
)
_PROPORTIONAL = _SHAPES[1]


class Curve(NamedTuple):
    """a + b·x, where `shape` says what x is."""

    shape: Shape
    a: float
    b: float

    def at(self, size: float) -> float:
        """Cost told for a size above 0; at least `LEAST`."""
        return _cost(self.shape, self.a + self.b * self.shape.x(size))


def smallest_of(points: Sequence[tuple[float, float]], resolution: float) -> float:
    """The cost below which differences do not matter: a share of the median, never 0."""
    return max(LEAST, resolution, _SMALL * statistics.median([cost for _, cost in points]))


def curve_of(points: Sequence[tuple[float, float]], resolution: float = 0.0) -> Curve:
    """The best curve for pairs of size and cost, at least one, sizes above 0.

    `resolution` is what costs are measured to. With sizes that are all alike, cost is taken to be
    in proportion to it. A curve that falls, or rises faster than the cube of the size, is that of
    chance.
    """
    if are_alike(min(size for size, _ in points), max(size for size, _ in points)):
        return _fit(_PROPORTIONAL, points, resolution)[0]
    best, least = min(
        [_fit(shape, points, resolution) for shape in _SHAPES[:2]], key=lambda fit: fit[1]
    )
    for shape in _SHAPES[2:]:
        if len(points) > shape.freedom:
            curve, error = _fit(shape, points, resolution)
            steep = shape.logarithmic and curve.b > STEEPEST
            if error < CLEARLY * least and curve.b >= 0.0 and not steep:
                best, least = curve, error
    return best


def _cost(shape: Shape, y: float) -> float:
    return math.exp(min(y, 700.0)) if shape.logarithmic else max(LEAST, y)


def _fit(
    shape: Shape, points: Sequence[tuple[float, float]], resolution: float
) -> tuple[Curve, float]:
    """Fit by least squares of the relative error; also the mean relative error left out.

    The error of telling a point from the others alone is its residual divided by one minus its
    leverage (Allen's PRESS, 1974), so no fit is repeated.
    """
    floor = smallest_of(points, resolution)
    costs = [max(floor, cost) for _, cost in points]
    xs = [shape.x(size) for size, _ in points]
    if shape.logarithmic:
        ys, weights = [math.log(cost) for cost in costs], [1.0] * len(costs)
    else:
        ys, weights = [cost for _, cost in points], [cost**-2 for cost in costs]
    whole = math.fsum(weights)
    if shape is _PROPORTIONAL:
        mean_x = mean_y = 0.0
    else:
        mean_x = math.fsum([w * x for w, x in zip(weights, xs, strict=True)]) / whole
        mean_y = math.fsum([w * y for w, y in zip(weights, ys, strict=True)]) / whole
    offsets = [x - mean_x for x in xs]
    spread = math.fsum([w * x * x for w, x in zip(weights, offsets, strict=True)])
    slope = 0.0
    if spread > 0.0:
        products = zip(weights, offsets, ys, strict=True)
        slope = math.fsum([w * x * (y - mean_y) for w, x, y in products]) / spread
    curve = Curve(shape, mean_y - slope * mean_x, slope)
    error = 0.0
    for weight, x, y, cost in zip(weights, offsets, ys, costs, strict=True):
        leverage = 0.0 if shape is _PROPORTIONAL else weight / whole
        if spread > 0.0:
            leverage += weight * x * x / spread
        told = mean_y + slope * x
        apart = (y - told) / max(1.0 - leverage, LEAST)
        error += abs(_cost(shape, y - apart) - _cost(shape, y)) / cost
    return curve, error / len(points) + LEAST
