"""Admission as the threads of an application meet it: they wait, give up and nest."""

from __future__ import annotations

import math
import threading
import time
from typing import Any

import pytest

from amptalk.actuators.admission import AdmissionGate
from amptalk.actuators.jobs.ledger import Jobs
from amptalk.model.errors import (
    AdmissionTimeoutError,
    ConfigurationError,
    NestedAdmissionError,
    NeverFitsError,
)
from amptalk.model.level import Level
from amptalk.model.resource import MEMORY
from tests.actuators.gates import CLOCK, Hold, Holder, holding, made, tick, waiting
from tests.actuators.support import state
from tests.helpers import eventually


def test_threads_wait_in_order_and_are_let_in_when_it_fits(gate: AdmissionGate, hold: Hold) -> None:
    tick(gate)
    first = hold(memory_mb=800)
    assert first.entered.wait(20)
    large = hold(memory_mb=500)
    eventually(lambda: waiting(gate) == 1, "the large one waits")
    small = hold(memory_mb=10)
    eventually(lambda: waiting(gate) == 2, "the small one waits behind it")
    assert not large.entered.is_set()
    assert not small.entered.is_set()
    first.leave()
    assert large.entered.wait(20)
    assert small.entered.wait(20)
    counts = gate.counts
    assert (counts.admitted, counts.waited, counts.refused) == (3, 2, 0)
    assert counts.seconds_waited > 0


def test_a_tick_lets_waiters_in(gate: AdmissionGate, hold: Hold) -> None:
    hold().entered.wait(20)
    tick(gate, memory=950)
    waiter = hold(memory_mb=300)
    eventually(lambda: waiting(gate) == 1, "it waits")
    tick(gate, memory=200)
    assert waiter.entered.wait(20)


def test_what_can_never_fit_is_refused_at_once_with_both_numbers(gate: AdmissionGate) -> None:
    with pytest.raises(NeverFitsError, match=r"1200 MB of memory.*limit of 1000 MB"):
        gate.admit(memory_mb=1200)
    with pytest.raises(NeverFitsError):
        gate.admit(cpu_percent=101)
    assert gate.counts.refused == 2


def test_a_timeout_says_what_was_in_the_way(gate: AdmissionGate, hold: Hold) -> None:
    tick(gate)
    hold(memory_mb=800).entered.wait(20)
    with (
        pytest.raises(AdmissionTimeoutError, match=r"500 MB of memory do not fit: 900 of 1000"),
        gate.admit(memory_mb=500, timeout=0.02),
    ):
        raise AssertionError
    with pytest.raises(TimeoutError), gate.admit(memory_mb=500, timeout=0):
        raise AssertionError
    assert gate.counts.refused == 2
    with gate.admit(memory_mb=50, timeout=0):
        pass


def test_one_that_gave_up_does_not_hold_up_those_behind_it(gate: AdmissionGate, hold: Hold) -> None:
    tick(gate)
    hold(memory_mb=800).entered.wait(20)
    impatient = Holder(gate, memory_mb=500, timeout=0.1)
    eventually(lambda: waiting(gate) == 1, "it waits")
    behind = hold(memory_mb=10)
    assert behind.entered.wait(20)
    impatient.thread.join(20)
    assert isinstance(impatient.error, AdmissionTimeoutError)


def test_nesting_is_refused_and_the_outer_one_stays(gate: AdmissionGate) -> None:
    with gate.admit(memory_mb=100):
        with pytest.raises(NestedAdmissionError), gate.admit(memory_mb=100):
            raise AssertionError
        tick(gate)
    with gate.admit(memory_mb=100):
        pass
    assert not gate.room.busy


def test_an_error_in_the_work_gives_everything_back(gate: AdmissionGate) -> None:
    with pytest.raises(ZeroDivisionError), gate.admit(memory_mb=900):
        raise ZeroDivisionError
    with gate.admit(memory_mb=900, timeout=0):
        pass


def test_work_is_paced_by_the_allocation_of_rates(gate: AdmissionGate) -> None:
    tick(gate, cpu=0.5, memory=0.01)
    with gate.admit():
        time.sleep(0.1)
    started = time.monotonic()
    with gate.admit():
        rested = time.monotonic() - started
    assert 0.09 <= rested < 2
    assert gate.counts.waited == 1


def test_a_waiter_sees_a_rest_that_began_while_it_waited_without_any_tick(
    gate: AdmissionGate, hold: Hold
) -> None:
    tick(gate, cpu=0.5)
    first = hold(memory_mb=800)
    assert first.entered.wait(20)
    second = hold(memory_mb=500)
    eventually(lambda: waiting(gate) == 1, "it waits for room")
    first.leave()
    assert second.entered.wait(20)


