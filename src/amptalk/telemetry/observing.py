"""What the observable instruments say: the live managers' last samples, limits and decisions.

Nothing is measured here and nothing computed twice: a scrape reads immutable
values. A missing value yields no observation, neither 0 nor nan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from amptalk.model.level import LimitState
from amptalk.model.resource import BUILT_IN
from amptalk.model.sample import INDEX, SIGNALS_AT
from amptalk.model.tick import Tick
from amptalk.telemetry import names


class Source(Protocol):
    """What a live manager offers to telemetry."""

    name: str

    def latest(self) -> Tick | None:
        """Its last tick; `None` when it does not run."""


Value = tuple[float, Mapping[str, str]]
Reader = Callable[[Tick], Iterator[Value]]


class Instrument(NamedTuple):
    """One observable instrument: how it is made and what it reads of each manager."""

    name: str
    kind: names.Kind
    unit: str
    description: str
    read: Reader


def instruments() -> tuple[Instrument, ...]:
    """All observable instruments, one for each name."""
    by_name: dict[str, list[names.Metric]] = {}
    for metric in names.METRICS:
        by_name.setdefault(metric.name, []).append(metric)
    found = [Instrument(*series[0][:4], _fields(series)) for series in by_name.values()]
    found += [Instrument(*limit, _LIMIT_READERS[limit.name]) for limit in names.LIMIT_METRICS]
    for unit, (limit, scale) in names.LIMIT_BY_UNIT.items():
        found.append(Instrument(*limit, _limits_in(unit, scale)))
    found.append(Instrument(*names.SIGNAL, _signals))
    found.append(Instrument(*names.SIGNAL_LIMIT, _signal_limits))
    return tuple(found)


def values(sources: Iterable[Source], read: Reader) -> Iterator[Value]:
    """Finite values of all managers that run, with the manager's name."""
    for source in sources:
        tick = source.latest()
        if tick is None:
            continue
        for value, attributes in read(tick):
            if math.isfinite(value):
                yield value, {names.MANAGER: source.name, **attributes}


def _fields(series: list[names.Metric]) -> Reader:
    columns = [(INDEX[metric.field], metric.scale, metric.attributes) for metric in series]

    def read(tick: Tick) -> Iterator[Value]:
        row = tick.sample.row
        for position, scale, attributes in columns:
            yield row[position] * scale, attributes

    return read


def _limits_in(unit: str, scale: float) -> Reader:
    def read(tick: Tick) -> Iterator[Value]:
        for state in tick.limits:
            if state.resource.unit == unit and state.resource.name in BUILT_IN:
                yield state.limit * scale, _resource(state)

    return read


def _signals(tick: Tick) -> Iterator[Value]:
    row = tick.sample.row
    for position, field in enumerate(tick.sample.columns.signals, SIGNALS_AT):
        yield row[position], {names.RESOURCE: field.name, names.UNIT: field.unit}


def _signal_limits(tick: Tick) -> Iterator[Value]:
    for state in tick.limits:
        if state.resource.name not in BUILT_IN:
            yield state.limit, {**_resource(state), names.UNIT: state.resource.unit}


def _resource(state: LimitState) -> dict[str, str]:
    return {names.RESOURCE: state.resource.name}


def _utilization(tick: Tick) -> Iterator[Value]:
    for state in tick.limits:
        if state.resource.kind != "temperature" and state.limit > 0:
            yield state.value / state.limit, _resource(state)


def _level(tick: Tick) -> Iterator[Value]:
    for state in tick.limits:
        yield int(state.level), _resource(state)


def _time_left(tick: Tick) -> Iterator[Value]:
    for state in tick.limits:
        yield state.time_to_limit, _resource(state)


def _blind(tick: Tick) -> Iterator[Value]:
    for state in tick.limits:
        yield int(state.blind), _resource(state)


def _allocation(tick: Tick) -> Iterator[Value]:
    for allocation in tick.decision.allocations:
        yield allocation.share, {names.RESOURCE: allocation.resource}


_LIMIT_READERS: Mapping[str, Reader] = {
    names.UTILIZATION.name: _utilization,
    names.LEVEL.name: _level,
    names.TIME_LEFT.name: _time_left,
    names.BLIND.name: _blind,
    names.ALLOCATION.name: _allocation,
}


def callback(
    sources: Callable[[], Iterable[Source]], read: Reader, observation: Any
) -> Callable[[Any], list[Any]]:
    """A callback as the API wants it; `observation` is the API's class."""

    def observe(_options: Any) -> list[Any]:
        return [observation(value, attributes) for value, attributes in values(sources(), read)]

    return observe
