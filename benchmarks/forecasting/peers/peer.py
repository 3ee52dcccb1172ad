"""What a peer is, and what it may be told before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Setting(NamedTuple):
    """Facts of a trace that a user would configure a method by."""

    step: float
    """Seconds between samples."""
    period: int
    """Samples of the season found in the warm-up; 0 where none shows."""


class Peer(Protocol):
    """An online method."""

    def update(self, value: float) -> Sequence[float]:
        """Take a sample and return what the next 12 are expected to be."""
