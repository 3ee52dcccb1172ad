"""Why there is no temperature.

Sources: Documentation/hwmon/{coretemp,k10temp}.rst, sensors-detect(8),
Documentation/ABI/testing/sysfs-class-thermal.
"""

from __future__ import annotations

from amptalk.sensors.diagnosis.causes import Cause, Finding
from amptalk.sensors.diagnosis.machine import Machine
from amptalk.sensors.report import SensorReport
from amptalk.sensors.thermometers import thermometers

_DRIVERS = {"Intel": "coretemp", "AMD": "k10temp"}


def explain(machine: Machine, report: SensorReport) -> tuple[Finding, ...]:
    """Say why no sensor gives a temperature; nothing for the fault of one that is there."""
    if not report.missing.startswith("no temperature sensor"):
        return ()
    others = dict.fromkeys(one.label for one in thermometers(machine.roots))
    if others:
        text = f"only of other parts: {', '.join(others)}"
        remedy = f"export AMPTALK_TEMPERATURE={next(iter(others))!r}"
        return (Finding("", Cause.NO_DEVICE, text, remedy),)
    if machine.virtual:
        text = f"{machine.virtual} does not show the machine's temperatures to its guests"
        return (Finding("", Cause.NO_DEVICE, text),)
    driver = _DRIVERS.get(machine.processor, "")
    if driver and not machine.loaded(driver):
        text = f"the driver {driver} of the processor's thermometer is not loaded"
        remedy = machine.on_host(f"sudo modprobe {driver}")
        return (Finding("", Cause.NO_DRIVER, text, remedy),)
    if machine.processor:
        text = "no driver of a thermometer is loaded"
        remedy = machine.on_host("sudo sensors-detect --auto")
        return (Finding("", Cause.NO_DRIVER, text, remedy),)
    return (Finding("", Cause.NO_DEVICE, "the kernel knows no thermometer of this machine"),)
