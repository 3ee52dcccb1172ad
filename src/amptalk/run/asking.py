"""Asking as a step of the ladder: carried out, given its time, measured like any other.

Two appeals without effect put it in quarantine, as with every actuator; `Asking` keeps what came of
them, for whoever then decides on harder means.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from amptalk.actuators.contract import Actuator
from amptalk.actuators.planner import need_of
from amptalk.model.action import ActionReport, Verdict
from amptalk.model.appeal import ASK, Appeal
from amptalk.model.decision import MINIMUM_SHARE, Decision
from amptalk.model.level import Level, LimitState
from amptalk.model.resource import Resource
from amptalk.run.channel import Channel

DEADLINES = {"hold": 2.0, "rate": 2.0, "temperature": 30.0}
"""Seconds until it is measured whether asking helped, by the kind of resource."""
HELPED = frozenset({Verdict.WORKED, Verdict.PARTIAL})
PREFIX = "ask_for_"
_MOST_AT_ONCE = 0.5
"""Part of what is used that one appeal asks for at most."""


class AskProgram(Actuator):
    """Ask the program for less of one resource."""

    level = Level.CRITICAL
    cost = 0.1

    def __init__(self, resource: Resource, channel: Channel) -> None:
        self.name = PREFIX + resource.name
        self.resource = resource.name
        self.latency = DEADLINES[resource.kind]
        self._channel = channel
        self._growing = False
        self.appeal = Appeal(ASK, resource.name, 1.0, deadline=self.latency)
        """What would be said now, but for how much is needed."""

    def look(self, state: LimitState, decision: Decision) -> None:
        """Take up what the limit and the allocation are in this tick, and before what is judged.

        An allocation may leave all running just below the limit, where the program is asked to
        make room: then the share is the part of the value that the level leaves, half at the
        least, for growth may end by itself. Degrees are no part of anything.
        """
        value = state.value
        self._growing = state.slope > 0.0
        if self.measured is not None:
            self.measured = max(self.measured[0], value), value
        if not state.level:
            return
        share = decision.share(self.resource)
        if state.resource.kind != "temperature" and value > 0.0:
            left = 1.0 - min(_MOST_AT_ONCE, max(0.0, need_of(state)) / value)
            share = min(share, max(MINIMUM_SHARE, left * self._channel.asked(self.resource)))
        self.appeal = self.appeal._replace(
            share=share, value=value, limit=state.limit,
            unit=state.resource.unit, level=state.level.label,
        )  # fmt: skip

    def apply(self, need: float) -> None:
        """Ask. What was growing is measured from its highest since: that is where it turned."""
        value = self.appeal.value
        self.measured = (value, value) if self._growing else None
        self._channel.ask(self.appeal._replace(give_back=max(0.0, need)))

    def undo(self) -> None:
        """All is well again."""
        self._channel.clear(self.resource)


class Asked(NamedTuple):
    """What came of asking for less of one resource."""

    times: int = 0
    helped: int = 0
    last: Verdict | None = None
    """Of the newest that was measured."""

    @property
    def in_vain(self) -> bool:
        """Whether it was measured that the newest did not help."""
        return self.last is not None and self.last not in HELPED

    @property
    def text(self) -> str:
        """For people: `asked to use less twice, no effect`."""
        if not self.times:
            return "not asked: there was no time"
        what = "no effect"
        if self.helped:
            part = "" if self.helped == self.times else f" {_so_often(self.helped)}"
            what = f"it helped{part}"
        return f"asked to use less {_so_often(self.times)}, {what}"


def _so_often(times: int) -> str:
    return {1: "once", 2: "twice"}.get(times, f"{times} times")


class Asking:
    """What came of all appeals of one run."""

    def __init__(self) -> None:
        self._asked: dict[str, Asked] = {}

    def take(self, report: ActionReport, *, killed: bool = False) -> None:
        """Take note of a report on an appeal; of others nothing.

        `killed`: the kernel killed of the program meanwhile, so what fell was not its doing.
        """
        if not report.action.startswith(PREFIX) or report.action.endswith(")"):
            return
        known = self.of(report.resource)
        verdict = Verdict.NO_EFFECT if killed else report.verdict
        helped = verdict in HELPED and not math.isnan(report.after)
        self._asked[report.resource] = Asked(known.times + 1, known.helped + helped, verdict)

    def of(self, resource: str) -> Asked:
        """What came of asking for one resource."""
        return self._asked.get(resource, Asked())

    def forget(self) -> None:
        """Begin anew with another program."""
        self._asked.clear()
