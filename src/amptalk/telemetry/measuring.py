"""What a block of code took: seconds, joules, peaks of memory and temperature.

`with manager.measure("inference") as m: ...`, also `async with`, nested and from several
threads. Each figure says where it comes from, or is `nan` with the reason. Energy is that of
the device or of its processor in that time, whoever used it: a measure beside other work
contains that work. Peaks are those of the samples taken during the block and the one before
it; what lies between two samples is not seen.

The sensors are read by what is injected here; the result is also an event of the history.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from math import isnan, nan
from typing import TYPE_CHECKING, NamedTuple

from amptalk.history.history import History
from amptalk.model.energy import EnergyMark, energy_between, no_energy
from amptalk.model.errors import AmptalkError
from amptalk.model.sample import Provenance

if TYPE_CHECKING:
    from typing_extensions import Self

_PEAKS = {
    "peak_memory_mb": "memory_used_mb",
    "peak_temperature_celsius": "temperature_celsius",
}
_RUNNING = "the measured block has not ended"


class Energy(NamedTuple):
    """What the device has used since the manager was made."""

    seconds: float
    joules: float
    """Without that of `unknown_seconds`; `nan` with a reason when nothing is known."""
    unknown_seconds: float
    provenance: Provenance | None
    reason: str


class Measure:
    """One measured block; the figures are `nan` until it has ended. Used once."""

    __slots__ = (
        "_begun", "_first", "_of", "joules", "missing", "name", "peak_memory_mb",
        "peak_temperature_celsius", "provenance", "seconds",
    )  # fmt: skip

    def __init__(self, of: Measuring, name: str) -> None:
        self._of = of
        self._begun = nan
        self._first: EnergyMark | None = None
        self.name = name
        self.seconds = nan
        self.joules = nan
        self.peak_memory_mb = nan
        """Highest memory of the manager's scope."""
        self.peak_temperature_celsius = nan
        self.missing: Mapping[str, str] = dict.fromkeys(("seconds", "joules", *_PEAKS), _RUNNING)
        """Figure to the reason why it is `nan`."""
        self.provenance: Mapping[str, Provenance] = {}
        """Figure to its origin; for `joules` whether counters or samples, and what they cover."""

    def __repr__(self) -> str:
        return (
            f"Measure({self.name!r}, seconds={self.seconds:.6g}, joules={self.joules:.6g}, "
            f"peak_memory_mb={self.peak_memory_mb:.6g}, "
            f"peak_temperature_celsius={self.peak_temperature_celsius:.6g})"
        )

    def __enter__(self) -> Self:
        if self._first is not None:
            raise AmptalkError(
                f"measure {self.name!r} was entered already; ask manager.measure for a new one"
            )
        self._first = self._of.mark()
        self._begun = self._of.now()
        return self

    def __exit__(self, *_error: object) -> None:
        ended = self._of.now()
        if self._first is None:
            return
        self.seconds = ended - self._begun
        missing: dict[str, str] = {}
        provenance: dict[str, Provenance] = {}
        last = self._of.mark()
        self.joules, reason = energy_between(self._first, last)
        if reason:
            missing["joules"] = reason
        else:
            provenance["joules"] = Provenance(last.method, last.source, ended)
        for figure, field in _PEAKS.items():
            value, origin = self._of.peak(field, self._begun)
            setattr(self, figure, value)
            if isnan(value):
                missing[figure] = origin
            else:
                provenance[figure] = Provenance("measured", origin, ended)
        self.missing, self.provenance = missing, provenance
        self._of.note(self)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *error: object) -> None:
        self.__exit__(*error)

    def as_dict(self) -> dict[str, float | None]:
        """The figures by name, `None` where missing."""
        figures = {name: getattr(self, name) for name in ("seconds", "joules", *_PEAKS)}
        return {name: None if isnan(value) else value for name, value in figures.items()}


class Measuring:
    """Makes measures: `manager.measure`."""

    def __init__(
        self,
        history: History,
        energy: Callable[[], EnergyMark],
        now: Callable[[], float],
        time: Callable[[], float],
    ) -> None:
        self._history = history
        self._energy = energy
        self.now = now
        """Monotonic seconds."""
        self._time = time
        self._process = os.getpid()
        self._first = self.mark()

    def __call__(self, name: str) -> Measure:
        """Measure a block: `with manager.measure("inference") as m: ...`."""
        return Measure(self, name)

    def since_start(self) -> Energy:
        """Tell the energy since the manager was made, as far as its source did not change."""
        first, last = self._first, self.mark()
        seconds = last.at - first.at
        if first.reason or last.reason or first.serial != last.serial:
            return Energy(seconds, nan, seconds, None, energy_between(first, last)[1])
        return Energy(
            seconds, last.joules - first.joules, last.unknown - first.unknown,
            Provenance(last.method, last.source, last.at), "",
        )  # fmt: skip

    def mark(self) -> EnergyMark:
        """Tell the energy up to now."""
        if os.getpid() != self._process:
            return no_energy(self.now(), "the manager belongs to the parent process")
        return self._energy()

    def peak(self, field: str, begun: float) -> tuple[float, str]:
        """The highest value since `begun` and its origin, or `nan` and the reason.

        The sample before `begun` counts when it is at most one interval older.
        """
        history = self._history
        latest = history.latest
        seconds = nan if latest is None else latest.monotonic - begun + history.interval
        if latest is None or not seconds > 0.0:
            return nan, f"no sample in that time: {history.interval:g} s lie between two"
        if seconds < history.interval:  # the only one may be the one before
            value = latest[field]
            count = 0 if isnan(value) else 1
        else:
            window = history.window(field, seconds)
            value, count = window.maximum, window.count
        if count == 0:
            return nan, latest.missing.get(field) or f"{field} has no value in that time"
        return value, f"highest of {count} sample{'s' if count > 1 else ''} of {field}"

    def note(self, measure: Measure) -> None:
        """Keep the result as an event."""
        origin = measure.provenance.get("joules")
        self._history.note(
            "measure", self._time(), name=measure.name, **measure.as_dict(),
            energy_source=None if origin is None else origin.source,
        )  # fmt: skip
