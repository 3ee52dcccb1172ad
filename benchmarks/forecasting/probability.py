"""Probabilities of a breach: where they come from for a method that gives none, and their worth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.forecasting.protocol import HORIZON, Array, Breaches, Mask, first_scored

RESIDUALS = 256
"""Newest errors of each horizon that a probability is taken from."""


EDGES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 1.0)
"""Ranges of probability whose positive samples are counted."""


class ProbabilityScore(NamedTuple):
    """Worth of the probabilities at the usable samples after the warm-up."""

    average_precision: float
    """Over samples, the 12 before an event being the positive ones; `nan` without any."""
    squared: float
    """Sum of squared errors."""
    reference: float
    """The same of the warm-up's share of positive samples, given as the probability each time."""
    bins: Array
    """A row for each range between `EDGES`: samples, sum of the probabilities, positive samples."""

    @property
    def brier_skill(self) -> float:
        """1 - squared / reference: above 0 when the probabilities say more than that share."""
        return 1.0 - self.squared / self.reference if self.reference > 0.0 else float("nan")


def from_residuals(values: Array, forecasts: Array, limit: float) -> Array:
    """Probability of a breach by a method's own past errors, at each sample.

    For each horizon the share of its newest 256 errors, all known at the time, that would carry
    the forecast over the limit; two horizons in a row must, and the likeliest pair counts.
    """
    count, horizon = forecasts.shape
    crossing = np.zeros((count, horizon))
    for ahead in range(1, horizon + 1):
        errors = np.full(count + RESIDUALS - 1, np.nan)
        made = forecasts[: count - ahead, ahead - 1]
        errors[RESIDUALS - 1 + ahead :] = values[ahead:] - made
        window = np.lib.stride_tricks.sliding_window_view(errors, RESIDUALS)
        room = (limit - forecasts[:, ahead - 1])[:, None]
        over = (window > room).sum(axis=1)  # nan is not above
        known = np.clip(np.arange(count) + 1 - ahead, 0, RESIDUALS)
        crossing[:, ahead - 1] = (over + 0.25) / (known + 1.0)
    pairs: Array = np.minimum(crossing[:, :-1], crossing[:, 1:]).max(axis=1)
    return pairs


def score(probability: Array, breaches: Breaches) -> ProbabilityScore:
    """Score probabilities against what happened."""
    count = len(probability)
    begin = first_scored(count)
    labels = breaches.labels()
    usable = breaches.usable.copy()
    early = usable[:begin]
    share = float(labels[:begin][early].mean()) if early.any() else 0.0
    usable[:begin] = False
    usable[count - HORIZON :] = False
    given, happened = probability[usable], labels[usable]
    bin_of = np.searchsorted(EDGES[1:-1], given, side="right")
    return ProbabilityScore(
        average_precision(given, happened),
        float(((given - happened) ** 2).sum()),
        float(((share - happened) ** 2).sum()),
        np.array(
            [
                [of.sum(), given[of].sum(), happened[of].sum()]
                for of in (bin_of == number for number in range(len(EDGES) - 1))
            ],
            dtype=np.float64,
        ),
    )


def average_precision(scores: Array, labels: Array) -> float:
    """Mean of the precisions at each positive sample, best scores first; ties in order of time."""
    positives = float(labels.sum())
    if positives == 0.0:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = labels[order]
    precisions = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float((precisions * hits).sum() / positives)


def as_probability(alarm: Mask) -> Array:
    """A plain rule as a probability: nearly sure or not at all."""
    return np.where(alarm, 0.99, 0.0)
