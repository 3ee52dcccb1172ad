"""What one tick saw: the immutable sample and its three views.

A sample is a flat row of numbers plus two mappings, `missing` (why a value is
`nan`) and `provenance` (where a value comes from and how old it is). Views are
built when they are looked at, so a tick pays for a tuple and nothing more.
The order of the row is that of `Columns`: `FIELDS`, then the signals of the
application in the order in which they were declared; history, files and telemetry
use it too. The views are in `views`.

It does not measure anything (`sensors`) and does not judge (`limits`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, NoReturn

from amptalk.model.views import ApplicationView, ContainerView, DeviceView, ScopeView

Method = Literal["measured", "derived", "estimated"]


class Provenance(NamedTuple):
    """Where a value comes from."""

    method: Method
    source: str
    """The kernel file or rule, such as `smaps_rollup + anonymous growth`."""
    measured_at: float
    """Monotonic seconds of the measurement; the sample's own time minus this is its age."""
    renewed: bool = False
    """True when the value is brought up to date in every tick, starting from that measurement;
    false when it stays as measured until the next one."""


class Field(NamedTuple):
    """One column of the row."""

    name: str
    unit: str


def unit_of(name: str) -> str:
    """The unit that a name ends with, `1` for a plain number."""
    for suffix, unit in (
        ("_mb_s", "MB/s"), ("_mb", "MB"), ("_percent", "%"), ("_utilization", "%"),
        ("_cores", "cores"), ("_watts", "W"), ("_celsius", "°C"), ("_faults_s", "1/s"),
        ("_ms", "ms"), ("_seconds", "s"), ("_per_second", "1/s"),
    ):  # fmt: skip
        if name.endswith(suffix):
            return unit
    return "1"


def _fields() -> Iterator[Field]:
    for prefix, view in (
        ("", ScopeView), ("application.", ApplicationView),
        ("container.", ContainerView), ("device.", DeviceView),
    ):  # fmt: skip
        for name in view._fields:
            yield Field(prefix + name, unit_of(name))


FIELDS: tuple[Field, ...] = tuple(_fields())
"""What every sample's row begins with: short names, application, container, device."""

INDEX: Mapping[str, int] = {field.name: position for position, field in enumerate(FIELDS)}
"""Name of each of `FIELDS` to its position in the row."""


class Columns:
    """What the places of a row hold: `FIELDS`, then the signals of the application.

    Immutable and shared by the samples of one manager. Another one takes its place when a
    signal is declared: it has the same columns and more, so that a place keeps its meaning.
    """

    __slots__ = ("fields", "index")

    def __init__(self, signals: tuple[Field, ...] = ()) -> None:
        self.fields = (*FIELDS, *signals)
        """Every column, in the order of the row."""
        self.index: Mapping[str, int] = {
            field.name: position for position, field in enumerate(self.fields)
        }
        """Column name to position in the row."""

    @property
    def signals(self) -> tuple[Field, ...]:
        """The columns that are signals of the application."""
        return self.fields[len(FIELDS) :]


BUILT_IN_COLUMNS = Columns()
"""Those of a sample without signals."""

APPLICATION_AT = INDEX["application.memory_mb"]
CONTAINER_AT = INDEX["container.memory_usage_mb"]
DEVICE_AT = INDEX["device.memory_used_mb"]
SIGNALS_AT = len(FIELDS)

_NOTHING: Mapping[str, Any] = {}


