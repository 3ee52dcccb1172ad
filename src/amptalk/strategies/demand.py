"""Demand that is known: what is announced, admitted or granted, as a profile over time.

It arrives in the observation as announcements, whoever made them. Those of the application are
in full, for as long as they were announced, and begin a little early or late (`starts_in` above or
below 0): how much of the measured value they are already is found out here. Of work that runs
(`starts_in` 0) they are what it has not taken yet. Forecasting the rest is in `forecast`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from amptalk.model.announcement import Announcement
from amptalk.model.resource import Kind

EARLY = 2.0
"""Work may begin so many seconds before it was announced to."""
PATIENCE: dict[Kind, float] = {"rate": 3.0, "hold": 30.0, "temperature": 30.0}
"""Seconds in which begun work is waited for to show. What has not shown by then is not
expected any more: it was announced too high. Memory fills slowly, a rate is there at once."""
_SHOWN = 0.9
"""This part of what was waited for is taken to be all of it."""
_HELD_BACK = 0.9
"""Up to this share of work it shows whether announced work is held back as well."""
_TOO_LITTLE = 0.1
"""Of which less than this part shows was announced too high, or has not come."""
_LITTLE_LEFT = 0.5
"""Below this share of work that is what it would show as well if it is held back."""
_LARGE = 0.5
"""Part of all that runs of announced work which has to have begun to tell."""
_LESSON, _UNKNOWN = 0.5, 0.25
"""At first a single time tells."""


def running_at(announced: Sequence[Announcement], moment: float) -> float:
    """How much of the announced work runs at a moment, in seconds from now."""
    return sum([
        one.amount
        for one in announced
        if one.starts_in <= moment < one.starts_in + one.duration
    ])  # fmt: skip


class Stretch(NamedTuple):
    """Known demand that is the same from one moment to another, in the resource's unit."""

    begins: float
    """Seconds from now."""
    ends: float
    """Seconds from now; `inf` for the last."""
    amount: float
    """Announced: on top of the value without it, whatever that becomes."""
    taking: float
    """What running work has not taken yet: on top of the value as it is now. Growth that is
    forecast may be this work taking it, so that the larger of the two counts."""

    @property
    def whole(self) -> float:
        """Both."""
        return self.amount + self.taking


