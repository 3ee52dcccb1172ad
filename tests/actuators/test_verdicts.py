"""Verdicts come from measurements; quarantine from verdicts."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from amptalk.actuators.verdicts import LEARNING, Record, judge, noise_floor
from amptalk.model.action import Verdict

AMOUNTS = st.floats(0, 1e6)
GOOD = (Verdict.WORKED, Verdict.PARTIAL)


@given(AMOUNTS, AMOUNTS, st.floats(-1e6, 1e6), st.one_of(st.none(), AMOUNTS))
def test_only_a_drop_beyond_the_noise_counts_as_given_back(
    before: float, after: float, need: float, expected: float | None
) -> None:
    verdict = judge(before, after, need, expected)
    assert (verdict in GOOD) == (before - after > noise_floor(before))
    assert verdict is not Verdict.DENIED


@given(AMOUNTS, st.floats(1, 1e5), st.floats(1, 1e5))
def test_more_given_back_is_never_a_worse_verdict(
    before: float, need: float, expected: float
) -> None:
    order = [Verdict.NO_EFFECT, Verdict.PARTIAL, Verdict.WORKED]
    ranks = [
        order.index(judge(before, before - freed, need, expected))
        for freed in (0, 1, 10, 100, 1e4, 1e6)
    ]
    assert ranks == sorted(ranks)


def test_half_of_the_need_or_half_of_the_promise_is_success() -> None:
    assert judge(1000, 900, 200, None) is Verdict.WORKED
    assert judge(1000, 901, 200, None) is Verdict.PARTIAL
    assert judge(1000, 900, 500, 200) is Verdict.WORKED
    assert judge(1000, 900, 200, 500) is Verdict.WORKED
    assert judge(1000, 991, 200, None) is Verdict.NO_EFFECT
    assert judge(1000, 1100, 200, None) is Verdict.NO_EFFECT


def test_what_was_not_measured_is_unverifiable() -> None:
    assert judge(math.nan, 100, 50, None) is Verdict.UNVERIFIABLE
    assert judge(100, math.nan, 50, None) is Verdict.UNVERIFIABLE


def test_a_step_ahead_of_need_that_changes_nothing_is_unverifiable_unless_it_promised() -> None:
    assert judge(500, 500, -100, None) is Verdict.UNVERIFIABLE
    assert judge(500, 500, -100, 50) is Verdict.NO_EFFECT


def test_two_failures_in_a_row_are_quarantined_and_each_further_one_doubles_it() -> None:
    record = Record()
    record.add(Verdict.NO_EFFECT, 0)
    assert record.until == -math.inf
    spans = []
    for verdict in (Verdict.DENIED, *[Verdict.NO_EFFECT] * 9):
        record.add(verdict, 1000)
        spans.append(record.until - 1000)
    assert spans == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600]


def test_success_clears_and_unverifiable_changes_nothing() -> None:
    record = Record()
    for verdict in (Verdict.NO_EFFECT, Verdict.PARTIAL, Verdict.NO_EFFECT, Verdict.UNVERIFIABLE):
        record.add(verdict, 0)
    assert record.failures == 1
    assert record.until == -math.inf


def test_no_effect_is_not_held_against_what_kept_growing_use_in_check() -> None:
    record = Record()
    for _ in range(5):
        record.add(Verdict.NO_EFFECT, 0, spared=50, noise=10)
    assert record.failures == 0
    record.add(Verdict.NO_EFFECT, 0, spared=5, noise=10)
    assert record.failures == 1


@given(st.lists(AMOUNTS, min_size=1))
def test_the_learned_effect_stays_within_what_was_seen(effects: list[float]) -> None:
    record = Record()
    for effect in effects:
        record.learn(effect)
    assert record.effect is not None
    assert min(effects) - 1e-6 <= record.effect <= max(effects) + 1e-6


def test_a_growth_is_learned_as_no_effect() -> None:
    record = Record()
    record.learn(100)
    record.learn(-50)
    assert record.effect == 100 * (1 - LEARNING)
