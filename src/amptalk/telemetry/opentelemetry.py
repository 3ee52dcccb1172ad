"""OpenTelemetry: one process-wide set of instruments, made when the application uses the API.

Only the API is used, and only once the application has imported it; without an
SDK everything is a no-op. The library never sets a provider: views, readers and
exporters are the application's, set before or after the manager. What is
observed is in `observing`, every name in `names`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from amptalk.model.action import ActionReport
from amptalk.model.tick import Tick
from amptalk.telemetry import names
from amptalk.telemetry.observing import Source

__all__ = ["Events", "Source", "available", "events", "forked", "register", "registered"]

_lock = threading.Lock()


class Events:
    """Counters and histograms of what happens; does nothing until registered, never raises."""

    def __init__(self) -> None:
        self._actions: Any = None
        self._rejected: Any = None
        self._ticks: Any = None
        self._samples: Any = None

    def tick(self, manager: str, tick: Tick) -> None:
        """Tell of one tick and of the actions verified in it."""
        if self._ticks is None:
            return
        _quietly(self._ticks.record, tick.seconds, manager)
        _quietly(self._samples.record, tick.sampling_seconds, manager)
        for report in tick.reports:
            self.action(manager, report)

    def action(self, manager: str, report: ActionReport) -> None:
        """Tell of one action and its verdict."""
        if self._actions is not None:
            _quietly(
                self._actions.add, 1, manager,
                **{
                    "amptalk.action": report.action,
                    "amptalk.verdict": report.verdict.value,
                    names.RESOURCE: report.resource,
                },
            )  # fmt: skip

    def admission_rejected(self, manager: str, reason: str) -> None:
        """Tell that work was not admitted, and why in a word such as `never_fits`."""
        if self._rejected is not None:
            _quietly(self._rejected.add, 1, manager, **{"amptalk.reason": reason})

    def create(self, meter: Any) -> None:
        """Make the instruments; part of `register`."""
        self._actions = meter.create_counter(*names.ACTIONS[:3])
        self._rejected = meter.create_counter(*names.REJECTED[:3])
        self._samples = _histogram(meter, names.SAMPLING)
        self._ticks = _histogram(meter, names.TICK)


events = Events()
"""The one set of event instruments of this process."""


def available() -> bool:
    """Whether the application has imported the API, completely. Cheap: called each tick."""
    module = sys.modules.get("opentelemetry.metrics")
    if module is None:
        return False
    # Another thread may be in the middle of importing it.
    return not getattr(getattr(module, "__spec__", None), "_initializing", False)


class _Registration:
    """Whether the instruments are there, and whose managers they show."""

    def __init__(self) -> None:
        self.sources: Iterable[Source] | None = None
        self.failed = False

    def current(self) -> Iterable[Source]:
        return () if self.sources is None else self.sources


_registration = _Registration()


def forked() -> None:
    """Renew the lock in a fork's child: a thread of the parent may have held it."""
    global _lock  # noqa: PLW0603 - the one lock of this process
    _lock = threading.Lock()


def registered() -> bool:
    """Whether nothing is left to be done: the instruments are there, or could not be made."""
    return _registration.sources is not None or _registration.failed


def register(sources: Iterable[Source]) -> bool:
    """Create the instruments, once in a process; `False` while the API is not there.

    `sources` is iterated anew at each observation and gives the managers that
    live then; a later call with another one replaces it. Thread-safe, and cheap when there is
    nothing to do.
    """
    if _registration.sources is sources:
        return True
    if _registration.failed or not available():
        return False
    with _lock:
        if _registration.sources is None:
            try:
                _create()
            except Exception:  # monitoring goes on without telemetry
                _registration.failed = True
                import logging

                logging.getLogger(__name__).exception("OpenTelemetry instruments not created")
                return False
        _registration.sources = sources
    return True


def _create() -> None:
    from opentelemetry import metrics

    from amptalk import __version__
    from amptalk.telemetry.observing import callback, instruments

    meter = metrics.get_meter(names.METER, __version__, schema_url=names.SCHEMA_URL)
    makers: dict[names.Kind, Callable[..., Any]] = {
        "gauge": meter.create_observable_gauge,
        "up_down_counter": meter.create_observable_up_down_counter,
        "counter": meter.create_observable_counter,
    }
    for each in instruments():
        observe: Sequence[Callable[[Any], list[Any]]] = [
            callback(_registration.current, each.read, metrics.Observation)
        ]
        makers[each.kind](each.name, observe, unit=each.unit, description=each.description)
    events.create(meter)


def _histogram(meter: Any, metric: names.EventMetric) -> Any:
    try:
        return meter.create_histogram(
            *metric[:3], explicit_bucket_boundaries_advisory=metric.boundaries
        )
    except TypeError:  # before API 1.30; the user's views can set the boundaries
        return meter.create_histogram(*metric[:3])


def _quietly(tell: Callable[..., None], amount: float, manager: str, **attributes: str) -> None:
    with suppress(Exception):  # telling must never stop the work
        tell(amount, {names.MANAGER: manager, **attributes})
