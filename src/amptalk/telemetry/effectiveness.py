"""How well it went: what the limits suffered, what the work paid, which actions helped.

The same bookkeeping serves a live run and a simulation. It judges nothing and
decides nothing; it adds up what the engine shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from amptalk.model.action import ActionReport, Verdict
from amptalk.model.decision import Allocation, Decision
from amptalk.model.level import LimitState

WARNING_PROBABILITY = 0.5
"""An expectation at least this likely counts as a warning."""
WARNING_SECONDS = 60.0
"""A breach within this time of a warning was warned of; a warning without one was false."""


class ResourceOutcome(NamedTuple):
    """What one limit suffered under one strategy."""

    seconds_over: float
    breaches: int
    breaches_warned: int
    breaches_missed: int
    warnings_false: int
    """Warnings after which neither a breach came nor anything was reduced (an averted
    breach is neither warned nor false)."""
    work_reduced_seconds: float
    """Seconds of full work held back by allocation: the sum of (1 - share) over time."""
    changes_per_minute: float
    """Changes of full range (0 to 1) in the allocation, per minute."""


class _Track:
    """Running account of one resource."""

    __slots__ = (
        "averted",
        "breached",
        "breaches",
        "false",
        "missed",
        "over",
        "reduced",
        "share",
        "travel",
        "warned",
        "warned_until",
    )  # fmt: skip

    def __init__(self) -> None:
        self.over = self.reduced = self.travel = 0.0
        self.share = 1.0
        self.breaches = self.warned = self.missed = self.false = 0
        self.warned_until = -1.0
        self.breached = self.averted = False


class Effectiveness:
    """Adds up outcomes tick by tick."""

    def __init__(self, strategy: str) -> None:
        self._strategy = strategy
        self._seconds = 0.0
        self._tracks: dict[str, _Track] = {}
        self._actions: dict[str, dict[Verdict, int]] = {}
        self._freed: dict[str, float] = {}
        self._unsettled: set[str] = set()
        """Resources beyond their limit, or warned of."""
        self._decision: Decision | None = None
        self._counting: tuple[Allocation, ...] = ()
        """Allocations of that decision that count in every tick, whether or not it is new."""

    def add(
        self, now: float, seconds: float, limits: tuple[LimitState, ...], decision: Decision
    ) -> None:
        """Account for one tick that stands for `seconds`; `now` is monotonic.

        `limits` are the same ones in every tick.
        """
        self._seconds += seconds
        tracks, unsettled = self._tracks, self._unsettled
        if len(tracks) != len(limits):
            for state in limits:
                tracks.setdefault(state.resource.name, _Track())
        for state in limits:
            if state.value > state.limit or (unsettled and state.resource.name in unsettled):
                self._follow(state, now, seconds)
        if decision is self._decision:
            allocations = self._counting
        else:
            allocations = decision.allocations
            self._decision = decision
            self._counting = tuple(
                [one for one in allocations if one.share < 1.0 or one.expected is not None]
            )
        for allocation in allocations:
            track = tracks.get(allocation.resource)
            if track is None:
                continue
            share = allocation.share
            if share != track.share:
                track.travel += abs(share - track.share)
                track.share = share
            if share < 1.0:
                track.reduced += (1.0 - share) * seconds
                track.averted = True
            expected = allocation.expected
            if (
                expected is not None
                and not track.breached
                and expected.probability >= WARNING_PROBABILITY
            ):
                if track.warned_until < 0:
                    track.averted = share < 1.0
                unsettled.add(allocation.resource)
                track.warned_until = now + max(WARNING_SECONDS, min(expected.seconds, 600.0))

    def _follow(self, state: LimitState, now: float, seconds: float) -> None:
        """Account for a limit that is exceeded, was exceeded until now or is warned of."""
        name = state.resource.name
        track = self._tracks[name]
        if state.value > state.limit:
            track.over += seconds
            if not track.breached:
                self._breach(track, now)
        elif track.breached and state.fresh:
            track.breached = False
        if track.warned_until >= 0 and now > track.warned_until:
            self._close_warning(track)
        if track.breached or track.warned_until >= 0:
            self._unsettled.add(name)
        else:
            self._unsettled.discard(name)

    @staticmethod
    def _breach(track: _Track, now: float) -> None:
        track.breached = True
        track.breaches += 1
        if track.warned_until >= 0 and now <= track.warned_until:
            track.warned += 1
        else:
            track.missed += 1
        track.warned_until = -1.0

    @staticmethod
    def _close_warning(track: _Track) -> None:
        if not track.averted:
            track.false += 1
        track.warned_until = -1.0

    def report(self, report: ActionReport) -> None:
        """Account for one verified action, by its name without the figures that follow it."""
        name = report.action.split(":")[0]
        verdicts = self._actions.setdefault(name, dict.fromkeys(Verdict, 0))
        verdicts[report.verdict] += 1
        if report.verdict in (Verdict.WORKED, Verdict.PARTIAL):
            self._freed[name] = self._freed.get(name, 0.0) + max(0.0, report.freed)

    def outcome(self, resource: str) -> ResourceOutcome:
        """What the limit of one resource suffered so far."""
        track = self._tracks.get(resource) or _Track()
        return ResourceOutcome(
            seconds_over=track.over,
            breaches=track.breaches,
            breaches_warned=track.warned,
            breaches_missed=track.missed,
            warnings_false=track.false,
            work_reduced_seconds=track.reduced,
            changes_per_minute=track.travel / max(self._seconds, 1e-9) * 60.0,
        )

    def summary(self, admission: Mapping[str, float]) -> dict[str, Any]:
        """Everything as plain data, for files and people; `admission` are the gate's counts."""
        return {
            "strategy": self._strategy,
            "seconds": round(self._seconds, 3),
            "limits": {name: self.outcome(name)._asdict() for name in self._tracks},
            "admission": dict(admission),
            "actions": {
                name: {
                    **{verdict.value: count for verdict, count in verdicts.items() if count},
                    "freed": round(self._freed.get(name, 0.0), 3),
                }
                for name, verdicts in self._actions.items()
            },
        }
