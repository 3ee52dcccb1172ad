"""The user's metrics callback, on a thread of its own.

The latest sample wins: a callback that is slower than the ticks misses samples,
which are counted, and one that raises or hangs harms nothing but itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from amptalk.model.sample import Sample

LOG_SECONDS = 60.0
"""A callback that keeps failing is logged this often."""


class CallbackThread:
    """Calls `callback(sample)` on one daemon thread. After `close`, make a new one."""

    def __init__(self, callback: Callable[[Sample], object]) -> None:
        self.delivered = 0
        """Calls that returned."""
        self.dropped = 0
        """Samples that were replaced by a newer one before the callback was free."""
        self.failed = 0
        """Calls that raised."""
        self.last_error: BaseException | None = None
        self._callback = callback
        self._pending: Sample | None = None
        self._closed = False
        self._logged_at = -LOG_SECONDS
        self._logged = 0
        self._changed = threading.Condition(threading.Lock())
        self._thread = threading.Thread(target=self._run, name="amptalk-callback", daemon=True)
        self._thread.start()

    def offer(self, sample: Sample) -> None:
        """Hand over a sample without waiting; it takes the place of one not yet delivered."""
        with self._changed:
            if self._closed:
                return
            if self._pending is not None:
                self.dropped += 1
            self._pending = sample
            self._changed.notify()

    def close(self, timeout: float = 1.0) -> bool:
        """Deliver nothing more; wait up to `timeout` seconds for a call that is under way.

        Returns whether the thread has ended: `False` for a callback that hangs.
        May be called from the callback.
        """
        with self._changed:
            if self._pending is not None:
                self.dropped += 1
                self._pending = None
            self._closed = True
            self._changed.notify()
        if threading.current_thread() is self._thread:
            return False
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._pending is None and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                sample, self._pending = self._pending, None
            if sample is not None:
                self._deliver(sample)

    def _deliver(self, sample: Sample) -> None:
        try:
            self._callback(sample)
        except BaseException as error:  # noqa: BLE001 - even SystemExit ends only this call
            self.failed += 1
            self.last_error = error
            self._log(error)
        else:
            self.delivered += 1

    def _log(self, error: BaseException) -> None:
        now = time.monotonic()
        if now - self._logged_at < LOG_SECONDS:
            return
        import logging

        logging.getLogger(__name__).error(
            "the metrics callback %r raised, %d times since it was last logged; monitoring goes on",
            self._callback, self.failed - self._logged, exc_info=error,
        )  # fmt: skip
        self._logged_at, self._logged = now, self.failed
