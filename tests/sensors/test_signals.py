"""What an application records becomes one honest value a tick, whatever it records and when."""

from __future__ import annotations

import math
import threading
from decimal import Decimal
from fractions import Fraction
from numbers import Real
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.model.errors import ConfigurationError
from amptalk.model.sample import FIELDS, Sample
from amptalk.model.signal import Description
from amptalk.sensors.signals import MOST_KEPT, MOST_SIGNALS, Signal, SignalBoard

NAN = math.nan
NOTHING = Sample(1000.0, 0.0, (NAN,) * len(FIELDS), {"power_watts": "no sensor"})


def signal(name: str = "latency_ms", **changes: Any) -> Signal:
    described = Description(name, "ms", 60.0, minimum=False, kind="rate", percentile=95.0)
    return Signal(described._replace(**changes), lambda: None)


def recorded(one: Signal, *values: Any) -> Signal:
    for value in values:
        one.record(value)
    return one


def at(seconds: float) -> Sample:
    return Sample(1000.0 + seconds, seconds, NOTHING.row, NOTHING.missing)


# -- one value out of many ---------------------------------------------------------


@given(
    st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=200),
    st.floats(0.01, 100.0),
    st.booleans(),
)
def test_as_many_as_the_percentile_says_are_within_a_value_that_was_recorded(
    values: list[float], percentile: float, minimum: bool
) -> None:
    value, reason = recorded(signal(percentile=percentile, minimum=minimum), *values).take()
    assert value in values
    assert reason == ""

    def within(line: float) -> int:
        return sum(one >= line if minimum else one <= line for one in values)

    assert within(value) >= len(values) * percentile / 100.0 - 1e-6
    stricter = [one for one in values if (one > value if minimum else one < value)]
    for other in stricter:  # it is the closest one of which that holds
        assert within(other) < len(values) * percentile / 100.0


def test_nineteen_of_twenty_latencies_are_within_the_value() -> None:
    assert recorded(signal(), *range(1, 21)).take() == (19.0, "")
    assert recorded(signal(percentile=50.0), *range(1, 21)).take() == (10.0, "")
    assert recorded(signal(percentile=100.0), *range(1, 21)).take() == (20.0, "")
    assert recorded(signal(minimum=True), *range(1, 21)).take() == (2.0, "")


def test_a_value_is_taken_once() -> None:
    one = recorded(signal(), 5.0)
    assert one.take() == (5.0, "")
    value, reason = one.take()
    assert math.isnan(value)
    assert reason == "no value recorded"


# -- what is no number -------------------------------------------------------------


@pytest.mark.parametrize(
    "odd", [NAN, math.inf, -math.inf, "5", None, True, [1.0], Decimal(1), 10**400, object()]
)
def test_what_is_no_finite_number_neither_raises_nor_counts(odd: object) -> None:
    one = recorded(signal(), 5.0, odd, 7)
    assert one.take() == (7.0, "")
    assert one.rejected == 1
    value, reason = recorded(one, odd).take()
    assert math.isnan(value)
    assert reason.startswith("only values that are no finite numbers")
    assert one.rejected == 2


def test_numbers_of_other_types_count() -> None:
    class Single:  # as numpy.float32 is: a `Real` by registration
        def __float__(self) -> float:
            return 2.5

    Real.register(Single)
    one = recorded(signal(), Single(), Fraction(1, 2), 1)
    assert one.take() == (2.5, "")
    assert one.rejected == 0


def test_a_number_type_that_fails_is_left_out() -> None:
    class Odd(Fraction):
        def __float__(self) -> float:
            raise RuntimeError("not today")

    one = recorded(signal(), Odd(1, 2), 4.0)
    assert one.take() == (4.0, "")
    assert one.rejected == 1


# -- any rate, any thread ----------------------------------------------------------


def test_of_very_many_values_a_bounded_part_is_kept_that_is_like_the_whole() -> None:
    one = signal(percentile=90.0)
    one._draw = Random(7).random
    for _ in range(12):  # it finds its pace within a few ticks
        for value in range(50_000):
            one.record(value)
        assert len(one._values) <= MOST_KEPT
        found, _ = one.take()
    assert found == pytest.approx(45_000, rel=0.06)  # four standard errors of such a rank
    for value in range(100):
        one.record(value)
    one.take()
    recorded(one, *range(100))
    assert one.take()[0] == 89.0  # with few values, all of them are kept again


