"""What the application declares a signal as: one number that only it knows."""

from __future__ import annotations

from typing import NamedTuple

from amptalk.model.resource import Kind, Resource


class Description(NamedTuple):
    """A declared signal, checked."""

    name: str
    unit: str
    limit: float | None
    """`None` for a signal that is only kept, not limited."""
    minimum: bool
    """True when the limit is the least that must be there."""
    kind: Kind
    """How it behaves; see `Resource`."""
    percentile: float
    """Which of the values recorded between two ticks stands for them, 0-100."""

    @property
    def resource(self) -> Resource:
        """What is limited: the sample has it under its own name."""
        return Resource(
            self.name, self.unit, self.kind, self.name, device_wide=False, minimum=self.minimum
        )
