"""Own work beside a recorded load, such as the power of a device over time."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Sequence

from amptalk.model.errors import ConfigurationError
from amptalk.simulation.plants.seeded import LEAST, SeededPlant


class BesideRecorded(SeededPlant):
    """A resource that others use as it was recorded, and own work on top.

        level = recorded(t) + amount · min(allocation, 1)

    `recorded` are readings `recorded_every` seconds apart, repeated from the start when they
    end; each seed starts at another place. `amount` is what full own work adds, in the
    resource's unit. Work is the allocation.
    """

    def __init__(
        self,
        recorded: Sequence[float],
        *,
        limit: float,
        amount: float,
        resource: str = "power_watts",
        recorded_every: float = 1.0,
        noise: float = 0.0,
        period: float = 1.0,
    ) -> None:
        if not recorded or not all(math.isfinite(value) for value in recorded):
            raise ConfigurationError(
                "recorded has no values or some that are not finite: give readings without gaps, "
                "as read_trace returns them"
            )
        self._recorded = tuple(recorded)
        self.resource, self.limit = resource, limit
        self._amount, self._every, self._noise = amount, recorded_every, noise
        super().__init__(period)

    def _begin(self) -> None:
        self._offset = self._random.randrange(len(self._recorded))

    def others(self) -> float:
        """What the others use now."""
        at = int(self.seconds / self._every + 1e-9) + self._offset
        return self._recorded[at % len(self._recorded)]

    def _move(self, allocation: float, dt: float) -> tuple[float, float, float]:  # noqa: ARG002
        return self.others() + self._amount * allocation, allocation, 1.0

    def _sense(self, level: float) -> float:
        return level + self._random.gauss(0.0, self._noise)

    def oracle(self) -> float:
        """The work that fits beside what the others use now."""
        return min(1.0, max(LEAST, (self.limit - self.others()) / self._amount))


def read_trace(path: str | os.PathLike[str], column: str | None = None) -> list[float]:
    """Read one column of a CSV file with a heading; gaps hold the last value.

    Without `column` the last one is taken. Raises `ConfigurationError` for a file that cannot
    be read, a column that is not there and one without a number.
    """
    values: list[float] = []
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            names = rows.fieldnames or []
            wanted = column or (names[-1] if names else "")
            if wanted not in names:
                raise ConfigurationError(
                    f"{path} has no column {wanted!r}, only: {', '.join(names) or 'none'}"
                )
            for row in rows:
                value = _number(row[wanted])
                if not math.isnan(value):
                    values.append(value)
                elif values:
                    values.append(values[-1])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path} cannot be read as CSV: {error}") from error
    if not values:
        raise ConfigurationError(f"{path} has no number in column {wanted!r}")
    return values


def _number(text: str | None) -> float:
    try:
        value = float(text or "nan")
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
