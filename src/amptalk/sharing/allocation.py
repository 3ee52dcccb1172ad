"""Divide one resource among components: a pure function of what they ask.

Minimums first, then priority bands, inside a band weighted max-min fairness
(progressive filling): every component above its minimum has the same amount per
weight, unless its maximum or its demand is less. It grants amounts; who may ask,
and how a grant is taken back, is decided elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from amptalk.model.decision import Ask
from amptalk.model.errors import ConfigurationError, NeverFitsError

_NO_DEMANDS: Mapping[str, float] = {}
_ROUNDING = 1e-9
"""Part of a step that may be missing from a whole one."""


class _Want(NamedTuple):
    name: str
    least: float
    most: float
    """The maximum or the demand, whichever is less, but not below `least`."""
    weight: float


def shortfall(capacity: float, asks: Mapping[str, Ask]) -> float:
    """How much the minimums exceed `capacity`; 0 when all of them fit."""
    return max(0.0, math.fsum(ask.minimum for ask in asks.values()) - capacity)


def allocate(
    capacity: float,
    asks: Mapping[str, Ask],
    demands: Mapping[str, float] = _NO_DEMANDS,
    step: float = 0.0,
    *,
    clamp: bool = False,
) -> dict[str, float]:
    """Grant each component of `asks` an amount, all in the unit of `capacity`.

    A component without an entry in `demands` wants its maximum. Higher `priority` is
    served first, beyond the minimums. With a `step`, a grant is the minimum plus whole
    steps, and nobody has more than one step too much per weight.

    Raises `ConfigurationError` for an ask that contradicts itself and `NeverFitsError`
    when the minimums exceed the capacity. With `clamp` they are granted nevertheless,
    and only they: capacity shrank under components that live, whose minimum cannot be
    taken from them; `shortfall` says by how much it is too little.
    """
    wants = {name: _want(name, ask, demands.get(name)) for name, ask in sorted(asks.items())}
    if not (math.isfinite(capacity) and 0.0 <= step < math.inf):
        raise ConfigurationError(
            f"capacity={capacity!r}, step={step!r}: give a finite capacity and a step of 0 or more"
        )
    grants = {name: want.least for name, want in wants.items()}
    lacking = shortfall(capacity, asks)
    if lacking > 0.0 and not clamp:
        total = math.fsum(grants.values())
        raise NeverFitsError(
            f"the minimums of {', '.join(wants)} add up to {total:g}, which is {lacking:g} more "
            f"than the capacity of {capacity:g}: lower a minimum or raise the limit"
        )
    left = capacity - math.fsum(grants.values())
    for band in _bands(asks, wants):
        if left <= 0.0:
            break
        given = _fill_steps(left, band, step) if step else _fill(left, band)
        left -= math.fsum(given[want.name] - want.least for want in band)
        grants.update(given)
    return {name: grants[name] for name in asks}


def _want(name: str, ask: Ask, demand: float | None) -> _Want:
    if not (0.0 <= ask.minimum < math.inf and ask.minimum <= ask.maximum):
        raise ConfigurationError(
            f"component {name!r} asks for minimum={ask.minimum!r}, maximum={ask.maximum!r}; "
            "allowed is 0 <= minimum <= maximum with a finite minimum"
        )
    if not 0.0 < ask.weight < math.inf:
        raise ConfigurationError(
            f"component {name!r} has weight={ask.weight!r}; allowed is a finite number above 0"
        )
    most = ask.maximum
    if demand is not None and not math.isnan(demand):
        most = max(ask.minimum, min(most, demand))
    return _Want(name, ask.minimum, most, ask.weight)


def _bands(asks: Mapping[str, Ask], wants: Mapping[str, _Want]) -> Iterator[list[_Want]]:
    for priority in sorted({ask.priority for ask in asks.values()}, reverse=True):
        yield [want for name, want in wants.items() if asks[name].priority == priority]


def _fill(left: float, band: Sequence[_Want]) -> dict[str, float]:
    """Raise the amount per weight until `left` is gone or everyone has what it wants.

    The sum of clip(weight * level, least, most) is piecewise linear in the level; its
    corners are walked in order and the last piece is solved exactly.
    """
    corners = sorted({c / w.weight for w in band for c in (w.least, w.most) if c < math.inf})
    goal = left + math.fsum(want.least for want in band)
    level, reached = 0.0, math.fsum(want.least for want in band)
    for corner in (*corners, math.inf):
        growing = math.fsum(
            want.weight
            for want in band
            if want.least / want.weight <= level < want.most / want.weight
        )
        if growing and reached + growing * (corner - level) >= goal:
            level += (goal - reached) / growing
            break
        if corner == math.inf:
            break
        level = corner
        reached = math.fsum(_at(level, want) for want in band)
    return {want.name: _at(level, want) for want in band}


def _at(level: float, want: _Want) -> float:
    return min(want.most, max(want.least, want.weight * level))


def _fill_steps(left: float, band: Sequence[_Want], step: float) -> dict[str, float]:
    """Hand out whole steps, each to the component with the least per weight, ties by name.

    The order of the steps does not depend on how many there are, so more capacity
    takes from nobody. Everything but the last few is counted at once.
    """
    room = [_steps(want.most - want.least, step) for want in band]
    total = _steps(left, step)
    bulk = _fill(max(0.0, left - step * len(band)), band)
    given = [
        min(most, _steps(bulk[want.name] - want.least, step))
        for want, most in zip(band, room, strict=True)
    ]
    for _ in range(int(min(total, sum(room)) - sum(given))):
        chosen = min(
            (i for i in range(len(band)) if given[i] < room[i]),
            key=lambda i: (band[i].least + given[i] * step) / band[i].weight,
        )
        given[chosen] += 1
    return {
        want.name: min(want.most, want.least + count * step)
        for want, count in zip(band, given, strict=True)
    }


def _steps(amount: float, step: float) -> float:
    return math.floor(amount / step + _ROUNDING) if amount < math.inf else math.inf
