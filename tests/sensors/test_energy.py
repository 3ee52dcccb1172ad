"""Energy: counters unwrapped, power integrated, and totals that never mix two sources."""

import errno
import math
import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.model.energy import EnergyMark, energy_between
from amptalk.sensors.files import SensorFault
from amptalk.sensors.power.choice import PowerSource
from amptalk.sensors.power.counters import (
    LONGEST,
    PLAUSIBLE_WATTS,
    Counter,
    CounterGroup,
    difference,
)
from amptalk.sensors.power.trapezoid import Trapezoid
from amptalk.sensors.report import Notes
from amptalk.sensors.slow import SlowReader
from tests.sensors.test_power import HWMON, MICRO, SUPPLY, put, zone
from tests.sensors.trees import Tree, failing

SPAN = 262_143_328_850
WATTS = st.floats(0, 500)
SECONDS = st.floats(0.25, 10)


@given(start=st.integers(0, SPAN - 1), watts=WATTS, seconds=SECONDS)
def test_a_counter_gives_its_energy_wherever_it_wraps(
    start: int, watts: float, seconds: float
) -> None:
    used = int(watts * seconds * 1e6)
    joules = difference(start, (start + used) % SPAN, seconds, SPAN)
    assert joules == pytest.approx(used / 1e6)


@given(old=st.integers(0, SPAN), new=st.integers(0, SPAN), seconds=SECONDS,
       wrap_watts=st.floats(1, PLAUSIBLE_WATTS))  # fmt: skip
def test_no_difference_is_negative_or_implausible(
    old: int, new: int, seconds: float, wrap_watts: float
) -> None:
    joules = difference(old, new, seconds, SPAN, wrap_watts)
    if joules is not None:
        most = wrap_watts if new < old else PLAUSIBLE_WATTS
        assert 0 <= joules <= most * (seconds + 0.01) * 1.000001


STEPS = st.tuples(st.floats(0, 300), st.floats(0.01, 5), st.booleans())


@given(start=st.integers(0, SPAN - 1), steps=st.lists(STEPS, min_size=1, max_size=20))
def test_a_total_is_right_whatever_wraps_and_fails(
    start: int, steps: list[tuple[float, float, bool]]
) -> None:
    class Made(Counter):
        def read(self) -> int:
            if fails:
                raise SensorFault("cannot be read")
            return energy % SPAN

    def clock() -> float:
        return now

    energy, now, counted, fails = start, 0.0, start, False
    group = CounterGroup({"package-0": Made("energy_uj", SPAN)})
    group.advance(clock)
    for watts, seconds, lost in steps:
        energy, now, fails = energy + int(watts * seconds * 1e6), now + seconds, lost
        try:
            group.advance(clock)
        except SensorFault:
            continue
        counted = energy
    assert group.unknown == 0
    assert group.joules == pytest.approx((counted - start) / 1e6)


@given(old=st.integers(1, SPAN), drop=st.integers(1, SPAN), seconds=SECONDS)
def test_without_a_known_span_a_step_back_is_unknown(old: int, drop: int, seconds: float) -> None:
    assert difference(old, max(0, old - drop), seconds) is None


def test_a_time_in_which_it_may_have_wrapped_twice_is_unknown() -> None:
    assert difference(0, 1_000_000, 131, SPAN) == 1
    assert difference(0, 1_000_000, 132, SPAN) is None


@given(points=st.lists(st.tuples(st.floats(0, 0.9 * LONGEST), WATTS), min_size=2, max_size=20))
def test_the_trapezoid_lies_between_the_extremes_of_the_power(
    points: list[tuple[float, float]],
) -> None:
    total, now = Trapezoid("x"), 0.0
    for step, watts in points:
        now += step
        total.add(now, watts)
    span = now - points[0][0]
    powers = [watts for _step, watts in points]
    assert min(powers) * span - 1e-6 <= total.joules <= max(powers) * span + 1e-6
    assert total.unknown == 0