class Sample:
    """What one tick saw. Immutable; a value that could not be measured is `nan` with a reason.

    The specification's names (`memory_used_mb`, `cpu_percent` …) are those of the
    manager's scope; `application`, `container` and `device` are the full views.
    """

    __slots__ = (
        "columns", "cpu_percent_per_core", "missing", "monotonic", "provenance", "row", "time",
    )  # fmt: skip

    time: float
    """Seconds since the epoch, UTC."""
    monotonic: float
    """Seconds of the monotonic clock: use this for differences."""
    row: tuple[float, ...]
    """All values in the order of `columns`: of `FIELDS`, then of the signals."""
    missing: Mapping[str, str]
    """Field name to the reason why it is `nan`."""
    provenance: Mapping[str, Provenance]
    """Field name to its origin, for the fields where it is not simply read in this tick."""
    cpu_percent_per_core: tuple[float, ...]
    """Percent of each core, at the place of its number; `nan` for one that is offline."""
    columns: Columns
    """What each place of `row` holds."""

    def __init__(  # noqa: PLR0917 - the seven parts of a sample
        self,
        time: float,
        monotonic: float,
        row: tuple[float, ...],
        missing: Mapping[str, str] = _NOTHING,
        provenance: Mapping[str, Provenance] = _NOTHING,
        cpu_percent_per_core: tuple[float, ...] = (),
        columns: Columns = BUILT_IN_COLUMNS,
    ) -> None:
        _put_time(self, time)
        _put_monotonic(self, monotonic)
        _put_row(self, row)
        _put_missing(self, missing)
        _put_provenance(self, provenance)
        _put_per_core(self, cpu_percent_per_core)
        _put_columns(self, columns)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a sample is immutable: {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a sample is immutable: {name!r} cannot be deleted")

    def __getitem__(self, field: str) -> float:
        """Value of a field or signal by name, such as `sample["device.swap_used_mb"]`."""
        return self.row[self.columns.index[field]]

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={value:.1f}"
            for name, value in zip(ScopeView._fields, self.row, strict=False)
            if not math.isnan(value)
        )
        return f"Sample(time={self.time:.3f}, {shown})"

    @property
    def memory_used_mb(self) -> float:
        """Memory of the scope in MB (1024² bytes)."""
        return self.row[0]

    @property
    def memory_percent(self) -> float:
        """Memory of the scope as 0-100 of what the scope could use at most."""
        return self.row[1]

    @property
    def cpu_percent(self) -> float:
        """CPU of the scope as 0-100 of the effective capacity."""
        return self.row[2]

    @property
    def gpu_memory_mb(self) -> float:
        """GPU memory of the scope in MB."""
        return self.row[3]

    @property
    def gpu_utilization(self) -> float:
        """Busy share of the GPU, 0-100, device-wide."""
        return self.row[4]

    @property
    def power_watts(self) -> float:
        """Power of the device in watts."""
        return self.row[5]

    @property
    def temperature_celsius(self) -> float:
        """The device's decisive temperature in °C."""
        return self.row[6]

    @property
    def application(self) -> ApplicationView:
        """This process and its descendants."""
        return ApplicationView._make(self.row[APPLICATION_AT:CONTAINER_AT])

    @property
    def container(self) -> ContainerView:
        """The control group, `nan` outside one."""
        return ContainerView._make(self.row[CONTAINER_AT:DEVICE_AT])

    @property
    def device(self) -> DeviceView:
        """The whole machine."""
        return DeviceView._make(self.row[DEVICE_AT:SIGNALS_AT])

    @property
    def signals(self) -> Mapping[str, float]:
        """The application's signals by name, `nan` for one that recorded nothing."""
        names = (field.name for field in self.columns.signals)
        return dict(zip(names, self.row[SIGNALS_AT:], strict=True))

    def age(self, field: str) -> float:
        """Seconds between the sample and the measurement of `field`; 0 when read in this tick."""
        origin = self.provenance.get(field)
        return 0.0 if origin is None else self.monotonic - origin.measured_at

    def as_dict(self) -> dict[str, float | None]:
        """All values by name, `None` where missing (as files and JSON carry them)."""
        return {
            field.name: None if math.isnan(value) else value
            for field, value in zip(self.columns.fields, self.row, strict=True)
        }


# The slots themselves still take a value, which `__setattr__` refuses. Called once a tick.
(
    _put_time, _put_monotonic, _put_row, _put_missing, _put_provenance, _put_per_core,
    _put_columns,
) = [
    vars(Sample)[name].__set__
    for name in (
        "time", "monotonic", "row", "missing", "provenance", "cpu_percent_per_core", "columns",
    )
]  # fmt: skip
