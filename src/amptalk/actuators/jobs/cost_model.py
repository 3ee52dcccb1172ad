"""One quantity of one job (peak memory, seconds, joules): learned from its last runs.

Pure. Where runs declared a size the cost follows it by a curve; what is left is the scatter
(`cost_curves`).

Not every run tells as much; `evidence` says which do. The first run in a process may load
a model or fill caches: what it took beyond the others is known apart, and expected again after
a restart. Runs of which it is not sure what was of others that overlapped count only until
three runs are known that are sure: the newest of them, whatever they took, with their own
uncertainty on top.

It neither measures (`watch`) nor shares out what overlapping jobs took (`attribution`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

from amptalk.actuators.jobs.cost_curves import CostCurves, Estimate
from amptalk.actuators.jobs.evidence import Run, is_sure, without_kept

KEPT_RUNS = 40
"""The next run exceeds the largest of 40 with a probability of 1 in 41."""
KEPT_FIRST = 5
"""First runs in a process that are remembered, of as many processes."""
ENOUGH_SURE = 3
NEWEST = 8
"""So many runs count where too few are sure: what was told of the others improves with time."""
SURPRISES = 3
"""So many runs in a row beyond the upper bound mean that the job has changed."""
REDRAWN = 8
"""A run as expected tells little: the curve is drawn again when one in so many of the runs is newer
than it."""


class CostModel:
    """Learns one quantity, 0 or more in its unit. Not thread-safe."""

    __slots__ = (
        "_before", "_due", "_fits", "_resolution", "_surprises", "_unread", "first", "runs",
    )  # fmt: skip

    def __init__(self, runs: Iterable[Run] = (), resolution: float = 0.0) -> None:
        self._resolution = resolution
        self.runs: list[Run] = []
        """Other runs, the newest last."""
        self.first: deque[Run] = deque(maxlen=KEPT_FIRST)
        """The first runs in a process, the last of them the newest."""
        for run in runs:
            (self.first.append if run.first else self._keep)(run)
        self._surprises = 0
        self._fits: CostCurves | None = None
        self._unread = 0
        """Runs since the curves were drawn that only told what was expected."""
        self._due = False
        """Whether one told something since that was not known."""
        self._before: CostCurves | None = None
        """What was known before the first of the surprises in a row."""

    def add(self, run: Run, *, at_once: bool = True) -> None:
        """Take one run; a size that is not above 0 counts as none.

        The next estimate tells of it `at_once` when it told something that was not known; else the
        curve is `due` for a while before it is drawn when asked for.
        """
        run = run._replace(size=run.size if run.size > 0.0 else math.nan, cost=max(0.0, run.cost))
        news = True
        if run.first:
            self.first.append(run)
        else:
            if not self._surprises or self._before is None:
                self._before = self._fitted()
            expected = self._before.estimate(run.size)
            surprising = is_sure(run) and expected is not None and run.cost > expected.high
            self._surprises = self._surprises + 1 if surprising else 0
            news = self._before.learns_from(run)
            self._keep(run)
            if self._surprises >= SURPRISES:
                self.runs = self.runs[-SURPRISES:]
                self._surprises = 0
        self._unread += 1
        prompt = at_once or len(self.runs) < NEWEST
        if (prompt and news) or self._newer(1 if prompt else 2):
            self._fits, self._unread = None, 0
        self._due |= news

    @property
    def due(self) -> bool:
        """Whether the curve should be drawn again where nobody waits for it."""
        return self._fits is not None and (self._due or self._newer(1))

    def redraw(self) -> None:
        """Draw the curve: about 1 ms for 40 runs."""
        self._fits, self._unread = None, 0
        self._fitted().draw()

    def _newer(self, times: int) -> bool:
        """Whether so many times one in `REDRAWN` of the runs is newer than the curve."""
        return self._unread * REDRAWN >= times * len(self.known())

    def _keep(self, run: Run) -> None:
        """Take a run for the oldest of those whose size, by powers of two, was seen most.

        Many small runs do not make it forget what the large ones take.
        """
        self.runs.append(run)
        if len(self.runs) > KEPT_RUNS:
            classes = [_size_class(known.size) for known in self.runs]
            most = max(classes, key=classes.count)
            del self.runs[classes.index(most)]

    def known(self) -> tuple[Run, ...]:
        """The runs that are remembered."""
        return (*self.first, *self.runs)

    def estimate(self, size: float = math.nan, *, first: bool = False) -> Estimate | None:
        """What a run of this size takes, the `first` in a process too; `None` before any."""
        known = self._fitted()
        estimate = known.estimate(size)
        if not first or estimate is None:
            return estimate
        extra = 0.0
        for run in self.first:
            later = known.estimate(run.size)
            if later is not None:
                extra = max(extra, run.cost - later.p95)
        p95, reserve, low, high, runs = estimate
        return Estimate(p95 + extra, reserve + extra, low + extra, high + extra, runs)

    def _fitted(self) -> CostCurves:
        """The curves, fitted anew when runs told something: about 1 ms for 40 of them."""
        if self._fits is None:
            self._due = False
            runs = self.known()
            sure = [run for run in runs if is_sure(run)]
            enough = len(sure) >= min(ENOUGH_SURE, len(runs))
            telling = without_kept(sure) if enough else runs[-NEWEST:]
            self._fits = CostCurves(telling, self._resolution, sure=enough)
        return self._fits


def _size_class(size: float) -> int | None:
    return math.frexp(size)[1] if size > 0.0 else None
