"""Warnings: each told once, when it begins; a limit that is exceeded is no more warned of."""

from __future__ import annotations

import math

from amptalk.model.decision import Allocation, Decision, Expectation
from amptalk.model.sample import FIELDS, Sample
from amptalk.model.tick import Tick
from amptalk.simulation.warned import Warned, Warnings
from tests.strategies.observations import state


def tick(probability: float | None, value: float = 50.0) -> Tick:
    expected = None if probability is None else Expectation(90.0, 7.0, probability)
    decision = Decision("a", (Allocation("power", 0.5, "", expected),))
    sample = Sample(0.0, 0.0, (math.nan,) * len(FIELDS))
    return Tick(sample, (state("power", value, 80.0),), decision, (), 0.0, 0.0)


def test_a_warning_is_told_when_it_begins_and_again_only_after_it_has_ended() -> None:
    warnings = Warnings()
    told = [
        bool(warnings.begun(0.0, tick(probability)))
        for probability in (None, 0.2, 0.6, 0.9, 0.4, 0.6, 0.2, 0.6, None, 0.5)
    ]
    assert told == [False, False, True, False, False, False, False, True, False, True]


def test_a_warning_says_what_is_expected_of_which_limit() -> None:
    (warned,) = Warnings().begun(3.0, tick(0.7))
    assert warned == Warned(3.0, "power", "W", 50.0, 80.0, 90.0, 7.0, 0.7)


def test_what_is_over_its_limit_is_not_warned_of() -> None:
    warnings = Warnings()
    assert not warnings.begun(0.0, tick(1.0, value=81.0))
    assert warnings.begun(1.0, tick(1.0, value=79.0))
