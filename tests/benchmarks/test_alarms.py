"""How alarms are scored: claims that expire, events, lead, false alarms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.forecasting import alarms
from benchmarks.forecasting.protocol import HORIZON, Breaches, Mask, breaches

SAMPLES = 400


def events(*onsets: int) -> Breaches:
    """Breaches of two samples each."""
    values = np.zeros(SAMPLES)
    for onset in onsets:
        values[onset : onset + 2] = 1.0
    return breaches(values, 0.5)


def raised(*positions: int) -> Mask:
    alarm = np.zeros(SAMPLES, dtype=np.bool_)
    alarm[list(positions)] = True
    return alarm


def score(alarm: Mask, found: Breaches) -> alarms.AlarmScore:
    return alarms.score(alarm, found, 0, SAMPLES)


def test_an_alarm_before_an_event_warns_of_it_and_its_lead_counts_from_the_first() -> None:
    found = score(raised(193, 195), events(200))
    assert (found.events, found.warned, found.true, found.false) == (1, 1, 1, 0)
    assert found.lead == 7.0
    assert found.recall == found.precision == 1.0


def test_an_alarm_more_than_the_horizon_before_is_false() -> None:
    found = score(raised(200 - HORIZON - 1), events(200))
    assert (found.warned, found.true, found.false) == (0, 0, 1)
    assert np.isnan(found.lead)


def test_an_alarm_during_or_just_after_a_breach_does_not_count() -> None:
    found = score(raised(200, 201, 205), events(200))
    assert (found.warned, found.true, found.false) == (0, 0, 0)
    assert found.precision == 0.0


def test_alarms_close_together_are_one_claim() -> None:
    assert score(raised(100, 103, 106), events()).false == 1
    assert score(raised(100, 104), events()).false == 2


def test_a_claim_expires_and_going_on_is_a_new_one() -> None:
    assert score(raised(*range(100, 100 + HORIZON)), events()).false == 1
    assert score(raised(*range(100, 101 + HORIZON)), events()).false == 2
    assert score(raised(*range(100, 100 + 5 * HORIZON)), events()).false == 5


def test_false_alarms_per_1000_samples_and_no_recall_without_events() -> None:
    found = score(raised(100, 200), events())
    assert found.false_per_1000 == pytest.approx(5.0)
    assert np.isnan(found.recall)


def test_only_events_with_a_horizon_of_scored_samples_before_them_count() -> None:
    found = events(105, 120)
    assert alarms.score(raised(), found, 100, SAMPLES).events == 1


def test_traces_are_pooled_as_if_they_were_one() -> None:
    both = alarms.pooled([score(raised(198), events(200)), score(raised(100), events(200, 300))])
    assert (both.events, both.warned, both.true, both.false) == (3, 1, 1, 1)
    assert both.recall == pytest.approx(1 / 3)
    assert both.precision == 0.5
    assert both.samples == 2 * SAMPLES
    assert both.leads == (2,)


def test_the_threshold_is_the_one_with_the_best_f1_in_the_warm_up() -> None:
    found = events(60, 120, 300)
    probability = np.full(SAMPLES, 0.25)  # false alarms throughout up to here
    probability[[55, 115]] = 0.55
    assert alarms.best_threshold(probability, found) == 0.3
    assert alarms.scored_part(probability >= 0.3, found).warned == 0


def test_without_two_events_to_choose_by_the_threshold_is_the_fallback() -> None:
    assert alarms.best_threshold(np.full(SAMPLES, 0.9), events(60)) == alarms.FALLBACK


def test_only_the_warm_up_chooses_the_threshold() -> None:
    found = events(60, 120, 300)
    probability = np.zeros(SAMPLES)
    probability[[55, 115]] = 0.55
    later = probability.copy()
    later[SAMPLES // 2 :] = 0.99
    assert alarms.best_threshold(later, found) == alarms.best_threshold(probability, found)


@given(st.sets(st.integers(0, SAMPLES - 1)), st.sets(st.integers(20, SAMPLES - 3), max_size=5))
def test_shares_are_shares_and_leads_within_the_horizon(at: set[int], onsets: set[int]) -> None:
    found = score(raised(*at), events(*onsets))
    assert 0 <= found.warned <= found.events
    assert found.true + found.false <= len(at)
    assert all(1 <= lead <= HORIZON for lead in found.leads)
    assert (found.warned > 0) <= (found.true > 0)
