"""Sample trains for the tests of the history: what was seen, and what a plain list says of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from amptalk.history.history import History
from amptalk.model.sample import FIELDS, INDEX, Sample

EPOCH = 1_700_000_000.0


def sample(at: float, values: Mapping[str, float], *, epoch: float = EPOCH) -> Sample:
    """A sample at monotonic `at` with these values; everything else is missing."""
    row = [math.nan] * len(FIELDS)
    for name, value in values.items():
        row[INDEX[name]] = value
    return Sample(epoch + at, at, tuple(row))


def fed(train: Iterable[tuple[float, float]], interval: float = 1.0) -> History:
    """A history that has seen (monotonic, memory_used_mb) pairs."""
    history = History(interval)
    for at, value in train:
        history.append(sample(at, {"memory_used_mb": value}))
    return history


def rows_of(
    train: Iterable[tuple[float, float]], interval: float = 1.0
) -> list[tuple[float, float, list[float]]]:
    """By plain lists: each row as (time, value, values of the fast samples after it)."""
    rows: list[tuple[float, float, list[float]]] = []
    for at, value in train:
        if rows and at - rows[-1][0] < 0.9 * interval:
            rows[-1][2].append(value)
        else:
            rows.append((at, value, []))
    return rows