@given(slope=st.floats(-5, 5), times=st.lists(st.floats(0, 60), min_size=2, max_size=20))
def test_the_trapezoid_is_exact_for_a_straight_line(slope: float, times: list[float]) -> None:
    times = sorted(times)
    total = Trapezoid("x")
    for at in times:
        total.add(at, 400 + slope * at)
    first, last = times[0], times[-1]
    exact = 400 * (last - first) + slope * (last**2 - first**2) / 2
    covered = sum(b - a for a, b in pairwise(times) if b - a <= LONGEST)
    assert covered + total.unknown == pytest.approx(last - first)
    if total.unknown == 0:
        assert total.joules == pytest.approx(exact, abs=1e-6)


@given(times=st.lists(st.floats(0, 100), min_size=1, max_size=30))
def test_the_total_never_falls_whatever_the_order_of_times(times: list[float]) -> None:
    total, before = Trapezoid("x"), 0.0
    for at in times:
        total.add(at, 10)
        assert total.joules >= before
        before = total.joules


class Power(PowerSource):
    """A source that is read by hand, without threads."""

    def __init__(self, tree: Tree) -> None:
        self.slow = SlowReader(tree.clock, threads=False)
        super().__init__(tree.roots, Notes({}), tree.clock, self.slow)
        self.slow.run_due(tree.clock.monotonic())

    def renew(self, now: float) -> None:
        self._parts.hurry()
        self.slow.run_due(now)


@pytest.fixture
def source(tree: Tree) -> PowerSource:
    return Power(tree)


def mark(tree: Tree, source: PowerSource, seconds: float = 0) -> EnergyMark:
    return source.energy(tree.clock.advance(seconds))


def test_a_counter_is_preferred_to_samples_of_a_meter(tree: Tree) -> None:
    put(tree, f"{SUPPLY}/BAT0", type="Battery", status="Discharging", power_now=20 * MICRO)
    zone(tree, "intel-rapl:0", "package-0", 0)
    source = Power(tree)
    source.renew(tree.clock.monotonic())
    first = mark(tree, source)
    zone(tree, "intel-rapl:0", "package-0", 3)
    last = mark(tree, source, 0.1)
    assert source.value == 20
    assert energy_between(first, last) == (3.0, "")  # the 2 J of the battery are not this source's
    assert last.source == "RAPL package-0: processor only"


def test_two_marks_around_a_missed_read_still_count_everything(tree: Tree) -> None:
    zone(tree, "intel-rapl:0", "package-0", 10)
    source = Power(tree)
    first = mark(tree, source)
    zone(tree, "intel-rapl:0", "package-0", 10)
    tree.put("sys/class/powercap/intel-rapl:0/energy_uj", "")
    failed = mark(tree, source, 5)
    zone(tree, "intel-rapl:0", "package-0", 110)
    last = mark(tree, source, 5)
    assert math.isnan(failed.joules)
    assert "energy_uj" in failed.reason
    assert energy_between(first, last) == (100.0, "")


def test_a_reset_makes_the_energy_of_its_time_unknown(tree: Tree) -> None:
    zone(tree, "intel-rapl:0", "package-0", 1000, max_energy_range_uj=SPAN)
    source = Power(tree)
    first = mark(tree, source)
    zone(tree, "intel-rapl:0", "package-0", 1, max_energy_range_uj=SPAN)
    after = mark(tree, source, 5)
    joules, reason = energy_between(first, after)
    assert math.isnan(joules)  # neither -999 J nor 261 kJ
    assert "not known for 5.00 s of 5.00 s" in reason
    zone(tree, "intel-rapl:0", "package-0", 51, max_energy_range_uj=SPAN)
    assert energy_between(after, mark(tree, source, 5)) == (50.0, "")


def test_energy_of_samples_follows_the_power(tree: Tree) -> None:
    put(tree, HWMON, name="ina3221", in1_label="VDD_IN", in1_input=5000, curr1_input=1000)
    source = Power(tree)
    first = mark(tree, source)
    put(tree, HWMON, curr1_input=3000)
    last = mark(tree, source, 4)
    assert energy_between(first, last) == (40.0, "")
    assert last.source.startswith("trapezoid of power samples, INA3221 VDD_IN")


