"""Score alarms as an operator meets them: claims that expire, events, lead, false alarms.

An alarm claims a breach within the next 12 samples. Alarms at most 3 samples apart are one claim,
for at most 12 samples; then it has expired, and going on counts as a new claim. A claim is true
when an event begins while it stands, false otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from benchmarks.forecasting.protocol import HORIZON, Array, Breaches, Mask, first_scored

THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
FALLBACK = 0.3
"""Threshold where the warm-up has fewer than 2 events to choose one by."""
_JOINED = 3


class AlarmScore(NamedTuple):
    """What alarms were worth over some samples."""

    events: int
    warned: int
    true: int
    """Claims that an event followed."""
    false: int
    leads: tuple[int, ...]
    """Samples from the first alarm of the 12 before a warned event to the event."""
    samples: int

    @property
    def recall(self) -> float:
        """Share of events warned of; `nan` without events."""
        return self.warned / self.events if self.events else float("nan")

    @property
    def precision(self) -> float:
        """Share of claims that were true; 0 where there were events but no claims."""
        claims = self.true + self.false
        if claims:
            return self.true / claims
        return 0.0 if self.events else float("nan")

    @property
    def false_per_1000(self) -> float:
        """False claims per 1000 samples."""
        return 1000.0 * self.false / max(1, self.samples)

    @property
    def lead(self) -> float:
        """Median lead in samples; `nan` where nothing was warned of."""
        return float(np.median(self.leads)) if self.leads else float("nan")


def pooled(scores: Iterable[AlarmScore]) -> AlarmScore:
    """Scores of several traces as if they were one."""
    found = list(scores)
    return AlarmScore(
        events=sum(score.events for score in found),
        warned=sum(score.warned for score in found),
        true=sum(score.true for score in found),
        false=sum(score.false for score in found),
        leads=tuple(lead for score in found for lead in score.leads),
        samples=sum(score.samples for score in found),
    )


def score(alarm: Mask, breaches: Breaches, begin: int, end: int) -> AlarmScore:
    """Score the alarms raised at samples from `begin` to before `end`.

    Only alarms at usable samples count, and events that 12 of the samples come before.
    """
    raised = [int(at) for at in np.flatnonzero(alarm & breaches.usable) if begin <= at < end]
    onsets = [onset for onset in breaches.onsets if begin + HORIZON <= onset < end]
    leads = []
    for onset in onsets:
        before = [at for at in raised if onset - HORIZON <= at < onset]
        if before:
            leads.append(onset - before[0])
    claims = _claims(raised)
    true = sum(any(first < o <= last + HORIZON for o in onsets) for first, last in claims)
    return AlarmScore(
        len(onsets), len(leads), true, len(claims) - true, tuple(leads), max(0, end - begin)
    )


def _claims(raised: list[int]) -> list[tuple[int, int]]:
    """First and last alarm of each claim."""
    claims: list[tuple[int, int]] = []
    for at in raised:
        if claims and at - claims[-1][1] <= _JOINED and at - claims[-1][0] < HORIZON:
            claims[-1] = (claims[-1][0], at)
        else:
            claims.append((at, at))
    return claims


def best_threshold(probability: Array, breaches: Breaches) -> float:
    """Threshold with the best F1 in the warm-up."""
    end = first_scored(len(probability))
    best, chosen = -1.0, FALLBACK
    for threshold in THRESHOLDS:
        found = score(probability >= threshold, breaches, HORIZON, end)
        if found.events < 2:
            return FALLBACK
        precision, recall = found.precision, found.recall
        both = precision + recall
        f1 = 2.0 * precision * recall / both if both > 0.0 else 0.0
        if both > 0.0 and f1 > best:
            best, chosen = f1, threshold
    return chosen


def scored_part(alarm: Mask, breaches: Breaches) -> AlarmScore:
    """Score what was raised after the warm-up."""
    return score(alarm, breaches, first_scored(len(alarm)), len(alarm))
