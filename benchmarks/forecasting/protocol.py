"""The protocol: what is scored, what a breach is, what a forecast is worth beside the last value.

The first 40 % of a trace are the warm-up: methods learn, thresholds are chosen. All figures come
from the last 60 %. A forecast made at sample t is one row of 12 values, for t+1 to t+12. The limits
are percentiles of the trace itself. A breach is at least two samples in a row above the limit; it
is an event of its own when it begins more than 12 samples after the last one ended.

Alarms are scored in `alarms`, probabilities in `probability`.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]

HORIZON = 12
"""Samples ahead."""
LONGEST = 5000
"""Samples of a trace that count, but for the runs with days of history."""
WARM_UP = 0.4
PERSISTENCE = 2
"""Samples in a row above the limit that make a breach."""
PERCENTILES = (95, 99)
"""Of the trace, as limits."""


class Breaches(NamedTuple):
    """Where a trace crosses a limit."""

    onsets: list[int]
    """First sample of each event."""
    usable: Mask
    """Samples at which a warning can be given: not above the limit nor just after a breach."""

    def labels(self) -> Array:
        """1 at the 12 samples before each event, 0 elsewhere."""
        labels = np.zeros(len(self.usable))
        for onset in self.onsets:
            labels[max(0, onset - HORIZON) : onset] = 1.0
        return labels


def first_scored(samples: int) -> int:
    """Position of the first sample after the warm-up."""
    return int(samples * WARM_UP)


def limit_of(values: Array, percentile: float) -> float:
    """Limit that a share of the trace lies below."""
    return float(np.percentile(values, percentile))


def breaches(values: Array, limit: float) -> Breaches:
    """Find the events of a trace; runs that are too short are neither events nor usable."""
    above = values > limit
    usable = ~above
    onsets = []
    cleared = -HORIZON - 1  # first sample after the last breach
    for begin, end in _runs(above):
        if end - begin < PERSISTENCE:
            continue
        if begin - cleared > HORIZON:
            onsets.append(begin)
        usable[end : end + HORIZON] = False
        cleared = end
    return Breaches(onsets, usable)


def _runs(flags: Mask) -> list[tuple[int, int]]:
    """First and behind-the-last position of each run of true flags."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return [(int(begin), int(end)) for begin, end in zip(edges[::2], edges[1::2], strict=True)]


def mean_errors(values: Array, forecasts: Array) -> Array:
    """Mean absolute error of each horizon over the scored part."""
    count = len(values)
    begin = first_scored(count)
    return np.array(
        [
            np.abs(values[begin + ahead :] - forecasts[begin : count - ahead, ahead - 1]).mean()
            for ahead in range(1, forecasts.shape[1] + 1)
        ]
    )


def error_ratios(values: Array, forecasts: Array) -> Array:
    """`mean_errors` as ratios to those of the last value; 1 where neither errs."""
    last_value = np.repeat(values[:, None], forecasts.shape[1], axis=1)
    ours, plain = mean_errors(values, forecasts), mean_errors(values, last_value)
    least = 1e-12 * max(1.0, float(np.abs(values).max()))
    return (ours + least) / (plain + least)