def test_marks_in_quick_succession_read_the_sensor_once(tree: Tree) -> None:
    put(tree, HWMON, name="ina3221", in1_label="VDD_IN", in1_input=5000, curr1_input=1000)
    source = Power(tree)
    first = mark(tree, source)
    put(tree, HWMON, curr1_input=9000)
    second = mark(tree, source, 0.2)
    assert energy_between(first, second)[0] == pytest.approx(1)  # 5 W held, not yet 45 W
    third = mark(tree, source, 0.2)  # by now that reading is too old to be held
    assert energy_between(second, third)[0] == pytest.approx((5 + 45) / 2 * 0.2)


def test_samples_too_far_apart_say_nothing_of_the_time_between(tree: Tree) -> None:
    put(tree, HWMON, name="ina3221", in1_label="VDD_IN", in1_input=5000, curr1_input=1000)
    source = Power(tree)
    first = mark(tree, source)
    joules, reason = energy_between(first, mark(tree, source, 60))
    assert math.isnan(joules)  # not the 300 J of a straight line over a minute
    assert "too far apart" in reason


def test_a_counter_that_may_not_be_read_leaves_the_samples(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tree, HWMON, name="ina3221", in1_label="VDD_IN", in1_input=5000, curr1_input=1000)
    zone(tree, "intel-rapl:0", "package-0", 7)
    path = f"{tree.roots.sys}/class/powercap/intel-rapl:0/energy_uj"
    failing(monkeypatch, path, errno.EACCES)
    source = Power(tree)
    joules, reason = energy_between(mark(tree, source), mark(tree, source, 2))
    assert (joules, reason) == (10.0, "")


def test_a_changed_source_is_a_reason_and_no_sum(tree: Tree) -> None:
    put(tree, f"{SUPPLY}/BAT0", type="Battery", status="Discharging", power_now=20 * MICRO)
    put(tree, "sys/class/hwmon/hwmon1", name="fam15h_power", power1_input=8 * MICRO)
    source = Power(tree)
    first = mark(tree, source)
    put(tree, f"{SUPPLY}/BAT0", status="Charging")
    assert mark(tree, source, 1).reason == "battery gives no power at the moment"
    source.renew(tree.clock.monotonic())
    joules, reason = energy_between(first, mark(tree, source))
    assert math.isnan(joules)  # 14 J would be half device, half processor
    assert "source of energy changed" in reason


def test_a_device_without_sensor_gives_the_reason(tree: Tree, source: PowerSource) -> None:
    joules, reason = energy_between(mark(tree, source), mark(tree, source, 1))
    assert math.isnan(joules)
    assert reason.startswith("no power sensor")


def test_a_device_that_gains_a_zone_starts_a_new_total(tree: Tree) -> None:
    zone(tree, "intel-rapl:0", "package-0", 500)
    source = Power(tree)
    first = mark(tree, source)
    zone(tree, "intel-rapl:0", "package-0", 600)
    mark(tree, source, 1)
    zone(tree, "intel-rapl:1", "package-1", 10)
    source.discover()
    source.renew(tree.clock.monotonic())
    joules, reason = energy_between(first, mark(tree, source, 1))
    assert math.isnan(joules)  # not the -100 J of a total that began anew
    assert "changed from RAPL package-0" in reason


def test_threads_may_mark_while_the_loop_reads(tree: Tree) -> None:
    zone(tree, "intel-rapl:0", "package-0", 7)
    source = Power(tree)
    found: list[EnergyMark] = []

    def marking() -> None:
        found.extend([source.energy(tree.clock.monotonic()) for _ in range(50)])

    threads = [threading.Thread(target=marking) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        source.renew(tree.clock.monotonic())
    for thread in threads:
        thread.join(10)
    assert len(found) == 200
    assert {(one.joules, one.reason) for one in found} == {(0.0, "")}
