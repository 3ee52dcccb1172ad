"""What is done about a program's limits in each tick: ask, follow allocations, then harder means.

The engine's actuators for a run. The planner and the runner are those of every manager: an appeal
is a step whose effect is measured. Steps of the kernel's come only where asking was measured to be
in vain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from amptalk.actuators.kernel.contract import GroupStep
from amptalk.actuators.kernel.memory import MemoryBrake, MemoryReclaim
from amptalk.actuators.kernel.standing import share_of
from amptalk.actuators.ladder import HeldBack, Ladder
from amptalk.actuators.runner import ActionRunner
from amptalk.actuators.verdicts import measure_of
from amptalk.clock import Clock
from amptalk.model.action import ActionReport
from amptalk.model.announcement import Announcement
from amptalk.model.decision import Decision
from amptalk.model.level import LimitState
from amptalk.model.resource import BUILT_IN, Resource
from amptalk.model.sample import Sample
from amptalk.run.asking import Asking, AskProgram
from amptalk.run.channel import Channel
from amptalk.run.holding import Holding

_STEP = 0.05
"""An allocation that moved by less is not followed by the quota."""
_PATIENCE = 2.0
_PROTECT_EVERY = 5.0
"""Seconds after which it is looked for what must live and has come since."""
_ENDING = 1.0
"""Seconds that undoing may take at the end."""
_NOTHING = HeldBack(0.0)
_NO_REPORTS: tuple[ActionReport, ...] = ()


class RunActuation:
    """`Actuators` of the engine, for one program. All but `release` belong to the tick."""

    acting = True

    def __init__(
        self, clock: Clock, limits: Sequence[tuple[Resource, float]], holding: Holding,
        channel: Channel,
    ) -> None:  # fmt: skip
        self._holding = holding
        self._channel = channel
        self.asking = Asking()
        self._kills = 0.0
        self._protect_at = math.inf if not holding.protects else -math.inf
        self._runner = ActionRunner(clock)
        names = {*BUILT_IN}
        self._appeals = Ladder(self._runner, names, clock)
        self._harder = Ladder(self._runner, names, clock)
        self._askers = [
            AskProgram(resource, channel)
            for resource, _ in limits
            if not (resource.name == "cpu" and (holding.held("cpu") or holding.paced))
        ]
        for asker in self._askers:
            self._appeals.add(asker)
        self._brake = MemoryBrake()
        self._steps: tuple[GroupStep, ...] = ()
        if holding.hold is not None and holding.held("memory"):
            self._steps = (MemoryReclaim(), self._brake)
            for step in self._steps:
                step.begin(holding.hold)
                self._harder.add(step)
        self.askable = {asker.resource for asker in self._askers}
        """Resources that the program is asked for."""

    def announced(self, _sample: Sample) -> tuple[Announcement, ...]:
        """A program announces nothing."""
        return ()

    def carry_out(
        self, sample: Sample, limits: tuple[LimitState, ...], decision: Decision
    ) -> tuple[ActionReport, ...]:
        """Act on one tick; returns what was verified in it. Neither blocks nor raises."""
        now, runner = sample.monotonic, self._runner
        reports: list[ActionReport] = []
        states = {state.resource.name: state for state in limits}
        for asker in self._askers:
            asker.look(states[asker.resource], decision)
        if runner.busy:
            reports = runner.poll(now, measure_of(sample, limits))
            for report in reports:
                self.asking.take(report, killed=self._killed())
        self._channel.follow(decision)
        self._appeals.tick(limits, _held_back, now, sample.time)
        if self._steps:
            vain = tuple(s for s in limits if self.asking.of(s.resource.name).in_vain)
            self._harder.tick(vain, _held_back, now, sample.time)
            if self._brake.applied:
                runner.call("memory_brake watch", lambda: self._brake.watch(now), _PATIENCE)
        self._follow(share_of(decision))
        if now >= self._protect_at:
            self._protect_at = now + _PROTECT_EVERY
            runner.call("protect", self._holding.protect, _PATIENCE)
        return tuple(reports) if reports else _NO_REPORTS

    def forget(self) -> None:
        """Another program begins: what came of asking an earlier one does not count."""
        self.asking.forget()
        self._killed()

    def _killed(self) -> bool:
        """Whether the kernel killed in the program's group since this was asked last."""
        before, self._kills = self._kills, self._holding.toll().kills
        return self._kills > before

    def _follow(self, share: float) -> None:
        """Have the quota follow power and temperature."""
        holding = self._holding
        now = holding.quota.share
        if holding.follows and (abs(share - now) >= _STEP or share >= 1.0 > now):
            self._runner.call("cpu_quota", lambda: holding.follow(share), _PATIENCE)

    def told(self, resource: str) -> str:
        """What came of asking for a resource, and whether anybody listened, for people."""
        asked = self.asking.of(resource)
        deaf = asked.times and not asked.helped and not self._channel.heard
        return f"{asked.text} (nobody listened)" if deaf else asked.text

    def release(self) -> None:
        """End the threads; what the kernel holds is the holding's to undo."""
        self._runner.forget_steps()
        self._runner.threads.stop(_ENDING)


def _held_back(_state: LimitState) -> HeldBack:
    return _NOTHING
