"""How well it went: what the limits suffered, what the work paid, which actions helped.

The same bookkeeping serves a live run, a replay and a simulation. It judges nothing and
decides nothing; it adds up what the engine shows it. Time beyond the limits is the judge's
account; whether expectations came true is kept in `scoring`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from amptalk.model.action import ActionReport, Verdict
from amptalk.model.decision import Allocation, Decision
from amptalk.model.level import LimitState
from amptalk.telemetry.scoring import ForecastOutcome, ForecastScore, WarningScore


class Account(Protocol):
    """What is needed of `limits.judge.Judge`."""

    @property
    def seconds_over(self) -> Mapping[str, float]:
        """Measured seconds beyond each limit so far, by resource name."""


class ResourceOutcome(NamedTuple):
    """What one limit suffered under one strategy."""

    seconds_over: float
    breaches: int
    """Violations that began."""
    breaches_warned: int
    breaches_missed: int
    warnings_false: int
    """Warnings after which neither a breach came nor more work was held back."""
    warnings_acted_on: int
    """Warnings after which more work was held back, or an action gave something back, and no
    breach came. Whether one would have come is not known: it is neither warned nor false."""
    lead_seconds: float | None
    """Median time from warning to breach, of the newest breaches that were warned of."""
    work_reduced_seconds: float
    """Seconds of full work held back by allocation: the sum of (1 - share) over time."""
    changes_per_minute: float
    """Changes of full range (0 to 1) in the allocation, per minute."""
    forecast: ForecastOutcome | None
    """How forecasts of the value fared; `None` when the strategy made none."""


class _Track:
    """Running account of one resource."""

    __slots__ = ("forecasts", "reduced", "share", "travel", "warnings")

    def __init__(self) -> None:
        self.reduced = self.travel = 0.0
        self.share = 1.0
        self.warnings = WarningScore()
        self.forecasts: ForecastScore | None = None


class Effectiveness:
    """Adds up outcomes tick by tick.

    `judge` keeps the account of time beyond the limits. Without `acting` decisions are made
    but not carried out, so nothing that was expected was averted by them.
    """

    def __init__(self, strategy: str, judge: Account, *, acting: bool = True) -> None:
        self._strategy = strategy
        self._judge = judge
        self._acting = acting
        self._seconds = 0.0
        self._tracks: dict[str, _Track] = {}
        self._actions: dict[str, dict[Verdict, int]] = {}
        self._freed: dict[str, float] = {}
        self._decision: Decision | None = None
        self._counting: dict[str, Allocation] = {}
        """Allocations of that decision that count in every tick, whether or not it is new."""

    def add(
        self, now: float, seconds: float, limits: tuple[LimitState, ...], decision: Decision
    ) -> None:
        """Account for one tick that stands for `seconds`; `now` is monotonic.

        Limits come and go with their signals; what one suffered is kept when it goes.
        """
        self._seconds += seconds
        tracks = self._tracks
        for state in limits:
            if state.resource.name not in tracks:
                tracks[state.resource.name] = _Track()
        if decision is not self._decision:
            self._take(decision)
        counting = self._counting
        for state in limits:
            name = state.resource.name
            track = tracks[name]
            allocation = counting.get(name)
            share, expected = track.share, None
            if allocation is not None:
                expected = allocation.expected
                if share < 1.0:
                    track.reduced += (1.0 - share) * seconds
            if not self._acting:
                share = 1.0
            over = state.value > state.limit
            warnings = track.warnings
            if over or expected is not None or warnings.share != share or not warnings.idle:
                warnings.add(now, share, expected, over=over, violated=state.violated)
            forecasts = track.forecasts
            if forecasts is None:
                if expected is None or expected.claim is None:
                    continue
                forecasts = track.forecasts = ForecastScore()
            if state.fresh:
                forecasts.add(now, state.value, share, expected, over=over)

    def _take(self, decision: Decision) -> None:
        """Note what of a new decision counts."""
        self._decision = decision
        self._counting = {}
        for allocation in decision.allocations:
            track = self._tracks.get(allocation.resource)
            if track is None:
                continue
            if allocation.share != track.share:
                track.travel += abs(allocation.share - track.share)
                track.share = allocation.share
            if allocation.share < 1.0 or allocation.expected is not None:
                self._counting[allocation.resource] = allocation

    def report(self, report: ActionReport) -> None:
        """Account for one verified action, by its name without the figures that follow it."""
        name = report.action.split(":")[0]
        verdicts = self._actions.setdefault(name, dict.fromkeys(Verdict, 0))
        verdicts[report.verdict] += 1
        if report.verdict in (Verdict.WORKED, Verdict.PARTIAL):
            self._freed[name] = self._freed.get(name, 0.0) + max(0.0, report.freed)
            track = self._tracks.get(report.resource)
            if track is not None:
                track.warnings.acted()

    def outcome(self, resource: str) -> ResourceOutcome:
        """What the limit of one resource suffered so far."""
        track = self._tracks.get(resource) or _Track()
        warnings, forecasts = track.warnings, track.forecasts
        return ResourceOutcome(
            seconds_over=self._judge.seconds_over.get(resource, 0.0),
            breaches=warnings.breaches,
            breaches_warned=warnings.warned,
            breaches_missed=warnings.missed,
            warnings_false=warnings.false,
            warnings_acted_on=warnings.acted_on,
            lead_seconds=warnings.lead,
            work_reduced_seconds=track.reduced,
            changes_per_minute=track.travel / max(self._seconds, 1e-9) * 60.0,
            forecast=forecasts.outcome if forecasts is not None else None,
        )

    def summary(self, admission: Mapping[str, float]) -> dict[str, Any]:
        """Everything as plain data, for files and people; `admission` are the gate's counts."""
        return {
            "strategy": self._strategy,
            "seconds": round(self._seconds, 3),
            "limits": {name: _plain(self.outcome(name)) for name in self._tracks},
            "admission": dict(admission),
            "actions": {
                name: {
                    **{verdict.value: count for verdict, count in verdicts.items() if count},
                    "freed": round(self._freed.get(name, 0.0), 3),
                }
                for name, verdicts in self._actions.items()
            },
        }


def _plain(outcome: ResourceOutcome) -> dict[str, Any]:
    forecast = outcome.forecast
    return {**outcome._asdict(), "forecast": forecast._asdict() if forecast else None}
