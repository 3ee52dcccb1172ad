"""Choose how wide a guard band is by what each width would have cost.

A guard band costs the work that is held back for it, and spares time over the limit. What another
width would have cost is known without trying it: the level would have been as much higher or
lower, and so would the share. The rest of what a strategy chooses is in `adaptive`.
"""

from __future__ import annotations

from amptalk.strategies.controllers.contract import Controller

CAUTIONS = (0.5, 0.7, 1.0, 1.4, 2.0)
"""Widths to choose from, as factors on the part that follows from noise."""
_USUAL = 1.0
_OVER = 3.0
"""A second over the limit counts as much as so many seconds of full work."""
_MEMORY = 300.0
"""Seconds after which a cost counts a third."""
_BETTER = 0.1
"""Part by which a width must be cheaper than the present one …"""
_FOR = 60.0
"""… for so many seconds in a row, so that widths do not flap."""
_WARM_UP = 60.0
"""Seconds in force before anything is changed."""


class ScoredCaution:
    """Keeps the costs of all widths for one controller, and sets its cheapest."""

    __slots__ = ("_better_since", "_candidate", "_costs", "_since", "caution")

    def __init__(self) -> None:
        self.caution = _USUAL
        """The width in force."""
        self._costs = [0.0] * len(CAUTIONS)
        """Share of time lost, by width: over the limit, or as work."""
        self._candidate = _USUAL
        self._better_since = self._since = float("nan")

    def take(self, now: float, elapsed: float, controller: Controller) -> None:
        """Account for where a controller brought its level, while work was held back."""
        noise = controller.noise_guard / controller.caution
        if controller.share >= 1.0 or noise <= 0.0:
            return
        weight = min(1.0, elapsed / _MEMORY)
        for at, caution in enumerate(CAUTIONS):
            moved = (controller.caution - caution) * noise
            cost = (_OVER if controller.level + moved > 0.0 else 0.0) + caution * noise
            self._costs[at] += weight * (cost - self._costs[at])
        if self._since != self._since:
            self._since = now
        if now - self._since >= _WARM_UP:
            self._choose(now)
        controller.caution = self.caution

    def _choose(self, now: float) -> None:
        costs = self._costs
        cheapest = min(costs)
        best = CAUTIONS[costs.index(cheapest)]
        if cheapest > (1.0 - _BETTER) * costs[CAUTIONS.index(self.caution)]:
            best = self.caution
        if best != self._candidate:
            self._candidate, self._better_since = best, now
        elif best != self.caution and now - self._better_since >= _FOR:
            self.caution = best
