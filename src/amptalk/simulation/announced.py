"""What a plant announced, kept as a live run keeps it: until it ends or is taken back."""

from __future__ import annotations

import math
from collections.abc import Sequence

from amptalk.model.announcement import Announcement
from amptalk.model.errors import ConfigurationError
from amptalk.simulation.plant import ToCome
from amptalk.simulation.resources import resource_name


class _Entry:
    __slots__ = ("amount", "ends", "resource", "starts", "told", "told_twice")

    def __init__(self, resource: str, amount: float, starts: float, ends: float) -> None:
        self.resource = resource
        self.amount = amount
        self.starts = starts
        self.ends = ends
        self.told = self.told_twice = True

    def is_the_same(self, other: _Entry, tolerance: float) -> bool:
        if self.resource != other.resource or self.amount != other.amount:
            return False
        if abs(self.starts - other.starts) <= tolerance:
            return True
        return self.ends < math.inf and abs(self.ends - other.ends) <= tolerance


class Announced:
    """Announcements of a plant. Told once they stay; told in every step they count once."""

    def __init__(self, period: float) -> None:
        self._tolerance = 0.5 * period
        self._entries: list[_Entry] = []

    def take(self, now: float, told: Sequence[ToCome]) -> None:
        """Take what the plant tells at `now`.

        Raises `ConfigurationError` for what is no announcement.
        """
        if not (told or self._entries):
            return
        entries = self._entries
        for entry in entries:
            entry.told = False
        for one in told:
            self._add(_entry(one, now))
        self._entries = [
            entry for entry in entries if entry.ends > now and (entry.told or not entry.told_twice)
        ]

    def current(self, now: float) -> tuple[Announcement, ...]:
        """Announced demand that has not ended, `starts_in` relative to `now`, oldest first."""
        return tuple(
            Announcement(
                entry.resource, entry.amount, entry.starts - now, entry.ends - entry.starts
            )
            for entry in self._entries
        )

    def _add(self, new: _Entry) -> None:
        for entry in self._entries:
            if not entry.told and entry.is_the_same(new, self._tolerance):
                entry.told = entry.told_twice = True
                # Told with what is left of its duration it keeps the start it was first told with.
                entry.starts, entry.ends = min(entry.starts, new.starts), new.ends
                return
        new.told_twice = False
        self._entries.append(new)


def _entry(one: ToCome, now: float) -> _Entry:
    try:
        amount, starts_in, duration = float(one.amount), float(one.starts_in), float(one.duration)
        name = resource_name(one.resource)
    except (AttributeError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{one!r} is no announcement ({error}): give Announcement(resource, amount, "
            "starts_in, duration)"
        ) from error
    if not (math.isfinite(amount) and math.isfinite(starts_in) and duration > 0):
        raise ConfigurationError(
            f"{one!r}: amount and starts_in must be finite numbers, duration above 0 seconds"
        )
    return _Entry(name, amount, now + starts_in, now + starts_in + duration)
