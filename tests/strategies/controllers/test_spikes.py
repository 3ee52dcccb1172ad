"""Leaps that are gone at once: what they took of the share comes back, load's does not."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from statistics import fmean

import pytest

from amptalk.strategies.controllers.fast import FastController
from amptalk.strategies.controllers.spikes import Spikes


class Readings:
    """A level of 0.55 of the limit that full work leads to, each reading times `factor`."""

    def __init__(self, factor: Callable[[int], float], elasticity: float = 0.3) -> None:
        self.controller = FastController()
        self._factor, self._elasticity = factor, elasticity
        self._random = Random(3)
        self._second = 0

    def run(self, seconds: int) -> list[float]:
        shares = []
        for _ in range(seconds):
            self._second += 1
            level = 0.55 * self.controller.share**self._elasticity * self._factor(self._second)
            seen = level * (1.0 + self._random.gauss(0.0, 0.02))
            shares.append(self.controller.take(float(self._second), seen))
        return shares


def lasting(seconds: int) -> Callable[[int], float]:
    """2.2 times the level for so many seconds, every twenty."""
    return lambda second: 2.2 if second % 20 < seconds else 1.0


def test_what_a_spike_took_comes_back_at_the_next_reading_once_they_are_known() -> None:
    machine = Readings(lasting(1))
    shares = machine.run(400)
    assert fmean(shares[200:]) > 0.9
    spikes = [number for number in range(200, 380) if shares[number] < 0.8]
    assert spikes
    assert all(shares[number + 1] > 0.9 for number in spikes)


@pytest.mark.parametrize(("seconds", "some"), [(1, True), (4, False), (8, False)])
def test_for_load_that_comes_and_goes_no_share_comes_back(
    monkeypatch: pytest.MonkeyPatch, seconds: int, some: bool
) -> None:
    told = []
    over = Spikes.over

    def noted(spikes: Spikes, now: float, share: float, guard: float) -> float | None:
        told.append(over(spikes, now, share, guard))
        return told[-1]

    monkeypatch.setattr(Spikes, "over", noted)
    Readings(lasting(seconds)).run(400)
    assert any(back is not None for back in told) is some


def test_a_level_that_the_cut_brought_down_is_no_spike() -> None:
    """Load that doubles for good, and answers to the cut at once."""
    machine = Readings(lambda second: 3.0 if second > 100 else 1.0, elasticity=1.0)
    shares = machine.run(200)
    assert max(shares[101:110]) < 0.8