def test_the_first_value_of_a_tick_is_kept_however_many_came_in_the_one_before() -> None:
    one = signal()
    one._draw = lambda: 1.0  # none of the others is drawn
    recorded(one, *range(2000)).take()
    assert recorded(one, 5.0, 6.0).take() == (5.0, "")
    assert recorded(one, 7.0, 8.0).take() == (8.0, "")  # two were told of: all are kept again


def test_no_value_of_several_threads_is_lost() -> None:
    one, found, total = signal(percentile=100.0), [], 4 * 2000
    highest = threading.Event()

    def work(number: int) -> None:
        for value in range(2000):
            one.record(4 * value + number)
            if value % 50 == 0:
                highest.wait(0.0005)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or one._values:
        before = len(one._values)
        value, _ = one.take()
        assert before <= MOST_KEPT
        if not math.isnan(value):
            found.append(value)
    assert max(found) == total - 1
    assert one.rejected == 0


def test_a_frozen_signal_keeps_nothing() -> None:
    one = recorded(signal(), 1.0)
    one.freeze()
    recorded(one, 2.0, 3.0)
    assert not one._values
    assert math.isnan(one.take()[0])


# -- the columns of a sample -------------------------------------------------------


def test_signals_stand_behind_what_sensors_measure_under_their_own_names() -> None:
    board, latency = SignalBoard(), signal()
    board.add(latency, now=0.0)
    board.add(signal("queue", unit="1"), now=0.0)
    recorded(latency, 40.0)
    sample = board.joined(at(1.0), due=True)
    assert sample["latency_ms"] == 40.0
    assert sample.row[: len(FIELDS)] == NOTHING.row
    assert sample.signals["latency_ms"] == 40.0
    assert math.isnan(sample.signals["queue"])
    assert sample.missing == {"power_watts": "no sensor", "queue": "no value recorded for 1 s"}
    assert sample.as_dict()["latency_ms"] == 40.0
    assert sample.as_dict()["queue"] is None
    assert [field.unit for field in sample.columns.signals] == ["ms", "1"]
    assert len(sample.device) == len(NOTHING.device)


def test_silence_is_missing_with_its_length_and_never_the_old_value() -> None:
    board, latency = SignalBoard(), signal()
    board.add(latency, now=0.0)
    assert board.joined(at(0.0), due=False).missing["latency_ms"] == "no value recorded yet"
    recorded(latency, 40.0)
    assert board.joined(at(1.0), due=True)["latency_ms"] == 40.0
    again = board.joined(at(1.1), due=False)  # a fast tick: rates are not due
    assert again["latency_ms"] == 40.0
    silent = board.joined(at(4.0), due=True)
    assert math.isnan(silent["latency_ms"])
    assert silent.missing["latency_ms"] == "no value recorded for 3 s"
    recorded(latency, "oops")
    reason = board.joined(at(5.0), due=True).missing["latency_ms"]
    assert (
        reason == "only values that are no finite numbers (the last of type str) recorded for 4 s"
    )


def test_a_removed_signal_leaves_its_column_and_may_come_back_in_its_unit() -> None:
    board, first = SignalBoard(), signal()
    board.add(first, now=0.0)
    board.add(signal("queue"), now=0.0)
    recorded(first, 1.0)
    board.joined(at(1.0), due=True)
    board.drop(first)
    sample = board.joined(at(2.0), due=True)
    assert math.isnan(sample["latency_ms"])
    assert sample.missing["latency_ms"] == "the signal was removed"
    with pytest.raises(ConfigurationError, match="was declared in 'ms' before"):
        board.add(signal(unit="s"), now=3.0)
    second = signal(limit=80.0)
    board.add(second, now=3.0)
    recorded(second, 9.0)
    assert board.joined(at(4.0), due=True)["latency_ms"] == 9.0
    assert len(board.columns.signals) == 2


def test_names_without_end_are_refused_before_they_take_memory() -> None:
    board = SignalBoard()
    for number in range(MOST_SIGNALS):
        one = signal(f"request_{number}")
        board.add(one, now=0.0)
        board.drop(one)
    with pytest.raises(ConfigurationError, match="one too many"):
        board.add(signal("request_more"), now=0.0)


def test_what_was_recorded_before_anybody_took_it_can_be_forgotten() -> None:
    board, latency = SignalBoard(), recorded(signal(), 5.0)
    board.add(latency, now=0.0)
    board.discard()
    assert math.isnan(board.joined(at(1.0), due=True)["latency_ms"])
