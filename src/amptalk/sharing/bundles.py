"""Divide several resources at once where some components need them in proportion.

Dominant resource fairness (Ghodsi et al., NSDI 2011), weighted, with minimums: a coupled
component has the same part of each of its maximums, and what is levelled among components is
the dominant share, the largest part of any capacity that one has, per weight. An ask that is not
coupled is a bundle of one resource; with such alone this is what `allocation` gives. Envy is
bounded among divisible demands only, so steps are rounded down at the end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from amptalk.model.decision import Ask
from amptalk.model.errors import ConfigurationError
from amptalk.sharing.allocation import allocate, check_ask, wanted

Key = tuple[str, str]
"""Component and resource."""
_NEAR = 1e-9


class _Bundle(NamedTuple):
    keys: tuple[Key, ...]
    least: tuple[float, ...]
    most: tuple[float, ...]
    pace: float
    """Part of `most` for each unit of the level: weight over the dominant share of `most`."""


def divide(
    capacities: Mapping[str, float],
    asks: Mapping[Key, Ask],
    demands: Mapping[Key, float],
) -> dict[Key, float]:
    """Grant every ask an amount of its resource; a resource without a capacity is not scarce.

    Minimums are granted even where they exceed a capacity (see `allocate(clamp=True)`).
    """
    if any(ask.coupled for ask in asks.values()):
        return _divide_bundles(capacities, asks, demands)
    grants: dict[Key, float] = {}
    for resource in {resource for _, resource in asks}:
        mine = {name: ask for (name, of), ask in asks.items() if of == resource}
        said = {name: demands[name, resource] for name in mine if (name, resource) in demands}
        capacity = capacities.get(resource, math.inf)
        if capacity == math.inf:
            given = {name: wanted(ask, said.get(name, math.inf)) for name, ask in mine.items()}
        else:
            given = allocate(capacity, mine, said, clamp=True)
        grants.update({(name, resource): amount for name, amount in given.items()})
    return grants


def _divide_bundles(
    capacities: Mapping[str, float], asks: Mapping[Key, Ask], demands: Mapping[Key, float]
) -> dict[Key, float]:
    for (name, _), ask in asks.items():
        check_ask(name, ask)
    grants = {key: ask.minimum for key, ask in asks.items()}
    left = {
        resource: capacities.get(resource, math.inf)
        - math.fsum(ask.minimum for (_, of), ask in asks.items() if of == resource)
        for resource in {resource for _, resource in asks}
    }
    for priority in sorted({ask.priority for ask in asks.values()}, reverse=True):
        band = _bundles(capacities, asks, demands, priority)
        for key, amount in _fill(left, band).items():
            step = asks[key].step
            extra = amount - asks[key].minimum
            if step:
                extra = math.floor(extra / step + _NEAR) * step
            grants[key] = asks[key].minimum + extra
            left[key[1]] -= extra
    return grants


def _bundles(
    capacities: Mapping[str, float],
    asks: Mapping[Key, Ask],
    demands: Mapping[Key, float],
    priority: int,
) -> list[_Bundle]:
    groups: dict[Key, list[Key]] = {}
    for key in sorted(asks):
        if asks[key].priority == priority:
            groups.setdefault((key[0], "" if asks[key].coupled else key[1]), []).append(key)
    bundles = []
    for keys in groups.values():
        most = []
        for key in keys:
            want = wanted(asks[key], demands.get(key, math.inf))
            if want == math.inf:
                raise ConfigurationError(
                    f"component {key[0]!r} asks for endless {key[1]} in proportion with others: "
                    "give a maximum"
                )
            most.append(max(asks[key].minimum, want))
        dominant = max(
            amount / (capacities.get(key[1], math.inf) or 1.0)
            for key, amount in zip(keys, most, strict=True)
        )
        pace = asks[keys[0]].weight / dominant if dominant > 0.0 else 1.0
        least = tuple(asks[key].minimum for key in keys)
        bundles.append(_Bundle(tuple(keys), least, tuple(most), pace))
    return bundles


def _fill(left: Mapping[str, float], band: Sequence[_Bundle]) -> dict[Key, float]:
    """Raise the level until each bundle is whole or meets a resource that is used up.

    Use is piecewise linear in the level: each turn walks to the next corner or to where a
    resource is used up, and stops the bundles that end there.
    """
    room = dict(left)
    stopped: dict[int, float] = {}
    level = 0.0
    while len(stopped) < len(band):
        moving = [place for place in range(len(band)) if place not in stopped]
        corner = min(c for place in moving for c in _corners(band[place]) if c > level)
        slopes: dict[str, float] = {}
        for place in moving:
            for resource, slope in _slopes(band[place], level):
                slopes[resource] = slopes.get(resource, 0.0) + slope
        reach = [level + max(0.0, room[of]) / slope for of, slope in slopes.items()]
        until = min(corner, *reach) if reach else corner
        for resource, slope in slopes.items():
            room[resource] -= slope * (until - level)
        full = {of for of, slope in slopes.items() if room[of] <= _NEAR * slope}
        for place in moving:
            if 1.0 / band[place].pace <= until or any(
                of in full for of, _ in _slopes(band[place], level)
            ):
                stopped[place] = until
        level = until
    return {
        key: max(low, min(1.0, stopped[place] * bundle.pace) * high)
        for place, bundle in enumerate(band)
        for key, low, high in zip(bundle.keys, bundle.least, bundle.most, strict=True)
    }


def _corners(bundle: _Bundle) -> list[float]:
    """Levels at which an amount leaves its minimum, and at which the bundle is whole."""
    leaving = [
        low / (high * bundle.pace)
        for low, high in zip(bundle.least, bundle.most, strict=True)
        if high > 0.0
    ]
    return [*leaving, 1.0 / bundle.pace]


def _slopes(bundle: _Bundle, level: float) -> list[tuple[str, float]]:
    """How fast each amount that has left its minimum grows from a level on."""
    return [
        (key[1], high * bundle.pace)
        for key, low, high in zip(bundle.keys, bundle.least, bundle.most, strict=True)
        if high > 0.0 and level >= low / (high * bundle.pace)
    ]
