"""Samples made of nothing but the values a test names."""

from __future__ import annotations

import math
from collections.abc import Mapping

from amptalk.model.sample import FIELDS, INDEX, Provenance, Sample


def sample(
    seconds: float,
    values: Mapping[str, float],
    measured_at: Mapping[str, float] | None = None,
) -> Sample:
    """A sample at monotonic `seconds` (and that many after an epoch of 1000)."""
    row = [math.nan] * len(FIELDS)
    for name, value in values.items():
        row[INDEX[name]] = value
    origins = {
        name: Provenance("measured", "test", when) for name, when in (measured_at or {}).items()
    }
    return Sample(1000.0 + seconds, seconds, tuple(row), {}, origins)


def no_slope(field: str) -> float:
    return 0.0
