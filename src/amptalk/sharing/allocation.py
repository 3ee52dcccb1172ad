"""Divide one resource among components: a pure function of what they ask.

Minimums first, then priority bands, inside a band weighted max-min fairness
(progressive filling): every component above its minimum has the same amount per
weight, unless its maximum or its demand is less. It grants amounts; who may ask,
and how a grant is taken back, is decided elsewhere. Asks that are coupled over several
resources are divided in `bundles`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    step: float


def shortfall(capacity: float, asks: Mapping[str, Ask]) -> float:
    """How much the minimums exceed `capacity`; 0 when all of them fit."""
    return max(0.0, math.fsum(ask.minimum for ask in asks.values()) - capacity)


def wanted(ask: Ask, demand: float) -> float:
    """What a component with this demand can be granted at most, in whole steps.

    >>> wanted(Ask(200, 800, step=100), 250), wanted(Ask(200, 850, step=100), math.inf)
    (300.0, 800.0)
    """
    most = max(ask.minimum, min(ask.maximum, demand)) if demand == demand else ask.maximum  # noqa: PLR0124
    if not ask.step or most == math.inf:
        return float(most)
    whole = math.ceil((most - ask.minimum) / ask.step - _ROUNDING)
    room = _steps(ask.maximum - ask.minimum, ask.step, math.floor)
    return ask.minimum + min(whole, room) * ask.step


def allocate(
    capacity: float,
    asks: Mapping[str, Ask],
    demands: Mapping[str, float] = _NO_DEMANDS,
    *,
    clamp: bool = False,
) -> dict[str, float]:
    """Grant each component of `asks` an amount, all in the unit of `capacity`.

    A component without an entry in `demands` wants its maximum. Higher `priority` is
    served first, beyond the minimums. Where asks have steps, nobody has more than one
    step too much per weight, and an ask without one is given the smallest of them at a time.

    Raises `ConfigurationError` for an ask that contradicts itself and `NeverFitsError`
    when the minimums exceed the capacity. With `clamp` they are granted nevertheless,
    and only they: capacity shrank under components that live, whose minimum cannot be
    taken from them; `shortfall` says by how much it is too little.
    """
    wants = {
        name: _want(name, ask, demands.get(name, math.inf)) for name, ask in sorted(asks.items())
    }
    if not math.isfinite(capacity):
        raise ConfigurationError(f"capacity={capacity!r}: give a finite number")
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
        smallest = min((want.step for want in band if want.step), default=0.0)
        given = _fill_steps(left, band, smallest) if smallest else _fill(left, band)
        left -= math.fsum(given[want.name] - want.least for want in band)
        grants.update(given)
        if smallest and any(given[want.name] < want.most for want in band):
            break  # less than a step is left, which more capacity would take from whoever had it
    return {name: grants[name] for name in asks}


def check_ask(name: str, ask: Ask) -> None:
    """Raise `ConfigurationError` for an ask that contradicts itself."""
    if not (0.0 <= ask.minimum < math.inf and ask.minimum <= ask.maximum):
        raise ConfigurationError(
            f"component {name!r} asks for minimum={ask.minimum!r}, maximum={ask.maximum!r}; "
            "allowed is 0 <= minimum <= maximum with a finite minimum"
        )
    if not 0.0 < ask.weight < math.inf:
        raise ConfigurationError(
            f"component {name!r} has weight={ask.weight!r}; allowed is a finite number above 0"
        )
    if not 0.0 <= ask.step < math.inf:
        raise ConfigurationError(
            f"component {name!r} has step={ask.step!r}; allowed is a finite number, 0 for none"
        )


def _want(name: str, ask: Ask, demand: float) -> _Want:
    check_ask(name, ask)
    return _Want(name, ask.minimum, wanted(ask, demand), ask.weight, ask.step)


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


def _fill_steps(left: float, band: Sequence[_Want], smallest: float) -> dict[str, float]:
    """Hand out whole steps, each to the component with the least per weight, ties by name.

    It ends with the first step that does not fit: so the order of the steps does not depend
    on how many there are, and more capacity takes from nobody. Everything but the last few is
    counted at once.
    """
    steps = [want.step or smallest for want in band]
    room = [
        _steps(want.most - want.least, step, math.ceil)
        for want, step in zip(band, steps, strict=True)
    ]
    bulk = _fill(max(0.0, left - math.fsum(steps) - max(steps)), band)
    given = [
        min(most, _steps(bulk[want.name] - want.least, step, math.floor))
        for want, most, step in zip(band, room, steps, strict=True)
    ]
    held = [
        min(want.most, want.least + count * step)
        for want, count, step in zip(band, given, steps, strict=True)
    ]
    left -= math.fsum(has - want.least for has, want in zip(held, band, strict=True))
    while True:
        places = [place for place in range(len(band)) if given[place] < room[place]]
        if not places:
            break
        chosen = min(places, key=lambda place: held[place] / band[place].weight)
        after = min(band[chosen].most, band[chosen].least + (given[chosen] + 1) * steps[chosen])
        if after - held[chosen] > left + _ROUNDING * steps[chosen]:
            break
        left -= after - held[chosen]
        given[chosen] += 1
        held[chosen] = after
    return {want.name: has for want, has in zip(band, held, strict=True)}


def _steps(amount: float, step: float, whole: Callable[[float], int]) -> float:
    if amount == math.inf:
        return math.inf
    return whole(amount / step + (_ROUNDING if whole is math.floor else -_ROUNDING))