class KnownDemand:
    """Follows the known demand on one resource from tick to tick."""

    __slots__ = (
        "_beginning", "_change", "_future", "_may_scale", "_origin", "_part", "_patience",
        "_scaling", "_settles", "_total", "_unseen", "scales", "shown",
    )  # fmt: skip

    def __init__(self, kind: Kind) -> None:
        self._patience = PATIENCE[kind]
        self._may_scale = kind == "rate"  # what is held does not shrink with the share
        self.shown = 0.0
        """How much of the known demand shows in the measured value, as if it ran in full."""
        self.scales = False
        """Whether announced work is held back as the rest is; learned from what it took while
        work was held back."""
        self._scaling = _UNKNOWN
        """Part of it that was."""
        self._part = 1.0
        """Of what is announced, this part runs."""
        self._total = 0.0
        """Announced demand that has begun."""
        self._unseen = 0.0
        """Part of it that never showed, and is not waited for any more."""
        self._change = 0.0
        """How much was to show or to go when that last changed."""
        self._future: list[tuple[float, float]] = []
        """Amount and duration of those that had not begun at the last tick."""
        self._beginning: list[Announcement] = []
        """Those of them that begin at this one."""
        self._origin = math.nan
        """The value without known demand, when that last began or ended."""
        self._settles = -math.inf

    def update(
        self,
        now: float,
        value: float,
        usual: float,
        coming: Sequence[Announcement],
        share: float = 1.0,
    ) -> float:
        """Take a measured value, under a share of work; return it without announced demand.

        `usual` is what that was expected to be. Announced demand that begins or ends shows
        as a change away from it, no larger than announced; a change without one is none.
        """
        self._part = share if self.scales else 1.0
        total = 0.0
        for one in self._announced(coming):
            if one.starts_in <= EARLY and one.starts_in + one.duration > 0.0:
                total += one.amount
        if total != self._total:
            self._begin(now, total, usual if usual == usual else value - self.taken)  # noqa: PLR0124
        if self._settles > -math.inf:
            self._follow(now, value, share)
        return value - self.taken

    @property
    def taken(self) -> float:
        """What is in the measured value of it."""
        return self.shown * self._part

    def _announced(self, coming: Sequence[Announcement]) -> Sequence[Announcement]:
        """Known demand that is told in full, and not as what is left of it.

        One that begins this very moment looks like what running work has left to take, but for
        having been told of before.
        """
        before = self._future
        self._future = [(one.amount, one.duration) for one in coming if one.starts_in > 0.0]
        self._beginning = [
            one for one in coming
            if one.starts_in == 0.0 and (one.amount, one.duration) in before
        ]  # fmt: skip
        return [one for one in coming if one.starts_in or one in self._beginning]

    def _begin(self, now: float, total: float, usual: float) -> None:
        """Known demand rose or fell to `total`."""
        if total < self._total:
            self._unseen *= total / self._total
        self._total = total
        self._origin = usual
        self._change = total - self._unseen - self.shown
        self._settles = now + EARLY + self._patience

    def _follow(self, now: float, value: float, share: float) -> None:
        """Look how much of the change has shown by now."""
        expected = self._total - self._unseen
        if expected > self.shown:
            # A value that fell meanwhile, by our own cut above all, rises from there.
            self._origin = min(self._origin, value - self.taken)
            seen = (value - self._origin) / self._part
            self.shown = min(expected, max(self.shown, seen))
        else:
            seen = (value - self._origin) / self._part
            self.shown = max(0.0, expected, min(self.shown, seen))
        left = expected - self.shown
        if abs(left) <= (1.0 - _SHOWN) * abs(self._change) or now >= self._settles:
            self._settles = -math.inf
            self._learn_scaling(value, expected, share)
            self._unseen = max(0.0, self._total - self.shown)
            self.shown = min(self.shown, self._total)

    def _learn_scaling(self, value: float, expected: float, share: float) -> None:
        """What all that runs took of what was announced tells whether it was held back."""
        tells = 0.0 < _LARGE * expected <= self._change and share <= _HELD_BACK
        if not (tells and self._may_scale):
            return
        part = (value - self._origin) / expected
        if part > _TOO_LITTLE or share < _LITTLE_LEFT:
            scaling = min(1.0, max(0.0, (1.0 - part) / (1.0 - share)))
            self._scaling += _LESSON * (scaling - self._scaling)
            self.scales = self._scaling > 0.5

    @property
    def idle(self) -> bool:
        """Whether no known demand has begun, shows or is waited for."""
        return self.settled and not self._total and not self.shown

    @property
    def settled(self) -> bool:
        """Whether all that began or ended has shown, or is not waited for any more."""
        return self._settles == -math.inf

    def ahead(self, coming: Sequence[Announcement]) -> list[Stretch]:
        """Known demand from now on, in order; empty when there is none."""
        part = 1.0 - self._unseen / self._total if self._total > 0.0 else 1.0
        amount = taking = 0.0
        changes: list[tuple[float, float, float]] = []
        for one in coming:
            ends = one.starts_in + one.duration
            if ends <= 0.0:
                continue
            if one.starts_in == 0.0 and one not in self._beginning:
                taking += one.amount
                if ends < math.inf:
                    changes.append((ends, 0.0, -one.amount))
                continue
            size = one.amount * part if one.starts_in <= EARLY else one.amount
            if one.starts_in <= 0.0:
                amount += size
            else:
                changes.append((one.starts_in, size, 0.0))
            if ends < math.inf:
                changes.append((ends, -size, 0.0))
        changes.sort()
        stretches = []
        begins = 0.0
        for moment, change, taken in changes:
            if moment > begins:
                stretches.append(Stretch(begins, moment, amount, taking))
                begins = moment
            amount = max(0.0, amount + change)
            taking = max(0.0, taking + taken)
        stretches.append(Stretch(begins, math.inf, amount, taking))
        # What came early or stays on shows for a moment yet.
        first = stretches[0]
        if first.amount < self.shown:
            stretches[0] = first._replace(amount=self.shown)
        return stretches if len(stretches) > 1 or stretches[0].whole else []
