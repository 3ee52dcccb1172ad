"""Where a temperature settles, learned from readings that come in steps and with noise."""

from __future__ import annotations

import math
from random import Random
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.forecast.thermal import Settling, ThermalModel
from tests.strategies.plants import Thermal

START = 45.0


def heated(
    constant: float, settles_at: float, until: float, seed: int, *, every: float = 1.0
) -> Settling:
    """What was learned after a minute at rest and `until` seconds of heating."""
    random, model, moment = Random(seed), ThermalModel(), 0.0
    while moment < 60.0 + until:
        heated_for = max(0.0, moment - 60.0)
        value = settles_at + (START - settles_at) * math.exp(-heated_for / constant)
        model.update(round(value + random.gauss(0, 0.3), 1), moment)
        moment += every
    settling = model.settling()
    assert settling is not None
    return settling


@pytest.mark.parametrize(("constant", "every"), [(60.0, 1.0), (180.0, 1.0), (400.0, 5.0)])
def test_half_the_way_to_the_limit_is_enough_to_say_when_it_is_met(
    constant: float, every: float
) -> None:
    limit, settles_at = 77.0, 85.0
    whole = constant * math.log((settles_at - START) / (settles_at - limit))
    found = [
        heated(constant, settles_at, 0.5 * whole, seed, every=every).time_to(limit)
        for seed in range(15)
    ]
    assert median(seconds for seconds, _, _ in found) == pytest.approx(0.5 * whole, rel=0.2)
    inside = sum(earliest <= 0.5 * whole <= latest for _, earliest, latest in found)
    assert inside >= 10


@pytest.mark.parametrize("constant", [60.0, 180.0, 400.0])
def test_where_it_settles_is_known_once_most_of_the_way_is_gone(constant: float) -> None:
    for seed in range(5):
        settling = heated(constant, 85.0, 2.5 * constant, seed)
        assert settling.settles_at == pytest.approx(85.0, abs=1.5)
        assert settling.after(0.0) == pytest.approx(settling.value)
        assert settling.after(20.0 * constant) == pytest.approx(settling.settles_at, abs=1.5)


def test_what_settles_below_the_limit_is_not_said_to_meet_it_though_it_rises() -> None:
    straight = 0
    for seed in range(10):
        settling = heated(120.0, 75.0, 110.0, seed)
        assert settling.time_to(80.0)[2] == math.inf
        assert settling.reaches(80.0) < 0.5
        straight += settling.value + 200.0 * (settling.after(1.0) - settling.value) > 80.0
    assert straight == 10  # a straight line would have met it within 200 s


def test_another_load_is_noticed_and_the_old_equilibrium_forgotten() -> None:
    random, model = Random(3), ThermalModel()
    value = START
    for second in range(1600):
        goal = 60.0 if second < 800 else 90.0
        value += (goal - value) / 150.0
        model.update(round(value + random.gauss(0, 0.3), 1), float(second))
        if second == 799:
            settling = model.settling()
            assert settling is not None
            assert settling.settles_at == pytest.approx(60.0, abs=1.0)
            assert settling.time_to(80.0)[0] == math.inf
        if second == 900:
            settling = model.settling()
            assert settling is not None
            left = 150.0 * math.log((90.0 - value) / 10.0)
            assert settling.time_to(80.0)[0] == pytest.approx(left, rel=0.35)


def test_a_small_computer_with_die_and_board_meets_its_limit_about_when_it_is_said_to() -> None:
    ratios = []
    for seed in range(8):
        plant, model = Thermal(Random(seed)), ThermalModel()
        said: list[float] = []
        for second in range(890):
            true, measured = plant.step(1.0)
            if true > plant.limit:
                break
            model.update(measured, float(second))
            settling = model.settling()
            said.append(settling.time_to(plant.limit)[0] if settling else math.inf)
        ratios.append(said[3 * len(said) // 4] / (0.25 * len(said)))
    assert 0.6 < median(ratios) < 1.6


def test_before_enough_was_seen_nothing_is_said() -> None:
    model = ThermalModel()
    assert model.settling() is None
    for second in range(5):
        model.update(50.0, float(second))
    assert model.settling() is None


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=True, allow_infinity=True),
            st.floats(-10.0, 1e4) | st.just(math.nan),
        ),
        max_size=80,
    ),
    st.floats(-1e3, 1e3),
)
def test_whatever_is_read_what_is_said_is_bounded_and_in_order(
    readings: list[tuple[float, float]], limit: float
) -> None:
    model, now = ThermalModel(), 0.0
    for value, elapsed in readings:
        now += 0.0 if math.isnan(elapsed) else elapsed
        model.update(value, now)
        settling = model.settling()
        if settling is None:
            continue
        assert 0.0 <= settling.reaches(limit) <= 1.0
        assert math.isfinite(settling.value)
        assert math.isfinite(settling.settles_at)
        assert math.isfinite(settling.after(60.0))
        median_seconds, earliest, latest = settling.time_to(limit)
        assert 0.0 <= earliest <= median_seconds <= latest


def test_it_does_not_grow() -> None:
    model, random = ThermalModel(), Random(0)
    for second in range(5000):
        model.update(50.0 + random.gauss(0, 0.3), float(second))
        assert len(model._blocks) <= 16
