"""Strategy `dynamic`: feedback on what is measured now.

It neither looks ahead (`predictive`) nor tunes itself (`adaptive`). The control
itself is in `controllers`.
"""

from __future__ import annotations

from amptalk.model.decision import Allocation, Decision, Observation
from amptalk.model.level import LimitState
from amptalk.strategies.control import LimitControl


class Dynamic:
    """Holds each limit by its own controller."""

    def __init__(self, name: str = "dynamic") -> None:
        self.name = name
        self._controls: dict[str, LimitControl] = {}
        self._unmeasured: list[LimitState | None] = []
        """By position, the last state of a limit that never had a value."""
        self._decision = Decision(self.name, ())

    def decide(self, observation: Observation) -> Decision:
        """Answer one observation; the same object again when nothing changed."""
        now = observation.now
        controls = self._controls
        last = self._decision.allocations
        changed = len(last) != len(observation.limits)
        if changed:
            self._unmeasured = [None] * len(observation.limits)
        unmeasured = self._unmeasured
        allocations: list[Allocation] = []
        for at, state in enumerate(observation.limits):
            if state is unmeasured[at]:  # then the answer is the same, too
                allocations.append(last[at])
                continue
            control = controls.get(state.resource.name)
            if control is None:
                control = controls[state.resource.name] = LimitControl(state)
            allocation = control.allocate(state, now)
            unmeasured[at] = state if state.blind and not control.controller.measured else None
            changed = changed or allocation is not last[at]
            allocations.append(allocation)
        if changed:
            self._decision = Decision(self.name, tuple(allocations))
        return self._decision
