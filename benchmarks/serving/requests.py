"""The requests of a trial: when, for which model and how large. Pure; the same for every arm."""

from __future__ import annotations

import math
import random
from typing import NamedTuple

from benchmarks.serving.scenarios import BURST_EVERY, BURST_SECONDS, SECOND_WINDOWS, Scenario

FIRST, SECOND = "a", "b"
_SPREAD = 0.35
"""Standard deviation of the logarithm of a size; its mean is 1."""


class Request(NamedTuple):
    """One request of a client, which wants its answer `deadline` seconds after `at`."""

    number: int
    at: float
    """Seconds after the begin of the trial."""
    model: str
    size: float
    """Working memory and time on the accelerator, relative to the mean."""


def requests_of(scenario: Scenario, seconds: float, seed: int) -> list[Request]:
    """All requests of a trial, in order."""
    drawn = random.Random(f"{scenario.name} {seed}")
    found = [
        *_arrivals(drawn, FIRST, seconds, scenario.base, scenario.burst),
        *_for_second(drawn, scenario, seconds),
    ]
    found.sort()
    return [Request(number, *rest) for number, rest in enumerate(found)]


def second_windows(scenario: Scenario, seconds: float) -> list[tuple[float, float]]:
    """When the second model is asked for: pieces of equal length and distance."""
    if not scenario.second:
        return []
    spacing = seconds / SECOND_WINDOWS
    length = spacing * scenario.second_share
    return [
        (begin, begin + length)
        for begin in (spacing * (n + (1.0 - scenario.second_share) / 2) for n in range(3))
    ]


def _for_second(
    drawn: random.Random, scenario: Scenario, seconds: float
) -> list[tuple[float, str, float]]:
    rate = scenario.second_rate
    return [
        (begin + at, model, size)
        for begin, end in second_windows(scenario, seconds)
        for at, model, size in _arrivals(drawn, SECOND, end - begin, rate, rate)
    ]


def _arrivals(
    drawn: random.Random, model: str, seconds: float, base: float, burst: float
) -> list[tuple[float, str, float]]:
    """A Poisson process whose rate is `burst` at the end of each period, else `base`."""
    found: list[tuple[float, str, float]] = []
    highest = max(base, burst)
    at = 0.0
    while True:
        at += drawn.expovariate(highest)
        if at >= seconds:
            return found
        rate = burst if at % BURST_EVERY >= BURST_EVERY - BURST_SECONDS else base
        if drawn.random() * highest < rate:
            size = math.exp(drawn.gauss(-(_SPREAD**2) / 2.0, _SPREAD))
            found.append((at, model, size))
