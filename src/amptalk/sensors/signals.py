"""Signals of the application: numbers that only it knows, such as a latency, in the sample.

The application records values whenever it has some, from any thread; a tick turns those since
the tick before into one. That is a percentile of them, 95 unless said otherwise, and a value that
was really recorded (nearest rank): a limit of 60 ms then means that 19 of 20 stay within. Where
the limit is a minimum it is the one that as many are not below. Without a record since then the
value is missing, with the reason: an old one is never shown as if it were new.

Which limits they have, and what declaring one changes elsewhere, is in `amptalk.signals`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import ceil, isfinite, nan
from numbers import Real

from amptalk.model.errors import ConfigurationError
from amptalk.model.sample import Columns, Field, Sample
from amptalk.model.signal import Description

MOST_SIGNALS = 64
"""Of one manager, those that were removed included: each keeps its column."""
MOST_KEPT = 1024
"""Values of one signal that are kept between two ticks; the newest of them."""
_AIM = MOST_KEPT // 2
"""As many are kept on average when more are recorded: a rank then errs by 1 % or less."""
_PLAIN = {float, int}


class Signal:
    """One number of the application, kept and limited like what sensors measure.

    Values are given to `record`. What the manager made of them is in the sample under the
    signal's name: `metrics["latency_ms"]`.
    """

    __slots__ = ("_append", "_draw", "_share", "_values", "described", "rejected", "remove")

    def __init__(self, described: Description, remove: Callable[[], None]) -> None:
        self.described = described
        """Name, unit, limit and the rest, as declared."""
        self.remove = remove
        """Judge and keep it no longer; its history stays, and `record` does nothing more."""
        self.rejected = 0
        """Values so far that were no finite numbers and were left out."""
        self._values: deque[object] = deque(maxlen=MOST_KEPT)
        self._append = self._values.append
        self._share = 1.0
        from random import Random  # its import takes milliseconds, and most have no signal

        # Its own numbers: drawing from the shared ones would change the application's.
        self._draw = Random().random  # noqa: S311 - a sample, no secret

    def __repr__(self) -> str:
        return f"Signal({', '.join(f'{k}={v!r}' for k, v in self.described._asdict().items())})"

    def record(self, value: float) -> None:
        """Tell one value, from any thread, at any rate; never waits and never raises.

        What is no finite number (`nan`, a text, a tensor) is left out and counted in `rejected`.
        Of more than a thousand a tick a part is kept, drawn at random.
        """
        # The first since the last tick always: values that come seldom after many are not lost.
        if self._share >= 1.0 or not self._values or self._draw() < self._share:
            self._append(value)

    def freeze(self) -> None:
        """Keep nothing more: it was removed, or this is a forked child."""
        self._values = deque(maxlen=0)
        self._append = self._values.append

    def discard(self) -> None:
        """Forget what was recorded and not yet taken; not while `take` runs."""
        self._values.clear()

    def take(self) -> tuple[float, str]:
        """The value of what was recorded since the last call, or `nan` and why there is none."""
        values = self._values
        count = len(values)
        if not count:
            return nan, "no value recorded"
        popped = values.popleft  # only this thread takes, so as many as counted are there
        found = [popped() for _ in range(count)]
        self._pace(count)
        numbers = _numbers(found)
        if len(numbers) < count:
            self.rejected += count - len(numbers)
            if not numbers:
                odd = found[-1]
                kind = repr(odd) if isinstance(odd, float) else f"of type {type(odd).__name__}"
                return nan, f"only values that are no finite numbers (the last {kind}) recorded"
        return self._value_of(numbers), ""

    def _pace(self, count: int) -> None:
        """Set which part of the values to keep, so that as many as aimed at are."""
        if self._share >= 1.0 and count <= _AIM:
            return
        # When it was full nobody knows how many there were. The first was not drawn.
        recorded = 16.0 * MOST_KEPT if count == MOST_KEPT else 1.0 + (count - 1) / self._share
        self._share = min(1.0, _AIM / recorded)

    def _value_of(self, numbers: list[float]) -> float:
        numbers.sort()
        rank = max(1, ceil(len(numbers) * self.described.percentile / 100.0 - 1e-9))
        return numbers[-rank if self.described.minimum else rank - 1]


def _numbers(found: list[object]) -> list[float]:
    """The finite numbers among what was recorded."""
    if set(map(type, found)) <= _PLAIN:
        try:
            if all(map(isfinite, found)):  # type: ignore[arg-type]  # floats and ints
                return list(map(float, found))  # type: ignore[arg-type]
        except OverflowError:  # an int beyond what a float holds
            pass
    return [number for value in found if isfinite(number := _number(value))]


def _number(value: object) -> float:
    # A tensor is no `Real`: turning it into one could wait for a GPU, and here waits the tick.
    if isinstance(value, bool) or not isinstance(value, Real):
        return nan
    try:
        return float(value)
    except Exception:  # noqa: BLE001 - a number type of the application's own
        return nan


class SignalBoard:
    """All signals of a manager, and their columns. `joined` belongs to the tick.

    `add` and `drop` may not run while a tick does.
    """

    def __init__(self) -> None:
        self.columns = Columns()
        """Those of a sample, with one for each signal that there ever was."""
        self.declared: tuple[Signal, ...] = ()
        self.used = False
        """Whether there ever was one, so that a sample has their columns."""
        self._places: dict[str, int] = {}
        """Name to the place among the signals' columns."""
        self._values: list[float] = []
        self._since: list[float] = []
        """Monotonic time of the last value of each, at first of the declaration."""
        self._missing: dict[str, str] = {}

    def add(self, signal: Signal, now: float) -> None:
        """Give a signal its column: the one that it had, when its name was declared before.

        Raises `ConfigurationError` for a name that had another unit, and when there are too many.
        """
        field = Field(signal.described.name, signal.described.unit)
        place = self._places.get(field.name)
        if place is None:
            if len(self._places) >= MOST_SIGNALS:
                raise ConfigurationError(
                    f"signal {field.name!r} is one too many: a manager has {MOST_SIGNALS} at most, "
                    "those that were removed included, which leave their history; use one again"
                )
            self._places[field.name] = len(self._places)
            self._values.append(nan)
            self._since.append(now)
            self.columns = Columns((*self.columns.signals, field))
        else:
            known = self.columns.signals[place]
            if known != field:
                raise ConfigurationError(
                    f"signal {field.name!r} was declared in {known.unit!r} before, and so is its "
                    f"history: with unit={field.unit!r} give it another name"
                )
            self._since[place] = now
        self._missing[field.name] = "no value recorded yet"
        self.declared = (*self.declared, signal)
        self.used = True

    def drop(self, signal: Signal) -> None:
        """Take nothing more from a signal; its column stays, without values."""
        signal.freeze()
        self.declared = tuple([other for other in self.declared if other is not signal])
        name = signal.described.name
        self._values[self._places[name]] = nan
        self._missing[name] = "the signal was removed"

    def joined(self, sample: Sample, *, due: bool) -> Sample:
        """The sample with the signals; when it is not `due` with the values of the one before."""
        if due:
            for signal in self.declared:
                self._take(signal, sample.monotonic)
        return Sample(
            sample.time, sample.monotonic, (*sample.row, *self._values),
            {**sample.missing, **self._missing} if self._missing else sample.missing,
            sample.provenance, sample.cpu_percent_per_core, self.columns,
        )  # fmt: skip

    def _take(self, signal: Signal, now: float) -> None:
        name = signal.described.name
        place = self._places[name]
        self._values[place], reason = signal.take()
        if not reason:
            self._since[place] = now
            self._missing.pop(name, None)
        else:
            self._missing[name] = f"{reason} for {now - self._since[place]:.3g} s"

    def described(self) -> dict[str, Description]:
        """Those that are declared now, by name; from any thread."""
        return {signal.described.name: signal.described for signal in self.declared}

    def discard(self) -> None:
        """Forget what was recorded while nothing took it: it is too old to be shown as new."""
        for signal in self.declared:
            signal.discard()

    def freeze(self) -> None:
        """Become inert in a forked child: `record` keeps nothing there."""
        for signal in self.declared:
            signal.freeze()
