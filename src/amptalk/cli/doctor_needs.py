"""Names that may be asked of `amptalk doctor`: topics, fields of a sample, limits."""

from __future__ import annotations

from collections.abc import Iterable
from math import isnan
from typing import NamedTuple

from amptalk.cli.doctor_view import LIMITS, View, state_of
from amptalk.model.errors import ConfigurationError
from amptalk.model.sample import FIELDS
from amptalk.sensors.diagnosis.causes import Finding
from amptalk.sensors.diagnosis.diagnose import ASLEEP, WORKS, Diagnosis
from amptalk.sensors.shown import SHOWN

_FIELDS = tuple(field.name for field in FIELDS)
TOPICS: dict[str, tuple[str, ...]] = {
    "memory": ("device.memory_",),
    "swap": ("device.swap_", "device.refault_"),
    "cpu": ("device.cpu_",),
    "load": ("device.load_",),
    "psi": ("device.pressure_",),
    "pressure": ("device.pressure_",),
    "application": ("application.",),
    "container": ("container.",),
    "gpu": ("device.gpu_",),
    "power": ("device.power_",),
    "temperature": ("device.temperature_",),
}
"""Names to the fields that must all have a value, by their beginnings."""
_ANY = {"gpu"}
"""Topics that work with any of their fields: no GPU gives them all."""
_ELSEWHERE = "application.gpu_memory_mb"
"""A field of the GPU, not of the processes."""
NAMES = (*TOPICS, "throttling", *LIMITS, *_FIELDS)


class Asked(NamedTuple):
    """One name that was asked for, and the answer."""

    name: str
    works: bool
    state: str
    findings: tuple[Finding, ...]
    rows: tuple[Diagnosis, ...]
    """The sensors that it is about."""


def check_names(names: Iterable[str]) -> None:
    """Raise `ConfigurationError` with the closest names for one that does not exist."""
    for name in names:
        if name in NAMES:
            continue
        from difflib import get_close_matches

        close = get_close_matches(name, NAMES, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(close)}?" if close else f"there are {', '.join(TOPICS)}"
        raise ConfigurationError(
            f"{name!r} is no sensor, field or limit: {hint} Also every field of a sample "
            "(`amptalk watch --json` shows them) and every max_... limit"
        )


def asked(names: Iterable[str], seen: View) -> tuple[Asked, ...]:
    """Answer for each name once, in their order."""
    return tuple(_asked(name, seen) for name in dict.fromkeys(names))


def _asked(name: str, seen: View) -> Asked:
    if name in LIMITS:
        row = next(one for one in seen.limits if one.name == name)
        rows = _rows({row.field}, seen)
        return Asked(name, row.state in {WORKS, ASLEEP}, row.state, row.findings, rows)
    if name == "throttling":
        rows = tuple(one for one in seen.sensors if one.report.name == name)
        return Asked(name, rows[0].state == WORKS, rows[0].state, rows[0].findings, rows)
    fields = _fields(name, seen.scope)
    rows = _rows(set(fields), seen)
    missing = [field for field in fields if isnan(seen.sample[field])]
    if not missing or (name in _ANY and len(missing) < len(fields)):
        return Asked(name, works=True, state=WORKS, findings=(), rows=rows)
    states = [state_of(field, seen.sample, seen.sensors) for field in missing]
    state, findings = next((one for one in states if one[0] != ASLEEP), states[0])
    return Asked(name, state == ASLEEP, state, findings, rows)


def _fields(name: str, scope: str) -> tuple[str, ...]:
    if name in TOPICS:
        found = (field for field in _FIELDS if field.startswith(TOPICS[name]))
        return tuple(field for field in found if field != _ELSEWHERE)
    return (SHOWN[scope].get(name, name),)


def _rows(fields: set[str], seen: View) -> tuple[Diagnosis, ...]:
    return tuple(one for one in seen.sensors if fields & set(one.report.gives))
