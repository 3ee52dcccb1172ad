"""Whose was it: shares what overlapping jobs took together out among them.

Pure. Time is cut where a job begins or ends, so in each piece the same jobs run. What was
measured of a piece is the sum of what its jobs took; where that differs from the sum of what
is expected of them, the difference goes to those of whom least is known, in proportion to the
variance of their expectation. That is one step of a Kalman filter whose state are the jobs'
costs, without the covariances between them; it also tells how unsure each share is. A job that
is alone in a piece gets all of it, and is sure.

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
_AT_MOST = 3.0
"""A job hardly takes more than expected by so many standard deviations."""

_Job = TypeVar("_Job", bound=Hashable)


class Known(NamedTuple):
    """What is known of one quantity of a job, beforehand or of its share."""

    amount: float
    variance: float


NOTHING_KNOWN = Known(0.0, UNKNOWN_VARIANCE)


def share_out(total: float, expected: Mapping[_Job, Known]) -> dict[_Job, Known]:
    """Divide what at least one job took, 0 or more; the shares add up to it, none is negative."""
    shares = _divided(total, expected)
    while any(share.amount < 0.0 for share in shares.values()):
        rest = {job: expected[job] for job, share in shares.items() if share.amount > 0.0}
        nothing = {job: Known(0.0, one.variance) for job, one in expected.items()}
        shares = {**nothing, **_divided(total, rest)}
    return shares


def _divided(total: float, expected: Mapping[_Job, Known]) -> dict[_Job, Known]:
    """One step of the filter; a share may be negative."""
    beyond = total - math.fsum([one.amount for one in expected.values()])
    shares = {}
    for job, one in expected.items():
        # Summed, not subtracted from the whole: beside an unknown one it would be lost.
        others = math.fsum([other.variance for name, other in expected.items() if name != job])
        whole = one.variance + others
        part = one.variance / whole if whole > 0.0 else 1.0 / len(expected)
        left = others / whole if whole > 0.0 else 1.0
        shares[job] = Known(one.amount + part * beyond, one.variance * left)
    return shares


class Share(NamedTuple):
    """What a job took, as far as it can be told apart from others that ran at its time."""

    amount: float
    """`nan` when it was never measured, or some of it could not be."""
    unsure: float
    """Standard deviation of the amount; 0 when nobody else can have taken it."""


UNMEASURED = Share(math.nan, math.nan)


class PeakShares:
    """Highest rise of one held quantity, for each job that runs."""

    def __init__(self) -> None:
        self._expected: dict[Hashable, Known] = {}
        self._peaks: dict[Hashable, Known] = {}
        self._blurred: dict[Hashable, float] = {}
        """How unsure a rise is, by what others left behind meanwhile."""
        self._base = self._highest = self._last = math.nan
        self._climbed = 0.0
        """Sum of all rises so far."""
        self._begun_at: dict[Hashable, float] = {}
        """What that was when each job began: it cannot have taken more than came since."""

    def begin(self, job: Hashable, expected: Known, value: float) -> None:
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
        self._begun_at[job] = self._climbed

    def measure(self, value: float) -> None:
        """Take a measurement while jobs run."""
        if value > self._highest or math.isnan(self._highest):
            self._highest = value
        if not math.isnan(value):
            self._climbed += max(0.0, value - self._last)  # 0 when the last one is not known
            self._last = value

    def end(self, job: Hashable, value: float) -> Share:
        """The job ends at `value`, `nan` when it is not known better than by `measure`."""
        self.measure(value)
        self._cut()
        self._expected.pop(job, None)
        self._begun_at.pop(job, None)
        peak = self._peaks.pop(job, None)
        blurred = self._blurred.pop(job, 0.0)
        self._leave_behind(value)
        if peak is None:
            return UNMEASURED
        return Share(peak.amount, max(blurred, math.sqrt(peak.variance)))

    def _leave_behind(self, value: float) -> None:
        """Take what an ended job kept as there from now on: a model, a cache.

        It is what those that still run can hardly hold. Where that is, exactly, their rise
        begins is blurred by it.
        """
        if not self._expected or math.isnan(value):
            return
        held = 0.0
        for job, one in self._expected.items():
            peak = self._peaks.get(job, one).amount
            most = max(peak, one.amount + _AT_MOST * math.sqrt(one.variance))
            held += min(most, self._climb(job))
        kept = value - self._base - held
        if kept > 0.0:
            peaks = math.fsum([peak.amount for peak in self._peaks.values()])
            self._base = max(self._base, value - peaks)
            for job in self._expected:
                self._blurred[job] = self._blurred.get(job, 0.0) + _ROUGHLY * kept

    @property
    def left(self) -> float:
        """Rise as last measured: what the jobs that ran had not given back by then."""
        return max(0.0, self._last - self._base)

    def taken(self) -> dict[Hashable, float]:
        """Highest rise so far of each job that runs; `nan` where its base was not known."""
        at_first = math.nan if math.isnan(self._base) else 0.0
        peaks = self._shared()
        return {job: peaks[job].amount if job in peaks else at_first for job in self._expected}

    def _cut(self) -> None:
        """Let the piece end now and begin the next."""
        self._peaks = self._shared()
        self._highest = math.nan

    def _shared(self) -> dict[Hashable, Known]:
        """The peaks so far, the present piece shared out among the jobs that run."""
        rise = self._highest - self._base
        if math.isnan(rise) or not self._expected:
            return self._peaks
        known = {job: self._refined(job, one) for job, one in self._expected.items()}
        shares = share_out(max(0.0, rise), known)
        peaks = self._peaks
        return {
            job: max(peaks.get(job, share), share, key=_likely) for job, share in shares.items()
        }

    def _climb(self, job: Hashable) -> float:
        """All rises since a job began; nothing bounds it where its begin was not measured."""
        begun = self._begun_at[job]
        return math.inf if math.isnan(self._base) else self._climbed - begun

    def _refined(self, job: Hashable, expected: Known) -> Known:
        """What is expected of a job, given what it was seen to hold in this run already.

        No more than came since it began.
        """
        expected = expected._replace(amount=min(expected.amount, self._climb(job)))
        peak = self._peaks.get(job)
        if peak is None or peak.amount <= expected.amount:
            return expected
        return Known(peak.amount, min(expected.variance, (_ROUGHLY * peak.amount) ** 2))


def _likely(share: Known) -> float:
    """What a job took with some certainty: the largest of unsure shares is too large by chance."""
    return share.amount - 0.5 * min(share.amount, math.sqrt(share.variance))


class FlowShares:
    """Sum of one flowing quantity, for each job that runs."""

    def __init__(self) -> None:
        self._rates: dict[Hashable, Known] = {}
        self._sums: dict[Hashable, Share] = {}

    def begin(self, job: Hashable, rate: Known) -> None:
        """A job begins of which `rate` a second is expected."""
        self._rates[job] = rate
        self._sums[job] = Share(0.0, 0.0)

    def add(self, amount: float, seconds: float) -> None:
        """The jobs that run took `amount` together, in the last `seconds`; `nan` when unknown."""
        if not self._rates or not seconds > 0.0:
            return
        if math.isnan(amount):
            self._sums = dict.fromkeys(self._sums, UNMEASURED)
            return
        for job, rate in share_out(amount / seconds, self._rates).items():
            before = self._sums[job]
            unsure = before.unsure + math.sqrt(rate.variance) * seconds
            self._sums[job] = Share(before.amount + rate.amount * seconds, unsure)

    def end(self, job: Hashable) -> Share:
        """The job ends; returns its sum."""
        self._rates.pop(job, None)
        return self._sums.pop(job, UNMEASURED)
