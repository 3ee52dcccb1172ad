"""Measured blocks: figures with their origin, peaks of samples, nesting, threads, events."""

import asyncio
import json
import math
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from amptalk.clock import VirtualClock
from amptalk.history.history import History
from amptalk.manager import ResourceManager
from amptalk.model.energy import EnergyMark, no_energy
from amptalk.model.errors import AmptalkError
from amptalk.model.sample import FIELDS, INDEX, Sample
from amptalk.telemetry.measuring import Measuring
from tests.helpers import output_of

SOURCE = "RAPL package-0: processor only"


class Bench:
    """A device that uses 10 W, with a history and a clock that moves when told."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.history = History(1.0)
        self.energy: Callable[[], EnergyMark] = self.counted
        self.unknown = 0.0
        self.measure = Measuring(self.history, self.told, self.clock.monotonic, self.clock.time)

    def told(self) -> EnergyMark:
        return self.energy()

    def counted(self) -> EnergyMark:
        now = self.clock.monotonic()
        return EnergyMark(now, 10 * now, self.unknown, "derived", SOURCE, 1, "")

    def sample(self, memory: float, celsius: float = math.nan) -> None:
        row = [math.nan] * len(FIELDS)
        row[INDEX["memory_used_mb"]] = memory
        row[INDEX["temperature_celsius"]] = celsius
        missing = {"temperature_celsius": "no sensor"} if math.isnan(celsius) else {}
        now = self.clock.monotonic()
        self.history.append(Sample(self.clock.time(), now, tuple(row), missing))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_seconds_and_joules_are_those_between_the_marks(bench: Bench) -> None:
    bench.clock.advance(5)
    with bench.measure("inference") as measure:
        assert math.isnan(measure.joules)
        bench.clock.advance(0.25)
    bench.clock.advance(5)
    assert measure.seconds == 0.25
    assert measure.joules == pytest.approx(2.5)
    assert measure.provenance["joules"][:2] == ("derived", SOURCE)
    assert "joules" not in measure.missing


def test_nested_measures_each_have_their_own(bench: Bench) -> None:
    with bench.measure("outer") as outer:
        bench.clock.advance(1)
        with bench.measure("inner") as inner:
            bench.clock.advance(2)
    assert (outer.joules, inner.joules) == (30, 20)
    assert [event["name"] for event in bench.history.events] == ["inner", "outer"]


def test_peaks_are_the_highest_samples_of_the_block(bench: Bench) -> None:
    bench.sample(900, 80)
    bench.clock.advance(10)
    bench.sample(100, 40)
    with bench.measure("load") as measure:
        for memory, celsius in ((200, 50), (500, 45)):
            bench.clock.advance(1)
            bench.sample(memory, celsius)
        bench.clock.advance(0.5)
    assert measure.peak_memory_mb == 500  # the 900 MB of long before are not its own
    assert measure.peak_temperature_celsius == 50
    assert measure.provenance["peak_memory_mb"].source == "highest of 3 samples of memory_used_mb"


def test_a_short_block_shows_the_sample_just_before_it(bench: Bench) -> None:
    bench.sample(100)
    bench.clock.advance(0.5)
    with bench.measure("short") as measure:
        bench.clock.advance(0.01)
    assert measure.peak_memory_mb == 100
    assert "1 sample " in measure.provenance["peak_memory_mb"].source
    assert measure.missing["peak_temperature_celsius"] == "no sensor"


def test_without_a_sample_in_that_time_peaks_are_missing(bench: Bench) -> None:
    bench.sample(100)
    bench.clock.advance(30)
    with bench.measure("later") as measure:
        bench.clock.advance(1)
    assert math.isnan(measure.peak_memory_mb)  # not the 100 MB of half a minute ago
    assert "no sample in that time" in measure.missing["peak_memory_mb"]


def test_energy_with_a_hole_is_missing_and_says_how_large_it_is(bench: Bench) -> None:
    with bench.measure("broken") as measure:
        bench.clock.advance(10)
        bench.unknown = 5
    assert math.isnan(measure.joules)
    assert "not known for 5.00 s of 10.00 s" in measure.missing["joules"]
    total = bench.measure.since_start()
    assert (total.seconds, total.joules, total.unknown_seconds) == (10, 100, 5)


def test_a_device_without_energy_gives_the_reason(bench: Bench) -> None:
    bench.energy = lambda: no_energy(bench.clock.monotonic(), "no power sensor")
    with bench.measure("x") as measure:
        pass
    assert measure.missing["joules"] == "no power sensor"
    total = bench.measure.since_start()
    assert math.isnan(total.joules)
    assert total.reason == "no power sensor"


def test_the_result_is_an_event_that_files_can_carry(bench: Bench) -> None:
    with pytest.raises(ZeroDivisionError), bench.measure("fails"):
        bench.clock.advance(2)
        _ = 1 / 0
    (event,) = bench.history.events
    assert event["kind"] == "measure"
    assert event["joules"] == 20
    assert event["peak_memory_mb"] is None
    assert event["energy_source"] == SOURCE
    assert "NaN" not in json.dumps(event)


def test_a_measure_is_entered_once(bench: Bench) -> None:
    measure = bench.measure("x")
    with measure:
        pass
    with pytest.raises(AmptalkError, match="entered already"), measure:
        pass


def test_async_with_measures_too(bench: Bench) -> None:
    async def work() -> float:
        async with bench.measure("async") as measure:
            bench.clock.advance(3)
        return measure.joules

    assert asyncio.run(work()) == 30


def test_threads_measure_independently() -> None:
    with ResourceManager(monitoring_interval=0.1) as manager:

        def work(number: int) -> None:
            for _ in range(20):
                with manager.measure(f"thread-{number}"):
                    pass

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    names = [event["name"] for event in manager.history.events if event["kind"] == "measure"]
    assert sorted(names) == sorted(f"thread-{number}" for number in range(4) for _ in range(20))


def test_a_running_manager_gives_memory_and_saves_the_event(tmp_path: Path) -> None:
    with ResourceManager(monitoring_interval=0.1) as manager, manager.measure("block") as measure:
        pass
    assert measure.peak_memory_mb > 1
    assert math.isnan(measure.joules) == ("joules" in measure.missing)
    for suffix in ("json", "jsonl", "csv", "sqlite"):
        manager.save_metrics(tmp_path / f"metrics.{suffix}")
    kept = json.loads((tmp_path / "metrics.json").read_text())
    assert "block" in [event.get("name") for event in kept["events"]]


def test_a_forked_child_measures_time_and_says_why_nothing_else() -> None:
    assert (
        output_of(
            "import os, amptalk\n"
            "with amptalk.create_resource_manager() as manager:\n"
            "    if (pid := os.fork()) == 0:\n"
            "        with manager.measure('child') as m: pass\n"
            "        assert 'belongs to the parent' in m.missing['joules'], m.missing\n"
            "        assert m.seconds >= 0\n"
            "        os._exit(7)\n"
            "    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
        ).strip()
        == "7"
    )
