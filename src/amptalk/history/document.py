"""What a metrics file says, whatever its format: `MetricsDocument`.

How it is written and read is in `files` and one module a format.
"""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Any

from amptalk.history.history import History
from amptalk.model.errors import MetricsFileError
from amptalk.model.sample import FIELDS

SCHEMA_VERSION = 1
TIMES = ("time", "monotonic")
"""Columns that every document has: seconds since the epoch (UTC) and monotonic seconds."""

UNITS: Mapping[str, str] = {
    "time": "s", "monotonic": "s", "resolution": "s",
    **{known.name: known.unit for known in FIELDS},
}  # fmt: skip

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")

Column = list[float | None]


@dataclass(slots=True)
class MetricsDocument:
    """The content of a metrics file.

    `samples` are columns of equal length, `None` for a missing value:
    `pandas.DataFrame(document.samples)` works as it is.
    """

    samples: dict[str, Column]
    """Column name to values; `time` and `monotonic` are always there."""
    units: dict[str, str] = field(default_factory=dict)
    host: dict[str, Any] = field(default_factory=dict)
    """What the run was made on: machine, system, Python. Nothing that identifies a device."""
    config: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    violations: list[dict[str, Any]] = field(default_factory=list)
    effectiveness: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """Column name to the reason why it has no values at the end of the run."""
    schema_version: int = SCHEMA_VERSION
    warnings: list[str] = field(default_factory=list)
    """What reading had to leave out; never written."""

    def about(self) -> dict[str, Any]:
        """Everything but samples and events, in the order of the file."""
        return {
            "schema_version": self.schema_version,
            "host": self.host,
            "config": self.config,
            "units": self.units,
            "missing": self.missing,
            "violations": self.violations,
            "effectiveness": self.effectiveness,
        }

    def as_written(self) -> MetricsDocument:
        """A copy with everything as files carry it; see `plain`."""
        return MetricsDocument(
            samples={name: finite(column) for name, column in self.samples.items()},
            events=[plain(event) for event in self.events],
            **{name: plain(part) for name, part in self.about().items()},
        )

    def __len__(self) -> int:
        """Rows."""
        return len(self.samples["time"])


def this_host() -> dict[str, Any]:
    """Machine, operating system and Python, without names or serial numbers."""
    system = os.uname()
    version = ".".join(str(part) for part in sys.version_info[:3])
    return {
        "machine": system.machine,
        "system": f"{system.sysname} {system.release}",
        "python": version,
    }


def document_of(
    history: History,
    *,
    config: Mapping[str, Any],
    violations: Iterable[Any] = (),
    effectiveness: Mapping[str, Any] | None = None,
) -> MetricsDocument:
    """Make the document of a run out of its history and what the manager knows besides."""
    samples = history.samples()
    latest = history.latest
    return MetricsDocument(
        samples=samples,
        units={
            name: unit
            for name, unit in (*UNITS.items(), *history.columns.signals)
            if name in samples
        },
        host=this_host(),
        config={**plain(config), "events_dropped": history.events_dropped},
        events=[plain(event) for event in history.events],
        violations=[plain(violation) for violation in violations],
        effectiveness=plain(effectiveness or {}),
        missing=dict(latest.missing) if latest else {},
    )


def plain(value: Any) -> Any:
    """Turn a value into what JSON has: numbers, texts, lists, mappings with text keys, `None`.

    `nan` and the infinities become `None` (an infinite limit is no limit); levels
    become their label, other enums their value, what is left its text.
    """
    if value is None or (isinstance(value, (bool, str)) and not isinstance(value, Enum)):
        return value
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return _plain_container(value)


def _plain_container(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return str(value)


def finite(column: Iterable[float | None]) -> Column:
    """A column as files carry it: `None` for what is missing or not finite."""
    return [v if v is not None and math.isfinite(v) else None for v in column]


def check_names(place: str, names: Iterable[str]) -> None:
    """Raise `MetricsFileError` unless these can be the columns of a metrics file."""
    seen: set[str] = set()
    for name in names:
        if not _NAME.fullmatch(name):
            raise MetricsFileError(
                f"{place}: {name[:80]!r} cannot name a column; letters, digits, '_', '.' and '-' "
                "are allowed, a letter or '_' first"
            )
        if name.lower() in seen:
            raise MetricsFileError(
                f"{place}: column {name!r} is there twice (capitals do not tell columns apart)"
            )
        seen.add(name.lower())
    for name in TIMES:
        if name not in seen:
            raise MetricsFileError(
                f"{place}: the samples have no column {name!r}; "
                "'time' and 'monotonic' are needed, so this is no metrics file of AMPTALK"
            )


def check_columns(place: str, samples: Mapping[str, Column]) -> None:
    """Raise `MetricsFileError` unless all columns are as long as `time`."""
    check_names(place, samples)
    length = len(samples["time"])
    for name, column in samples.items():
        if len(column) != length:
            raise MetricsFileError(
                f"{place}: column {name!r} has {len(column)} values and 'time' has {length}; "
                "all columns must be equally long"
            )


def number_or_none(place: str, value: object) -> float | None:
    """A finite number or `None`, else `MetricsFileError`."""
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise MetricsFileError(f"{place}: {str(value)[:80]!r} is not a finite number or null")
