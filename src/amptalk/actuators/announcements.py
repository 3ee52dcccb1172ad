"""What the application says is to come, kept until it has begun, ended or been taken back."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from types import TracebackType

from amptalk.actuators.amounts import amount, amounts
from amptalk.model.announcement import Announcement
from amptalk.model.errors import ConfigurationError

SOON = 10.0
"""An announcement that starts within these seconds is consumed by work admitted now."""

_NONE: tuple[Announcement, ...] = ()
_NOTHING: Mapping[str, float] = {}


class _Entry:
    """What is left of an announcement for one resource."""

    __slots__ = ("amount", "ends", "resource", "starts")

    def __init__(self, resource: str, amount: float, starts: float, ends: float) -> None:
        self.resource = resource
        self.amount = amount
        self.starts = starts
        self.ends = ends


class AnnouncementHandle:
    """An announcement that can be taken back; as a context manager it is at the end."""

    def __init__(self, book: AnnouncementBook, entries: tuple[_Entry, ...]) -> None:
        self._book = book
        self._entries = entries

    def cancel(self) -> None:
        """Take back what is left of it; does nothing when it is over or cancelled already."""
        self._book.cancel(self._entries)

    def __enter__(self) -> AnnouncementHandle:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cancel()


class AnnouncementBook:
    """All announcements of a manager, oldest first. Thread-safe."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._entries: tuple[_Entry, ...] = ()

    def announce(
        self,
        *,
        memory_mb: float | None = None,
        gpu_memory_mb: float | None = None,
        cpu_percent: float | None = None,
        power_watts: float | None = None,
        starts_in: float = 0.0,
        duration: float = math.inf,
    ) -> AnnouncementHandle:
        """Tell of demand on top of what is used otherwise.

        Amounts in MB, percent of the effective capacity and watts; `starts_in` and
        `duration` in seconds, `duration` may be `inf`. Raises `ConfigurationError` for
        no amount at all, negative numbers and what is no number.
        """
        demand = amounts(
            memory_mb=memory_mb, gpu_memory_mb=gpu_memory_mb, cpu_percent=cpu_percent,
            power_watts=power_watts,
        )  # fmt: skip
        if not demand:
            raise ConfigurationError(
                "an announcement needs an amount: give memory_mb, gpu_memory_mb, cpu_percent or "
                "power_watts"
            )
        lasts = duration if duration == math.inf else amount("duration", duration)
        if lasts <= 0:
            raise ConfigurationError(f"duration={duration!r} is no time: give more than 0 seconds")
        starts = self._monotonic() + amount("starts_in", starts_in)
        entries = tuple(_Entry(r, a, starts, starts + lasts) for r, a in demand.items() if a > 0)
        with self._lock:
            self._entries += entries
        return AnnouncementHandle(self, entries)

    def cancel(self, entries: tuple[_Entry, ...]) -> None:
        """Drop entries of one announcement."""
        with self._lock:
            self._entries = tuple(entry for entry in self._entries if entry not in entries)

    def current(
        self, now: float, waiting: Mapping[str, float] = _NOTHING
    ) -> tuple[Announcement, ...]:
        """Announced demand that has not ended, `starts_in` relative to `now`, oldest first.

        `waiting` is what work that is not admitted yet asks of each resource: it is left out of
        the announcements which that work will consume.
        """
        if not self._entries:
            return _NONE
        with self._lock:
            if any(entry.ends <= now for entry in self._entries):
                self._entries = tuple(entry for entry in self._entries if entry.ends > now)
            left = [entry.amount for entry in self._entries]
            for resource, used in waiting.items():
                self._take(resource, used, left)
            return tuple(
                Announcement(e.resource, amount, e.starts - now, e.ends - e.starts)
                for e, amount in zip(self._entries, left, strict=True)
                if amount > 0
            )

    def consume(self, resource: str, used: float) -> None:
        """Take work that was admitted now off the oldest announcements it may belong to.

        Those are of the same resource, begun or about to begin within 10 s; what is
        left of `used` after one goes on to the next.
        """
        if not self._entries:
            return
        with self._lock:
            left = [entry.amount for entry in self._entries]
            self._take(resource, used, left)
            for entry, amount in zip(self._entries, left, strict=True):
                entry.amount = amount
            self._entries = tuple(entry for entry in self._entries if entry.amount > 0)

    def _take(self, resource: str, used: float, left: list[float]) -> None:
        """Lower what is left of the entries that `used` belongs to."""
        soon = self._monotonic() + SOON
        for place, entry in enumerate(self._entries):
            if entry.resource == resource and entry.starts <= soon and used > 0:
                taken = min(left[place], used)
                left[place] -= taken
                used -= taken

    def freeze(self) -> None:
        """Start empty in a forked child."""
        self._lock = threading.Lock()  # the parent may have held it
        self._entries = ()
