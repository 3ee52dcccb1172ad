"""Expert: the median of the last 15 values; what remains when spikes are left out."""

from __future__ import annotations

from collections.abc import Sequence

from amptalk.forecast.experts.contract import Expert
from amptalk.forecast.past import Past


class Median(Expert):
    """Expects a return to where the value mostly was."""

    __slots__ = ("_horizon",)

    def __init__(self, horizon: int) -> None:
        self._horizon = horizon

    def update(self, past: Past) -> Sequence[float]:
        """The same offset at each step."""
        return (past.median,) * self._horizon