def test_a_limit_lowered_while_waiting_refuses_the_waiter(gate: AdmissionGate, hold: Hold) -> None:
    tick(gate)
    hold(memory_mb=800).entered.wait(20)
    waiter = Holder(gate, memory_mb=600)
    eventually(lambda: waiting(gate) == 1, "it waits")
    gate.update((state(100, limit=500.0),), None)
    waiter.thread.join(20)
    assert isinstance(waiter.error, NeverFitsError)


def test_a_named_job_is_admitted_by_what_was_learned_unless_it_says_amounts() -> None:
    memory = [100.0]
    jobs = Jobs(CLOCK, lambda: memory[0])
    jobs.begin(1, "transcribe", math.nan, {})
    memory[0] = 400.0
    jobs.end(1)
    learned = jobs.table()["transcribe"].memory_mb
    assert learned is not None
    reserve = learned.reserve
    assert reserve >= 300
    gate = AdmissionGate(CLOCK, ((MEMORY, 1000.0),), jobs)
    tick(gate, memory=400)
    with (
        holding(gate, memory_mb=350),
        pytest.raises(AdmissionTimeoutError, match=f"{reserve:.0f} MB of memory"),
        gate.admit("transcribe", timeout=0),
    ):
        raise AssertionError
    with holding(gate, memory_mb=350), gate.admit("transcribe", memory_mb=10, timeout=0):
        pass


def test_when_only_observing_everything_passes_and_is_learned_from() -> None:
    jobs = Jobs(CLOCK, lambda: 100.0)
    gate = AdmissionGate(CLOCK, ((MEMORY, 1000.0),), jobs, enabled=False)
    tick(gate, memory=400, level=Level.EMERGENCY, cpu=0.05)
    with gate.admit("job", memory_mb=99999), gate.admit("inner", memory_mb=99999):
        pass
    with gate.admit("job"):
        pass
    assert jobs.table()["job"].runs == 2
    assert gate.counts.admitted == 3


@pytest.mark.parametrize(
    "options", [{"job": "a", "size": 0}, {"size": 3}, {"job": "a", "size": -1}]
)
def test_a_size_is_above_zero_and_belongs_to_a_named_job(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="size="):
        made().admit(**options)


def test_without_limits_everything_passes_and_admitted_amounts_are_told() -> None:
    told = []
    gate = AdmissionGate(CLOCK, (), on_admit=lambda *what: told.append(what))
    with gate.admit("job", memory_mb=1e9, cpu_percent=500):
        pass
    assert told == [("memory", 1e9), ("cpu", 500)]


@pytest.mark.parametrize(
    "options",
    [
        {"memory_mb": -1},
        {"memory_mb": math.nan},
        {"gpu_memory_mb": math.inf},
        {"cpu_percent": True},
        {"memory_mb": "300"},
        {"timeout": -1},
        {"timeout": "1"},
        {"job": ""},
        {"job": 3},
    ],
)
def test_what_cannot_be_is_refused(gate: AdmissionGate, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        gate.admit(**options)


def test_a_release_lets_waiters_in_that_fit_by_amount(gate: AdmissionGate, hold: Hold) -> None:
    tick(gate, memory=990, level=Level.EMERGENCY)
    waiter = hold(memory_mb=300)
    eventually(lambda: waiting(gate) == 1, "it waits")
    gate.release()
    assert waiter.entered.wait(20)


def test_in_a_forked_child_everything_passes_with_one_warning(
    gate: AdmissionGate, hold: Hold
) -> None:
    tick(gate)
    hold(memory_mb=900).entered.wait(20)
    gate.freeze()
    with pytest.warns(RuntimeWarning, match="forked"), gate.admit(memory_mb=900), gate.admit():
        pass
    with gate.admit(memory_mb=900):
        pass


def test_many_threads_never_hold_more_than_the_limit(gate: AdmissionGate) -> None:
    tick(gate, memory=0)
    lock, held, peak = threading.Lock(), [0], [0]

    def work(number: int) -> None:
        for turn in range(15):
            amount = 100 + (number * 37 + turn * 53) % 500
            with gate.admit(memory_mb=amount):
                with lock:
                    held[0] += amount
                    peak[0] = max(peak[0], held[0])
                time.sleep(0.0005)
                with lock:
                    held[0] -= amount

    workers = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
        assert not worker.is_alive()
    assert 500 < peak[0] <= 1000
    assert gate.counts.admitted == 120
    assert not gate.room.busy
