"""`manager.signal`: declaring, limiting and removing signals of the application.

A limited signal is a resource like the built-in ones: here its description is checked and every
part that lists resources is told of it, between two ticks. How values are recorded and become
part of the sample is in `sensors.signals`.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

from amptalk.actuators.actuation import Actuation
from amptalk.clock import Clock
from amptalk.engine import Engine
from amptalk.history.history import History
from amptalk.limits.judge import Judge
from amptalk.limits.limits import checked_limit
from amptalk.model.errors import ConfigurationError
from amptalk.model.resource import BUILT_IN, Kind
from amptalk.model.sample import INDEX, unit_of
from amptalk.model.signal import Description
from amptalk.sensors.signals import Signal, SignalBoard

_LONGEST_NAME = 64
_KINDS = ("rate", "hold", "temperature")
_TAKEN = {
    *INDEX, *BUILT_IN, "time", "monotonic", "resolution", "session", "missing",
    "cpu_percent_per_core",
}  # fmt: skip
"""Names of columns and resources that mean something else."""
PERCENTILE = 95.0


class Told(NamedTuple):
    """Who is told of a signal that is declared or removed."""

    board: SignalBoard
    history: History
    judge: Judge
    actuation: Actuation
    engine: Engine


class Signals:
    """The signals of one manager. Thread-safe; waits for a tick that is under way."""

    def __init__(self, told: Told, clock: Clock, ticking: threading.Lock) -> None:
        self._told = told
        self._now = clock.monotonic
        self._ticking = ticking
        self._forked = False
        self._signals: dict[str, Signal] = {}

    def declare(
        self,
        name: str,
        *,
        limit: float | None = None,
        minimum: float | None = None,
        unit: str | None = None,
        kind: Kind = "rate",
        percentile: float = PERCENTILE,
    ) -> Signal:
        """Return a signal to `record` values with; the existing one for the same description.

        `limit` is the most it may be, `minimum` the least (a frame rate); give one of them, or
        neither to have it kept only. `unit` is told by the end of the name when left out
        (`latency_ms`), else it is `1`. `kind` is how it behaves: a `rate` follows within seconds
        what runs, a `hold` (entries of a queue) stays until it is given back, a `temperature`
        is judged by its °C below the limit. Of the values recorded between two ticks the one
        counts that `percentile` of 100 do not exceed, or are not below a minimum.

        Raises `ConfigurationError` for what is out of range, a name that is taken, or the same
        name with another description.
        """
        described = describe(name, limit, minimum, unit, kind, percentile)
        board, history, judge, actuation, engine = self._told
        with self._ticking:
            known = self._signals.get(name)
            if known is not None:
                return _same(known, described)
            self._refuse_by_case(name)
            signal = Signal(described, lambda: self._remove(signal))
            board.add(signal, self._now())
            history.adopt(board.columns)
            if described.limit is not None:
                resource, index = described.resource, board.columns.index
                judge.add(resource, described.limit, index)
                actuation.watch(resource, described.limit)
                engine.resources_changed()
            if self._forked:
                signal.freeze()
            self._signals[name] = signal
        return signal

    def _remove(self, signal: Signal) -> None:
        described = signal.described
        board, _, judge, actuation, engine = self._told
        with self._ticking:
            if self._signals.get(described.name) is not signal:
                return
            del self._signals[described.name]
            board.drop(signal)
            if described.limit is not None:
                judge.remove(described.name)
                actuation.unwatch(described.resource)
                engine.resources_changed()

    def _refuse_by_case(self, name: str) -> None:
        for other in self._told.board.columns.signals:
            if other.name != name and other.name.lower() == name.lower():
                raise ConfigurationError(
                    f"signal {name!r} differs from {other.name!r} by capitals only, which files "
                    "do not tell apart: use another name"
                )

    def about(self) -> dict[str, dict[str, Any]]:
        """What metrics files say of them, by name."""
        return {
            name: {**signal.described._asdict(), "rejected": signal.rejected}
            for name, signal in tuple(self._signals.items())
        }

    def discard(self) -> None:
        """Forget what was recorded before monitoring started."""
        with self._ticking:  # a tick takes what it has counted
            self._told.board.discard()

    def freeze(self, ticking: threading.Lock) -> None:
        """Become inert in a forked child."""
        self._ticking = ticking  # a thread of the parent may hold the other one
        self._forked = True
        self._told.board.freeze()


def describe(  # noqa: PLR0917 - a signal's whole description
    name: str,
    limit: float | None,
    minimum: float | None,
    unit: str | None,
    kind: Kind,
    percentile: float,
) -> Description:
    """Check each part of a declaration; raises `ConfigurationError` naming the first wrong one."""
    plain = isinstance(name, str) and name.isascii() and name.isidentifier()
    if not plain or len(name) > _LONGEST_NAME:
        raise ConfigurationError(
            f"the name of a signal is {name!r}: give letters, digits and '_', no digit first, "
            f"{_LONGEST_NAME} at most"
        )
    if name.lower() in _TAKEN:
        raise ConfigurationError(
            f"signal {name!r} has the name of something the manager measures: use another name"
        )
    if unit is not None and not (isinstance(unit, str) and unit.strip()):
        raise ConfigurationError(f"unit={unit!r} of signal {name!r}: give a text such as 'ms'")
    if kind not in _KINDS:
        raise ConfigurationError(f"kind={kind!r} of signal {name!r}: use one of {_KINDS}")
    if limit is not None and minimum is not None:
        raise ConfigurationError(
            f"signal {name!r} has both limit={limit!r} and minimum={minimum!r}: give one; two "
            "signals can record the same values"
        )
    if minimum is not None and kind != "rate":
        raise ConfigurationError(
            f"signal {name!r} has a minimum and kind={kind!r}: a minimum is of kind 'rate'"
        )
    where = unit_of(name) if unit is None else unit
    given = limit if minimum is None else minimum
    if given is not None:
        argument = f"signal {name!r}: {'limit' if minimum is None else 'minimum'}"
        given = checked_limit(argument, given, float("inf"), where)
    return Description(name, where, given, minimum is not None, kind, _percentile(name, percentile))


def _percentile(name: str, percentile: float) -> float:
    number = isinstance(percentile, (int, float)) and not isinstance(percentile, bool)
    if not number or not 0.0 < percentile <= 100.0:
        raise ConfigurationError(
            f"percentile={percentile!r} of signal {name!r}: give a number above 0 up to 100, "
            "such as 95"
        )
    return float(percentile)


def _same(known: Signal, asked: Description) -> Signal:
    """The known signal; raises `ConfigurationError` when another description was asked for."""
    for part in asked._fields:
        was, is_now = getattr(known.described, part), getattr(asked, part)
        if was != is_now:
            raise ConfigurationError(
                f"signal {asked.name!r} exists with {part}={was!r}, asked for again with "
                f"{is_now!r}: use the same, another name, or remove() it first"
            )
    return known
