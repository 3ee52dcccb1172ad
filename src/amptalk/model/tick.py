"""Everything one tick saw and did."""

from __future__ import annotations

from typing import NamedTuple

from amptalk.model.action import ActionReport
from amptalk.model.decision import Decision
from amptalk.model.level import LimitState
from amptalk.model.sample import Sample


class Tick(NamedTuple):
    """One turn of the engine, as listeners get it."""

    sample: Sample
    limits: tuple[LimitState, ...]
    decision: Decision
    reports: tuple[ActionReport, ...]
    """Actions whose effect was measured in this tick."""
    seconds: float
    """How long the tick took, sampling included."""
    sampling_seconds: float
    """How long reading the sensors took."""
