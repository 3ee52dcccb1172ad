"""Choose actuators: the cheapest set that gives back what is needed in time.

Pure. Which of them can be used at all is known to `actuation`, what came of them
to `runner`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from math import inf, nan
from typing import TypeVar

from amptalk.actuators.contract import Actuator
from amptalk.limits.thresholds import lines_for, thresholds_for
from amptalk.model.level import Level, LimitState

FILLED = 0.98
"""Part of a limit that work of flexible size fills; its amounts hold for 95 % of the runs."""
SEARCHED = 8
"""Up to this many actuators that cost work every combination is tried; above, a greedy choice."""

A = TypeVar("A", bound=Actuator)


def need_of(state: LimitState, committed: float = nan) -> float:
    """How much of a limit's resource should be given back, in its unit; 0 or less for nothing.

    Down to the line where its level is clear and, when it grows, as far that the
    limit is not reached within the seconds that call for the level.

    `committed` is what running work that was admitted by known amounts needs at the least, and
    what is used besides, `nan` without such work. It comes and goes within the limit, and its
    growth is foreseen: nothing is needed until the limit is exceeded, or what is committed
    exceeds it. Then it is to come down to what flexible work may fill.
    """
    at = max(state.level, Level.ELEVATED) - 1
    resource, limit, value = state.resource, state.limit, state.value
    if committed == committed and not state.over:  # noqa: PLR0124 - nan
        return min(committed - FILLED * limit, value) if committed > limit else 0.0
    need = value - lines_for(resource, limit).stay[at]
    times = thresholds_for(resource).time_to_limit
    if times is not None and state.level and state.slope > 0:
        need = max(need, value + state.slope * times[at] - limit)
    return min(need, value)


def plan(  # noqa: PLR0917 - everything a choice depends on, as data
    need: float,
    level: Level,
    candidates: Iterable[A],
    learned: Mapping[str, float],
    in_flight: Collection[str] = (),
    seconds: float = inf,
) -> list[A]:
    """Actuators to start now for one resource, cheapest first; empty when nothing is to be done.

    `need` is how much should be given back, `candidates` all act on the same
    resource, `learned` maps names to measured effects (preferred to declared ones),
    `in_flight` names resources with an unverified step, `seconds` is the time left.

    - At emergency: everything allowed at that level.
    - Otherwise nothing while a step is unverified.
    - What costs nothing and has a known effect goes along with every set, but not beside what is
      to be measured for the first time and suffices.
    - What helps too late is used only where all that helps in time does not suffice.
    - An actuator that was never measured is tried alone when it is cheaper than the set; one with
      a declared effect only while there is time for the set afterwards.
    - When all known effects together do not suffice: all of them and one unknown, or one
      that gave nothing back the last time.
    """
    allowed = sorted(
        (actuator for actuator in candidates if actuator.level <= level),
        key=lambda actuator: (actuator.cost, _time(actuator), actuator.name),
    )
    if need <= 0 or not allowed:
        return []
    if level >= Level.EMERGENCY:
        return allowed
    if allowed[0].resource in in_flight:
        return []
    effects = {a.name: learned.get(a.name, a.expected) for a in allowed}
    quick = [actuator for actuator in allowed if _time(actuator) <= seconds] or allowed
    late = [actuator for actuator in allowed if actuator not in quick]
    chosen, suffices = _cover(need, _known(quick, effects))
    if not suffices and late:
        given = sum(effects[one.name] or 0.0 for one in chosen)
        more, suffices = _cover(need - given, _known(late, effects))
        chosen = sorted([*chosen, *more], key=allowed.index)
    if not suffices:
        rest = [actuator for actuator in allowed if actuator not in chosen]
        unknown = [actuator for actuator in rest if effects[actuator.name] is None]
        return sorted([*chosen, *(unknown or rest)[:1]], key=allowed.index)
    tried = _untried(quick, chosen, learned, seconds)
    return _measurable(need, chosen, effects, learned) if tried is None else [tried]


def _measurable(
    need: float, chosen: list[A], effects: Mapping[str, float | None], learned: Mapping[str, float]
) -> list[A]:
    """The set without what costs nothing, where that would blur a first measurement in vain."""
    costly = [actuator for actuator in chosen if actuator.cost > 0]
    given = sum(effects[actuator.name] or 0.0 for actuator in costly)
    first = any(actuator.name not in learned for actuator in costly)
    return costly if first and given >= need else chosen


def _untried(
    quick: Sequence[A], chosen: Sequence[A], learned: Mapping[str, float], seconds: float
) -> A | None:
    """What is to be tried before a set that would suffice: cheaper, and never measured."""
    price = sum(actuator.cost for actuator in chosen)
    left = seconds - max((_time(actuator) for actuator in chosen), default=0.0)
    for actuator in quick:
        if actuator.name in learned or actuator in chosen or actuator.cost >= price:
            continue
        if actuator.expected is None or _time(actuator) <= left:
            return actuator
    return None


def _known(actuators: Iterable[A], effects: Mapping[str, float | None]) -> list[tuple[A, float]]:
    return [(one, effect) for one in actuators if (effect := effects[one.name]) is not None]


def _time(actuator: Actuator) -> float:
    """Seconds from its start until its effect shows."""
    return actuator.duration + actuator.latency


def _cover(need: float, known: Sequence[tuple[A, float]]) -> tuple[list[A], bool]:
    """Cheapest actuators of known effect that reach `need`, and whether they do."""
    free = [pair for pair in known if pair[0].cost == 0]
    costly = [pair for pair in known if pair[0].cost > 0 and pair[1] > 0]
    left = need - sum(effect for _, effect in free if effect > 0)
    if left <= 0:
        return [actuator for actuator, _ in free], True
    if sum(effect for _, effect in costly) < left:
        return [actuator for actuator, _ in (*free, *costly)], False
    search = _cheapest if len(costly) <= SEARCHED else _greedy
    return [actuator for actuator, _ in (*free, *search(left, costly))], True


def _cheapest(need: float, costly: Sequence[tuple[A, float]]) -> Sequence[tuple[A, float]]:
    """Least total cost, then the soonest, then the fewest, among all sets that reach `need`."""
    best: Sequence[tuple[A, float]] = costly
    key = _price(costly)
    for size in range(1, len(costly)):
        for chosen in combinations(costly, size):
            if sum(effect for _, effect in chosen) >= need and _price(chosen) < key:
                best, key = chosen, _price(chosen)
    return best


def _price(chosen: Sequence[tuple[A, float]]) -> tuple[float, float, int]:
    return (
        sum(actuator.cost for actuator, _ in chosen),
        max(_time(actuator) for actuator, _ in chosen),
        len(chosen),
    )


def _greedy(need: float, costly: Sequence[tuple[A, float]]) -> Sequence[tuple[A, float]]:
    """Most given back for its cost first, then without those that turn out not to be needed."""
    chosen: list[tuple[A, float]] = []
    for pair in sorted(costly, key=lambda pair: pair[0].cost / pair[1]):
        if sum(effect for _, effect in chosen) >= need:
            break
        chosen.append(pair)
    for pair in sorted(chosen, key=lambda pair: -pair[0].cost):
        if sum(effect for other, effect in chosen if other is not pair[0]) >= need:
            chosen.remove(pair)
    return sorted(chosen, key=costly.index)
