"""Bring rows up to date with what is asked and wanted: pure, and a fixed point of itself.

What is to be given back is not granted any more at once, but stays charged until its holder has
confirmed it. Growth goes only into what nobody is charged for, and no further than the division
says: so what one gives up is there for those it was taken for, and nobody else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from amptalk.sharing.allocation import wanted
from amptalk.sharing.bundles import Key, divide
from amptalk.sharing.ledgers.contract import Row

SMALLEST_GROWTH = 0.01
"""Growth below this share of what is held is left out: it would only cost calls."""
_NEAR = 1e-9


def settle(
    rows: Sequence[Row], capacities: Mapping[str, float], now: float = -math.inf
) -> list[Row]:
    """Return the rows as they should be now, in their order."""
    found = {row.key: _lapsed(row, now) for row in rows}
    taking_part = [row for row in found.values() if row.expires >= now]
    targets = division(taking_part, capacities)
    for row in taking_part:
        if targets[row.key] < row.granted:
            found[row.key] = row._replace(granted=targets[row.key])
    room = {
        resource: capacities.get(resource, math.inf)
        - math.fsum(row.charged for row in found.values() if row.resource == resource)
        for resource in {row.resource for row in taking_part}
    }
    _begin(taking_part, found, room)
    for key in sorted(targets, key=lambda key: _served(found[key])):
        row = found[key]
        if targets[key] > row.granted >= row.ask.minimum:
            _grow(row, targets[key], found, room)
    return list(found.values())


def changed(row: Row, demand: float | None, charged: float | None) -> Row:
    """Return a row after its holder said what it wants, or what a shrink has left.

    A charge only ever falls by that; what is granted is always charged.
    """
    granted = row.granted
    if demand is not None:
        granted = min(granted, wanted(row.ask, demand))
    return row._replace(
        demand=row.demand if demand is None else demand,
        granted=granted,
        charged=row.charged if charged is None else min(row.charged, max(granted, charged)),
    )


def division(rows: Sequence[Row], capacities: Mapping[str, float]) -> dict[Key, float]:
    """What each row should be granted once all that is to be given back is."""
    wants = {row.key: wanted(row.ask, row.demand) for row in rows}
    for resource in {row.resource for row in rows}:
        total = math.fsum(wants[row.key] for row in rows if row.resource == resource)
        if total > capacities.get(resource, math.inf):
            asks = {row.key: row.ask for row in rows}
            return divide(capacities, asks, {row.key: row.demand for row in rows})
    return wants


def _lapsed(row: Row, now: float) -> Row:
    return row if row.expires >= now else row._replace(granted=0.0, charged=0.0)


def _served(row: Row) -> tuple[float, float, str, str]:
    """Sorts those that come first: by priority, then by what they have per weight."""
    return (-row.ask.priority, row.granted / row.ask.weight, row.component, row.resource)


def _begin(rows: Iterable[Row], found: dict[Key, Row], room: dict[str, float]) -> None:
    """Grant components their minimums, all or none of them, in the order in which they joined."""
    waiting: dict[str, list[Row]] = {}
    for row in rows:
        if found[row.key].granted < row.ask.minimum:
            waiting.setdefault(row.component, []).append(found[row.key])
    for parts in waiting.values():
        needs = {row.resource: max(0.0, row.ask.minimum - row.charged) for row in parts}
        if all(need <= room[of] + _NEAR * max(1.0, need) for of, need in needs.items()):
            for row in parts:
                least = row.ask.minimum
                found[row.key] = row._replace(granted=least, charged=max(row.charged, least))
                room[row.resource] -= needs[row.resource]


def _grow(row: Row, target: float, found: dict[Key, Row], room: dict[str, float]) -> None:
    free = max(0.0, room[row.resource])
    granted = min(target, row.charged + free)
    if target - granted <= _NEAR * target:
        granted = target
    elif row.ask.step:
        steps = math.floor((granted - row.ask.minimum) / row.ask.step + _NEAR)
        granted = row.ask.minimum + steps * row.ask.step
    if granted > row.granted and (
        granted == target or granted - row.granted >= SMALLEST_GROWTH * row.granted
    ):
        room[row.resource] -= max(0.0, granted - row.charged)
        found[row.key] = row._replace(granted=granted, charged=max(row.charged, granted))
