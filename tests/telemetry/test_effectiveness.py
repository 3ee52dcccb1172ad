"""The account of how well it went: time over, breaches foreseen or not, work held back, actions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amptalk.limits.judge import Judge
from amptalk.model.action import ActionReport, Verdict
from amptalk.model.decision import Allocation, Band, Claim, Decision, Expectation
from amptalk.model.level import Level
from amptalk.model.resource import CPU, MEMORY
from amptalk.model.sample import FIELDS, INDEX, Sample
from amptalk.telemetry.effectiveness import Effectiveness, ResourceOutcome

EXPECTS_A_BREACH = Expectation(120.0, 5.0, 0.9)
EXPECTS_NONE = Expectation(90.0, math.inf, 0.1)
CLAIM = Claim(1.0, Band(85.0, 90.0, 95.0), 3.0, Band(80.0, 91.0, 99.0), 3.0)

Second = tuple[float, float, Expectation | None]
Script = list[Second]


class Play:
    """Each entry of a script is a second: value (limit 100), share, expectation."""

    def __init__(self, start: float = 0.0, *, acting: bool = True) -> None:
        self.judge = Judge(((MEMORY, 100.0),), 1.0)
        self.account = Effectiveness("test", self.judge, acting=acting)
        self.now = start
        self.kept: dict[tuple[float, Expectation | None], Decision] | None = None

    def add(self, script: Script) -> Play:
        for value, share, expected in script:
            row = [math.nan] * len(FIELDS)
            row[INDEX["memory_used_mb"]] = value
            limits = self.judge.judge(Sample(self.now, self.now, tuple(row)), lambda _field: 0.0)
            decision = Decision("test", (Allocation("memory", share, "", expected),))
            if self.kept is not None:
                decision = self.kept.setdefault((share, expected), decision)
            self.account.add(self.now, 1.0, limits, decision)
            self.now += 1.0
        return self

    @property
    def outcome(self) -> ResourceOutcome:
        return self.account.outcome("memory")


def play(script: Script) -> ResourceOutcome:
    return Play().add(script).outcome


SCRIPTS = st.lists(
    st.tuples(
        st.sampled_from([90.0, 110.0]),
        st.sampled_from([1.0, 0.5]),
        st.sampled_from([None, EXPECTS_A_BREACH, EXPECTS_NONE._replace(claim=CLAIM)]),
    ),
    max_size=150,
)


@settings(max_examples=60, deadline=None)
@given(SCRIPTS)
def test_a_decision_that_is_kept_counts_like_an_equal_new_one(script: Script) -> None:
    keeping = Play()
    keeping.kept = {}
    assert keeping.add(script).outcome == play(script)


@settings(max_examples=40, deadline=None)
@given(SCRIPTS, st.floats(0.0, 1e6).map(math.floor))
def test_figures_do_not_depend_on_when_it_ran(script: Script, start: int) -> None:
    # Live, replayed or simulated: only what happened counts, not the clock it happened by.
    assert Play(float(start)).add(script).outcome == play(script)


@settings(max_examples=60, deadline=None)
@given(SCRIPTS)
def test_breaches_and_time_over_are_those_of_the_judge(script: Script) -> None:
    played = Play().add(script)
    outcome = played.outcome
    assert outcome.seconds_over == played.judge.seconds_over["memory"]
    assert outcome.breaches == played.judge.violations_begun
    assert outcome.breaches_warned + outcome.breaches_missed == outcome.breaches


def test_one_value_over_the_limit_is_time_over_but_no_breach() -> None:
    outcome = play([(90, 1, None), (110, 1, None), (90, 1, None)])
    assert outcome.seconds_over == 1.0
    assert outcome.breaches == 0


def test_a_breach_without_a_warning_was_missed() -> None:
    outcome = play([(90, 1, None), (110, 1, None), (110, 1, None)])
    assert (outcome.breaches_warned, outcome.breaches_missed) == (0, 1)
    assert outcome.lead_seconds is None


def test_a_breach_after_a_warning_was_warned_of_by_as_much_time() -> None:
    outcome = play(
        [(90, 1, EXPECTS_A_BREACH), (95, 1, None), (96, 1, None), (110, 1, None), (111, 1, None)]
    )
    assert (outcome.breaches_warned, outcome.breaches_missed) == (1, 0)
    assert outcome.lead_seconds == 3.0


def test_a_warning_when_the_limit_is_exceeded_already_is_none() -> None:
    outcome = play([(90, 1, None), (110, 1, EXPECTS_A_BREACH), (111, 1, EXPECTS_A_BREACH)])
    assert (outcome.breaches_warned, outcome.breaches_missed) == (0, 1)
    assert outcome.warnings_false == 0


def test_a_time_to_the_limit_is_a_warning_for_as_long_and_half_again() -> None:
    leak = Expectation(99.0, 600.0, 0.05)
    rising: Script = [(90.0, 1.0, leak), *[(95.0, 1.0, None)] * 599]
    breach: Script = [(101.0, 1.0, None)] * 2
    assert play(rising + breach).lead_seconds == 600.0
    quiet: Script = [(90.0, 1.0, leak), *[(95.0, 1.0, None)] * 901]
    assert play(quiet[:880]).warnings_false == 0
    assert play(quiet).warnings_false == 1


def test_a_warning_after_which_nothing_happened_was_false() -> None:
    outcome = play([(90, 1, EXPECTS_A_BREACH)] + [(90.0, 1.0, None)] * 100)
    assert outcome.warnings_false == 1
    assert outcome.warnings_acted_on == 0


def test_a_warning_that_goes_on_is_false_each_time_its_time_is_over() -> None:
    within = EXPECTS_A_BREACH._replace(claim=CLAIM._replace(within=12.0))
    assert play([(90, 1, within)] * 60).warnings_false == 4


def test_a_warning_after_which_more_was_held_back_is_neither() -> None:
    outcome = play([(90, 0.5, EXPECTS_A_BREACH)] + [(80.0, 0.5, None)] * 100)
    assert (outcome.warnings_false, outcome.warnings_acted_on) == (0, 1)
    assert outcome.breaches_warned == 0


def test_where_decisions_are_not_carried_out_nothing_was_averted() -> None:
    claims = EXPECTS_A_BREACH._replace(claim=CLAIM)
    script: Script = [(90.0, 1.0, None), (90.0, 0.5, claims), *[(80.0, 0.3, None)] * 100]
    outcome = Play(acting=False).add(script).outcome
    assert (outcome.warnings_false, outcome.warnings_acted_on) == (1, 0)
    assert outcome.forecast is not None
    assert outcome.forecast.forecasts == 1
    assert outcome.work_reduced_seconds == pytest.approx(0.5 + 70.0)


def test_work_that_was_held_back_before_does_not_excuse_a_false_warning() -> None:
    held: Second = (80.0, 0.5, None)
    outcome = play([held] * 5 + [(90, 0.5, EXPECTS_A_BREACH)] + [held] * 100)
    assert (outcome.warnings_false, outcome.warnings_acted_on) == (1, 0)


def test_a_breach_that_came_although_work_was_held_back_was_warned_of() -> None:
    outcome = play([(90, 0.5, EXPECTS_A_BREACH), (95, 0.5, None)] + [(110.0, 0.5, None)] * 2)
    assert outcome.breaches_warned == 1


def test_an_action_that_gave_something_back_counts_as_acting() -> None:
    played = Play().add([(90, 1, EXPECTS_A_BREACH), (90, 1, None)])
    played.account.report(
        ActionReport("trim", "memory", "MB", Level.CRITICAL, 0, 0.1, 90, 60, None, Verdict.WORKED)
    )
    played.add([(60.0, 1.0, None)] * 100)
    assert (played.outcome.warnings_false, played.outcome.warnings_acted_on) == (0, 1)


def test_forecasts_are_scored_against_what_came() -> None:
    claims = EXPECTS_NONE._replace(claim=CLAIM)
    forecast = play([(90, 1, claims), (94, 1, claims), (97, 1, claims), (91, 1, claims)]).forecast
    assert forecast is not None
    assert forecast.forecasts == 3
    assert forecast.coverage_soon == pytest.approx(2 / 3)
    assert forecast.coverage_late == 1.0
    assert forecast.error_ratio_soon == pytest.approx((4 + 7 + 1) / (4 + 3 + 6))
    assert forecast.error_ratio_late == pytest.approx(0.0)


def test_forecasts_of_a_course_that_was_changed_are_not_scored() -> None:
    claims = EXPECTS_NONE._replace(claim=CLAIM)
    forecast = play([(90, 1, claims), (94, 1, claims), (60, 0.5, None), (60, 0.5, None)]).forecast
    assert forecast is not None
    assert forecast.forecasts == 2  # the change shows after the moment it was decided in
    forecast = play([(90, 1, None), (94, 0.5, claims), (60, 0.5, None), (60, 0.5, None)]).forecast
    assert forecast is not None
    assert forecast.forecasts == 0


def test_probabilities_are_scored_against_always_saying_how_often_it_comes() -> None:
    calm = Expectation(90.0, math.inf, 0.0, CLAIM)
    sure = Expectation(110.0, 3.0, 1.0, CLAIM)
    one: Script = [(90.0, 1.0, calm)] * 9 + [(90.0, 1.0, sure)] + [(110.0, 1.0, None)] * 2
    script = one * 20
    good = play(script).forecast
    bad = play([(v, s, calm if e is sure else sure if e else e) for v, s, e in script]).forecast
    assert good is not None
    assert bad is not None
    assert good.brier_skill is not None
    assert bad.brier_skill is not None
    assert good.brier_skill > 0.3
    assert bad.brier_skill < -1.0


def test_without_a_forecast_nothing_is_said_of_forecasts() -> None:
    assert play([(90, 1, None), (110, 1, EXPECTS_A_BREACH)]).forecast is None


def test_a_sensor_that_gives_no_new_value_scores_nothing() -> None:
    claims = EXPECTS_NONE._replace(claim=CLAIM)
    outcome = play([(90, 1, claims), (math.nan, 1, claims), (math.nan, 1, claims)])
    assert outcome.forecast is not None
    assert outcome.forecast.forecasts == 0


def test_work_held_back_is_the_missing_share_over_time() -> None:
    outcome = play([(50, 1, None), (50, 0.5, None), (50, 0.25, None)])
    assert outcome.work_reduced_seconds == pytest.approx(1.25)


def test_changes_are_full_ranges_a_minute() -> None:
    outcome = play([(50, 1, None), (50, 0.5, None), (50, 1, None)] + [(50.0, 1.0, None)] * 57)
    assert outcome.changes_per_minute == pytest.approx(1.0)


def test_a_limit_that_comes_as_another_goes_is_accounted_from_then_on() -> None:
    judge = Judge(((MEMORY, 100.0),), 1.0)
    account = Effectiveness("test", judge)
    decision = Decision("test", ())

    def tick(now: float) -> None:
        sample = Sample(now, now, (90.0,) * len(FIELDS))
        account.add(now, 1.0, judge.judge(sample, lambda _field: 0.0), decision)

    tick(0.0)
    judge.remove("memory")
    judge.add(CPU, 80.0, INDEX)
    tick(1.0)
    tick(2.0)
    limits = account.summary({})["limits"]
    assert list(limits) == ["memory", "cpu"]
    assert limits["cpu"]["seconds_over"] > 0.0


def test_memory_is_bounded_however_long_it_runs() -> None:
    claims = EXPECTS_NONE._replace(claim=CLAIM._replace(horizon=1e6, within=1e6))
    played = Play().add([(90, 1, claims)] * 500)
    scores = played.account._tracks["memory"].forecasts
    assert scores is not None
    assert len(scores._waiting) <= 128
    assert len(scores._chances) <= 128


def test_actions_are_counted_by_verdict_and_only_measured_relief_counts() -> None:
    account = Play().account
    for verdict, after in ((Verdict.WORKED, 60.0), (Verdict.NO_EFFECT, 90.0)):
        account.report(
            ActionReport("trim", "memory", "MB", Level.CRITICAL, 0, 0.1, 100, after, None, verdict)
        )
    assert account.summary({"admitted": 3})["actions"] == {
        "trim": {"worked": 1, "no effect": 1, "freed": 40.0}
    }
