"""The limits that stand from start to stop: set, reported, looked at, led by shares."""

from __future__ import annotations

import math
import threading

from amptalk.actuators.kernel.contract import FOLLOWED, PATIENCE, Hold, Run, Standing, asked
from amptalk.actuators.kernel.cpu import CpuQuota, regranted
from amptalk.actuators.kernel.memory import MemoryCap
from amptalk.clock import Clock
from amptalk.model.action import ActionReport, Verdict
from amptalk.model.decision import Decision
from amptalk.model.errors import ActionError
from amptalk.model.level import Level
from amptalk.sensors.files import SensorFault

_STEP = 0.05
"""A share that moved by less is not followed."""


def share_of(decision: Decision) -> float:
    """The share of all cores that a decision leaves for power and temperature, 0-1."""
    return min((a.share for a in decision.allocations if a.resource in FOLLOWED), default=1.0)


class StandingLimits:
    """What the kernel holds. All but `reports` and `follow` may block, and are thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._quota = CpuQuota()
        self._all: tuple[Standing, ...] = (MemoryCap(), self._quota)
        self._limited: set[str] = set()
        self.held: set[str] = set()
        """Resources whose limit is held now."""
        self._lock = threading.Lock()
        self._changing = threading.RLock()
        self._reports: list[ActionReport] = []

    def begin(self, hold: Hold) -> list[str]:
        """Set all that are limited, again when limits have changed; what is to be said of each.

        Never raises.
        """
        with self._changing:
            limited = {resource.name for resource, _ in hold.limits}
            due = asked(limited) | asked(self._limited)
            self._limited = limited
            return [text for standing in self._all if standing.resource in due
                    if (text := self._stand(standing, hold))]  # fmt: skip

    def end(self) -> None:
        """All was undone by others."""
        self.held.clear()
        self._limited = set()
        for standing in self._all:
            standing.end()

    def reports(self) -> list[ActionReport]:
        """What was verified since the last call."""
        with self._lock:
            taken, self._reports = self._reports, []
        return taken

    def follow(self, share: float, granted: float, run: Run) -> None:
        """Have the quota go to a share of all cores, at most what sharing grants, if that is due.

        Neither blocks nor raises.
        """
        if "cpu" not in asked(self._limited):
            return
        now = self._quota.share
        moved = abs(share - now) >= _STEP or (share >= 1.0) != (now >= 1.0)
        if moved or regranted(self._quota.granted, granted):
            run("cpu_quota", lambda: self._lead(share, granted), PATIENCE)

    def _lead(self, share: float, granted: float) -> None:
        """Set the quota and report it."""
        quota = self._quota
        started, wall = self._clock.monotonic(), self._clock.time()
        try:
            with self._changing:
                quota.follow(share, granted)
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
                with self._changing:
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
                self.held.discard(standing.resource)
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
