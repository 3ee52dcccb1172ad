"""Why a program ended, from evidence."""

from __future__ import annotations

import signal
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amptalk.limits.judge import Judge
from amptalk.model.action import Verdict
from amptalk.model.level import Level, LimitState
from amptalk.model.resource import CPU, MEMORY, TEMPERATURE, Resource
from amptalk.run.asking import Asking
from amptalk.run.breach import Breaches, Pauses
from amptalk.run.ending import Evidence, explained, survived
from amptalk.run.jobcontrol import Sent
from amptalk.run.program import Ended
from amptalk.run.summary import time_over
from tests.limits.samples import no_slope, sample
from tests.run.test_asking import report

KILLED = Ended(int(signal.SIGKILL), killed=True)
TERMINATED = Ended(int(signal.SIGTERM), killed=True)
FULL = Evidence(
    0.0, kills=1.0, device_kills=1.0, limit_mb=1500.0, held=True, anonymous_mb=1490.0,
    growth=(12.0, 90.0), asked="asked to use less twice, no effect",
)  # fmt: skip


def test_a_kill_at_the_limit_is_told_with_its_evidence() -> None:
    text = explained(KILLED, FULL)
    assert text.startswith("killed by the kernel: memory limit 1500 MB reached at ")
    assert text.endswith(
        ", anonymous 1490 MB when last measured, growth 12 MB/s for 90 s; asked to use less twice, "
        "no effect"
    )


def test_a_shell_that_passes_the_status_on_is_explained_too() -> None:
    assert explained(Ended(137, killed=False), FULL).startswith("killed by the kernel: ")


def test_a_kill_of_the_whole_device_is_told_from_one_at_the_limit() -> None:
    text = explained(KILLED, FULL._replace(kills=0.0))
    assert "the whole device ran out of memory (1 kills meanwhile)" in text
    assert text.endswith("(0 kills at the limit of 1500 MB)")


def test_a_kill_by_somebody_else_is_not_taken_for_the_kernels() -> None:
    text = explained(KILLED, FULL._replace(kills=0.0, device_kills=0.0))
    assert "SIGKILL" in text
    assert "which somebody else sent to it: neither amptalk nor the kernel's memory limit" in text


def test_a_signal_that_came_through_us_names_its_sender() -> None:
    evidence = Evidence(0.0, sent=Sent(int(signal.SIGTERM), 4242), sender="timeout")
    assert "which process 4242 (timeout) had sent to amptalk" in explained(TERMINATED, evidence)


def test_an_end_by_us_says_why() -> None:
    evidence = FULL._replace(stopped="wall time 2 s is over")
    text = explained(TERMINATED, evidence)
    assert text.startswith("ended by amptalk (SIGTERM) at ")
    assert text.endswith(": wall time 2 s is over")


@pytest.mark.parametrize("ended", [Ended(0, killed=False), Ended(3, killed=False),
                                   Ended(int(signal.SIGINT), killed=True)])  # fmt: skip
def test_other_ends_need_no_explanation(ended: Ended) -> None:
    assert explained(ended, Evidence(0.0)) == ""


def test_kills_that_the_program_survived_are_told() -> None:
    text = survived(Ended(0, killed=False), FULL._replace(kills=2.0))
    assert text.startswith("the kernel killed 2 of its processes: memory limit 1500 MB reached")
    assert survived(KILLED, FULL) == ""


UNSURE = st.sampled_from([0.0, 1.0, nan])


@given(st.integers(0, 255), st.booleans(), UNSURE, UNSURE, UNSURE, st.booleans())
def test_whatever_is_known_comes_to_one_line(  # noqa: PLR0917
    status: int, killed: bool, kills: float, device: float, limit: float, held: bool
) -> None:
    evidence = Evidence(0.0, kills, device, limit, held)
    assert "\n" not in explained(Ended(status % 64 if killed else status, killed), evidence)


def state(resource: Resource, *, violated: bool) -> LimitState:
    return LimitState(resource, 100.0, 110.0, Level.EMERGENCY, True, False, 0.0, 0.0, violated)


def test_a_breach_begins_when_asking_was_in_vain_and_is_told_once() -> None:
    breaches, asking = Breaches(), Asking()
    over = [state(MEMORY, violated=True)]
    assert breaches.begun(over, asking, {"memory"}) == []
    asking.take(report(Verdict.NO_EFFECT))
    assert breaches.begun(over, asking, {"memory"}) == [
        "memory 110 of 100 MB: exceeded; asked to use less once, no effect"
    ]
    assert breaches.begun(over, asking, {"memory"}) == []
    assert breaches.begun([state(MEMORY, violated=False)], asking, {"memory"}) == []
    assert len(breaches.begun(over, asking, {"memory"})) == 1


def test_cpu_beyond_a_quota_is_an_error_of_the_reading_and_no_breach() -> None:
    over = [state(CPU, violated=True)]
    assert Breaches().begun(over, Asking(), set(), quota=True) == []
    assert len(Breaches().begun(over, Asking(), set(), quota=False)) == 1


def test_where_nobody_is_asked_a_violation_is_a_breach() -> None:
    found = Breaches().begun([state(TEMPERATURE, violated=True)], Asking(), set())
    assert found == ["temperature 110 of 100 °C: exceeded; it is not asked for this"]


@given(st.lists(st.floats(0.0, 200.0), min_size=1, max_size=12))
def test_pauses_grow_to_a_minute_and_begin_anew_after_a_quiet_one(runs: list[float]) -> None:
    pauses, expected = Pauses(), 1.0
    for ran in runs:
        expected = 1.0 if ran >= 60.0 else expected
        assert pauses.after(ran) == expected
        expected = min(2.0 * expected, 60.0)


def test_time_over_a_rates_limit_counts_from_the_second_sample_on() -> None:
    judge = Judge([(CPU, 50.0), (MEMORY, 100.0)], 1.0)
    for second, (cpu, memory) in enumerate([(40, 90), (51, 101), (49, 90), (60, 90), (60, 90)]):
        judge.judge(sample(second, {"cpu_percent": cpu, "memory_used_mb": memory}), no_slope)
    assert time_over(judge) == {"cpu": 1.0, "memory": 1.0}
