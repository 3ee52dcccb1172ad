"""Whose was it: shares what overlapping jobs took together out among them.

Pure. Time is cut where a job begins or ends, so in each piece the same jobs run. What was
measured of a piece is the sum of what its jobs took; where that differs from the sum of what
is expected of them, the difference goes to those of whom least is known, in proportion to the
variance of their expectation. That is one step of a Kalman filter whose state are the jobs'
costs, without the covariances between them. A job that is alone in a piece gets all of it.

`PeakShares` is for what is held (memory: the highest rise over what was used before the first
of the jobs began), `FlowShares` for what adds up (CPU seconds, joules).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import NamedTuple, TypeVar

UNKNOWN_VARIANCE = 1e18
"""Of a job that was never measured; far above any other, so that such jobs take what is left."""
_ROUGHLY = 0.25
"""Share that what was seen so far of a running, unknown job is taken to be unsure by."""


_Job = TypeVar("_Job", bound=Hashable)


class Expected(NamedTuple):
    """What is known beforehand of one quantity of a job."""

    amount: float
    variance: float


NOTHING_KNOWN = Expected(0.0, UNKNOWN_VARIANCE)


def share_out(total: float, expected: Mapping[_Job, Expected]) -> dict[_Job, float]:
    """Divide what at least one job took; each share is 0 or more.

    The shares add up to `total` unless one had to be raised to 0.
    """
    beyond = total - math.fsum([one.amount for one in expected.values()])
    whole = math.fsum([one.variance for one in expected.values()])
    even = 1.0 / len(expected)
    return {
        job: max(0.0, one.amount + beyond * (one.variance / whole if whole > 0.0 else even))
        for job, one in expected.items()
    }


class Rise(NamedTuple):
    """What a job held."""

    highest: float
    """Over what was used before the first of the jobs that overlapped; `nan`: never measured."""
    left: float
    """What all of them together had not given back when it ended."""


class PeakShares:
    """Highest rise of one held quantity, for each job that runs."""

    def __init__(self) -> None:
        self._expected: dict[Hashable, Expected] = {}
        self._peaks: dict[Hashable, float] = {}
        self._base = self._highest = self._last = math.nan

    def begin(self, job: Hashable, expected: Expected, value: float) -> None:
        """A job begins at `value`.

        When it is `nan` nothing can be told of this job and those that overlap it.
        """
        if not self._expected:
            self._base = self._last = value
            self._highest = math.nan
        else:
            self.measure(value)
        self._cut()
        self._expected[job] = expected

    def measure(self, value: float) -> None:
        """Take a measurement while jobs run."""
        if value > self._highest or math.isnan(self._highest):
            self._highest = value
        if not math.isnan(value):
            self._last = value

    def end(self, job: Hashable, value: float) -> Rise:
        """The job ends at `value`, `nan` when it is not known better than by `measure`."""
        self.measure(value)
        left = self._last - self._base
        self._cut()
        self._expected.pop(job, None)
        return Rise(self._peaks.pop(job, math.nan), max(0.0, left))

    def taken(self) -> dict[Hashable, float]:
        """Highest rise so far of each job that runs; `nan` where its base was not known."""
        at_first = math.nan if math.isnan(self._base) else 0.0
        peaks = self._shared()
        return {job: peaks.get(job, at_first) for job in self._expected}

    def _cut(self) -> None:
        """Let the piece end now and begin the next."""
        self._peaks = self._shared()
        self._highest = math.nan

    def _shared(self) -> dict[Hashable, float]:
        """The peaks so far, the present piece shared out among the jobs that run."""
        rise = self._highest - self._base
        if math.isnan(rise) or not self._expected:
            return self._peaks
        known = {job: self._refined(job, one) for job, one in self._expected.items()}
        shares = share_out(max(0.0, rise), known)
        return {job: max(self._peaks.get(job, 0.0), share) for job, share in shares.items()}

    def _refined(self, job: Hashable, expected: Expected) -> Expected:
        """What is expected of a job, given what it was seen to hold in this run already."""
        seen = self._peaks.get(job, 0.0)
        if seen <= expected.amount:
            return expected
        return Expected(seen, min(expected.variance, (_ROUGHLY * seen) ** 2))


class FlowShares:
    """Sum of one flowing quantity, for each job that runs."""

    def __init__(self) -> None:
        self._rates: dict[Hashable, Expected] = {}
        self._sums: dict[Hashable, float] = {}

    def begin(self, job: Hashable, rate: Expected) -> None:
        """A job begins of which `rate` a second is expected."""
        self._rates[job] = rate
        self._sums[job] = 0.0

    def add(self, amount: float, seconds: float) -> None:
        """The jobs that run took `amount` together, in the last `seconds`; `nan` when unknown."""
        if not self._rates or not seconds > 0.0:
            return
        if math.isnan(amount):
            self._sums = dict.fromkeys(self._sums, math.nan)
            return
        for job, rate in share_out(amount / seconds, self._rates).items():
            self._sums[job] += rate * seconds

    def end(self, job: Hashable) -> float:
        """The job ends; returns its sum, `nan` when some of it could not be measured."""
        self._rates.pop(job, None)
        return self._sums.pop(job, math.nan)
