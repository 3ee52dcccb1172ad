"""Why some causes of throttling cannot be seen here.

Sources: drivers/hwmon/raspberrypi-hwmon.c, moby pull request 49560 (container runtimes hide
`thermal_throttle`), Documentation/admin-guide/pm/cpufreq.rst.
"""

from __future__ import annotations

import re

from amptalk.sensors.diagnosis.causes import Cause, Finding, best_first
from amptalk.sensors.diagnosis.firmware import hindrance, unhide
from amptalk.sensors.diagnosis.machine import Machine
from amptalk.sensors.files import listing
from amptalk.sensors.report import SensorReport
from amptalk.sensors.throttling_readers import FREQUENCY, POWER, THERMAL, VOLTAGE

_NO_FILE = "no file of this hardware or its drivers shows it"
_HARDWARE = (THERMAL, POWER, VOLTAGE, FREQUENCY)


def explain(machine: Machine, report: SensorReport) -> tuple[Finding, ...]:
    """Say of each cause that cannot be seen what would show it; also while others are seen."""
    text = f"{report.missing} {report.value}"
    unseen = [cause for cause in _HARDWARE if re.search(rf"\b{cause}\b", _unseen_part(text))]
    if not unseen:
        return ()
    if machine.raspberry_pi:
        return best_first(_raspberry_pi(machine, unseen))
    found = []
    if machine.virtual:
        words = f"{machine.virtual} does not show it to its guests"
        return (Finding(", ".join(unseen), Cause.NO_DEVICE, words),)
    if machine.processor and FREQUENCY in unseen:
        unseen.remove(FREQUENCY)
        words = "no driver scales the processor's frequency"
        remedy = machine.on_host("sudo modprobe acpi-cpufreq")
        found.append(Finding(FREQUENCY, Cause.NO_DRIVER, words, remedy))
    if machine.container and machine.processor == "Intel" and _hidden(machine):
        words = "the container runtime hides the processor's throttle counters"
        counted = [cause for cause in unseen if cause in {THERMAL, POWER}]
        if counted:
            found.append(Finding(", ".join(counted), Cause.NO_PERMISSION, words, unhide(machine)))
            unseen = [cause for cause in unseen if cause not in counted]
    if unseen:
        found.append(Finding(", ".join(unseen), Cause.NOT_GIVEN, _NO_FILE))
    return best_first(found)


def _unseen_part(text: str) -> str:
    """What a verdict says cannot be seen: all of it when there is no verdict."""
    return text.rpartition("cannot be seen here: ")[2] if "not slower" in text else text


def _hidden(machine: Machine) -> bool:
    folder = f"{machine.roots.sys}/devices/system/cpu/cpu0/thermal_throttle"
    return not listing(folder)


def _raspberry_pi(machine: Machine, unseen: list[str]) -> list[Finding]:
    """The alarm has a driver; the other flags are the firmware's, which knows no power cap."""
    found = []
    rest = [cause for cause in unseen if cause != POWER]
    if VOLTAGE in rest and not machine.loaded("raspberrypi_hwmon"):
        rest.remove(VOLTAGE)
        words = "the driver of the under-voltage alarm is not loaded"
        remedy = machine.on_host("sudo modprobe raspberrypi-hwmon")
        found.append(Finding(VOLTAGE, Cause.NO_DRIVER, words, remedy))
    if rest:
        why = hindrance(machine)
        words = "the firmware does not answer get_throttled"
        cause, remedy = Cause.NOT_GIVEN, ""
        if why is not None:
            words = f"the firmware is not asked for get_throttled: {why.reason}"
            cause, remedy = why.cause, why.remedy
        found.append(Finding(", ".join(rest), cause, words, remedy))
    if POWER in unseen:
        found.append(Finding(POWER, Cause.NOT_GIVEN, _NO_FILE))
    return found
