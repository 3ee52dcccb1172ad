"""`manager.recommendations()`: what the history saw, followed at no cost to the tick."""

from __future__ import annotations

import math
import threading

import pytest

from amptalk import ResourceManager
from amptalk.clock import VirtualClock
from amptalk.history.history import History
from amptalk.limits.limits import ResourceLimits
from amptalk.model.sample import Columns, Field, Sample
from amptalk.model.signal import Description
from amptalk.recommendations import Known, Recommendations

SIGNALS = {
    "latency_ms": Description("latency_ms", "ms", 60.0, False, "rate", 95.0),
    "fps": Description("fps", "1/s", 25.0, True, "rate", 95.0),
}
HELD_BACK = {"memory": 0.0, "latency_ms": 300.0, "fps": 0.0}
COLUMNS = Columns(tuple(Field(one.name, one.unit) for one in SIGNALS.values()))


def sample(at: float, **values: float) -> Sample:
    row = [math.nan] * len(COLUMNS.fields)
    for name, value in values.items():
        row[COLUMNS.index[name]] = value
    return Sample(at, at, tuple(row), columns=COLUMNS)


def following(history: History) -> Recommendations:
    limits = ResourceLimits(max_memory_mb=2000)
    known = Known(history, limits, lambda name: HELD_BACK[name], lambda: 4000.0, lambda: SIGNALS)
    return Recommendations(known)


def filled(history: History, seconds: int, start: int = 0) -> None:
    for at in range(start, start + seconds):
        quarter = at % 4
        history.append(
            sample(
                at, memory_used_mb=900.0 + quarter, latency_ms=40.0 + quarter, fps=30.0 - quarter
            )
        )


def test_each_resource_with_values_is_told_with_its_argument_and_its_present_limit() -> None:
    history = History()
    recommendations = following(history)
    filled(history, 1200)
    memory, latency, fps = recommendations()
    assert (memory.argument, memory.present) == ("max_memory_mb", 2000.0)
    assert memory.limit == pytest.approx(903.0 / 0.75, rel=0.025)
    assert memory.reservation == pytest.approx(901.5, rel=0.025)
    assert (latency.argument, latency.present) == ("limit", 60.0)
    assert "5 min of work were held back" in latency.reason
    assert "held back" not in memory.reason + fps.reason
    assert latency.limit == pytest.approx(43.0 / 0.85, rel=0.025)
    assert (fps.argument, fps.unit) == ("minimum", "1/s")
    assert fps.limit == pytest.approx(27.0 * 0.85, rel=0.025)
    assert memory.observed_seconds == latency.observed_seconds == 1190.0


def test_following_each_tick_or_asking_once_is_the_same() -> None:
    history = History()
    each, once = following(history), following(history)
    for start in range(0, 1500, 7):
        filled(history, 7, start)
        each.follow()
    assert each() == once()


def test_more_memory_than_the_machine_has_is_not_recommended() -> None:
    history = History()
    for at in range(1000):
        history.append(sample(at, memory_used_mb=3500.0))
    [memory] = following(history)()
    assert memory.limit is None
    assert "of the 4000 MB there are" in memory.reason


def test_pauses_are_not_observed() -> None:
    history = History()
    recommendations = following(history)
    filled(history, 700)
    filled(history, 700, start=30_000)
    assert recommendations()[0].observed_seconds == pytest.approx(1400.0, abs=20.0)


def test_a_tick_does_not_wait_for_somebody_who_asks() -> None:
    history = History()
    recommendations = following(history)
    filled(history, 100)
    with recommendations._lock:
        waiting = threading.Thread(target=recommendations.follow)
        waiting.start()
        waiting.join(5.0)
        assert not waiting.is_alive()
    assert recommendations()[0].observed_seconds == 90.0  # taken the next time


def test_before_the_first_sample_there_is_nothing_to_tell() -> None:
    assert following(History())() == ()


def test_a_manager_learns_from_its_ticks() -> None:
    clock = VirtualClock()
    manager = ResourceManager(ResourceLimits(max_memory_mb=100_000), clock=clock)
    latency = manager.signal("latency_ms", limit=60)
    for _ in range(720):
        latency.record(40.0)
        clock.advance(1.0)
        manager.tick()
    told = {one.resource: one for one in manager.recommendations()}
    assert told["memory"].limit is not None
    assert told["memory"].present == 100_000.0
    assert told["memory"].limit > manager.get_current_metrics().memory_used_mb
    assert told["latency_ms"].limit == pytest.approx(40.0 / 0.85, rel=0.03)
    assert 0.0 < told["memory"].confidence < 0.02
