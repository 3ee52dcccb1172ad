"""Named jobs on the real machine: what they allocate is what is learned, and it is kept."""

from __future__ import annotations

import json
import math
import threading
from pathlib import Path

import pytest

from amptalk.actuators.jobs.ledger import SAVE_EVERY, Jobs
from amptalk.clock import SystemClock, VirtualClock
from amptalk.model.errors import ConfigurationError
from amptalk.sensors.own import own_memory_mb
from tests.actuators.support import sample

NO_SIZE = math.nan


def hold(megabytes: float) -> bytearray:
    """Memory that is really resident."""
    return bytearray(b"x" * 4096) * int(megabytes * 256)


def test_real_allocations_are_learned_to_ten_percent_after_five_runs_by_size() -> None:
    jobs = Jobs(SystemClock(), own_memory_mb)
    for size in (5.0, 30.0, 12.0, 22.0, 8.0):
        jobs.begin(size, "transcribe", size, {})
        hold(20.0 + 4.0 * size)
        # The memory is free again here: only a reading in between or none at all saw it.
        kept = hold(20.0 + 4.0 * size)
        jobs.end(size)
        del kept
    for size in (10.0, 28.0):
        learned = jobs.table(size)["transcribe"].memory_mb
        assert learned is not None
        assert learned.p95 == pytest.approx(20.0 + 4.0 * size, rel=0.1)


def test_a_peak_between_begin_and_end_is_seen_by_the_thread() -> None:
    seen = threading.Event()

    def measure() -> float:
        value = own_memory_mb()
        if threading.current_thread().name == "amptalk-jobs":
            seen.set()
        return value

    jobs = Jobs(SystemClock(), measure)
    jobs.begin(1, "vision", NO_SIZE, {})
    peak = hold(150.0)
    for _ in range(2):  # the second reading began after the memory was taken
        seen.clear()
        assert seen.wait(20)
    del peak
    jobs.end(1)
    learned = jobs.table()["vision"].memory_mb
    assert learned is not None
    assert learned.p95 == pytest.approx(150.0, rel=0.1)


def test_gpu_memory_energy_and_time_come_from_the_ticks() -> None:
    clock = VirtualClock()
    jobs = Jobs(clock)
    jobs.tick(sample(clock.monotonic(), gpu_memory_mb=500.0, power_watts=8.0))
    jobs.begin(1, "detect", NO_SIZE, {})
    jobs.tick(sample(clock.advance(1.0), gpu_memory_mb=900.0, power_watts=8.0))
    clock.advance(1.0)
    jobs.end(1)
    cost = jobs.table()["detect"]
    assert cost.gpu_memory_mb is not None
    assert cost.gpu_memory_mb.p95 == pytest.approx(400.0)
    assert cost.seconds is not None
    assert cost.seconds.p95 == pytest.approx(2.0)
    assert cost.joules is not None
    assert cost.joules.p95 == pytest.approx(16.0)
    assert cost.memory_mb is None


def test_unnamed_work_that_overlaps_takes_its_share() -> None:
    clock = VirtualClock()
    memory = [100.0]
    jobs = Jobs(clock, lambda: memory[0])
    for run in range(5):
        jobs.begin(run, "known", NO_SIZE, {})
        memory[0] = 200.0
        jobs.end(run)
        memory[0] = 100.0
    jobs.begin("named", "known", NO_SIZE, {})
    jobs.begin("unnamed", None, NO_SIZE, {})
    memory[0] = 600.0
    jobs.end("unnamed")
    memory[0] = 200.0
    jobs.end("named")
    learned = jobs.table()["known"].memory_mb
    assert learned is not None
    assert learned.p95 == pytest.approx(100.0, rel=0.01)


def test_work_that_is_not_learned_from_needs_no_thread() -> None:
    jobs = Jobs(SystemClock(), own_memory_mb)
    jobs.begin(1, None, NO_SIZE, {"memory": 50.0})
    kept = hold(60.0)
    jobs.tick(sample(0.0))
    ((_, progress),) = jobs.progress().values()
    assert progress.taken["memory"] == pytest.approx(60.0, rel=0.1)
    assert not jobs._watch._sampler
    del kept
    jobs.end(1)
    assert jobs.table() == {}


def test_how_long_it_lasts_is_told_anew_by_the_ticks() -> None:
    clock = VirtualClock()
    jobs = Jobs(clock)

    def last(seconds: float) -> None:
        jobs.begin(1, "vision", NO_SIZE, {})
        clock.advance(seconds)
        jobs.end(1)

    for _ in range(20):
        last(1.0)
        jobs.tick(sample(clock.monotonic()))
    before = jobs.course("vision", NO_SIZE, {}).seconds
    last(3.0)
    assert jobs.course("vision", NO_SIZE, {}).seconds == before
    for _ in range(2):  # one curve a tick: of the seconds and of the CPU time
        jobs.tick(sample(clock.monotonic()))
    assert jobs.course("vision", NO_SIZE, {}).seconds > before


def test_what_was_learned_is_there_after_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "jobs.json")
    memory = [100.0]
    jobs = Jobs(VirtualClock(), lambda: memory[0], path)
    for run, size in enumerate((10.0, 20.0)):
        jobs.begin(run, "a", size, {})
        memory[0] = 100.0 + 8.0 * size
        jobs.end(run)
        memory[0] = 100.0
    jobs.save()
    again = Jobs(VirtualClock(), lambda: 0.0, path)
    assert again.table(15.0) == jobs.table(15.0)
    assert again.reserves("a", 15.0)["memory"] == jobs.reserves("a", 15.0)["memory"]


def test_it_is_written_at_most_once_a_minute_and_only_when_there_is_news(tmp_path: Path) -> None:
    clock = VirtualClock()
    jobs = Jobs(clock, path=str(tmp_path / "jobs.json"))
    assert not jobs.due(clock.advance(SAVE_EVERY))
    jobs.begin(1, "a", NO_SIZE, {})
    jobs.end(1)
    assert not jobs.due(clock.advance(1.0))
    assert jobs.due(clock.advance(SAVE_EVERY))
    assert not jobs.due(clock.monotonic())
    jobs.save()
    assert not jobs.due(clock.advance(SAVE_EVERY))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 1, "jobs": {}}', '{"format": 2}',
     '{"format": 2, "jobs": {"a": {"runs": 1, "costs": {"memory": [[1, -5, 0, true, 0]]}}}}',
     '{"format": 2, "jobs": {"a": 3}}'],
)  # fmt: skip
def test_a_file_that_is_not_ours_is_refused_and_left_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "jobs.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError):
        Jobs(VirtualClock(), path=str(path))
    assert path.read_text() == text


def test_the_file_is_plain_json(tmp_path: Path) -> None:
    path = tmp_path / "jobs.json"
    jobs = Jobs(VirtualClock(), path=str(path))
    jobs.begin(1, "a", NO_SIZE, {})
    jobs.end(1)
    jobs.save()
    assert json.loads(path.read_text())["jobs"]["a"]["runs"] == 1
