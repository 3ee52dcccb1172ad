"""The limits that stand from start to stop: set, reported, looked at, led by allocations."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

from amptalk.actuators.kernel.contract import Hold, Standing
from amptalk.actuators.kernel.cpu import CpuQuota
from amptalk.actuators.kernel.memory import MemoryCap
from amptalk.clock import Clock
from amptalk.model.action import ActionReport, Verdict
from amptalk.model.decision import Decision
from amptalk.model.errors import ActionError
from amptalk.model.level import Level
from amptalk.model.resource import Resource
from amptalk.sensors.files import SensorFault

FOLLOWED = ("power", "temperature")
"""Resources whose allocations the CPU quota follows: CPU time is what the kernel holds of them."""
_STEP = 0.05
"""A share that moved by less is not followed."""


class StandingLimits:
    """What the kernel holds of `limits`. All but `reports` and `share_due` may block."""

    def __init__(self, clock: Clock, limits: Sequence[tuple[Resource, float]]) -> None:
        self._clock = clock
        self._limited = {resource.name for resource, _ in limits}
        self._quota = CpuQuota() if self._limited & {"cpu", *FOLLOWED} else None
        self._all: tuple[Standing, ...] = (
            *([MemoryCap()] if "memory" in self._limited else []),
            *([self._quota] if self._quota is not None else []),
        )
        self.held: set[str] = set()
        """Resources whose limit is held now."""
        self._lock = threading.Lock()
        self._reports: list[ActionReport] = []

    @property
    def names(self) -> tuple[str, ...]:
        """Resources that the kernel is asked to hold."""
        return tuple(standing.resource for standing in self._all)

    def begin(self, hold: Hold) -> list[str]:
        """Set all of them; returns what is to be said of each. Never raises."""
        return [text for standing in self._all if (text := self._stand(standing, hold))]

    def end(self) -> None:
        """All was undone by others."""
        self.held.clear()

    def reports(self) -> list[ActionReport]:
        """What was verified since the last call."""
        with self._lock:
            taken, self._reports = self._reports, []
        return taken

    def share_due(self, decision: Decision) -> float | None:
        """The share of all cores that the quota has to go to now, `None` to stay."""
        quota = self._quota
        if quota is None:
            return None
        share = min(
            (one.share for one in decision.allocations if one.resource in FOLLOWED), default=1.0
        )
        moved = abs(share - quota.share) >= _STEP or (share >= 1.0) != (quota.share >= 1.0)
        return share if moved else None

    def lead(self, share: float) -> None:
        """Set the quota to a share and report it. Never raises."""
        quota = self._quota
        if quota is None:
            return
        started, wall = self._clock.monotonic(), self._clock.time()
        try:
            quota.follow(share)
        except (ActionError, SensorFault) as error:
            verdict, detail = Verdict.DENIED, str(error)
        else:
            verdict, detail = Verdict.WORKED, quota.where or "no quota any more"
        self._report(quota, verdict, detail, wall, self._clock.monotonic() - started)

    def check(self) -> None:
        """Look whether what is held is held still. Never raises."""
        for standing in self._all:
            if standing.resource not in self.held:
                continue
            try:
                why = standing.lost()
            except ActionError as error:
                why = str(error)
            if why:
                self.held.discard(standing.resource)
                detail = f"not held any more: {why}"
                self._report(standing, Verdict.NO_EFFECT, detail, self._clock.time(), 0.0)

    def _stand(self, standing: Standing, hold: Hold) -> str:
        """Set one and report what came of it; returns it in words, empty when nothing is set."""
        started, wall = self._clock.monotonic(), self._clock.time()
        try:
            standing.hold(hold)
        except (ActionError, SensorFault) as error:
            verdict, detail = Verdict.DENIED, str(error)
            text = f"the kernel does not hold {standing.resource}: {error}"
        else:
            if standing.resource not in self._limited:
                return ""
            verdict, detail = Verdict.WORKED, standing.where
            self.held.add(standing.resource)
            text = f"the kernel holds {standing.resource}: {detail}"
        self._report(standing, verdict, detail, wall, self._clock.monotonic() - started)
        return text

    def _report(
        self, standing: Standing, verdict: Verdict, detail: str, wall: float, seconds: float
    ) -> None:
        unit = "MB" if standing.resource == "memory" else "%"
        held = standing.held
        after = math.nan if held is None or verdict is not Verdict.WORKED else held
        report = ActionReport(
            standing.name, standing.resource, unit, Level.NORMAL, wall, seconds, math.nan, after,
            None, verdict, detail,
        )  # fmt: skip
        with self._lock:
            self._reports.append(report)
