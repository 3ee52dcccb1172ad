"""What is read of the application's memory about the time of a sample."""

from __future__ import annotations

import math

from amptalk.actuators.jobs.watch import JobWatch
from amptalk.clock import VirtualClock
from tests.actuators.support import sample


class Application:
    """Memory that a test sets, on a virtual clock."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.memory = 100.0
        self.watch = JobWatch(self.clock, lambda: self.memory)

    def measured(self, *meanwhile: float) -> None:
        """A sample is taken; the memory is read so often before it is told of."""
        seen = sample(self.clock.advance(0.1))
        for self.memory in meanwhile:
            self.clock.advance(0.001)
            self.watch.begin(object(), {}, learn=False)
        self.clock.advance(0.001)
        self.watch.tick(seen)


def test_a_sample_tells_what_was_read_since_it_was_taken_or_last_before() -> None:
    application = Application()
    application.watch.begin("job", {}, learn=False)
    application.measured()
    assert application.watch.held().sampled == (100.0, 100.0)
    application.measured(300.0, 200.0)
    assert application.watch.held().sampled == (100.0, 300.0, 200.0, 200.0)
    application.measured()
    assert application.watch.held().sampled == (200.0, 200.0)


def test_a_job_that_ended_since_the_sample_was_taken_may_be_in_it() -> None:
    application = Application()
    application.watch.begin("job", {}, learn=False)
    application.memory = 400.0
    application.measured()
    seen = sample(application.clock.advance(0.1))
    application.clock.advance(0.001)
    application.memory = 100.0
    application.watch.end("job")
    application.watch.tick(seen)
    held = application.watch.held()
    assert held.amount == 100.0
    assert held.sampled == (400.0, 100.0)


def test_without_jobs_nothing_is_read() -> None:
    application = Application()
    application.watch.begin("job", {}, learn=False)
    application.watch.end("job")
    application.measured()
    held = application.watch.held()
    assert math.isnan(held.amount)
    assert held.sampled == ()
