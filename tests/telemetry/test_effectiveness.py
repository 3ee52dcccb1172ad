"""The account of how well it went: time over, breaches foreseen or not, work held back, actions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.model.action import ActionReport, Verdict
from amptalk.model.decision import Allocation, Decision, Expectation
from amptalk.model.level import Level, LimitState
from amptalk.model.resource import MEMORY
from amptalk.telemetry.effectiveness import Effectiveness, ResourceOutcome

EXPECTS_A_BREACH = Expectation(120.0, 5.0, 0.9)


def play(script: list[tuple[float, float, Expectation | None]]) -> ResourceOutcome:
    """Each entry is one second: value (limit 100), share, expectation."""
    account = Effectiveness("test")
    for second, (value, share, expected) in enumerate(script):
        state = LimitState(MEMORY, 100.0, value, Level.NORMAL, True, False, 0.0, float("inf"))
        decision = Decision("test", (Allocation("memory", share, "", expected),))
        account.add(float(second), 1.0, (state,), decision)
    return account.outcome("memory")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([90.0, 110.0]),
            st.sampled_from([1.0, 0.5]),
            st.sampled_from([None, EXPECTS_A_BREACH]),
        ),
        max_size=150,
    )
)
def test_a_decision_that_is_kept_counts_like_an_equal_new_one(
    script: list[tuple[float, float, Expectation | None]],
) -> None:
    kept: dict[tuple[float, Expectation | None], Decision] = {}
    account = Effectiveness("test")
    for second, (value, share, expected) in enumerate(script):
        state = LimitState(MEMORY, 100.0, value, Level.NORMAL, True, False, 0.0, float("inf"))
        decision = Decision("test", (Allocation("memory", share, "", expected),))
        decision = kept.setdefault((share, expected), decision)
        account.add(float(second), 1.0, (state,), decision)
    assert account.outcome("memory") == play(script)


def test_time_over_the_limit_is_counted_in_seconds() -> None:
    outcome = play([(90, 1, None), (110, 1, None), (120, 1, None), (90, 1, None)])
    assert outcome.seconds_over == 2.0
    assert outcome.breaches == 1


def test_a_breach_without_a_warning_was_missed() -> None:
    outcome = play([(90, 1, None), (110, 1, None)])
    assert (outcome.breaches_warned, outcome.breaches_missed) == (0, 1)


def test_a_breach_after_a_warning_was_warned_of() -> None:
    outcome = play([(90, 1, EXPECTS_A_BREACH), (95, 1, None), (110, 1, None)])
    assert (outcome.breaches_warned, outcome.breaches_missed) == (1, 0)


def test_a_warning_after_which_nothing_happened_was_false() -> None:
    outcome = play([(90, 1, EXPECTS_A_BREACH)] + [(90.0, 1.0, None)] * 100)
    assert outcome.warnings_false == 1


def test_an_averted_breach_is_neither_warned_nor_false() -> None:
    outcome = play([(90, 0.5, EXPECTS_A_BREACH)] + [(80.0, 0.5, None)] * 100)
    assert outcome.warnings_false == 0
    assert outcome.breaches_warned == 0


def test_work_held_back_is_the_missing_share_over_time() -> None:
    outcome = play([(50, 1, None), (50, 0.5, None), (50, 0.25, None)])
    assert outcome.work_reduced_seconds == pytest.approx(1.25)


def test_changes_are_full_ranges_a_minute() -> None:
    outcome = play([(50, 1, None), (50, 0.5, None), (50, 1, None)] + [(50.0, 1.0, None)] * 57)
    assert outcome.changes_per_minute == pytest.approx(1.0)


def test_actions_are_counted_by_verdict_and_only_measured_relief_counts() -> None:
    account = Effectiveness("test")
    for verdict, after in ((Verdict.WORKED, 60.0), (Verdict.NO_EFFECT, 90.0)):
        account.report(
            ActionReport("trim", "memory", "MB", Level.CRITICAL, 0, 0.1, 100, after, None, verdict)
        )
    assert account.summary({"admitted": 3})["actions"] == {
        "trim": {"worked": 1, "no effect": 1, "freed": 40.0}
    }
