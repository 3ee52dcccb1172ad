"""How well the time to a limit is told on ramps, leaks and a thermal rise, all generated.

Scored from half the way to the limit until a tenth of the time is left. The truth is when the
smooth course, without noise and with teeth averaged, meets the limit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from amptalk.forecast import Forecaster
from benchmarks.forecasting.generated import noise
from benchmarks.forecasting.protocol import HORIZON, Array

ALLOWED = 0.2
_BENT = "thermal rise, first order"
_LEFT = 0.1


class Course(NamedTuple):
    """One way to a limit."""

    name: str
    step: float
    smooth: Array
    readings: Array
    limit: float


class Reach(NamedTuple):
    """How the time to the limit was told over all seeds of one course."""

    course: str
    moments: int
    within: float
    """Share of the moments with an error of at most 20 %."""
    median_error: float
    """As a share of the true time left."""
    high_error: float
    """That 90 % of the moments stay below; `inf` where the limit was not in sight."""
    in_range: float
    """Share of the moments whose earliest and latest hold the truth between them."""

    @property
    def aimed(self) -> bool:
        """Whether a target names this course: ramps and leaks, not what bends."""
        return self.course != _BENT


def courses() -> tuple[str, ...]:
    """Names of all courses."""
    return tuple(_COURSES)


def told(name: str, seeds: int) -> Reach:
    """One course with the noise of so many seeds."""
    errors: list[float] = []
    held = 0
    make = _COURSES[name]
    for seed in range(seeds):
        course = make(np.random.default_rng(seed))
        for true, seconds, earliest, latest in _moments(course):
            errors.append(abs(seconds - true) / true)
            held += earliest <= true <= latest
    ordered = np.sort(errors)
    return Reach(
        name,
        len(errors),
        float((ordered <= ALLOWED).mean()),
        float(ordered[len(ordered) // 2]),
        float(ordered[int(0.9 * len(ordered))]),
        held / len(errors),
    )


def _moments(course: Course) -> list[tuple[float, float, float, float]]:
    """True seconds left, seconds told, earliest and latest, at each moment that is scored."""
    smooth, limit = course.smooth, course.limit
    end = int(np.argmax(smooth > limit))
    met = course.step * (end - (smooth[end] - limit) / (smooth[end] - smooth[end - 1]))
    half = int(np.argmax(smooth >= 0.5 * (smooth[0] + limit)))
    forecaster = Forecaster(HORIZON, course.step)
    moments = []
    for at in range(end):
        now = at * course.step
        forecaster.update(float(course.readings[at]), now)
        true = met - now
        if at >= half and true >= _LEFT * met:
            told = forecaster.forecast().time_to(limit)
            moments.append((true, float(told), told.earliest, told.latest))
    return moments


def _ramp(seconds: int, deviation: float, memory: float = 0.0, step: float = 1.0) -> _Make:
    """Straight growth of 400 MB; `deviation` of the noise as a share of it."""

    def make(random: np.random.Generator) -> Course:
        smooth = 300.0 + 400.0 * np.arange(0, 1.1 * seconds, step) / seconds
        readings = smooth + 400.0 * deviation * noise(random, len(smooth), memory)
        return Course("", step, smooth, readings, 700.0)

    return make


def _after_quiet(random: np.random.Generator) -> Course:
    """Ten quiet minutes, then a ramp of five."""
    ramp = _ramp(300, 0.01)(random)
    quiet = np.full(600, ramp.smooth[0])
    smooth = np.concatenate([quiet, ramp.smooth])
    readings = np.concatenate([quiet + 4.0 * random.normal(size=600), ramp.readings])
    return ramp._replace(smooth=smooth, readings=readings)


def _toothed(random: np.random.Generator) -> Course:
    """A leak of an hour with a collection every 45 s that gives back 5 % of the way."""
    leak = _ramp(3600, 0.005, 0.5)(random)
    teeth = 20.0 * (np.arange(len(leak.smooth)) % 45 / 45.0 - 0.5)
    return leak._replace(readings=leak.readings + teeth)


def _in_chunks(random: np.random.Generator) -> Course:
    """A leak of half an hour in chunks of 2 % of the way, read without noise."""
    leak = _ramp(1800, 0.0)(random)
    chunk = 8.0
    return leak._replace(readings=chunk * np.round(leak.smooth / chunk))


def _thermal(random: np.random.Generator) -> Course:
    """First-order rise of 40 degrees, time constant 120 s, limit at 85 % of it, 0.1 noise."""
    smooth: Array = 85.0 - 40.0 * np.exp(-np.arange(480) / np.float64(120.0))
    return Course("", 1.0, smooth, smooth + 0.1 * random.normal(size=480), 45.0 + 0.85 * 40.0)


_Make: TypeAlias = Callable[[np.random.Generator], Course]
_COURSES: dict[str, _Make] = {
    "ramp of 2 min, noise 1 %": _ramp(120, 0.01),
    "ramp of 10 min, noise 2 %": _ramp(600, 0.02),
    "ramp of 5 min after 10 quiet ones, noise 1 %": _after_quiet,
    "leak of 2 h, noise 2 %": _ramp(7200, 0.02),
    "leak of 2 h, noise 2 % with memory 0.9": _ramp(7200, 0.02, 0.9),
    "leak of 1 h with sawtooth": _toothed,
    "leak of 30 min in chunks": _in_chunks,
    "leak of 20 h at 1 min, noise 2 %": _ramp(72_000, 0.02, 0.5, 60.0),
    _BENT: _thermal,
}
