"""The flight recorder: a mapped ring file that survives the death of its process.

What is stored into the map is the kernel's at once: SIGKILL loses the tick in
flight at most. `sync`, called off the tick, brings it to the disk every 60 s, the
kernel itself every 30 s or so: that is what power loss takes. At 1 Hz with 30
series that move, at most 20 MB a day are written (the file system's own journal
not counted); the layout that does it is in `ringfile`, reading in `recording`.

How the file is opened and made is in `ringopen`.
"""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import threading
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from amptalk.history.ringfile import (
    COLUMNS,
    EVENT_BYTES,
    EVENT_SLOTS,
    EVENTS_AT,
    PAGE,
    PAGES_AT,
    Page,
    PageWriter,
    Row,
    read_page,
)
from amptalk.history.ringhead import (
    SIGNALS_AT,
    Header,
    pack_event,
    pack_signals,
    read_event,
    read_signals,
)
from amptalk.history.ringopen import opened, prepared
from amptalk.model.errors import ConfigurationError
from amptalk.model.sample import BUILT_IN_COLUMNS, FIELDS, Columns, Field, Sample

SYNC_SECONDS = 60.0

_live: weakref.WeakSet[Recorder] = weakref.WeakSet()


class Recorder:
    """Keeps the newest samples and events of a run in a file, through any crash.

    Opens the recording of an earlier run and goes on behind it, as a new session.
    Holds a lock on the file while it is open. Raises `MetricsFileError` when the
    file is in use, damaged, not a recording or cannot be made.
    """

    def __init__(
        self, path: str | os.PathLike[str], interval: float, capacity_rows: int = 3600
    ) -> None:
        if not 0 < interval < math.inf:
            raise ConfigurationError(f"interval={interval!r} is not allowed; give seconds above 0")
        if capacity_rows < 1:
            raise ConfigurationError(f"capacity_rows={capacity_rows!r} must be 1 or more")
        self.path = os.fspath(path)
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._synced = time.monotonic()
        self._fd = opened(self.path)
        try:
            header = prepared(self.path, self._fd, capacity_rows, interval)
            self._map: mmap.mmap | None = mmap.mmap(self._fd, header.size)
        except BaseException:
            os.close(self._fd)
            raise
        self._pages = header.pages
        newest = self._newest_page(header)
        self._next_page = newest.number + 1 if newest else 1
        self.session = newest.session + 1 if newest else 1
        """Number of this run in the file, counted from 1."""
        self._at = 0
        self._next_event = self._newest_event() + 1
        self._writer = PageWriter(self.session)
        self._columns = BUILT_IN_COLUMNS
        self._signals: tuple[Field, ...] = read_signals(self._bytes(0, PAGE)) or ()
        """Those that the file has columns for, of earlier runs, too."""
        self._places: tuple[int, ...] | None = None
        """Where a row has each of them, -1 for nowhere; `None` when it has them in this order."""
        self._begin(newest, interval)
        _live.add(self)

    def record(self, sample: Sample) -> None:
        """Keep one sample. Hot path; does nothing once closed or in a forked child."""
        memory = self._map
        if memory is None or os.getpid() != self._pid:
            return
        if sample.columns is not self._columns:
            self._follow(sample.columns)
        values, places = sample.row, self._places
        if places is not None:
            signals = [values[at] if at >= 0 else math.nan for at in places]
            values = (*values[: len(FIELDS)], *signals)
        row = Row(sample.time, sample.monotonic, values)
        writer = self._writer
        at = self._at + writer.used
        record = writer.add(row)
        if record is None:
            self._at = PAGES_AT + (self._next_page - 1) % self._pages * PAGE
            memory[self._at : self._at + PAGE] = writer.start(self._next_page, row)
            self._next_page += 1
        else:
            memory[at : at + len(record)] = record

    def _follow(self, columns: Columns) -> None:
        """Give columns to new signals, and find the place of each in a row from now on."""
        self._columns = columns
        for signal in columns.signals:
            if signal in self._signals:
                continue
            table = pack_signals((*self._signals, signal))
            if table is None or len(FIELDS) + len(self._signals) >= COLUMNS:
                text = f"signal {signal.name} is not recorded: the file has no room for its name"
                self.note({"kind": "notice", "time": time.time(), "text": text})
                continue
            os.pwrite(self._fd, table, SIGNALS_AT)  # one call: no kill can tear it
            self._signals = (*self._signals, signal)
        places = tuple([
            columns.index[signal.name] if signal in columns.signals else -1
            for signal in self._signals
        ])  # fmt: skip
        straight = places == tuple(range(len(FIELDS), len(columns.fields)))
        self._places = None if straight else places

    def note(self, event: Mapping[str, Any]) -> None:
        """Keep an event; facts beyond 496 bytes of JSON are left out."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            if self._map is None:
                return
            at = EVENTS_AT + (self._next_event - 1) % EVENT_SLOTS * EVENT_BYTES
            self._map[at : at + EVENT_BYTES] = pack_event(self._next_event, event)
            self._next_event += 1

    def sync(self) -> None:
        """Bring what was recorded to the disk, if the last time is 60 s ago.

        Waits for the disk without holding the interpreter; not for the tick.
        """
        now = time.monotonic()
        if os.getpid() != self._pid or now - self._synced < SYNC_SECONDS:
            return
        with self._lock:
            if self._map is None:
                return
            self._synced = now
            descriptor = os.dup(self._fd)
        try:  # without the lock, which a tick that notes an event would wait for
            os.fdatasync(descriptor)  # not mmap.flush: it holds the GIL while the disk writes
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Bring everything to the disk and let go of the file. Idempotent."""
        if os.getpid() != self._pid:
            self.abandon()
            return
        with self._lock:
            if self._map is not None:
                with suppress(OSError):  # what is in the map reaches the disk later
                    os.fdatasync(self._fd)
                # Closing alone unlocks only once no fork in the making has a copy either.
                fcntl.flock(self._fd, fcntl.LOCK_UN)
                self._let_go()

    def abandon(self) -> None:
        """Let go of the file without touching it: for a fork's child, whose parent goes on."""
        if self._map is not None:
            self._let_go()

    def _let_go(self) -> None:
        memory, self._map = self._map, None
        if memory is not None:
            memory.close()
        os.close(self._fd)

    def _newest_page(self, header: Header) -> Page | None:
        pages = (
            read_page(self._bytes(PAGES_AT + i * PAGE, PAGE), header.resolutions)
            for i in range(header.pages)
        )
        return max((page for page in pages if page), key=lambda page: page.number, default=None)

    def _newest_event(self) -> int:
        slots = (self._bytes(EVENTS_AT + i * EVENT_BYTES, EVENT_BYTES) for i in range(EVENT_SLOTS))
        return max((found[0] for slot in slots if (found := read_event(slot))), default=0)

    def _bytes(self, at: int, length: int) -> bytes:
        return b"" if self._map is None else self._map[at : at + length]

    def _begin(self, newest: Page | None, interval: float) -> None:
        """Mark the new session, and whether the machine was started anew since the last one."""
        now = time.monotonic()
        rebooted = None
        if newest:
            # The monotonic clock begins anew with each start of the machine; when it
            # is ahead of the last row that proves nothing unless wall time agrees.
            last = newest.rows[-1]
            passed = time.time() - last.time
            if now < last.monotonic:
                rebooted = True
            elif abs(passed - (now - last.monotonic)) < SYNC_SECONDS:
                rebooted = False
        self.note(
            {
                "kind": "session", "time": time.time(), "session": self.session,
                "monotonic": now, "interval": interval, "pid": self._pid, "rebooted": rebooted,
            }
        )  # fmt: skip


def _abandon_all() -> None:
    for recorder in tuple(_live):
        recorder.abandon()


os.register_at_fork(after_in_child=_abandon_all)
