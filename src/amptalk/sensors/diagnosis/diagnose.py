"""Put each sensor's report together with why it has no value and what helps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from amptalk.sensors.diagnosis import (
    gpu,
    groups,
    power,
    pressure,
    processes,
    temperature,
    throttling,
)
from amptalk.sensors.diagnosis.causes import Cause, Finding
from amptalk.sensors.diagnosis.machine import Machine
from amptalk.sensors.diagnosis.outcomes import finding_of
from amptalk.sensors.report import SensorReport

WORKS, ASLEEP, FIXABLE, ABSENT = "works", "asleep", "can be enabled", "not available"
"""States of a sensor. `ASLEEP` is no fault: it has values as soon as it is used."""

_Explain = Callable[[Machine, SensorReport], tuple[Finding, ...]]
_TOPICS: tuple[tuple[str, _Explain], ...] = (
    ("device.pressure_", pressure.explain),
    ("container.", groups.explain),
    ("device.power_watts", power.explain),
    ("device.temperature_celsius", temperature.explain),
    ("application.pss_mb", processes.explain),
)


class Diagnosis(NamedTuple):
    """One sensor: what it says, and else why not."""

    report: SensorReport
    state: str
    """One of `WORKS`, `ASLEEP`, `FIXABLE` and `ABSENT`."""
    findings: tuple[Finding, ...]
    """Why it is missing, what can be done something about first. For a sensor that works, what
    keeps it from saying more."""

    @property
    def remedy(self) -> str:
        """The one command to try first; empty when nothing can or must be done."""
        return self.findings[0].remedy if self.findings else ""


def diagnose(reports: Iterable[SensorReport], machine: Machine) -> tuple[Diagnosis, ...]:
    """Explain every report of `SensorSuite.describe`."""
    return tuple(_diagnosis(report, machine) for report in reports)


def _diagnosis(report: SensorReport, machine: Machine) -> Diagnosis:
    findings = _explained(report, machine) if machine.system == "Linux" else ()
    if not report.missing:
        return Diagnosis(report, WORKS, findings)
    findings = findings or (finding_of(report.missing, report.remedy),)
    if any(one.cause is Cause.ASLEEP for one in findings):
        return Diagnosis(report, ASLEEP, findings)
    state = FIXABLE if any(one.remedy for one in findings) else ABSENT
    return Diagnosis(report, state, findings)


def _explained(report: SensorReport, machine: Machine) -> tuple[Finding, ...]:
    if report.name == "throttling":
        return throttling.explain(machine, report)
    if report.name.startswith("GPU"):
        return gpu.explain(machine, report) if report.missing else gpu.remarks(machine)
    if report.missing:
        for field, explain in _TOPICS:
            if any(one.startswith(field) for one in report.gives):
                return explain(machine, report)
    return ()
