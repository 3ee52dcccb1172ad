"""Who is told of each tick: the user's callback, the recording, OpenTelemetry, the log.

Each is optional, none may hold up the tick, and none can make it fail. What is told
is decided by the engine; how it is told is each listener's own module.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from amptalk.model.sample import Sample
from amptalk.model.tick import Tick
from amptalk.telemetry import opentelemetry as otel
from amptalk.telemetry.callbacks import CallbackThread

if TYPE_CHECKING:
    from amptalk.history.history import History
    from amptalk.history.recorder import Recorder

_FAULTS_LOGGED = (1, 10, 100)
"""A fault that repeats is logged these times, then each thousandth."""
_SYNC_SECONDS = 60.0
"""What was recorded reaches the disk after this long at the latest, even on power loss."""


class Listeners:
    """The listeners of one manager, opened at its start and closed at its stop."""

    def __init__(
        self,
        history: History,
        sources: Iterable[otel.Source],
        callback: Callable[[Sample], object] | None,
        record: str | None,
        interval: float,
    ) -> None:
        self.name = ""
        self._history = history
        self._sources = sources
        self._callback = callback
        self._record = record
        self._interval = interval
        self._thread: CallbackThread | None = None
        self._recorder: Recorder | None = None
        self._recorded_events = 0
        self._closing = threading.Event()
        self._registering: threading.Thread | None = None
        self._said: tuple[str, ...] = ()
        self._faults = 0
        otel.register(sources)

    def open(self, notices: tuple[str, ...]) -> None:
        """Begin to tell. Raises `MetricsFileError` when the recording cannot be written."""
        if self._record is not None:
            self._open_recorder(self._record)
        if self._callback is not None:
            self._thread = CallbackThread(self._callback)
        if notices != self._said:
            self._said = notices
            for notice in notices:
                self._history.note("notice", time.time(), text=notice)
                self._warn(notice)

    def tell(self, tick: Tick) -> None:
        """Tell of one tick; called on the tick's thread, returns at once."""
        if self._thread is not None:
            self._thread.offer(tick.sample)
        recorder, noted = self._recorder, self._history.events_noted
        if recorder is not None:
            recorder.record(tick.sample)
            if noted != self._recorded_events:
                for event in self._history.events_since(self._recorded_events):
                    recorder.note(event)
                self._recorded_events = noted
        if otel.available():
            if not otel.registered():
                self._register_off_the_loop()
            otel.events.tick(self.name, tick)

    def refused(self, reason: str) -> None:
        """Tell that work was not admitted, and why in a word."""
        otel.events.admission_rejected(self.name, reason)

    def fault(self, error: Exception) -> None:
        """A tick failed by a bug of ours: note it, log it at a falling rate, go on."""
        self._faults += 1
        if self._faults not in _FAULTS_LOGGED and self._faults % 1000:
            return
        text = f"{type(error).__name__}: {error}"
        self._history.note("fault", time.time(), error=text, count=self._faults)
        import logging

        logging.getLogger("amptalk").error(
            "tick %d of %s failed: %s; monitoring goes on",
            self._faults, self.name, text, exc_info=error,
        )  # fmt: skip

    def close(self) -> None:
        """Tell nothing more; writes out and closes the recording. Idempotent."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.close()
        self._closing.set()
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.close()

    def abandon(self) -> None:
        """Forget threads, locks and files that a fork left to the parent."""
        otel.forked()
        self._thread = None
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.abandon()

    def _open_recorder(self, path: str) -> None:
        from amptalk.history.recorder import Recorder

        self._recorder = recorder = Recorder(path, self._interval)
        self._closing = closing = threading.Event()

        def keep_synced() -> None:
            while not closing.wait(_SYNC_SECONDS):
                recorder.sync()

        threading.Thread(target=keep_synced, name="amptalk-recorder", daemon=True).start()

    def _register_off_the_loop(self) -> None:
        """Making the instruments takes milliseconds, which the tick does not have."""
        if self._registering is None or not self._registering.is_alive():
            self._registering = threading.Thread(
                target=otel.register, args=(self._sources,), name="amptalk-register", daemon=True
            )
            self._registering.start()

    def _warn(self, text: str) -> None:
        if "logging" not in sys.modules:
            # Then nobody can have configured it: this is what it would do, without the 5 ms
            # and the megabyte that importing it adds to every start.
            with suppress(AttributeError, OSError, ValueError):  # a service may have closed it
                sys.stderr.write(f"amptalk {self.name}: {text}\n")
            return
        import logging

        logging.getLogger("amptalk").warning("%s: %s", self.name, text)
