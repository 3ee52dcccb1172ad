"""The rules of admission on a virtual clock: order, fit, levels, pace."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from amptalk.actuators.admission_queue import AdmissionQueue
from amptalk.actuators.admission_request import Request, Status
from amptalk.actuators.admission_rests import LONGEST_REST
from amptalk.model.level import Level
from tests.actuators.queues import LIMITS, ask, judged, own, queue, read, running, see
from tests.actuators.support import state


def test_it_fits_while_committed_and_amount_stay_within_the_limit() -> None:
    made = queue(memory=400)
    first, second, third = (ask(made, memory=300) for _ in range(3))
    assert running(first, second, third) == [True, True, False]
    made.leave(first, 1.0)
    made.advance(1.0)
    assert running(second, third) == [True, True]


def test_what_is_measured_counts_when_it_is_more_than_what_was_asked_for() -> None:
    made = queue(memory=400)
    first = ask(made, memory=100)
    see(made, now=1.0, memory=950)
    assert running(ask(made, 1.0, memory=100)) == [False]
    made.leave(first, 2.0)
    see(made, now=3.0, memory=400)
    made.advance(3.0)
    assert not made.head


def test_the_baseline_is_what_was_used_when_nothing_was_outstanding() -> None:
    made = queue(memory=400)
    ask(made, memory=500)
    see(made, now=1.0, memory=410)  # the job has not taken its 500 yet
    assert running(ask(made, 1.0, memory=150)) == [False]


def test_a_lower_measurement_lowers_the_baseline() -> None:
    made = queue(memory=600)
    ask(made, memory=300)
    see(made, now=1.0, memory=500)
    assert running(ask(made, 1.0, memory=200)) == [True]


def test_what_a_job_gave_back_counts_at_once_but_not_below_the_baseline() -> None:
    made = queue(memory=400)
    first = ask(made, memory=500)
    see(made, now=1.0, memory=900)
    made.leave(first, 1.5)
    assert running(ask(made, 1.5, memory=600)) == [True]
    other = queue(memory=400)
    claimed = ask(other, memory=500)  # and used nothing of it
    other.leave(claimed, 0.5)
    assert running(ask(other, 0.5, memory=601)) == [False]


def test_what_the_application_reads_of_itself_stands_for_what_work_gave_back() -> None:
    made = queue(memory=400)
    first = ask(made, memory=500)
    made.begun(first, own(50))
    made.update(judged({"memory": 900}), 1.0, own(550, climbed=500))
    made.leave(first, 1.5, own(250, climbed=500))  # malloc kept 200 of it
    assert running(ask(made, 1.5, memory=401)) == [False]
    assert running(ask(queue(memory=600), memory=400)) == [True]


def test_what_malloc_keeps_is_baseline_though_work_never_pauses() -> None:
    made = queue(memory=100)
    first, second = ask(made, memory=300), ask(made, memory=300)
    made.begun(first, own(100))
    made.update(judged({"memory": 400}), 1.0, own(400, climbed=300))
    made.begun(second, own(400, climbed=300))
    made.leave(first, 1.0, own(300, climbed=300))  # kept 200, and the second took nothing yet
    assert made.view(1.0).room == {}
    third = ask(made, 1.0, memory=401)
    assert made.view(1.0).room["memory"] == 1000 - (300 + 300)
    made.leave(third, 1.0)
    assert running(ask(made, 1.0, memory=400)) == [True]


def test_what_is_used_beyond_all_that_runs_may_have_taken_is_baseline() -> None:
    made = queue(memory=100)
    made.begun(ask(made, memory=200), own(100))
    made.update(judged({"memory": 500}), 1.0, own(500, climbed=400))
    other = ask(made, memory=501)  # 300 are nobody's, 200 outstanding
    assert running(other) == [False]
    made.leave(other, 1.0)
    made.update(judged({"memory": 150}), 1.0, own(150, climbed=400))
    assert running(ask(made, memory=501)) == [True]


def test_work_of_unknown_cost_does_not_raise_the_baseline() -> None:
    made = queue(memory=100)
    unknown = ask(made)
    see(made, memory=700)
    made.leave(unknown, 1.0)
    see(made, memory=100)
    assert running(ask(made, memory=900)) == [True]


def test_an_old_measurement_changes_nothing_and_a_missing_one_neither() -> None:
    made = queue(memory=400)
    see(made, memory=math.nan)
    see(made, memory=5000, fresh=False)
    assert running(ask(made, memory=600)) == [True]


def test_without_any_measurement_the_amounts_alone_count() -> None:
    made = queue()
    assert running(ask(made, memory=600), ask(made, memory=600)) == [True, False]


def test_a_rate_counts_by_amounts_only() -> None:
    made = queue(cpu=79)
    assert running(ask(made, cpu=50), ask(made, cpu=30), ask(made, cpu=1)) == [True, True, False]


def test_a_small_late_request_does_not_overtake() -> None:
    made = queue(memory=400)
    first, large, small = ask(made, memory=500), ask(made, memory=300), ask(made, memory=1)
    assert running(first, large, small) == [True, False, False]
    assert "others came first" in made.obstacle(small, 0.0)
    made.leave(large, 0.0)
    made.advance(0.0)
    assert running(small) == [True]


def test_at_critical_work_waits_unless_nothing_runs_and_at_emergency_in_any_case() -> None:
    made = queue()
    see(made, memory=900, level=Level.CRITICAL)
    first, second = ask(made, memory=10), ask(made, memory=10)
    assert running(first, second) == [True, False]
    assert "level critical" in made.obstacle(second, 0.0)
    made.leave(first, 1.0)
    see(made, now=1.0, memory=900, level=Level.EMERGENCY)
    made.advance(1.0)
    assert running(second) == [False]
    see(made, now=2.0, memory=900, level=Level.ELEVATED)
    made.advance(2.0)
    assert running(second, ask(made, 2.0, memory=10)) == [True, True]


def test_a_level_that_outlives_its_value_holds_no_work_back() -> None:
    made = queue()
    for level in (Level.CRITICAL, Level.EMERGENCY):
        see(made, memory=740, level=level)
        assert running(ask(made, memory=1), ask(made, memory=1)) == [True, True]
    see(made, memory=760, level=Level.CRITICAL)
    assert running(ask(made, memory=1)) == [False]


def test_only_the_holds_that_a_job_uses_hold_it_back_and_all_when_it_names_none() -> None:
    made = queue()
    ask(made)  # something runs
    see(made, gpu_memory=450, level=Level.CRITICAL)
    see(made, memory=100)
    assert running(ask(made, memory=1)) == [True]
    assert running(ask(made)) == [False]


def test_a_learned_amount_never_stops_a_lone_job() -> None:
    made = queue(memory=900)
    request = Request("job", {"memory": 400.0}, frozenset({"memory"}))
    made.enter(request)
    made.advance(0.0)
    assert running(request) == [True]
    second = Request("job", {"memory": 400.0}, frozenset({"memory"}))
    made.enter(second)
    made.advance(0.0)
    assert running(second) == [False]


def test_beside_other_work_what_was_learned_leaves_two_percent_free() -> None:
    for amount, starts in ((580.0, True), (590.0, False)):
        made = queue(memory=100)
        ask(made, memory=300)
        learned = Request("job", {"memory": amount}, frozenset({"memory"}))
        made.enter(learned)
        made.advance(0.0)
        assert running(learned) == [starts]
    made = queue(memory=100)
    assert running(ask(made, memory=300), ask(made, memory=600)) == [True, True]  # declared


def test_what_does_not_fit_though_nothing_runs_lets_others_pass_and_is_first_again() -> None:
    made = queue(memory=600)
    large, small, other = ask(made, memory=500), ask(made, memory=50), ask(made, memory=50)
    assert running(large, small, other) == [False, True, False]
    made.leave(small, 1.0)
    see(made, now=1.0, memory=400)
    made.advance(1.0)
    assert running(large, other) == [True, True]


def test_of_several_readings_about_a_measurement_the_one_that_leaves_the_rest_as_it_was() -> None:
    """100 MB are not of the application; a job of 500 MB ended while it was measured."""
    made = queue(memory=200)
    first = ask(made, memory=500)
    made.begun(first, own(100))
    made.update(judged({"memory": 700}), 1.0, read(600, 600, 600))
    made.leave(first, 0.1, own(100, climbed=500))
    made.update(judged({"memory": 700}), 1.0, read(100, 600, 100))
    assert running(ask(made, 0.2, memory=800)) == [True]


def test_a_limit_lowered_below_the_amount_refuses_whoever_waits_for_it() -> None:
    made = queue(memory=900)
    ask(made, memory=90)
    large, small = ask(made, memory=600), ask(made, memory=50)
    made.update((state(100, limit=500.0),), 1.0)
    assert [r.status for r in made.advance(1.0)] == [Status.REFUSED, Status.RUNNING]
    assert large.status is Status.REFUSED
    assert small.status is Status.RUNNING
    assert made.excess({"memory": 600}) == ("memory", 600, 500, "MB")


# -- pace -----------------------------------------------------------------------------


def simulate(workers: int, pace: float, duration: float, seconds: float) -> float:
    """Saturated workers on a virtual clock; returns seconds worked in total."""
    made = queue(cpu=10)
    see(made, pace=pace, cpu=10)
    now, worked = 0.0, 0.0
    ends: list[tuple[float, Request]] = []
    waiting = [Request(None, {}) for _ in range(workers)]
    for request in waiting:
        made.enter(request)
    while now < seconds:
        ends += [(now + duration, request) for request in made.advance(now)]
        done = [entry for entry in ends if entry[0] <= now]
        for entry in done:
            ends.remove(entry)
            worked += made.leave(entry[1], now)
            made.enter(Request(None, {}))
        if not done:
            now = min(min((end for end, _ in ends), default=math.inf), made.ready_at(now))
    return worked


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.floats(0.2, 1.0), st.floats(0.05, 1.0))
def test_saturated_workers_run_the_share_of_the_time_that_is_allocated(
    workers: int, pace: float, duration: float
) -> None:
    duty = simulate(workers, pace, duration, 200.0) / 200.0 / workers
    assert duty == pytest.approx(pace, abs=0.06)


def test_a_rest_is_never_longer_than_five_seconds() -> None:
    made = queue(cpu=10)
    see(made, pace=0.1, cpu=10)
    made.leave(ask(made, 0.0), 100.0)
    ask(made, 100.0)
    assert made.ready_at(100.0) == 100.0 + LONGEST_REST


def test_sporadic_work_is_not_delayed_and_a_full_allocation_owes_nothing() -> None:
    made = queue(cpu=10)
    see(made, pace=0.5, cpu=10)
    made.leave(ask(made, 0.0), 1.0)
    held = ask(made, 1.0)
    assert running(held) == [False]
    assert "rests for 1.00 s" in made.obstacle(held, 1.0)
    see(made, now=1.1, pace=1.0, cpu=10)
    made.advance(1.1)
    assert running(held) == [True]
    see(made, now=1.2, pace=0.5, cpu=10)
    made.leave(held, 2.1)
    assert running(ask(made, 3.2)) == [True]


def test_rests_of_a_burst_are_not_saved_up() -> None:
    made = queue(cpu=10)
    see(made, pace=0.5, cpu=10)
    burst = [ask(made, 0.0) for _ in range(50)]
    for request in burst:
        made.leave(request, 1.0)
    later = 1.0 + 1.0 + LONGEST_REST + 0.1
    made.leave(ask(made, later), later + 1.0)
    assert running(ask(made, later + 1.0)) == [False]


def test_after_forgetting_only_amounts_hold_back() -> None:
    made = queue()
    see(made, memory=990, level=Level.EMERGENCY, pace=0.1)
    waiting = ask(made, memory=400)
    made.forget()
    made.advance(0.0)
    assert running(waiting, ask(made, memory=600), ask(made, memory=1)) == [True, True, False]


# -- everything at once -------------------------------------------------------------------


class Machine(RuleBasedStateMachine):
    """Random arrivals, ends, cancellations, samples and levels."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = AdmissionQueue(LIMITS)
        self.now = self.climbed = 0.0
        self.waiting: list[Request] = []
        self.running: list[Request] = []

    def step(self, seconds: float = 0.1) -> None:
        self.now += seconds
        expected, idle = list(self.waiting), not self.running
        for request in self.queue.advance(self.now):
            first = expected.index(request)
            assert not first or idle, "first in, first out, unless nothing runs"
            idle = False
            expected.remove(request)
            self.waiting.remove(request)
            self.running.append(request)

    @rule(memory=st.floats(0, 1000), gpu=st.floats(0, 500), some=st.booleans())
    def arrive(self, memory: float, gpu: float, some: bool) -> None:
        request = Request(None, {"memory": memory, **({"gpu_memory": gpu} if some else {})})
        self.queue.enter(request)
        self.waiting.append(request)
        self.step()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        request = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        self.queue.leave(request, self.now)
        self.step()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        request = self.waiting.pop(data.draw(st.integers(0, len(self.waiting) - 1)))
        self.queue.leave(request, self.now)
        self.step()

    @rule(
        value=st.floats(0, 1200), pace=st.floats(0.05, 1), level=st.sampled_from(list(Level)),
        seconds=st.floats(0, 10),
    )  # fmt: skip
    def tick(self, value: float, pace: float, level: Level, seconds: float) -> None:
        self.now += seconds
        see(self.queue, now=self.now, pace=pace, level=level, memory=value)
        self.step()

    @invariant()
    def outstanding_never_exceeds_a_limit(self) -> None:
        for name, limit in (("memory", 1000), ("gpu_memory", 500)):
            assert sum(r.amounts.get(name, 0) for r in self.running) <= limit * (1 + 1e-6)

    @rule(amount=st.floats(0, 1200), climbed=st.floats(0, 100))
    def read(self, amount: float, climbed: float) -> None:
        self.climbed += climbed
        self.queue.read(own(amount, self.climbed))
        self.step()

    @invariant()
    def all_that_is_used_or_outstanding_is_committed(self) -> None:
        for ledger in self.queue._ledgers.values():
            if not math.isnan(ledger.measured) and ledger.is_hold:
                assert ledger.committed >= ledger.used >= 0.0
                assert ledger.committed >= ledger.baseline + ledger.outstanding

    @invariant()
    def nothing_is_lost(self) -> None:
        assert set(self.queue.members()) == {*self.waiting, *self.running}

    def teardown(self) -> None:
        """When all has ended and the machine is calm, whoever waits gets in."""
        for request in self.running:
            self.queue.leave(request, self.now)
        self.running.clear()
        self.now += 100
        see(self.queue, now=self.now, memory=0)
        while self.waiting:
            before = len(self.waiting)
            self.step()
            assert len(self.waiting) < before
            for request in self.running:
                self.queue.leave(request, self.now)
            self.running.clear()
        assert not self.queue.busy


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestMachine = Machine.TestCase
