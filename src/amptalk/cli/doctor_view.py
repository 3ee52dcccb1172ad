"""What `amptalk doctor` has to say, as data: machine, sensors, limits.

Rows of limits put together what the sensors see, what the application can register, and what the
kernel could hold. How it is printed is in `doctor_text`.
"""

from __future__ import annotations

from math import inf, isfinite, isnan
from typing import Any, NamedTuple

from amptalk import __version__
from amptalk.actuators.actuation import Actuation
from amptalk.actuators.levers import levers
from amptalk.clock import SystemClock
from amptalk.limits.limits import ResourceLimits
from amptalk.model.resource import BUILT_IN, Resource
from amptalk.model.sample import Provenance, Sample
from amptalk.sensors.capacity import Capacity
from amptalk.sensors.diagnosis.causes import Finding
from amptalk.sensors.diagnosis.control import RESOURCES, Control, kernel_control
from amptalk.sensors.diagnosis.diagnose import ABSENT, ASLEEP, WORKS, Diagnosis, diagnose
from amptalk.sensors.diagnosis.machine import Machine
from amptalk.sensors.diagnosis.outcomes import finding_of
from amptalk.sensors.shown import SHOWN
from amptalk.sensors.suite import SensorSuite

LIMITS = dict(zip(ResourceLimits._fields, BUILT_IN.values(), strict=True))
"""Resources by the name of their limit."""


class LimitRow(NamedTuple):
    """One limit in the scope: can it be seen, and what can hold it."""

    name: str
    resource: Resource
    field: str
    """The sample's field that is judged."""
    state: str
    """That of its sensor, see `diagnosis.diagnose`."""
    value: float
    source: str
    findings: tuple[Finding, ...]
    """Why it cannot be seen."""
    held_by: tuple[str, ...]
    """Levers that the application can register, and `trim`; empty when nothing can hold it."""
    kernel: Control | None
    """`None` where the kernel has no limit of the kind, or none for the scope."""


class View(NamedTuple):
    """Everything there is to say."""

    machine: Machine
    scope: str
    capacity: Capacity
    sample: Sample
    sensors: tuple[Diagnosis, ...]
    limits: tuple[LimitRow, ...]
    notices: tuple[str, ...]
    """What a manager with all limits and nothing registered says at its start."""


def view(suite: SensorSuite, machine: Machine, pid: int) -> View:
    """Ask the sensors, which must have been open for long enough to tell rates."""
    sensors = diagnose(suite.describe(), machine)
    sample = suite.read()
    limits = tuple(_row(name, suite.scope, sample, sensors, machine, pid) for name in LIMITS)
    return View(
        machine, suite.scope, suite.capacity, sample, sensors, limits, _notices(suite.capacity)
    )


def _row(  # noqa: PLR0917 - all that a limit depends on
    name: str,
    scope: str,
    sample: Sample,
    sensors: tuple[Diagnosis, ...],
    machine: Machine,
    pid: int,
) -> LimitRow:
    resource = LIMITS[name]
    field = SHOWN[scope][resource.field]
    value = sample[field]
    state, findings = (WORKS, ()) if not isnan(value) else state_of(field, sample, sensors)
    origin = sample.provenance.get(field)
    source = "" if isnan(value) else origin.source if origin else source_of(field, sensors)
    kernel = None
    if resource.name in RESOURCES and scope != "device":
        kernel = kernel_control(machine, pid, resource.name)
    held_by = levers(resource, seen=state in {WORKS, ASLEEP})
    return LimitRow(name, resource, field, state, value, source, findings, held_by, kernel)


def state_of(
    field: str, sample: Sample, sensors: tuple[Diagnosis, ...]
) -> tuple[str, tuple[Finding, ...]]:
    """State and findings of a field without a value."""
    own = [one for one in sensors if field in one.report.gives and one.state != WORKS]
    if own:
        return own[0].state, own[0].findings
    return ABSENT, (finding_of(sample.missing.get(field, "it has no value"), ""),)


def source_of(field: str, sensors: tuple[Diagnosis, ...]) -> str:
    """Where a field with a value comes from."""
    own = (one.report.source for one in sensors if field in one.report.gives and one.report.value)
    return next(own, "")


def origin_of(one: Diagnosis, sample: Sample) -> Provenance | None:
    """How the first of its values came about; `None` when all are simply read."""
    return next((sample.provenance[it] for it in one.report.gives if it in sample.provenance), None)


def _notices(capacity: Capacity) -> tuple[str, ...]:
    memory = 1000.0 if isnan(capacity.memory_mb) else round(0.8 * capacity.memory_mb) or 1.0
    limits = ResourceLimits(
        max_memory_mb=memory, max_cpu_percent=80, max_gpu_percent=80,
        max_gpu_memory_mb=memory, max_power_watts=10, max_temp_celsius=80,
    )  # fmt: skip
    return Actuation(SystemClock(), "enforce", limits.items()).holds()


def as_json(seen: View) -> dict[str, Any]:
    """All of it as plain data; what is no number is null."""
    machine = seen.machine
    return {
        "schema_version": 1,
        "amptalk": __version__,
        "machine": {
            "model": machine.model or None,
            "system": machine.system,
            "kernel": machine.kernel or None,
            "distribution": machine.distribution or None,
            "container": machine.container or None,
            "virtual_machine": machine.virtual or None,
            "root": machine.user.root,
        },
        "scope": seen.scope,
        "capacity": {key: _plain(value) for key, value in seen.capacity._asdict().items()},
        "sensors": [_sensor(one, seen.sample) for one in seen.sensors],
        "limits": [_limit(one) for one in seen.limits],
        "notices": list(seen.notices),
    }


def _sensor(one: Diagnosis, sample: Sample) -> dict[str, Any]:
    report = one.report
    origin = origin_of(one, sample)
    return {
        "name": report.name,
        "state": one.state,
        "gives": list(report.gives),
        "value": report.value,
        "values": {field: _plain(sample[field]) for field in report.gives},
        "source": report.source,
        "method": None if origin is None else origin.method,
        "origin": None if origin is None else origin.source,
        "cost_us": round(report.cost_us, 1) if report.cost_us > 0 else None,
        "missing": report.missing,
        "remedy": one.remedy,
        "because": [finding._asdict() for finding in one.findings],
    }


def _limit(row: LimitRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "resource": row.resource.name,
        "state": row.state,
        "seen": row.state in {WORKS, ASLEEP},
        "field": row.field,
        "value": _plain(row.value),
        "unit": row.resource.unit,
        "source": row.source,
        "held_by": list(row.held_by),
        "kernel": None if row.kernel is None else row.kernel._asdict(),
        "remedy": row.findings[0].remedy if row.findings else "",
        "because": [finding._asdict() for finding in row.findings],
    }


def _plain(value: Any) -> Any:
    """JSON has neither nan nor infinity: both are null."""
    return None if isinstance(value, float) and not isfinite(value) else value


def unit_text(value: float, unit: str) -> str:
    """A value with its unit; infinity is the absence of a limit."""
    return "none" if value == inf else f"{value:.1f} {unit}"
