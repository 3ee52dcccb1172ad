"""The parts of an engine that stand for a plant: its sensors, its actuators, its runner.

Everything else an engine is made of is that of a live run.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from amptalk.clock import VirtualClock
from amptalk.model.action import ActionReport
from amptalk.model.announcement import Announcement
from amptalk.model.decision import Decision
from amptalk.model.level import LimitState
from amptalk.model.resource import Resource
from amptalk.model.sample import Columns, Sample
from amptalk.simulation.announced import Announced

_NOT_THERE = "a plant has no such sensor"
_NO_VALUE = "the plant's sensor gave nothing in this step"


class PlantSensors:
    """Turns what a plant's sensors say into a sample."""

    rates_fresh = True

    def __init__(
        self, resources: tuple[Resource, ...], columns: Columns, clock: VirtualClock
    ) -> None:
        self._clock = clock
        self._columns = columns
        self._places = [columns.index[resource.field] for resource in resources]
        self._fields = [resource.field for resource in resources]
        self._row = [math.nan] * len(columns.fields)
        self._missing = {field.name: _NOT_THERE for field in columns.fields}
        for field in self._fields:
            del self._missing[field]
        self.measured: tuple[float, ...] = ()
        """What the sensors say now, in the order of the resources; `nan` for nothing."""

    def read(self) -> Sample:
        """The sample of this step."""
        missing = self._missing
        for place, field, value in zip(self._places, self._fields, self.measured, strict=True):
            self._row[place] = value
            if value != value:  # noqa: PLR0124 - nan
                missing = {**missing, field: _NO_VALUE}
        return Sample(
            self._clock.time(), self._clock.monotonic(), tuple(self._row), missing,
            columns=self._columns,
        )  # fmt: skip

    refine_memory = read


class PlantActuators:
    """Hands allocations to the plant: what a knob, admission or a quota does in a live run."""

    acting = True

    def __init__(self, announced: Announced) -> None:
        self._announced = announced
        self.decision = Decision("none yet", ())

    def announced(self, sample: Sample) -> tuple[Announcement, ...]:
        """Work that the plant has told of."""
        return self._announced.current(sample.monotonic)

    def carry_out(
        self,
        sample: Sample,  # noqa: ARG002
        limits: tuple[LimitState, ...],  # noqa: ARG002
        decision: Decision,
    ) -> tuple[ActionReport, ...]:
        """Keep the decision for the next step; allocation is all that reaches a plant."""
        self.decision = decision
        return ()


class _Returned:
    """A call that has come back."""

    done = True

    def __init__(self, error: str | None) -> None:
        self.error = error


class InlineRunner:
    """Calls `on_shrink` and `on_grow` of a plant's components at once: there are no threads."""

    def call(self, key: str, function: Callable[[], object], deadline: float) -> _Returned:  # noqa: ARG002
        """Run it now."""
        try:
            function()
        except Exception as error:  # noqa: BLE001 - the plant's own code, as in a live run
            return _Returned(f"{type(error).__name__}: {error}")
        return _Returned(None)
